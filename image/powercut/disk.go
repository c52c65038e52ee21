package powercut

import (
	"fmt"
	"io"
	"math"
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
		d.put(page, at, p[n:n+k])
		n += k
	}
	return len(p), nil
}

// zeroPage stands for pages of zeros. It is never written to.
var zeroPage = new([pageSize]byte)

// put writes within a page.
func (d *Disk) put(page, at int64, p []byte) {
	b, zeros := d.pages[page], allZero(p)
	if b == zeroPage || b == nil {
		below := b
		if b == nil {
			below = d.page(page)
		}
		if zeros && (below == nil || below == zeroPage) {
			return // zeros over zeros
		}
		if zeros && len(p) == pageSize {
			b = zeroPage
		} else if b = new([pageSize]byte); below != nil {
			*b = *below
		}
		if d.pages == nil {
			d.pages = make(map[int64]*[pageSize]byte)
		}
		d.pages[page] = b
	}
	if b != zeroPage {
		copy(b[at:], p)
	}
}

// Sync does nothing: a Disk forgets nothing. A Recorder notes it.
func (d *Disk) Sync() error { return nil }

// Same says whether length bytes at off, both multiples of 4096, are the same on
// two disks.
func (d *Disk) Same(other *Disk, off, length int64) bool {
	// What they both lie over need not be compared.
	common := make(map[*Disk]bool)
	for l := d; l != nil; l = l.below {
		common[l] = true
	}
	base := other
	for base != nil && !common[base] {
		base = base.below
	}
	page := func(d *Disk, n int64) *[pageSize]byte {
		if p := d.page(n); p != nil {
			return p
		}
		return zeroPage
	}
	for _, top := range []*Disk{d, other} {
		for l := top; l != base; l = l.below {
			for n := range l.pages {
				if n >= off/pageSize && n < (off+length)/pageSize && page(d, n) != page(other, n) && *page(d, n) != *page(other, n) {
					return false
				}
			}
		}
	}
	return true
}

// Save writes all that is not zero to w, which must read as zeros.
func (d *Disk) Save(w io.WriterAt) error { return d.SavePart(w, 0, math.MaxInt64) }

// SavePart writes what of length bytes at off is not zero to the beginning of w,
// which must read as zeros. Both are multiples of 4096, unless length reaches
// behind all that was written.
func (d *Disk) SavePart(w io.WriterAt, off, length int64) error {
	seen := make(map[int64]bool)
	for l := d; l != nil; l = l.below {
		for n, p := range l.pages {
			if n*pageSize < off || n*pageSize-off >= length || seen[n] {
				continue
			}
			seen[n] = true
			if p == zeroPage || *p == *zeroPage {
				continue
			}
			if _, err := w.WriteAt(p[:], n*pageSize-off); err != nil {
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
