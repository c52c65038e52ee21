package update

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestRefused offers releases that must be refused before anything is written.
func TestRefused(t *testing.T) {
	first := newRelease(t, "1.2.0", good, 1, func(m *artifact.Manifest) { m.Epoch = 3 })
	with := func(version string, change func(m *artifact.Manifest)) *release {
		return newRelease(t, version, good, 1, func(m *artifact.Manifest) {
			if m.Epoch = 3; change != nil {
				change(m)
			}
		})
	}
	noManifest := with("1.3.0", nil)
	noManifest.manifest = []byte("{}")
	later := with("1.3.0", nil)
	later.manifest = bytes.Replace(later.manifest, []byte(`"format":1`), []byte(`"format":2`), 1)
	for _, c := range []struct {
		name   string
		offer  *release
		says   string
		floors Floors
	}{
		{"another board", with("1.3.0", func(m *artifact.Manifest) { m.Board = "rock64" }), "for the board rock64", Floors{}},
		{"another architecture", with("1.3.0", func(m *artifact.Manifest) { m.Arch = "amd64" }), "for the architecture amd64", Floors{}},
		{"another channel", with("1.3.0", func(m *artifact.Manifest) { m.Channel = "edge" }), "for the channel edge", Floors{}},
		{"an older one", with("1.1.9", nil), "is older than 1.2.0", Floors{}},
		{"a preview of what runs", with("1.2.0-preview", nil), "is older than 1.2.0", Floors{}},
		{"below the version floor", with("1.3.0", nil), "has run already", Floors{Version: "1.4.0"}},
		{"below the image's epoch", with("1.3.0", func(m *artifact.Manifest) { m.Epoch = 2 }), "security epoch 2", Floors{}},
		{"below the epoch floor", with("1.3.0", nil), "security epoch 3", Floors{Epoch: 4}},
		{"below min_from", with("1.3.0", func(m *artifact.Manifest) { m.MinFrom = "1.2.1" }), "from 1.2.1 on only", Floors{}},
		{"an old boot loader", with("1.3.0", func(m *artifact.Manifest) { m.MinEEPROM = 1700000000 }), "boot loader of 2023-11-14", Floors{}},
		{"no manifest", noManifest, "not a manifest", Floors{}},
		{"a later format", later, "a later version of the updater", Floors{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publisher.floor = tuf.Floor{} // nothing to remember
				w.publisher.offers = c.offer
				if c.floors != (Floors{}) {
					w.remember(Record{Format: 1, Phase: PhaseIdle, Floors: c.floors, Anchor: anchorImage})
				} else {
					w.remember(Record{Format: 1, Phase: PhaseIdle, Floors: Floors{Version: "1.2.0", Epoch: 3}, Anchor: anchorImage})
				}
				before := w.card.ops
				if how := w.live(24 * time.Hour); how != outlived {
					t.Fatal(how)
				}
				s := w.engine.Status()
				if !strings.Contains(s.Failure, c.says) || s.State != StateWaiting {
					t.Errorf("%+v", s)
				}
				if w.card.ops != before || w.publisher.request != 0 {
					t.Errorf("%d writes, %d requests", w.card.ops-before, w.publisher.request)
				}
			})
		})
	}
}

// remember stores a record.
func (w *world) remember(r Record) {
	w.t.Helper()
	b, err := r.encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := bootfs.OpenState(statePart(w.card)).Store(bootfs.KindUpdate, b); err != nil {
		w.t.Fatal(err)
	}
}

