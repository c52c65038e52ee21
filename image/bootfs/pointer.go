package bootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Body is the text of a pointer file around the slot's letter.
type Body struct{ Before, After string }

// Content is the file's content when it points to slot.
func (b Body) Content(slot Slot) string { return b.Before + string(slot) + b.After }

// Template is what a pointer file must look like. A pointer file says which slot
// boots; its content for slot a and for slot b differ in one byte.
type Template struct {
	Path string // "config.txt"
	Body        // what this release writes
	// Former are the bodies that earlier releases wrote. A card keeps the one it
	// was flashed with: updates change the letter alone.
	Former []Body
}

// Check says whether the template makes a pointer: content of 1 to SectorSize bytes.
func (t Template) Check() error {
	if t.Path == "" {
		return errors.New("a pointer file without a path")
	}
	for _, b := range append([]Body{t.Body}, t.Former...) {
		if err := OneSector(File{Path: t.Path, Size: int64(len(b.Content(SlotA)))}); err != nil {
			return err
		}
	}
	return nil
}

// Pointer is a pointer file as it was found.
type Pointer struct {
	Offset  int64  // of its sector, in the partition
	Content string // of the file
	Slot    Slot   // what it points to
	letter  int    // where in the sector the slot's letter is
}

// Why a pointer file is not touched; RepairPointer mends each of them.
var (
	ErrPointerMissing = errors.New("there is no such file any more, repair puts it back")
	ErrPointerTwice   = errors.New("the directory has it twice, repair leaves one")
	ErrPointerEmpty   = errors.New("the file is empty, repair fills it")
	ErrPointerLarge   = errors.New("larger than one sector, repair replaces it")
	ErrPointerPieces  = errors.New("lies in more than one cluster, repair replaces it")
	ErrPointerInSlot  = errors.New("lies inside a slot, repair moves it out")
	ErrPointerShared  = errors.New("shares its cluster with another file, repair gives it one of its own")
	ErrPointerEdited  = errors.New("somebody edited it, repair restores it and keeps the edited one beside it")
)

// FindPointer looks for a pointer file. It reads the directory anew each time,
// because a PC may have saved the file somewhere else. Errors are the
// ErrPointer ones, ErrGeometry, ErrCorrupt and the device's.
func FindPointer(r io.ReaderAt, t Template) (Pointer, error) {
	v, err := openPointer(r, t)
	if err != nil {
		return Pointer{}, fmt.Errorf("%s: %w", t.Path, err)
	}
	p, err := v.only()
	if err != nil {
		return Pointer{}, fmt.Errorf("%s: %w", t.Path, err)
	}
	return p, nil
}

// SetPointer makes a pointer file point to a slot: one byte of one sector is
// written, synced and read back. A cut leaves the old content or the new. It
// writes nothing where the file points there already, and nothing if it returns
// one of FindPointer's errors.
func SetPointer(d Device, t Template, to Slot) error {
	if _, _, ok := to.clusters(); !ok {
		return fmt.Errorf("%s: slot %q: there are only a and b", t.Path, to)
	}
	p, err := FindPointer(d, t)
	if err != nil || p.Slot == to {
		return err
	}
	if err := editSector(d, p.Offset, func(b []byte) { b[p.letter] = to[0] }); err != nil {
		return fmt.Errorf("%s: %w", t.Path, err)
	}
	return nil
}

// pointerDir is the directory that holds a pointer file, and all else that has
// to be known to judge the file.
type pointerDir struct {
	*fat16
	t       Template
	name    string
	pieces  []Extent // of the directory
	raw     []byte   // its content
	matches []Entry
	usage   usage
}

func openPointer(r io.ReaderAt, t Template) (*pointerDir, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	f, err := openOurs(r)
	if err != nil {
		return nil, err
	}
	v := &pointerDir{fat16: f, t: t, name: path.Base(t.Path)}
	dir, sub, err := f.find(strings.TrimSuffix(t.Path, v.name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("its directory: %w", err)
	case sub && !dir.Dir:
		return nil, errors.New("its directory is a file: write the image anew")
	}
	if v.pieces, err = f.pieces(dir, sub); err != nil {
		return nil, err
	}
	if v.raw, err = f.readAll(v.pieces); err != nil {
		return nil, err
	}
	for _, e := range parseDir(v.raw, false) {
		if named(e, v.name) {
			v.matches = append(v.matches, e)
		}
	}
	v.usage, err = f.usage(nil)
	return v, err
}

// only is the pointer, if there is one and nothing is wrong with it.
func (v *pointerDir) only() (Pointer, error) {
	switch len(v.matches) {
	case 0:
		return Pointer{}, ErrPointerMissing
	case 1:
		return v.judge(v.matches[0])
	}
	return Pointer{}, ErrPointerTwice
}

// judge reads the pointer that an entry stands for.
func (v *pointerDir) judge(e Entry) (Pointer, error) {
	c := int(e.cluster)
	switch {
	case e.Dir:
		return Pointer{}, fmt.Errorf("%w: it is a directory", ErrPointerMissing)
	case e.Size == 0:
		return Pointer{}, ErrPointerEmpty
	case e.Size > SectorSize:
		return Pointer{}, fmt.Errorf("%w: %d bytes", ErrPointerLarge, e.Size)
	case c < firstCluster || c >= endCluster || v.fat[c] < firstCluster:
		return Pointer{}, fmt.Errorf("%w: it begins with cluster %d, which is not in use", ErrCorrupt, c)
	case v.fat[c] < endOfChainFrom:
		return Pointer{}, ErrPointerPieces
	case c >= clusterAt(SlotAOffset):
		return Pointer{}, ErrPointerInSlot
	case v.usage.shared[c]:
		return Pointer{}, ErrPointerShared
	}
	p := Pointer{Offset: clusterOffset(c)}
	b := make([]byte, e.Size)
	if err := readAt(v.r, b, p.Offset); err != nil {
		return Pointer{}, err
	}
	p.Content = string(b)
	for _, body := range append([]Body{v.t.Body}, v.t.Former...) {
		for _, s := range []Slot{SlotA, SlotB} {
			if p.Content == body.Content(s) {
				p.Slot, p.letter = s, len(body.Before)
				return p, nil
			}
		}
	}
	return Pointer{}, ErrPointerEdited
}

// editSector changes one sector, and returns when it was synced and read back.
func editSector(d Device, off int64, change func([]byte)) error {
	b := make([]byte, SectorSize)
	if err := readAt(d, b, off); err != nil {
		return fmt.Errorf("reading the sector: %w", err)
	}
	old := slices.Clone(b)
	if change(b); bytes.Equal(b, old) {
		return nil
	}
	return writeBack(d, b, off)
}

// writeBack writes, syncs and reads back.
func writeBack(d Device, b []byte, off int64) error {
	if _, err := d.WriteAt(b, off); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if err := d.Sync(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	back := make([]byte, len(b))
	if err := readAt(d, back, off); err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if !bytes.Equal(b, back) {
		return errors.New("reading back: it is not what was written, the card fails")
	}
	return nil
}
