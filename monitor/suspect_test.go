package monitor

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// at is a path's exchange with what the server says of itself.
func (p path) from(refID uint32, stratum, ttl uint8) Exchange {
	x := p.exchange()
	x.RefID, x.Stratum, x.TTL, x.Version = refID, stratum, ttl, 4
	x.ReferenceTime = x.T3 - 10e9
	return x
}

// lets has a judge take an exchange with a final reading that is shifted, so
// that the world is at another date.
func lets(g *judge, x Exchange, shift int64) Result {
	r := locked(x, 0, 1e-6)
	r.True, r.Final = r.True+shift, true
	x.T2, x.T3 = x.T2+shift, x.T3+shift
	x.T1, x.T4, x.Diff = x.T1+shift, x.T4+shift, x.Diff+shift
	return g.add(x, r, false)
}

func warned(r Result, w Warning) bool { return slices.Contains(r.Warnings, w) }

// A queue on one way is told after ten exchanges that show it; queues on both
// ways, a quiet path, and a longer way in one direction are not.
func TestAsym(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	for name, c := range map[string]struct {
		there, back func() float64
		want        bool
	}{
		"there":  {func() float64 { return 5*ms + rnd.ExpFloat64()*10*ms }, func() float64 { return 5 * ms }, true},
		"back":   {func() float64 { return 5 * ms }, func() float64 { return 5*ms + rnd.ExpFloat64()*10*ms }, true},
		"both":   {func() float64 { return 5*ms + rnd.ExpFloat64()*10*ms }, func() float64 { return 5*ms + rnd.ExpFloat64()*10*ms }, false},
		"quiet":  {func() float64 { return 5*ms + rnd.Float64()*0.05*ms }, func() float64 { return 5 * ms }, false},
		"longer": {func() float64 { return 9 * ms }, func() float64 { return 1 * ms }, false},
	} {
		g := newTestJudge()
		first, ever := 0, false
		for i := range 200 {
			r := lets(g, path{mono: 10 + 64*float64(i), out: c.there(), back: c.back(), stampError: 1e-6}.from(1, 2, 60), 0)
			if warned(r, WarnAsym) && !ever {
				first, ever = i, true
			}
		}
		if ever != c.want || ever && first < asymRow+windowFast-2 {
			t.Errorf("%s: warned %v, first at exchange %d", name, ever, first)
		}
	}
}

// smeared is the offset of a clock that spreads an inserted second from noon to
// noon, at an instant relative to the midnight of the leap second, seconds. True
// time of the tests does not count that second, so it is ahead by one after it.
func smeared(t float64) float64 {
	off := -min(max(t+43200, 0), 86400) / 86400
	if t >= 0 {
		off++
	}
	return off
}

// shiftTo is what puts mono 0 at a date.
func shiftTo(at time.Time) int64 { return at.UnixNano() - epoch }

