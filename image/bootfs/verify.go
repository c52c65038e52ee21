package bootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrSlotDiffers says that a slot does not hold the files that it should.
var ErrSlotDiffers = errors.New("the slot does not hold what it should: write it anew")

// VerifySlot reads a slot back: CheckSlot, then every file, found as a loader
// finds it, must lie inside the slot and be what Open of the File gives. Errors
// are those of CheckSlot, ErrSlotDiffers, and those of the device and the files.
//
// Reads should come from the card and not from the memory of the kernel, which
// still has what was just written: open the partition with O_DIRECT, or drop its
// cached pages first.
func VerifySlot(r io.ReaderAt, slot Slot, files []File) error {
	if err := CheckSlot(r, slot); err != nil {
		return err
	}
	f, err := Open(r)
	if err != nil {
		return fmt.Errorf("slot %s: %w", slot, err)
	}
	area := SlotExtents(slot)[1]
	for _, file := range files {
		if err := f.verify(string(slot)+"/"+file.Path, file, area); err != nil {
			return fmt.Errorf("slot %s: %s: %w", slot, file.Path, err)
		}
	}
	return nil
}

func (f *FS) verify(path string, want File, area Extent) (err error) {
	e, err := f.file(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSlotDiffers, err)
	}
	if e.Size != want.Size {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrSlotDiffers, e.Size, want.Size)
	}
	pieces, err := f.chain(e.cluster, e.Size)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSlotDiffers, err)
	}
	if want.Open == nil {
		return errors.New("no content given")
	}
	r, err := want.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	got, buf := make([]byte, 32*ClusterSize), make([]byte, 32*ClusterSize)
	left := want.Size
	for _, p := range pieces {
		if p.Offset < area.Offset || p.Offset+p.Length > area.Offset+area.Length {
			return fmt.Errorf("%w: it lies outside the slot", ErrSlotDiffers)
		}
		for at, n := p.Offset, int64(0); at < p.Offset+p.Length && left > 0; at, left = at+n, left-n {
			n = min(int64(len(buf)), p.Offset+p.Length-at, left)
			if _, err := io.ReadFull(r, buf[:n]); err != nil {
				return fmt.Errorf("reading the %d bytes it was said to have: %w", want.Size, err)
			}
			if err := readAt(f.r, got[:n], at); err != nil {
				return err
			}
			if !bytes.Equal(got[:n], buf[:n]) {
				return fmt.Errorf("%w: its content differs", ErrSlotDiffers)
			}
		}
	}
	return nil
}

// ErrOutside says that somebody tried to write where he may not.
var ErrOutside = errors.New("outside of what may be written")

// guarded is a Device that refuses to write outside of allowed.
type guarded struct {
	Device
	allowed []Extent
}

// Guard is d, but a write that is not wholly inside one of the extents is
// refused with ErrOutside and changes nothing. An update writes a slot through
// Guard(d, SlotExtents(slot)), so that no fault of its own reaches another byte.
func Guard(d Device, allowed []Extent) Device { return guarded{d, allowed} }

func (g guarded) WriteAt(p []byte, off int64) (int, error) {
	for _, e := range g.allowed {
		if off >= e.Offset && int64(len(p)) <= e.Length && off-e.Offset <= e.Length-int64(len(p)) {
			return g.Device.WriteAt(p, off)
		}
	}
	return 0, fmt.Errorf("%d bytes at %d: %w", len(p), off, ErrOutside)
}
