package update

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

const week = 7 * 24 * time.Hour

// notices are what people are told.
type notices struct {
	mu sync.Mutex
	m  map[string]string
}

func (n *notices) set(topic, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.m[topic] = text
}

// updated is a station that has gone from 1.0.0 in slot a to 1.1.0 in slot b.
func updated(t *testing.T, w *world, next *release) *notices {
	t.Helper()
	n := &notices{m: map[string]string{}}
	w.options = func(o *Options) { o.Notice = n.set }
	w.live(2 * time.Hour) // slot a is read through
	w.publish(next)
	w.live(8 * time.Hour)
	if w.live(2 * time.Hour); w.committed() != next {
		t.Fatalf("%+v", w.engine.Status())
	}
	return n
}

// spoil changes a byte of a root file system on the card.
func (w *world) spoil(slot bootfs.Slot, at int64) {
	w.t.Helper()
	p, b := rootPart(w.card.medium, slot), make([]byte, 1)
	if _, err := p.ReadAt(b, at); err != nil {
		w.t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := p.WriteAt(b, at); err != nil {
		w.t.Fatal(err)
	}
	w.card.power()
}

// spoilFile changes a byte of a file of a boot slot.
func (w *world) spoilFile(path string, at int64) {
	w.t.Helper()
	p := bootPart(w.card.medium)
	f, err := bootfs.Open(p)
	if err != nil {
		w.t.Fatal(err)
	}
	runs, err := f.Extents(path)
	if err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, 1)
	p.ReadAt(b, runs[0].Offset+at)
	b[0] ^= 1
	p.WriteAt(b, runs[0].Offset+at)
	w.card.power()
}

// run again lets the system that runs go on, whatever became of its slot.
func (w *world) again(r *release, d time.Duration) how {
	w.card.cut = func() {}
	return w.run(r, d)
}

// TestScrubIsWeekly: an hour after the start, then once a week, and a restart does
// not bring it forward.
func TestScrubIsWeekly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, boards.LoaderPi, newRelease(t, "1.0.0", good, 1))
		w.live(50 * time.Minute)
		if at := w.engine.Status().Scrubbed; !at.IsZero() {
			t.Fatalf("at %v already", at)
		}
		w.live(2 * time.Hour)
		first := w.engine.Status().Scrubbed
		if first.IsZero() {
			t.Fatal("not read through after an hour")
		}
		w.live(6 * 24 * time.Hour)
		if at := w.engine.Status().Scrubbed; !at.Equal(first) {
			t.Errorf("again after %v", at.Sub(first))
		}
		w.live(2 * 24 * time.Hour)
		if d := w.engine.Status().Scrubbed.Sub(first); d < week || d > week+2*time.Hour {
			t.Errorf("again after %v", d)
		}
	})
}

// TestScrubWithoutDate: once in each week that the station runs.
func TestScrubWithoutDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, boards.LoaderPi, newRelease(t, "1.0.0", good, 1))
		w.synced = false
		reads := 0
		w.options = func(o *Options) { o.RootActive = counted{o.RootActive, &reads} }
		w.live(2 * time.Hour)
		once := reads
		if w.live(2 * week); reads < 2*once || once == 0 {
			t.Errorf("%d reads, and %d in two weeks", once, reads)
		}
	})
}

type counted struct {
	Device
	n *int
}

func (c counted) ReadAt(b []byte, off int64) (int, error) {
	*c.n++
	return c.Device.ReadAt(b, off)
}

// TestScrubIsSlow: no more than the policy's rate, however large the slots are.
func TestScrubIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelease(t, "1.0.0", good, 8)
		w := newWorld(t, boards.LoaderPi, r)
		var first, last time.Time
		w.options = func(o *Options) { o.RootActive = timed{o.RootActive, &first, &last} }
		w.live(2 * time.Hour)
		if least := time.Duration(len(r.root)-300<<10) * time.Second / (4 << 20); last.Sub(first) < least {
			t.Errorf("%d bytes in %v, not less than %v", len(r.root), last.Sub(first), least)
		}
	})
}

type timed struct {
	Device
	first, last *time.Time
}

func (c timed) ReadAt(b []byte, off int64) (int, error) {
	if *c.last = time.Now(); c.first.IsZero() {
		*c.first = *c.last
	}
	return c.Device.ReadAt(b, off)
}