// A server that spreads a leap second over the day is not convicted in that
// day, neither before nor after midnight; one that runs as wrong on another day
// is, and so is one that is wrong in another way on that day.
func TestSmear(t *testing.T) {
	midnight := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	run := func(midnight time.Time, offset func(t float64) float64, refID uint32, rtt float64, k around) (off, doubtful int, warns bool) {
		g := newTestJudge()
		g.around = k
		shift := shiftTo(midnight.Add(-20 * time.Hour))
		for at := 10.0; at < 40*3600; at += 64 {
			r := lets(g, path{mono: at, offset: offset(at - 20*3600), out: rtt / 2, back: rtt / 2, stampError: 1e-6}.from(refID, 1, 60), shift)
			switch r.Verdict {
			case Off:
				off++
			case Doubtful:
				doubtful++
			}
			warns = warns || warned(r, WarnSmearSuspect)
		}
		return off, doubtful, warns
	}
	for _, rtt := range []float64{1 * ms, 10 * ms, 50 * ms} {
		for _, k := range []around{{}, {leap: 1, leapKnown: true}} {
			off, doubtful, warns := run(midnight, smeared, 0x474f4f47, rtt, k)
			if off != 0 || doubtful < 500 || !warns {
				t.Errorf("round trip %g s, %+v: %d off, %d doubtful, warned %v", rtt, k, off, doubtful, warns)
			}
		}
	}
	if off, _, warns := run(midnight.AddDate(0, 1, 0), smeared, 0x474f4f47, 10*ms, around{}); off < 500 || warns {
		t.Errorf("a month later: %d off, warned %v", off, warns)
	}
	if off, _, warns := run(midnight, func(float64) float64 { return 80 * ms }, 0x474f4f47, 10*ms, around{leap: 1, leapKnown: true}); off < 2000 || warns {
		t.Errorf("wrong all the time: %d off, warned %v", off, warns)
	}
	if off, _, warns := run(midnight, func(t float64) float64 { return 3 + smeared(t) }, 0x474f4f47, 10*ms, around{leap: 1, leapKnown: true}); off < 2000 || !warns {
		t.Errorf("wrong by 3 s beside: %d off, warned %v", off, warns)
	}
	if off, _, warns := run(midnight, func(t float64) float64 { return -smeared(t) }, 0x474f4f47, 10*ms, around{leap: 1, leapKnown: true}); off < 500 || warns {
		t.Errorf("the wrong way: %d off, warned %v", off, warns)
	}
}

// ntpd says by its reference id that it smears.
func TestSmearRefID(t *testing.T) {
	g := newTestJudge()
	shift := shiftTo(time.Date(2026, 12, 31, 22, 0, 0, 0, time.UTC))
	for i := range 5 {
		r := lets(g, path{mono: 10 + 64*float64(i), offset: -400 * ms, out: 1 * ms, back: 1 * ms}.from(254<<24|99, 2, 60), shift)
		if r.Verdict != Doubtful || !warned(r, WarnSmearSuspect) {
			t.Errorf("on the day: %s, %v", r.Verdict, r.Warnings)
		}
	}
	g = newTestJudge()
	for i := range 3 {
		r := lets(g, path{mono: 10 + 64*float64(i), offset: -400 * ms, out: 1 * ms, back: 1 * ms}.from(254<<24|99, 2, 60), shiftTo(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)))
		if want := []Verdict{Doubtful, Doubtful, Off}[i]; r.Verdict != want || !warned(r, WarnSmearSuspect) {
			t.Errorf("on another day: %s, %v", r.Verdict, r.Warnings)
		}
	}
}

func TestLeapDisagree(t *testing.T) {
	evening := time.Date(2026, 12, 31, 20, 0, 0, 0, time.UTC)
	early := time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at   time.Time
		said uint8
		k    around
		want bool
	}{
		{early, 0, around{}, false},
		{early, 1, around{}, false},
		{early, 1, around{leapKnown: true}, true},
		{early, 1, around{leapKnown: true, leap: 1}, false},
		{early, 2, around{leapKnown: true, leap: 1}, true},
		{early, 0, around{leapKnown: true, leap: 1}, false},
		{evening, 0, around{leapKnown: true, leap: 1}, true},
		{evening, 0, around{leapKnown: true}, false},
	} {
		x := path{mono: 10, out: 1 * ms, back: 1 * ms}.from(1, 2, 60)
		x.Leap = c.said
		g := newTestJudge()
		g.around = c.k
		if got := warned(lets(g, x, shiftTo(c.at)), WarnLeapDisagree); got != c.want {
			t.Errorf("%s, leap indicator %d, %+v: %v", c.at, c.said, c.k, got)
		}
	}
}

