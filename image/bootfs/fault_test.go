package bootfs

import (
	"bytes"
	"errors"
	"maps"
	"slices"
)

// write is a block that is in the device's cache.
type write struct {
	off int64
	b   []byte
}

// faulty is a card whose power is cut before its nth write or sync: what was not
// synced by then is lost, whole, torn or garbage.
type faulty struct {
	medium *memory
	cache  []write
	left   int  // operations until the power is cut; negative: never
	liar   bool // Sync returns at once and does nothing

	dead   map[int64]bool        // pages that cannot be read
	mangle func([]byte) []byte   // applied to what is written
	fail   func(op string) error // asked before each operation
}

var (
	errPower = errors.New("power cut")
	errDead  = errors.New("unreadable sector")
)

func (f *faulty) step(op string) error {
	if f.left == 0 {
		return errPower
	}
	f.left--
	if f.fail != nil {
		return f.fail(op)
	}
	return nil
}

func (f *faulty) WriteAt(p []byte, off int64) (int, error) {
	if err := f.step("write"); err != nil {
		return 0, err
	}
	b := bytes.Clone(p)
	if f.mangle != nil {
		b = f.mangle(b)
	}
	f.cache = append(f.cache, write{off, b})
	return len(p), nil
}

func (f *faulty) Sync() error {
	if err := f.step("sync"); err != nil {
		return err
	}
	if !f.liar {
		for _, w := range f.cache {
			f.medium.WriteAt(w.b, w.off)
			delete(f.dead, w.off/4096) // what is written anew can be read again
		}
		f.cache = nil
	}
	return nil
}

func (f *faulty) ReadAt(p []byte, off int64) (int, error) {
	for _, w := range slices.Backward(f.cache) {
		if w.off == off {
			return copy(p, w.b), nil
		}
	}
	if f.dead[off/4096] {
		return 0, errDead
	}
	return f.medium.ReadAt(p, off)
}

// after is the same card with its cache lost, and power.
func (f *faulty) after() *faulty {
	return &faulty{medium: f.medium.clone(), dead: maps.Clone(f.dead), left: -1}
}

func (m *memory) clone() *memory {
	c := &memory{pages: make(map[int64]*[4096]byte)}
	for k, v := range m.pages {
		page := *v
		c.pages[k] = &page
	}
	return c
}

// outcomes are the cards that a power cut may leave behind.
func (f *faulty) outcomes() []*faulty {
	cards := []*faulty{f.after()}
	for _, w := range f.cache {
		var next []*faulty
		for _, c := range cards {
			add := func(change func(page []byte), dead bool) {
				n := c.after()
				b := make([]byte, len(w.b))
				n.medium.ReadAt(b, w.off)
				change(b)
				n.medium.WriteAt(b, w.off)
				delete(n.dead, w.off/4096)
				if dead {
					if n.dead == nil {
						n.dead = make(map[int64]bool)
					}
					n.dead[w.off/4096] = true
				}
				next = append(next, n)
			}
			add(func([]byte) {}, false)
			for cut := 512; cut <= len(w.b); cut += 512 {
				add(func(b []byte) { copy(b[:cut], w.b) }, false)                     // the front got there
				add(func(b []byte) { copy(b[len(b)-cut:], w.b[len(b)-cut:]) }, false) // the end did
			}
			add(func(b []byte) { copy(b[512:1024], w.b[512:1024]) }, false)
			add(func(b []byte) { copy(b[:777], w.b) }, false)
			add(func(b []byte) { copy(b, bytes.Repeat([]byte{0xff}, len(b))) }, false)
			add(func(b []byte) { clear(b) }, false)
			add(func(b []byte) {
				for i := range b {
					b[i] = byte(i*i) ^ w.b[i]
				}
			}, false)
			add(func([]byte) {}, true)
		}
		cards = next
	}
	return cards
}