// TestScrubRunningSlot tells people, and switches nothing; one that was never
// updated has what the first scrub read.
func TestScrubRunningSlot(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 3), newRelease(t, "1.1.0", good, 3)
	for name, c := range map[string]struct {
		update bool
		spoil  func(*world)
		want   string
	}{
		"root of a release": {true, func(w *world) { w.spoil(bootfs.SlotB, 300<<10) }, "1 of 8 pieces of version 1.1.0 in slot b do not read back as they were written, first in the root file system"},
		"file of a release": {true, func(w *world) { w.spoilFile("b/vmlinuz", 299<<10) }, "1 of 8 pieces of version 1.1.0 in slot b do not read back as they were written, first in vmlinuz"},
		"root of an image":  {false, func(w *world) { w.spoil(bootfs.SlotA, 3) }, "of version 1.0.0 in slot a do not read back as they were written, first in the root file system"},
		"file of an image":  {false, func(w *world) { w.spoilFile("a/overlays/README", 0) }, "in slot a do not read back as they were written, first in overlays/README"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, boards.LoaderPi, first)
				r, n := first, &notices{m: map[string]string{}}
				if w.options = func(o *Options) { o.Notice = n.set }; c.update {
					r, n = next, updated(t, w, next)
				} else {
					w.live(2 * time.Hour)
				}
				before := w.publisher.request
				c.spoil(w)
				w.again(r, week+24*time.Hour)
				s := w.engine.Status()
				if !strings.Contains(s.Damage, c.want) || s.State != StateIdle || w.publisher.request != before {
					t.Errorf("%+v", s)
				}
				if text := n.m["card"]; !strings.Contains(text, "The card is failing: ") || !strings.Contains(text, "Nothing was found in the other slot. Replace the card soon.") {
					t.Errorf("notice %q", text)
				}
				// It is remembered, and over when it reads well again.
				w.again(r, time.Minute)
				if w.engine.Status().Damage != s.Damage || n.m["card"] == "" {
					t.Errorf("after a restart: %+v", w.engine.Status())
				}
				c.spoil(w)
				if w.again(r, week+24*time.Hour); w.engine.Status().Damage != "" || n.m["card"] != "" {
					t.Errorf("mended: %+v, %q", w.engine.Status(), n.m["card"])
				}
			})
		})
	}
}

// TestScrubMends the other slot: by copying what the running system has too, and
// by fetching what it has not.
func TestScrubMends(t *testing.T) {
	list := []*release{newRelease(t, "1.0.0", good, 3), newRelease(t, "1.1.0", good, 3), newRelease(t, "1.2.0", good, 3)}
	for name, c := range map[string]struct {
		spoil   func(*world)
		offline bool
		hold    bool
		fetched bool
		damage  string
	}{
		"copied":                {spoil: func(w *world) { w.spoil(bootfs.SlotB, 600<<10) }, offline: true},
		"copied, switched off":  {spoil: func(w *world) { w.spoil(bootfs.SlotB, 600<<10) }, offline: true, hold: true},
		"fetched":               {spoil: func(w *world) { w.spoil(bootfs.SlotB, 64) }, fetched: true},
		"boot file":             {spoil: func(w *world) { w.spoilFile("b/cmdline.txt", 0) }},
		"offline":               {spoil: func(w *world) { w.spoil(bootfs.SlotB, 64) }, offline: true, damage: "it could not be repaired"},
		"nobody is to be asked": {spoil: func(w *world) { w.spoil(bootfs.SlotB, 64) }, offline: true, hold: true, damage: "nobody may be asked for it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, boards.LoaderPi, list[0])
				n := updated(t, w, list[1])
				w.publish(list[2])
				w.live(8 * time.Hour)
				if w.live(2 * time.Hour); w.committed() != list[2] {
					t.Fatalf("%+v", w.engine.Status())
				}
				w.options = func(o *Options) {
					if o.Notice = n.set; c.hold {
						o.Hold, o.Metadata, o.Files = "Switched off.", nil, nil
					}
				}
				w.publisher.offers = list[1] // whose pack is served
				if c.offline {
					w.publisher.fail(errOffline)
				}
				before := w.publisher.bytes
				c.spoil(w)
				w.live(week + 24*time.Hour)
				s := w.engine.Status()
				if (w.publisher.bytes > before) != c.fetched || n.m["card"] != "" {
					t.Errorf("%d bytes fetched, notice %q: %+v", w.publisher.bytes-before, n.m["card"], s)
				}
				if (s.Damage == "") != (c.damage == "") || !strings.Contains(s.Damage, c.damage) {
					t.Errorf("damage %q, want %q", s.Damage, c.damage)
				}
				if got, err := w.holds(bootfs.SlotB); c.damage == "" && (err != nil || got != list[1]) {
					t.Errorf("slot b: %v", err)
				}
				if w.committed() != list[2] {
					t.Error("something was switched")
				}
			})
		})
	}
}

