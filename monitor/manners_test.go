package monitor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeManners is what outlasts the restarts of a station under test.
type fakeManners struct {
	mu    sync.Mutex
	list  []Manner
	saves int
	err   error
	slow  time.Duration // that a saving takes

	w     *fakeWorld
	since time.Duration // true time since the first world began, at the start of w
}

func (f *fakeManners) Load() ([]Manner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list), f.err
}

func (f *fakeManners) Save(list []Manner) error {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saves++
	if f.err == nil {
		f.list = slices.Clone(list)
	}
	return f.err
}

func (f *fakeManners) Now() (time.Time, bool) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return time.Unix(0, epoch).Add(f.since + time.Since(f.w.start)), !f.w.dark
}

// kept is what is kept of an address.
func (f *fakeManners) kept(addr string) (x Manner, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.list {
		if x.Addr.Addr().String() == addr {
			return x, true
		}
	}
	return Manner{}, false
}

// life is one run of a station that begins so long after the first one.
func (f *fakeManners) life(t *testing.T, since time.Duration, list []Server, setup func(w *fakeWorld), run func(w *fakeWorld)) {
	inWorld(t, list, func(w *fakeWorld, c *Config) {
		f.w, f.since, c.Manners = w, since, f
		if setup != nil {
			setup(w)
		}
	}, run)
}

var both = []Server{at("a", "192.0.2.1"), at("b", "192.0.2.2")}

func denies(w *fakeWorld) { w.byAddr["192.0.2.1"] = fakeServer{what: OutcomeDenied} }

// A DENY holds over a restart, until it would have ended without one.
func TestDenyOutlastsRestart(t *testing.T) {
	f := new(fakeManners)
	f.life(t, 0, both, denies, func(w *fakeWorld) {
		w.pass(time.Hour)
		w.want("a", Denied)
	})
	x, ok := f.kept("192.0.2.1")
	if !ok || x.Kiss != "DENY" || x.Until.Sub(time.Unix(0, epoch)) < 21*time.Hour || f.saves == 0 || f.saves > 2 {
		t.Fatalf("kept %+v after %d savings", x, f.saves)
	}
	f.life(t, 2*time.Hour, both, nil, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		if r := w.want("a", Denied); !strings.Contains(r.Reason, "before it was restarted") || len(w.requests("192.0.2.1")) != 0 || !r.Last.IsZero() {
			t.Errorf("%q, %d requests", r.Reason, len(w.requests("192.0.2.1")))
		}
		w.want("b", OK)
		// Under another name likewise.
		w.assign(append(both, at("c", "192.0.2.1"))...)
		w.pass(10 * time.Minute)
		w.want("c", Denied)
		w.pass(x.Until.Sub(time.Unix(0, epoch)) - 2*time.Hour - 21*time.Minute)
		if n := len(w.requests("192.0.2.1")); n != 0 {
			t.Errorf("%d requests within the pause", n)
		}
		w.pass(5 * time.Minute)
		w.want("a", OK)
	})
	f.life(t, 48*time.Hour, both, nil, func(w *fakeWorld) {
		w.pass(10 * time.Second)
		if len(w.requests("192.0.2.1")) == 0 {
			t.Error("a DENY that is over holds")
		}
	})
}

// Without true time what is kept holds for all that was left of it; once true
// time is known it ends when it would have.
func TestDenyInTheDark(t *testing.T) {
	f := new(fakeManners)
	f.life(t, 0, both, denies, func(w *fakeWorld) { w.pass(time.Hour) })
	f.life(t, 30*time.Hour, both, func(w *fakeWorld) { w.dark = true }, func(w *fakeWorld) {
		w.pass(6 * time.Hour)
		if n := len(w.requests("192.0.2.1")); n != 0 {
			t.Errorf("%d requests before true time was known", n)
		}
		w.mu.Lock()
		w.dark = false
		w.mu.Unlock()
		w.pass(10 * time.Second)
		w.want("a", OK)
	})
	// A restart in the dark loses nothing, and neither does one that was told in it.
	f = new(fakeManners)
	f.life(t, 0, both, func(w *fakeWorld) { denies(w); w.dark = true }, func(w *fakeWorld) { w.pass(time.Hour) })
	x, ok := f.kept("192.0.2.1")
	if !ok || !x.Until.IsZero() || x.Left < 20*time.Hour {
		t.Fatalf("kept %+v", x)
	}
	for i := range 3 {
		f.life(t, time.Duration(i)*time.Minute, both, func(w *fakeWorld) { w.dark = i < 2 }, func(w *fakeWorld) {
			w.pass(15 * time.Minute)
			if n := len(w.requests("192.0.2.1")); n != 0 {
				t.Errorf("life %d: %d requests", i, n)
			}
		})
	}
	if x, _ = f.kept("192.0.2.1"); x.Until.IsZero() {
		t.Error("not dated once true time was known")
	}
}

