package journal

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
)

// card is a directory in memory that notes what is done to it, and shows what a
// power cut may leave of it. Like image/powercut it is pessimistic: of what was not
// flushed each sector may be there or not, whatever the order, and one of them in
// part; a flush of one file says nothing of another.
type card struct {
	mu      sync.Mutex
	files   map[string][]byte
	log     []deed
	writing int // bytes given to it, whole blocks
	// fail may refuse what is done: "make", "write", "sync", "open", "remove".
	fail func(what, name string) error
}

// deed is a write, or a change of a file's size, or a flush.
type deed struct {
	name  string
	off   int64
	b     []byte
	size  int64 // of a file that was made, -1: one that was removed; 0: none of these
	flush bool
}

func newCard() *card { return &card{files: map[string][]byte{}} }

// copied is a card with the same files.
func (c *card) copied() *card {
	d := newCard()
	for name, b := range c.files {
		d.files[name] = bytes.Clone(b)
	}
	return d
}

func (c *card) refuses(what, name string) error {
	if c.fail == nil {
		return nil
	}
	return c.fail(what, name)
}

func (c *card) Open(name string) (File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refuses("open", name); err != nil {
		return nil, err
	}
	if _, ok := c.files[name]; !ok {
		return nil, fs.ErrNotExist
	}
	return cardFile{c, name}, nil
}

func (c *card) Make(name string, size int64) (File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refuses("make", name); err != nil {
		return nil, err
	}
	c.do(deed{name: name, size: size})
	c.do(deed{name: name, flush: true})
	return cardFile{c, name}, nil
}

func (c *card) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refuses("remove", name); err != nil {
		return err
	}
	c.do(deed{name: name, size: -1})
	c.do(deed{name: name, flush: true})
	return nil
}

func (c *card) do(d deed) {
	c.log = append(c.log, d)
	d.put(c.files, len(d.b))
}

// put does the first n bytes of a deed.
func (d deed) put(files map[string][]byte, n int) {
	switch {
	case d.flush:
	case d.size < 0:
		delete(files, d.name)
	case d.size > 0:
		b := make([]byte, d.size)
		copy(b, files[d.name])
		files[d.name] = b
	default:
		b := files[d.name]
		if need := int(d.off) + n; need > len(b) {
			b = append(b, make([]byte, need-len(b))...)
		}
		copy(b[d.off:], d.b[:n])
		files[d.name] = b
	}
}

type cardFile struct {
	c    *card
	name string
}

func (f cardFile) ReadAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	b := f.c.files[f.name]
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f cardFile) WriteAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if err := f.c.refuses("write", f.name); err != nil {
		return 0, err
	}
	f.c.writing += int(off+int64(len(p))+blockSize-1)/blockSize*blockSize - int(off)/blockSize*blockSize
	f.c.do(deed{name: f.name, off: off, b: bytes.Clone(p)})
	return len(p), nil
}

func (f cardFile) Sync() error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if err := f.c.refuses("sync", f.name); err != nil {
		return err
	}
	f.c.do(deed{name: f.name, flush: true})
	return nil
}

func (f cardFile) Size() (int64, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	return int64(len(f.c.files[f.name])), nil
}

func (cardFile) Close() error { return nil }

// cut is a card after a power cut.
type cut struct {
	*card
	after int // deeds that were done or begun
	how   string
}

const sector = 512

// cuts shows what a cut may leave, after each deed from first on. start is what
// the card held before its log.
func cuts(start map[string][]byte, log []deed, first, samples int, visit func(cut)) (shown int) {
	sure := map[string][]byte{}
	for name, b := range start {
		sure[name] = bytes.Clone(b)
	}
	var open []deed // not flushed
	rng := rand.New(rand.NewPCG(1, uint64(len(log))))
	show := func(after int, how string, do func(files map[string][]byte)) {
		c := newCard()
		for name, b := range sure {
			c.files[name] = bytes.Clone(b)
		}
		do(c.files)
		shown++
		visit(cut{c, after, how})
	}
	for k := 0; k <= len(log); k++ {
		if k >= first {
			show(k, "all is there", func(f map[string][]byte) { all(open, f) })
			if len(open) > 0 {
				show(k, "nothing is there", func(map[string][]byte) {})
				last := open[len(open)-1]
				for _, n := range tears(last, rng) {
					show(k, fmt.Sprintf("the last write is torn after %d of %d bytes", n, len(last.b)), func(f map[string][]byte) {
						all(open[:len(open)-1], f)
						last.put(f, n)
					})
				}
				for i := range samples {
					parts := sectors(open)
					rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
					some := parts[:rng.IntN(len(parts)+1)]
					show(k, fmt.Sprintf("%d of %d sectors, sample %d", len(some), len(parts), i), func(f map[string][]byte) {
						for n, p := range some {
							size := len(p.b)
							if n == len(some)-1 && size > 0 {
								size = 1 + rng.IntN(size)
							}
							p.put(f, size)
						}
					})
				}
			}
		}
		if k == len(log) {
			break
		}
		if d := log[k]; d.flush {
			for _, o := range open {
				if o.name == d.name {
					o.put(sure, len(o.b))
				}
			}
			open = slices.DeleteFunc(open, func(o deed) bool { return o.name == d.name })
		} else {
			open = append(open, d)
		}
	}
	return shown
}

func all(list []deed, files map[string][]byte) {
	for _, d := range list {
		d.put(files, len(d.b))
	}
}

// tears are places inside a write: every byte of the short ones, and of long ones
// each slot's edge and some other bytes.
func tears(d deed, rng *rand.Rand) (at []int) {
	for n := 1; n < len(d.b); n++ {
		if len(d.b) <= 2*slotSize || n%slotSize == 0 || rng.IntN(40) == 0 {
			at = append(at, n)
		}
	}
	return at
}

// sectors splits deeds into what a card does at a time. What makes a file stays
// before what is written to it.
func sectors(list []deed) (parts []deed) {
	for _, d := range list {
		if d.size != 0 {
			parts = append(parts, d)
			continue
		}
		for off := 0; off < len(d.b); {
			n := min(sector-int(d.off+int64(off))%sector, len(d.b)-off)
			parts = append(parts, deed{name: d.name, off: d.off + int64(off), b: d.b[off : off+n]})
			off += n
		}
	}
	return parts
}