// TestScrubOfAnImagesSlot: the other slot came with the image and cannot be
// repaired; until it is overwritten that is told.
func TestScrubOfAnImagesSlot(t *testing.T) {
	list := []*release{newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1), newRelease(t, "1.2.0", good, 1)}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, boards.LoaderPi, list[0])
		n := updated(t, w, list[1])
		w.spoil(bootfs.SlotA, 100)
		w.live(week + 24*time.Hour)
		if s := w.engine.Status(); !strings.Contains(s.Damage, "it came with the image") || n.m["card"] != "" {
			t.Errorf("%+v, %q", s, n.m["card"])
		}
		w.publish(list[2])
		w.live(8 * time.Hour)
		if w.live(time.Hour); w.committed() != list[2] || w.engine.Status().Damage != "" {
			t.Errorf("%+v", w.engine.Status())
		}
	})
}

// TestHoldingDamaged: what is kept may be damaged too, and is then made anew.
func TestHoldingDamaged(t *testing.T) {
	r := newRelease(t, "1.0.0", good, 1)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, boards.LoaderPi, r)
		w.live(2 * time.Hour)
		kept, err := w.perm.Load("slot-a.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"slot-a.json", "scrub.json"} {
			b, _ := w.perm.Load(name)
			b = bytes.Clone(b)
			b[len(b)/2] ^= 2
			w.perm.Save(name, b)
		}
		w.live(2 * time.Hour)
		if b, _ := w.perm.Load("slot-a.json"); !bytes.Equal(b, kept) || w.engine.Status().Damage != "" || w.engine.Status().Scrubbed.IsZero() {
			t.Errorf("%+v", w.engine.Status())
		}
		if _, err := w.perm.Load("slot-b.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("slot b is empty: %v", err)
		}
	})
}

func FuzzHolding(f *testing.F) {
	m := newRelease(f, "1.0.0", good, 1).manifest
	f.Add([]byte(`{"format":1,"version":"1.0.0","manifest":` + string(m) + `}`))
	f.Add([]byte(`{"format":1,"root":5,"files":[{"path":"x","size":1}],"sums":["` + noSum.String() + `","` + noSum.String() + `"]}`))
	f.Add([]byte(`{"format":1,"root":-5,"manifest":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHolding(seal(b))
		if err != nil {
			return
		}
		for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
			for _, p := range h.parts(slot) {
				if pieceCount(p.size) != int64(len(p.sums)) {
					t.Errorf("%s: %d bytes in %d pieces", p.path, p.size, len(p.sums))
				}
			}
		}
	})
}

// TestCutWhileMending cuts the power before each write of a repair: the slot that
// runs goes on, and in the end the other one is whole.
func TestCutWhileMending(t *testing.T) {
	list := []*release{newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1), newRelease(t, "1.2.0", good, 1)}
	synctest.Test(t, func(t *testing.T) {
		base := newWorld(t, boards.LoaderPi, list[0])
		updated(t, base, list[1])
		base.publish(list[2])
		base.live(8 * time.Hour)
		base.live(2 * time.Hour)
		base.spoil(bootfs.SlotB, 64)
		base.spoilFile("b/cmdline.txt", 0)
		base.publisher.offers = list[1]
		cuts := 0
		for k := 0; ; k++ {
			w := base.over()
			w.card.left = k
			how := w.live(week + 24*time.Hour)
			w.live(week + 24*time.Hour)
			if got, err := w.holds(bootfs.SlotB); err != nil || got != list[1] || w.committed() != list[2] || w.engine.Status().Damage != "" {
				t.Fatalf("cut %d: slot b: %v, %+v", k, err, w.engine.Status())
			}
			if how != cut {
				break
			}
			cuts++
		}
		if t.Logf("%d cuts", cuts); cuts < 10 {
			t.Errorf("%d cuts: not every write was cut", cuts)
		}
	})
}
