package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/appliance/update/bundle"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/image/bootfs"
)

// bundleTopic is the topic of what is told of a bundle.
const bundleTopic = "update bundle"

// offered is a bundle that was found. Where files is nil there is none, or none that
// can be used, and note tells people why.
type offered struct {
	name  string // of the file; empty: there is none
	where string // for people
	files *bundle.Bundle
	note  string
	close func() error // of what it is read from; nil: others do
}

const (
	onCard  = "on the card"
	onStick = "on the USB stick"
)

// findBundle looks for a bundle, on the sticks first: who plugs one in means it; then
// for one that was uploaded. The card's volume is never mounted, so what is there at the start is all that will be.
func (u *updater) findBundle(card io.ReaderAt, sticks []stick) offered {
	var found offered
	readable := false
	for _, s := range sticks {
		v, err := u.machine.open(s.path, false)
		if err != nil {
			continue // it has been pulled out
		}
		o, fat := bundleOn(v, onStick)
		readable = readable || fat
		switch {
		case o.name == "":
			v.Close()
		case found.name == "":
			found, found.close = o, v.Close
		default:
			v.Close()
			found.end()
			return offered{name: o.name, note: several(onStick, found.name, o.name)}
		}
	}
	if found.name != "" {
		return found
	}
	if found = u.uploaded(); found.name != "" {
		return found
	}
	if found, _ = bundleOn(card, onCard); found.name == "" && len(sticks) > 0 && !readable {
		found.note = "There is a USB stick that cannot be read: for an update from it, format it as FAT32."
	}
	return found
}

// end closes what the bundle is read from.
func (o offered) end() {
	if o.close != nil {
		o.close()
	}
}

// bundleOn looks for a bundle in the root directory of a FAT volume, and says
// whether it is one.
func bundleOn(volume io.ReaderAt, where string) (found offered, fat bool) {
	f, err := bootfs.OpenAny(volume)
	if err != nil {
		return offered{}, false // on the card, loadConfig has told
	}
	list, err := f.ReadDir("/")
	if err != nil {
		return offered{}, false
	}
	found.where = where
	for _, e := range list {
		// Names that begin with a dot are what a Mac leaves beside each file.
		if e.Dir || strings.HasPrefix(e.Name, ".") || !strings.HasSuffix(strings.ToLower(e.Name), bundle.Ending) {
			continue
		}
		if found.name != "" {
			found.note = several(where, found.name, e.Name)
			return found, true
		}
		found.name = e.Name
	}
	if found.name == "" {
		return found, true
	}
	c, err := f.Content(found.name)
	if err == nil {
		found.files, err = bundle.Open(c, c.Size())
	}
	if err != nil {
		found.files, found.note = nil, found.refused(err)
	}
	return found, true
}

func several(where, one, other string) string {
	return fmt.Sprintf("There is more than one bundle %s (%s, %s): none is taken. Leave one.", where, one, other)
}

func (o offered) refused(err error) string {
	return fmt.Sprintf("The bundle %s %s is not taken: %v.", o.name, o.where, err)
}

// bundled is where updates come from on a station that has a bundle:
// first the update hosts, for they may know of something newer; the bundle where
// none of them answers as it should. What a release consists of is taken from the
// bundle first: it is known by its hash, wherever it lies.
type bundled struct {
	offered
	own update.Metadata // of the bundle
	say func(text string)

	hosts   update.Metadata // nil: there are none
	mirrors *fetch.Client   // likewise
	skip    bool            // the bundle's files, for one did not verify
	turned  int             // mirrors that were passed over since then
}

// Refresh implements update.Metadata. Where there are update hosts the errors are
// theirs: what is wrong with the bundle is told as a notice.
func (b *bundled) Refresh(ctx context.Context, t update.Trust) (update.Trusted, error) {
	var failed error
	if b.hosts != nil {
		asking, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok {
			asking, cancel = context.WithTimeout(ctx, time.Until(end)/2) // the bundle needs time as well
		}
		got, err := b.hosts.Refresh(asking, t)
		cancel()
		if err == nil {
			b.say(fmt.Sprintf("The update host answers, so what it says counts, and not the bundle %s %s. It may be deleted.", b.name, b.where))
			return got, nil
		}
		failed = err
	}
	got, err := b.own.Refresh(ctx, t)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
		then := "It may be deleted when the version in it runs."
		if b.where == onPage {
			then = "It is removed when the version in it runs."
		}
		b.say(fmt.Sprintf("Releases are taken from the bundle %s %s. %s", b.name, b.where, then))
		return got, nil
	}
	b.say(b.refused(err))
	if failed == nil {
		failed = fmt.Errorf("the bundle %s: %w", b.name, err)
	}
	return nil, failed
}

// Range implements update.Files.
func (b *bundled) Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error) {
	if !b.skip && b.files.Has(name) {
		if r, err := b.files.Range(ctx, name, from, length); err == nil {
			return r, nil
		}
	}
	if b.mirrors == nil {
		return nil, fmt.Errorf("%s in the bundle %s: %w", name, b.name, fs.ErrNotExist)
	}
	return b.mirrors.Range(ctx, name, from, length)
}

// Mirrors implements update.Files: the bundle is one mirror more, the first.
func (b *bundled) Mirrors() int {
	if b.mirrors == nil {
		return 1
	}
	return 1 + b.mirrors.Mirrors()
}

// Next implements update.Files.
func (b *bundled) Next() {
	switch {
	case b.mirrors == nil:
	case !b.skip:
		b.skip, b.turned = true, 0
	default:
		b.mirrors.Next()
		b.turned++
		b.skip = b.turned < b.mirrors.Mirrors()
	}
}
