package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Loader loads modules of an index into the running kernel.
type Loader struct {
	dir    string // with the index; module paths are relative to it
	sys    string // /sys
	table  table
	insert func(path string) error
	loaded map[string]bool
	failed map[string]bool
	Log    func(format string, args ...any)
}

// Running opens the modules of the kernel that runs, below /lib/modules.
func Running() (*Loader, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("kernel modules: %w", err)
	}
	return Open(filepath.Join("/lib/modules", unix.ByteSliceToString(name.Release[:])), "/sys")
}

// Open reads the index in dir. One that is missing is an index of nothing: a
// kernel may have all it needs built in.
func Open(dir, sys string) (*Loader, error) {
	var text [3]string
	for i, name := range []string{depFile, aliasFile, loadFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("kernel modules: %w", err)
		}
		text[i] = string(b)
	}
	return &Loader{
		dir: dir, sys: sys, table: parse(text[0], text[1], text[2]), insert: insert,
		loaded: map[string]bool{}, failed: map[string]bool{}, Log: func(string, ...any) {},
	}, nil
}

// insert loads one uncompressed module.
func insert(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && err != unix.EEXIST {
		return &os.PathError{Op: "load", Path: path, Err: err}
	}
	return nil
}

// Always loads what the index says is loaded at every boot.
func (l *Loader) Always() {
	for _, n := range l.table.load {
		l.Load(n)
	}
}

// Load loads a module and all it needs, once. What cannot be loaded is logged,
// once: the device it drives is then missing, and whoever needs it says so.
func (l *Loader) Load(name string) {
	for _, n := range l.order(name) {
		file, ok := l.table.file[n]
		if !ok || l.loaded[n] || l.failed[n] {
			continue
		}
		if err := l.insert(filepath.Join(l.dir, filepath.FromSlash(file))); err != nil {
			l.failed[n] = true
			l.Log("kernel module: %v", err)
			continue
		}
		l.loaded[n] = true
	}
}

// Coldplug loads the modules for all devices that the kernel knows of now, and
// says how many were loaded. Devices appear because of it (a bus's driver
// finds what is on the bus), so it is called until it loads no more.
func (l *Loader) Coldplug() int {
	before := len(l.loaded)
	seen := make(map[string]bool)
	filepath.WalkDir(filepath.Join(l.sys, "devices"), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // a device that went away
		}
		if d.Name() != "modalias" || d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil
		}
		a := strings.TrimSpace(string(b))
		if a == "" || seen[a] {
			return nil
		}
		seen[a] = true
		for _, n := range l.table.match(a) {
			l.Load(n)
		}
		return nil
	})
	return len(l.loaded) - before
}

// order is what a module needs, farthest first, and then itself.
func (l *Loader) order(name string) []string {
	list := slices.Clone(l.table.needs[name])
	slices.Reverse(list)
	return append(list, name)
}
