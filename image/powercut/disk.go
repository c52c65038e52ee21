package powercut

import (
	"fmt"
	"io"
)

const pageSize = 4096

// Disk is a disk in memory: zeros, but for the pages that were written. It may
// lie over another disk, which it shows where it was not written itself and
// which must not change as long as that is so. Its zero value is an empty disk
// without an end.
type Disk struct {
	Size  int64 // bytes; 0: no end
	below *Disk
	pages map[int64]*[pageSize]byte
}

// NewDisk is an empty disk of size bytes.
func NewDisk(size int64) *Disk { return &Disk{Size: size} }

// Over is a disk that shows below and keeps what is written to itself.
func Over(below *Disk) *Disk { return &Disk{Size: below.Size, below: below} }

func (d *Disk) page(n int64) *[pageSize]byte {
	for ; d != nil; d = d.below {
		if p := d.pages[n]; p != nil {
			return p
		}
	}
	return nil
}

// ReadAt is io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading at %d", off)
	}
	want := len(p)
	if d.Size > 0 {
		p = p[:max(0, min(int64(len(p)), d.Size-off))]
	}
	for n := 0; n < len(p); {
		at := (off + int64(n)) % pageSize
		k := min(len(p)-n, int(pageSize-at))
		if b := d.page((off + int64(n)) / pageSize); b != nil {
			copy(p[n:n+k], b[at:])
		} else {
			clear(p[n : n+k])
		}
		n += k
	}
	if len(p) < want {
		return len(p), io.EOF
	}
	return len(p), nil
}

// WriteAt is io.WriterAt.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || d.Size > 0 && off > d.Size-int64(len(p)) {
		return 0, fmt.Errorf("writing %d bytes at %d of a disk of %d bytes", len(p), off, d.Size)
	}
	for n := 0; n < len(p); {
		page, at := (off+int64(n))/pageSize, (off+int64(n))%pageSize
		k := min(len(p)-n, int(pageSize-at))
		b := d.pages[page]
		if b == nil {
			b = new([pageSize]byte)
			below := d.page(page)
			if below != nil {
				*b = *below
			} else if allZero(p[n : n+k]) {
				n += k
				continue // zeros over zeros
			}
			if d.pages == nil {
				d.pages = make(map[int64]*[pageSize]byte)
			}
			d.pages[page] = b
		}
		n += copy(b[at:], p[n:])
	}
	return len(p), nil
}

// Sync does nothing: a Disk forgets nothing. A Recorder notes it.
func (d *Disk) Sync() error { return nil }

// Same says whether length bytes at off, both multiples of 4096, are as they
// were on base, a disk that d lies over.
func (d *Disk) Same(base *Disk, off, length int64) bool {
	for l := d; l != base; l = l.below {
		for n := range l.pages {
			if n < off/pageSize || n >= (off+length)/pageSize {
				continue
			}
			var was [pageSize]byte
			if p := base.page(n); p != nil {
				was = *p
			}
			if *d.page(n) != was {
				return false
			}
		}
	}
	return true
}

// Save writes all that is not zero to w, which must read as zeros.
func (d *Disk) Save(w io.WriterAt) error {
	seen := make(map[int64]bool)
	for l := d; l != nil; l = l.below {
		for n, p := range l.pages {
			if seen[n] {
				continue
			}
			seen[n] = true
			if *p == [pageSize]byte{} {
				continue
			}
			if _, err := w.WriteAt(p[:], n*pageSize); err != nil {
				return err
			}
		}
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