// A server alone that denied is asked again in the end, whoever knows the time.
func TestDenyEndsInTheDark(t *testing.T) {
	f := new(fakeManners)
	f.life(t, 0, both[:1], denies, func(w *fakeWorld) { w.pass(time.Minute) })
	f.life(t, time.Hour, both[:1], func(w *fakeWorld) { w.dark = true }, func(w *fakeWorld) {
		w.pass(deniedPause * 12 / 10)
		if len(w.requests("192.0.2.1")) == 0 {
			t.Error("never asked again")
		}
	})
}

// A RATE holds over a restart: the pause, and the longer interval after it.
func TestRateOutlastsRestart(t *testing.T) {
	f := new(fakeManners)
	limits := func(w *fakeWorld) { w.byAddr["192.0.2.1"] = fakeServer{what: OutcomeRateLimited} }
	f.life(t, 0, both, limits, func(w *fakeWorld) { w.pass(30 * time.Second) })
	x, ok := f.kept("192.0.2.1")
	if !ok || x.Kiss != "RATE" || x.Interval != 2*DefaultInterval || x.Addr.Port() != 0 {
		t.Fatalf("kept %+v", x)
	}
	f.life(t, time.Minute, both, nil, func(w *fakeWorld) {
		w.pass(8 * time.Minute)
		if n := len(w.requests("192.0.2.1")); n != 0 {
			t.Errorf("%d requests within the pause", n)
		}
		w.pass(10 * time.Minute)
		// One each 128 s, and no burst.
		if n := len(w.requests("192.0.2.1")); n < 3 || n > 6 {
			t.Errorf("%d requests after it", n)
		}
	})
	f.life(t, 2*time.Hour, both, nil, func(w *fakeWorld) {
		w.pass(20 * time.Second)
		if n := len(w.requests("192.0.2.1")); n != burstPackets {
			t.Errorf("%d requests once it is over", n)
		}
	})
}

// What is kept may be anything, and there may be no keeping it.
func TestMannersAreBounded(t *testing.T) {
	f := new(fakeManners)
	for i := range 3 * MostManners {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, 0, byte(i >> 8), byte(i)}), 123)
		f.list = append(f.list, Manner{Addr: a, Kiss: "DENY", Left: time.Hour})
	}
	hostile := []Manner{
		{Kiss: "DENY", Left: time.Hour},
		{Addr: netip.MustParseAddrPort("192.0.2.1:123"), Kiss: "DENY", Left: 1 << 62},
		{Addr: netip.MustParseAddrPort("192.0.2.2:123"), Kiss: "DENY", Left: -1 << 62},
		{Addr: netip.MustParseAddrPort("192.0.2.2:0"), Kiss: "RATE", Left: time.Second, Interval: 1 << 62},
		{Addr: netip.MustParseAddrPort("192.0.2.2:123"), Kiss: "LOVE", Left: time.Hour},
	}
	f.list = append(hostile, f.list...)
	f.life(t, 0, both, nil, func(w *fakeWorld) {
		w.pass(10 * time.Second)
		w.assign(append([]Server{at("d", "192.0.2.9")}, both...)...)
		w.set("192.0.2.9", fakeServer{what: OutcomeDenied})
		w.pass(3 * time.Hour)
		if n := len(w.requests("192.0.2.2")); n < 9 || n > 20 {
			t.Errorf("%d requests in three hours", n)
		}
		w.pass(24 * time.Hour)
		if len(w.requests("192.0.2.1")) == 0 {
			t.Error("denied for more than a day")
		}
	})
	if len(f.list) > MostManners {
		t.Errorf("%d kept", len(f.list))
	}

	f = &fakeManners{err: errors.New("no card")}
	f.life(t, 0, both, denies, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		w.want("a", Denied)
		w.want("b", OK)
	})
	if f.saves < 5 || f.saves > 12 {
		t.Errorf("tried %d times in ten minutes", f.saves)
	}
}

// A card that is slow holds up nobody.
func TestSlowManners(t *testing.T) {
	f := &fakeManners{slow: 5 * time.Minute}
	f.life(t, 0, both, denies, func(w *fakeWorld) {
		w.pass(4 * time.Minute)
		w.want("b", OK)
		if n := len(w.requests("192.0.2.2")); n < 5 {
			t.Errorf("%d requests to the other", n)
		}
	})
	if f.saves != 1 {
		t.Error(fmt.Sprint(f.saves, " savings"))
	}
}
