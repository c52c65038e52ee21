package main

import (
	"io"
	"slices"
	"syscall"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
)

// card is the state partition's medium: a few pages that have been written,
// zeros otherwise. What is not synced is lost with the power.
type card struct {
	pages, cached map[int64][]byte
	writes        int
	failWrites    func(n int) error // nil: none; n counts from 1
	failReads     error
}

func newCard() *card {
	return &card{pages: make(map[int64][]byte), cached: make(map[int64][]byte)}
}

func (c *card) ReadAt(p []byte, off int64) (int, error) {
	if c.failReads != nil {
		return 0, c.failReads
	}
	if off+int64(len(p)) > bootfs.StateSize {
		return 0, io.EOF
	}
	clear(p)
	if b, ok := c.cached[off]; ok {
		copy(p, b)
	} else {
		copy(p, c.pages[off])
	}
	return len(p), nil
}

func (c *card) WriteAt(p []byte, off int64) (int, error) {
	c.writes++
	if c.failWrites != nil {
		if err := c.failWrites(c.writes); err != nil {
			return 0, err
		}
	}
	c.cached[off] = slices.Clone(p)
	return len(p), nil
}

func (c *card) Sync() error {
	for off, b := range c.cached {
		c.pages[off] = b
	}
	clear(c.cached)
	return nil
}

// powerCut forgets what was not synced.
func (c *card) powerCut() { clear(c.cached) }

// damage ruins all that was ever written.
func (c *card) damage() {
	for _, b := range c.pages {
		b[100] ^= 1
	}
}

func (c *card) disk() *stationDisk { return &stationDisk{state: bootfs.OpenState(c)} }

// readOnly refuses every write.
func readOnly(int) error { return syscall.EROFS }

func bootRecord(t *testing.T, c *card) bootfs.Boot {
	t.Helper()
	b, err := bootfs.OpenState(c).LoadBoot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