// Another instance of an anycast server starts a new window and a new streak;
// a change of the source, or of the path alone, does not.
func TestInstance(t *testing.T) {
	for _, c := range []struct {
		name     string
		refID    uint32
		ttl      uint8
		out      float64
		instance bool
	}{
		{"another server behind another way", 2, 55, 12 * ms, true},
		{"nearer, TTL not known", 2, 0, 0.5 * ms, true},
		{"another source", 2, 60, 1 * ms, false},
		{"another way", 1, 55, 12 * ms, false},
	} {
		g := newTestJudge()
		n := 0
		ask := func(refID uint32, ttl uint8, offset, out float64) Result {
			n++
			return lets(g, path{mono: 64 * float64(n), offset: offset, out: out, back: out, stampError: 1e-6}.from(refID, 2, ttl), 0)
		}
		for range 20 {
			ask(1, 60, 0, 1*ms)
		}
		ask(1, 60, 80*ms, 1*ms)
		ask(1, 60, 80*ms, 1*ms)
		for i := range 3 {
			r := ask(c.refID, c.ttl, 80*ms, c.out)
			want := Off
			if c.instance && i < 2 {
				want = Doubtful
			}
			if r.Verdict != want || warned(r, WarnAnycastChange) != c.instance {
				t.Errorf("%s, exchange %d: %s, %v", c.name, i+1, r.Verdict, r.Warnings)
			}
		}
		for range 60 {
			if r := ask(c.refID, c.ttl, 80*ms, c.out); r.Verdict != Off {
				t.Fatalf("%s: %s later", c.name, r.Verdict)
			}
		}
		if r := g.result(); warned(r, WarnAnycastChange) {
			t.Errorf("%s: still told after an hour", c.name)
		}
	}
}

// Who answers as somebody else each time is off like anybody.
func TestInstancesHideNothing(t *testing.T) {
	g := newTestJudge()
	off := 0
	for i := range 200 {
		r := lets(g, path{mono: 64 * float64(i+1), offset: 80 * ms, out: float64(1+i%3) * ms, back: 1 * ms}.from(uint32(i), 2, uint8(40+i%20)), 0)
		if r.Verdict == Off {
			off++
		}
	}
	if off < 150 {
		t.Errorf("off in %d of 200", off)
	}
}

// A rate limit is told from a path that loses as many.
func TestRateInferred(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 6))
	for name, c := range map[string]struct {
		lost func(k int) bool // the k-th request of a row
		want bool
	}{
		"limit":     {func(k int) bool { return k >= 2 }, true},
		"lossy":     {func(int) bool { return rnd.Float64() < 0.4 }, false},
		"all right": {func(int) bool { return false }, false},
	} {
		g := newTestJudge()
		at, ever := 10.0, false
		for range 40 {
			for k := range 4 {
				x := path{mono: at, out: 1 * ms, back: 1 * ms}.from(1, 2, 60)
				if c.lost(k) {
					x = Exchange{Outcome: OutcomeTimeout, Mono: x.Mono, Diff: x.Diff}
				}
				ever = warned(lets(g, x, 0), WarnRateInferred) || ever
				at += 4
			}
			at += 60
		}
		if ever != c.want {
			t.Errorf("%s: %v", name, ever)
		}
	}
}

func TestClaimsOfResults(t *testing.T) {
	g := newTestJudge()
	x := path{mono: 10, out: 1 * ms, back: 1 * ms}.from(0xc0000207, 3, 60)
	x.RootDelay, x.RootDispersion, x.Leap = 0.25, 0.5, 1
	c := lets(g, x, 0).Claims
	if c == nil || c.RootDistance != 0.625 || c.RefID != "192.0.2.7" || c.Leap != 1 || c.ReferenceAge == nil || *c.ReferenceAge != 10 {
		t.Errorf("%+v", c)
	}
	x = path{mono: 20, out: 1 * ms, back: 1 * ms}.from(0x47505300, 1, 60)
	x.ReferenceTime = 0
	r := lets(g, x, 0)
	if c := r.Claims; c.RefID != "GPS" || c.ReferenceAge != nil {
		t.Errorf("%+v", c)
	}
	// A request without a reply leaves them, a server never heard has none.
	if r = (step{at: 84, what: OutcomeTimeout}).run(g); r.Claims == nil || r.Claims.RefID != "GPS" {
		t.Errorf("after a loss: %+v", r.Claims)
	}
	g = newTestJudge()
	if r := g.result(); r.Claims != nil || r.Warnings != nil || r.Sent != 0 {
		t.Errorf("not asked yet: %+v", r)
	}
}