// TestMetadataRefused has metadata that does not verify: nothing is installed, no
// floor moves, and the station runs on.
func TestMetadataRefused(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	for _, err := range []error{tuf.ErrExpired, tuf.ErrRollback, tuf.ErrSignature, tuf.ErrFormat, errOffline} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publish(next)
				w.publisher.fail(fmt.Errorf("metadata/timestamp.json: %w", err))
				if how := w.live(24 * time.Hour); how != outlived || w.card.ops != 0 {
					t.Fatalf("%s, %d writes", how, w.card.ops)
				}
				s := w.engine.Status()
				if !strings.Contains(s.Failure, err.Error()) || (s.Freshness == Expired) != (err == tuf.ErrExpired) {
					t.Errorf("%+v", s)
				}
				if n := w.publisher.asked; n < 6 || n > 12 { // every 10 minutes, then less and less often
					t.Errorf("the host was asked %d times in a day", n)
				}
			})
		})
	}
}

// TestBadPieces has mirrors that serve what is not in the manifest.
func TestBadPieces(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 3), newRelease(t, "1.1.0", good, 3)
	flip := func(name string, b []byte) ([]byte, error) { b[len(b)/2] ^= 1; return b, nil }
	short := func(name string, b []byte) ([]byte, error) { return b[:len(b)-1], nil }
	swap := func(name string, b []byte) ([]byte, error) {
		n := len(b) / 2
		return append(bytes.Clone(b[n:]), b[:n]...), nil
	}
	zero := func(name string, b []byte) ([]byte, error) { clear(b); return b, nil }
	gone := func(name string, b []byte) ([]byte, error) { return nil, errOffline }
	fine := func(name string, b []byte) ([]byte, error) { return b, nil }
	type mirrors = []func(string, []byte) ([]byte, error)
	for name, c := range map[string]struct {
		mirrors mirrors
		works   bool
	}{
		"flipped, then good":   {mirrors{flip, fine}, true},
		"truncated, then good": {mirrors{short, gone, fine}, true},
		"swapped, then good":   {mirrors{swap, fine}, true},
		"zeros, then good":     {mirrors{zero, swap, fine}, true},
		"flipped":              {mirrors{flip}, false},
		"gone, all":            {mirrors{gone, gone, gone}, false},
		"all bad":              {mirrors{flip, short, swap, zero, gone}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publish(next)
				w.publisher.mirrors = c.mirrors
				how := w.live(4 * time.Minute)
				if (how == restarted) != c.works {
					t.Fatalf("%s: %+v", how, w.engine.Status())
				}
				if most := 4 * len(c.mirrors) * dryRounds; w.publisher.request > most {
					t.Errorf("%d requests, at most %d were expected", w.publisher.request, most)
				}
				if name == "gone, all" && w.publisher.request != len(c.mirrors)*dryRounds {
					t.Errorf("%d requests of %d mirrors", w.publisher.request, len(c.mirrors))
				}
				if c.works {
					return
				}
				if s := w.engine.Status(); s.State != StateWaiting || !strings.Contains(s.Failure, "cannot be fetched") {
					t.Errorf("%+v", s)
				}
				// What was sound stays, and the next attempt needs no more than the rest.
				w.publisher.mirrors = nil
				if how := w.live(time.Hour); how != restarted {
					t.Errorf("%s: %+v", how, w.engine.Status())
				}
			})
		})
	}
}

// badCard is a partition that fails.
type badCard struct {
	Device
	read, write func(b []byte, off int64) error
	sync        error
	dropped     bool
}

