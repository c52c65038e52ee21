package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/image/debian"
)

// pinsCommand pins the newest of the packages that images are made of.
func pinsCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image pins", flag.ContinueOnError)
	file := flags.String("o", "image/debian/pins.txt", "the pins file to write")
	if err := parseAll(flags, args); err != nil {
		return err
	}
	old, err := readPins(*file)
	if err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	store := &debian.Store{Cache: filepath.Join(cache, "debian"), Log: progress("pins")}
	pins, err := store.Resolve(ctx, debian.Wants()...)
	if err != nil {
		return err
	}
	if err := writePins(*file, pins); err != nil {
		return err
	}
	for _, line := range movedPins(old, pins) {
		fmt.Println(line)
	}
	return nil
}

// readPins reads what was pinned. A file that does not exist, or that a merge
// has spoilt, is written anew.
func readPins(file string) ([]debian.Pin, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pins, err := debian.ParsePins(b)
	if err != nil {
		progress("pins")("%s: %v; writing it anew", file, err)
		return nil, nil
	}
	return pins, nil
}

// writePins replaces the pins file in one step.
func writePins(file string, pins []debian.Pin) error {
	var b bytes.Buffer
	if err := debian.WritePins(&b, pins); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".pins-")
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// movedPins says in one line each what stands for a want now, and what did.
func movedPins(old, now []debian.Pin) []string {
	before := make(map[debian.Want]debian.Pin)
	for _, p := range old {
		before[p.Want] = p
	}
	var lines []string
	for _, p := range now {
		was, ok := before[p.Want]
		delete(before, p.Want)
		switch {
		case !ok:
			lines = append(lines, "new: "+p.String())
		case was != p:
			lines = append(lines, was.String()+" -> "+p.String())
		}
	}
	for _, p := range old {
		if _, ok := before[p.Want]; ok {
			lines = append(lines, "gone: "+p.String())
		}
	}
	return lines
}
