package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/appliance/update/bundle"
	"github.com/truechimer/truechimer/image/artifact"
)

const (
	// uploadName is a bundle that was uploaded on the page, beside what else is kept.
	uploadName = "uploaded" + bundle.Ending
	// uploadMost bounds it, bytes: as a root partition.
	uploadMost = 512 << 20
	// uploadRoom is what has to be left on /perm for everything else, bytes.
	uploadRoom = 128 << 20
	onPage     = "that was uploaded"
)

func newUpdater(s *station, m machine) *updater {
	return &updater{s: s, machine: m, again: make(chan struct{}, 1)}
}

// goAnew has the engine begin anew with what has changed, once nothing is under way,
// and check at once.
func (u *updater) goAnew() {
	u.check.Store(true)
	select {
	case u.again <- struct{}{}:
	default: // it will already
	}
}

func (u *updater) uploadPath() string { return filepath.Join(u.s.platform.perm, uploadName) }

// uploaded is the bundle that was uploaded, if there is one.
func (u *updater) uploaded() offered {
	f, err := os.Open(u.uploadPath())
	if err != nil {
		return offered{}
	}
	o := offered{name: uploadName, where: onPage, close: f.Close}
	info, err := f.Stat()
	if err == nil {
		o.files, err = bundle.Open(f, info.Size())
	}
	if err != nil {
		o.files, o.note = nil, o.refused(err)
	}
	return o
}

// removeSpent removes a bundle that was uploaded when the version in it runs and is the
// one to boot: there is nothing more to be had of it.
func (u *updater) removeSpent() {
	if !u.taking.TryLock() {
		return // another one is being written, which takes its place
	}
	defer u.taking.Unlock()
	o := u.uploaded()
	defer o.end()
	if o.files == nil || versionOffered(o.files) != u.s.version {
		return
	}
	if err := durable.Remove(u.uploadPath()); err != nil {
		u.s.log.Warn("removing the bundle that was uploaded", "error", err)
		return
	}
	u.s.log.Info("the bundle that was uploaded is removed: its version runs", "version", u.s.version)
	u.goAnew()
}

// versionOffered is the version that a bundle says it has; empty: it does not say, or names
// several. Nothing of it is verified.
func versionOffered(b *bundle.Bundle) (version string) {
	for name := range b.Names() {
		if !strings.HasSuffix(name, ".manifest.json") {
			continue
		}
		text, err := b.Get(context.Background(), name, artifact.MaxManifest)
		if err != nil {
			return ""
		}
		m, err := artifact.Parse(text)
		if err != nil || version != "" && version != m.Version {
			return ""
		}
		version = m.Version
	}
	return version
}

// updates is the updater as the page works it. It implements settings.Updates.
type updates struct{ u *updater }

// Status implements settings.Updates.
func (a updates) Status() *status.Update { return a.u.status() }

// Check implements settings.Updates.
func (a updates) Check() error { return a.ask((*update.Engine).Check) }

// Update implements settings.Updates.
func (a updates) Update() error { return a.ask((*update.Engine).Update) }

func (a updates) ask(what func(*update.Engine)) error {
	e := a.u.engine.Load()
	if e == nil || e.Status().State == update.StateOff {
		return errors.New(a.u.status().Summary)
	}
	what(e)
	return nil
}

// Uploaded implements settings.Updates.
func (a updates) Uploaded() bool {
	_, err := os.Stat(a.u.uploadPath())
	return err == nil
}

// Remove implements settings.Updates.
func (a updates) Remove() error {
	a.u.taking.Lock()
	defer a.u.taking.Unlock()
	if err := durable.Remove(a.u.uploadPath()); err != nil {
		return err
	}
	a.u.goAnew()
	return nil
}

// Take implements settings.Updates. What was there before stays until the new file is
// on the card and is a bundle: it is moved into its place as one.
func (a updates) Take(r io.Reader) error {
	p := a.u.s.platform
	if p.perm == "" || p.volatile || p.safe {
		return errors.New("there is no room for a file of this size: the card's storage cannot be used")
	}
	if !a.u.taking.TryLock() {
		return errors.New("another file is being uploaded: wait for it")
	}
	defer a.u.taking.Unlock()
	free, err := freeBytes(p.perm)
	if err != nil {
		return err
	}
	most := min(uploadMost, free-uploadRoom)
	if most <= 0 {
		return errors.New("there is no room for it on the card")
	}
	temp := a.u.uploadPath() + ".part" // what a power cut leaves of it is written over
	err = writeBundle(temp, r, most, a.u.s.version)
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, a.u.uploadPath()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := durable.SyncDir(p.perm); err != nil {
		return err
	}
	a.u.goAnew()
	return nil
}

// writeBundle writes a file of at most so many bytes and looks whether it is a bundle of
// another version than the one that runs.
func writeBundle(path string, r io.Reader, most int64, runs string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(r, most+1), make([]byte, 256<<10))
	switch {
	case err != nil:
		return fmt.Errorf("the file did not arrive as a whole: %w", err)
	case n > most:
		return fmt.Errorf("the file has more than %d MB, which is all there is room for", most>>20)
	}
	b, err := bundle.Open(f, n)
	if err != nil {
		return errors.New("this file is no bundle of a release, or is damaged: its name ends in " + bundle.Ending)
	}
	if version := versionOffered(b); version == runs {
		return fmt.Errorf("there is nothing to be had of this file: version %s, which is in it, runs already", version)
	}
	return f.Sync()
}
