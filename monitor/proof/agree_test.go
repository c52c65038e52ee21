package proof

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// offsets are three exchanges from a time on with a server that is so far ahead
// at each.
func offsets(at, delay float64, ahead ...float64) []had {
	var list []had
	for i, o := range ahead {
		list = append(list, had{at: at + 20*float64(i), offset: o, delay: delay, bound: 1e-5})
	}
	return list
}

func TestAgree(t *testing.T) {
	// Two stations, each with a path that is longer one way: the first sees more
	// than there is, the second less. What is common is narrower than either.
	one := opened(t, "one", file(t, "one", offsets(0, 80*ms, .12, .12, .12)...))
	two := opened(t, "two", file(t, "two", offsets(5, 80*ms, .07, .07, .07)...))
	got := Agree([]Case{one, two}, DefaultDrift)
	if len(got) != 1 || got[0].Stations != 2 || got[0].Conflict != "" || got[0].Caution != "" || got[0].Server != target.Addr {
		t.Fatalf("%+v", got)
	}
	// 0.12 less 0.04 and 0.07 and 0.04; what the server may drift is the rest.
	a := got[0]
	if a.Low < 0.08-0.004 || a.Low > 0.08 || a.High > 0.11+0.004 || a.High < 0.11 {
		t.Errorf("from %g to %g", a.Low, a.High)
	}
	if width := a.High - a.Low; width >= 2*one.Finding.Exchanges[0].Interval.Bound {
		t.Errorf("%g wide", width)
	}
	// No drift, nothing left open.
	if a := Agree([]Case{one, two}, 0)[0]; math.Abs(a.Low-0.08) > 2e-4 || math.Abs(a.High-0.11) > 2e-4 {
		t.Errorf("without drift from %g to %g", a.Low, a.High)
	}

	// They exclude each other.
	far := opened(t, "far", file(t, "three", offsets(5, 10*ms, .3, .3, .3)...))
	got = Agree([]Case{far, one}, DefaultDrift)
	if len(got) != 1 || !strings.Contains(got[0].Conflict, "far says at least") || !strings.Contains(got[0].Conflict, "one at most") {
		t.Fatalf("%+v", got)
	}
	// On either side.
	behind := opened(t, "behind", file(t, "three", offsets(5, 10*ms, -.3, -.3, -.3)...))
	if got := Agree([]Case{one, behind}, DefaultDrift); !strings.Contains(got[0].Conflict, "one says at least") {
		t.Errorf("%+v", got)
	}
	// Not if the clock may have gone from the one to the other.
	if got := Agree([]Case{one, far}, 0.04); got[0].Conflict != "" {
		t.Errorf("%+v", got)
	}
}

// A clock that drifts is seen by two stations, of which one comes later.
func TestAgreeOnADriftingClock(t *testing.T) {
	drifting := func(by string, at float64) Case {
		list := offsets(at, 4*ms, 0, 0, 0)
		for i := range list {
			list[i].offset = 0.1 + 400e-6*list[i].at
		}
		return opened(t, by, file(t, by, list...))
	}
	one, two := drifting("one", 0), drifting("two", 50)
	if got := Agree([]Case{one, two}, DefaultDrift); len(got) != 1 || got[0].Conflict != "" {
		t.Errorf("%+v", got)
	} else {
		at := got[0].At.UnixNano() - begin
		if truth := 0.1 + 400e-6*float64(at)/1e9; truth < got[0].Low || truth > got[0].High {
			t.Errorf("from %g to %g, and it was %g", got[0].Low, got[0].High, truth)
		}
	}
	// Whoever says that it does not drift has to be told.
	if got := Agree([]Case{one, two}, 10e-6); got[0].Conflict == "" {
		t.Errorf("%+v", got)
	}
}

func TestAgreeOnWhatBelongsTogether(t *testing.T) {
	one := opened(t, "one", file(t, "one", row(3)...))
	if got := Agree([]Case{one}, DefaultDrift); len(got) != 0 {
		t.Errorf("one alone: %+v", got)
	}
	later := offsets(3600, 20*ms, .3, .3, .3)
	if got := Agree([]Case{one, opened(t, "two", file(t, "two", later...))}, DefaultDrift); len(got) != 0 {
		t.Errorf("an hour apart: %+v", got)
	}
	// Of another server, or one that proves nothing.
	other := opened(t, "two", file(t, "two", row(3)...))
	other.Statement.Server.Address = netip.MustParseAddrPort("192.0.2.1:124")
	short := opened(t, "two", file(t, "two", row(2)...))
	if got := Agree([]Case{one, other, short}, DefaultDrift); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	// Three in a chain, in any order, and one by itself.
	var list []Case
	for _, at := range []float64{1200, 0, 600, 9000} {
		name := fmt.Sprint(at)
		list = append(list, opened(t, name, file(t, name, offsets(at, 20*ms, .08, .08, .08)...)))
	}
	got := Agree(list, DefaultDrift)
	if len(got) != 1 || !slices.Equal(got[0].Files, []string{"0", "600", "1200"}) || got[0].Stations != 3 {
		t.Errorf("%+v", got)
	}
	// A station that has its packets from another's file.
	copied := opened(t, "copy", file(t, "one", row(3)...))
	copied.Statement.Station.Key = KeyOf(signer("two"))
	if got := Agree([]Case{one, copied}, DefaultDrift); len(got) != 1 || !strings.Contains(got[0].Conflict, "copy has a packet") {
		t.Errorf("%+v", got)
	}
	// The same station twice is one.
	again := opened(t, "again", file(t, "one", offsets(100, 20*ms, .08, .08, .08)...))
	if got := Agree([]Case{one, again}, DefaultDrift); len(got) != 1 || got[0].Stations != 1 || got[0].Conflict != "" {
		t.Errorf("%+v", got)
	}
	for _, c := range []*Case{&one, &again} {
		c.Statement.Server.Address = netip.MustParseAddrPort("192.168.1.1:123")
	}
	if got := Agree([]Case{one, again}, DefaultDrift); len(got) != 1 || !strings.Contains(got[0].Caution, "inside of a network") {
		t.Errorf("%+v", got)
	}
}