// What is known of the network around: the station's own addresses, and who
// follows whom.
func TestLoop(t *testing.T) {
	n := surroundings{targets: map[uint32]*target{}}
	n.learn(Config{Own: func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.99")} },
		Local: func() []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("192.0.2.99")}
		}}, time.Unix(1, 0))
	mk := func(addr string) *target {
		tt := &target{judge: *newJudge(Target{ID: addr, Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 123), Server: Server{Limit: 25 * ms}})}
		n.joined(tt)
		return tt
	}
	a, b := mk("192.0.2.1"), mk("2001:db8::2")
	ask := func(tt, up *target, own string) Result {
		id := uint32(7)
		switch {
		case up != nil:
			id = AddressRefID(up.target().Addr.Addr())
		case own != "":
			id = AddressRefID(netip.MustParseAddr(own))
		}
		x := path{mono: 10, out: 1 * ms, back: 1 * ms}.from(id, 2, 60)
		x.Addr = tt.target().Addr
		tt.around = n.around(tt, &x)
		return lets(&tt.judge, x, 0)
	}
	if warned(ask(a, b, ""), WarnLoop) {
		t.Error("who follows another is in no loop")
	}
	if !warned(ask(b, a, ""), WarnLoop) || !warned(ask(a, b, ""), WarnLoop) {
		t.Error("two that follow each other are not noticed")
	}
	if warned(ask(b, nil, ""), WarnLoop) || warned(ask(a, b, ""), WarnLoop) {
		t.Error("a loop that is over is still told")
	}
	c := mk("10.0.0.1")
	if !warned(ask(a, nil, "192.0.2.99"), WarnLoop) || !warned(ask(c, nil, "10.0.0.9"), WarnLoop) || warned(ask(a, nil, "10.0.0.9"), WarnLoop) {
		t.Error("who follows this station")
	}
	n.left(a)
	n.left(b)
	n.left(c)
	if len(n.targets) != 0 {
		t.Errorf("%d left", len(n.targets))
	}
}

// The families of a name are compared: what the ways explain is told as a
// number, what they do not as a warning.
func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		offset float64
		rtt    time.Duration
		want   bool
	}{{0, 0, false}, {3 * ms, 0, false}, {20 * ms, 10 * time.Millisecond, true}} {
		setup := func(w *fakeWorld, _ *Config) {
			w.names["ntp.example.net"] = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
			w.byAddr["2001:db8::1"] = fakeServer{offset: c.offset, rtt: c.rtt}
		}
		inWorld(t, []Server{at("a", "ntp.example.net")}, setup, func(w *fakeWorld) {
			w.pass(20 * time.Minute)
			four, six := w.want("a/ipv4", OK), w.want("a/ipv6", OK)
			if warned(four, WarnFamilies) != c.want || warned(six, WarnFamilies) != c.want {
				t.Errorf("%g s: %v, %v", c.offset, four.Warnings, six.Warnings)
			}
			if four.FamilyGap == nil || six.FamilyGap == nil || *four.FamilyGap != -*six.FamilyGap || *six.FamilyGap-c.offset > 1e-6 || *six.FamilyGap-c.offset < -1e-6 {
				t.Errorf("%g s: gaps %v, %v", c.offset, four.FamilyGap, six.FamilyGap)
			}
		})
	}
}

func TestWarningsAreTold(t *testing.T) {
	var w warnings
	for _, x := range AllWarnings() {
		w.set(true, x)
		w.set(false, x)
	}
	if got := w.list(); !slices.Equal(got, AllWarnings()) {
		t.Errorf("%v", got)
	}
}
