package powercut

import (
	"fmt"

	"github.com/truechimer/truechimer/image/bootfs"
)

// Part is a partition of a disk as a device of its own.
type Part struct {
	Disk          bootfs.Device
	Start, Length int64 // bytes
}

// ReadAt is io.ReaderAt.
func (p Part) ReadAt(b []byte, off int64) (int, error) {
	if err := p.inside(b, off); err != nil {
		return 0, err
	}
	return p.Disk.ReadAt(b, p.Start+off)
}

// WriteAt is io.WriterAt.
func (p Part) WriteAt(b []byte, off int64) (int, error) {
	if err := p.inside(b, off); err != nil {
		return 0, err
	}
	return p.Disk.WriteAt(b, p.Start+off)
}

// Sync flushes the whole disk: a card has one cache.
func (p Part) Sync() error { return p.Disk.Sync() }

func (p Part) inside(b []byte, off int64) error {
	if off < 0 || off > p.Length-int64(len(b)) {
		return fmt.Errorf("%d bytes at %d of a partition of %d bytes", len(b), off, p.Length)
	}
	return nil
}