func (c *badCard) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.Device.ReadAt(b, off)
	if err == nil && c.read != nil {
		if err := c.read(b, off); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (c *badCard) WriteAt(b []byte, off int64) (int, error) {
	if c.write != nil {
		if err := c.write(b, off); err != nil {
			return 0, err
		}
	}
	return c.Device.WriteAt(b, off)
}

func (c *badCard) Sync() error { return errors.Join(c.sync, c.Device.Sync()) }

func (c *badCard) Drop() error {
	c.dropped = true
	return c.Device.Drop()
}

// TestCardFails has a card that refuses, or that keeps something else than it was
// given: nothing is tried that was not read back.
func TestCardFails(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 2), newRelease(t, "1.1.0", good, 2)
	fails := func(err error) func([]byte, int64) error { return func([]byte, int64) error { return err } }
	for name, c := range map[string]struct {
		root, boot badCard
		says       string
		works      bool
	}{
		"the root cannot be written":  {root: badCard{write: fails(syscall.EIO)}, says: "input/output error"},
		"the root has no room":        {root: badCard{write: fails(syscall.ENOSPC)}, says: "no space left"},
		"the root cannot be synced":   {root: badCard{sync: syscall.EIO}, says: "input/output error"},
		"the slot cannot be written":  {boot: badCard{write: fails(syscall.EIO)}, says: "writing slot b"},
		"the slot cannot be synced":   {boot: badCard{sync: syscall.EIO}, says: "input/output error"},
		"the slot cannot be read":     {boot: badCard{read: fails(syscall.EIO)}, says: "input/output error"},
		"the root cannot be read":     {root: badCard{read: fails(syscall.EIO)}, says: "does not give back"},
		"the root keeps another bit":  {root: badCard{read: flipAt(300 << 10)}, says: "does not give back"},
		"a staged file is flipped":    {root: badCard{read: flipAt(4<<20 + 5)}, says: "does not give back"},
		"the slot keeps another bit":  {boot: badCard{read: flipAt(bootfs.SlotBOffset + 200<<10)}, says: "slot b"},
		"a root bit is flipped, once": {root: badCard{write: flipOnce()}, works: true},
		"a slot bit is flipped, once": {boot: badCard{write: flipOnce()}, works: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[2], first)
				w.publish(next)
				w.options = func(o *Options) {
					root, boot := c.root, c.boot
					root.Device, boot.Device = o.RootInactive, o.Boot
					o.RootInactive, o.Boot = &root, &boot
				}
				how := w.live(48 * time.Hour)
				s := w.engine.Status()
				if (how == restarted) != c.works {
					t.Fatalf("%s: %+v", how, s)
				}
				if c.works {
					w.options = nil
					if w.live(time.Hour); w.committed() != next {
						t.Errorf("%+v", w.engine.Status())
					}
					return
				}
				if !strings.Contains(s.Failure, c.says) || !strings.Contains(s.Failure, "card") {
					t.Errorf("%q does not say %q", s.Failure, c.says)
				}
				if p := w.record().Phase; p != PhaseStaging && p != PhaseIdle || len(w.trials) > 0 {
					t.Errorf("%s, %v", p, w.trials)
				}
			})
		})
	}
}

// flipAt flips a bit in what is read at an offset.
func flipAt(at int64) func([]byte, int64) error {
	return func(b []byte, off int64) error {
		if at >= off && at < off+int64(len(b)) {
			b[at-off] ^= 4
		}
		return nil
	}
}

// flipOnce flips a bit of the first long write.
func flipOnce() func([]byte, int64) error {
	done := false
	return func(b []byte, off int64) error {
		if !done && len(b) > 10000 {
			done = true
			b[5000] ^= 1
		}
		return nil
	}
}

// TestStaleMemory has a card that keeps something else than memory shows, until
// memory is dropped.
func TestStaleMemory(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 2), newRelease(t, "1.1.0", good, 2)
	for _, of := range []string{"root", "boot"} {
		t.Run(of, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[1], first)
				w.publish(next)
				bad := false
				w.options = func(o *Options) {
					c := &badCard{}
					c.write = func(b []byte, off int64) error {
						c.dropped, bad = false, bad || len(b) > 10000
						return nil
					}
					c.read = func(b []byte, off int64) error {
						if bad && c.dropped && len(b) > 10000 { // the medium has it wrong
							b[77] ^= 1
						}
						return nil
					}
					if of == "root" {
						c.Device, o.RootInactive = o.RootInactive, c
					} else {
						c.Device, o.Boot = o.Boot, c
					}
				}
				if how := w.live(24 * time.Hour); how != outlived || !bad {
					t.Fatalf("%s: %+v", how, w.engine.Status())
				}
			})
		})
	}
}
