package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/publish"
)

// buildContents makes what a release for a board is made of, without an image. Its
// files lie in o.Dir and have to stay there while the result is used.
func buildContents(ctx context.Context, o buildOptions) (publish.Contents, error) {
	p, err := findParts(ctx, o, o.Dir)
	if err != nil {
		return publish.Contents{}, err
	}
	return p.contents(filepath.Join(o.Dir, "root.squashfs"))
}

// contents writes the root file system to a file. Slot b differs from slot a in
// its command line.
func (p *parts) contents(file string) (publish.Contents, error) {
	c := publish.Contents{
		Board: p.board.Name, Arch: p.board.GOARCH, Version: p.version, Date: p.when,
		Slots: map[bootfs.Slot][]bootfs.File{},
	}
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		files, err := slotFiles(p, string(slot), cmdline(p.board, string(slot)))
		if err != nil {
			return c, fmt.Errorf("slot %s: %w", slot, err)
		}
		c.Slots[slot] = files
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return c, err
	}
	size, err := p.writeRoot(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return c, err
	}
	c.Root = bootfs.File{Path: filepath.Base(file), Size: size, Open: opener(file)}
	return c, nil
}
