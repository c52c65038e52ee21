package monitor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Who is right where servers and the reference contradict each other.
func TestReferenceOrServers(t *testing.T) {
	apart := func(i int) string { return fmt.Sprintf("20.0.%d.1", i) } // each a network of its own
	operator := func(i int) string { return fmt.Sprintf("20.1.0.%d", i+1) }
	same := []float64{75 * ms, 75 * ms, 75 * ms, 75 * ms, 75 * ms}
	near, far := 10*time.Millisecond, 200*time.Millisecond
	for _, c := range []struct {
		name   string
		addr   func(i int) string // of the wrong ones
		wrong  []float64          // by how much
		right  int
		rtt    time.Duration // to the right ones
		want   Verdict
		reason string
	}{
		{"one among right ones", apart, same[:1], 3, near, Off, "no path"},
		{"all, as a wrong reference shows them", apart, same, 0, near, NotJudged, "the reference is in doubt: the middle one of the 4 nearest independent servers is 75 ms "},
		{"most, independent", apart, same[:4], 1, near, NotJudged, "the reference is in doubt"},
		{"as many as not beside it", apart, same[:3], 2, near, Doubtful, "the other servers leave open"},
		{"three of one operator, alone", operator, same[:3], 0, near, Off, "no path"},
		{"three of one operator among two others", operator, same[:3], 2, near, Off, "no path"},
		{"two, where nobody could tell", apart, same[:2], 0, near, Off, "no path"},
		{"most, by amounts of their own", apart, []float64{75 * ms, 300 * ms, -300 * ms}, 2, near, Off, "no path"},
		{"the others too far to tell", apart, same[:1], 3, far, Doubtful, "the other servers leave open"},
	} {
		for _, sign := range []float64{1, -1} {
			var list []Server
			setup := func(w *fakeWorld, _ *Config) {
				for i, offset := range c.wrong {
					list = append(list, at(fmt.Sprint("wrong ", i), c.addr(i)))
					w.byAddr[c.addr(i)] = fakeServer{offset: sign * offset}
				}
				for i := range c.right {
					list = append(list, at(fmt.Sprint("right ", i), apart(10+i)))
					w.byAddr[apart(10+i)] = fakeServer{rtt: c.rtt}
				}
				w.list = list
			}
			inWorld(t, nil, setup, func(w *fakeWorld) {
				w.pass(10 * time.Minute)
				for i, s := range list {
					r, want, reason := w.result(s.Name), OK, ""
					if i < len(c.wrong) {
						want, reason = c.want, c.reason
					}
					if r.Verdict != want || !strings.Contains(r.Reason, reason) {
						t.Errorf("%s, %v: %s is %s: %s", c.name, sign, s.Name, r.Verdict, r.Reason)
					}
				}
			})
		}
	}
}

// A server that is off stays so while the others leave it open, and is judged no
// more once they speak against the reference.
func TestOffStays(t *testing.T) {
	list := []Server{at("off", "20.0.0.1"), at("b", "20.0.1.1"), at("c", "20.0.2.1"), at("d", "20.0.3.1")}
	list[0].Interval = 16 * time.Second
	inWorld(t, list, func(w *fakeWorld, _ *Config) { w.byAddr["20.0.0.1"] = fakeServer{offset: 75 * ms} }, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		w.want("off", Off)
		others := func(s fakeServer) {
			for _, s0 := range list[1:] {
				w.set(s0.Host, s)
			}
		}
		others(fakeServer{rtt: 300 * time.Millisecond})
		w.pass(10 * time.Minute)
		w.want("off", Off)
		others(fakeServer{offset: 75 * ms})
		w.pass(10 * time.Minute)
		score := *w.want("off", NotJudged).Score
		w.pass(10 * time.Minute)
		if r := w.want("off", NotJudged); *r.Score != score {
			t.Errorf("the score went on, from %v to %v", score, *r.Score)
		}
	})
}

func TestIndependents(t *testing.T) {
	kinOf := func(addr string, stratum uint8, refID uint32) kin {
		return kinOf(netip.MustParseAddr(addr), stratum, refID)
	}
	var f independents
	for i, c := range []struct {
		k    kin
		want bool
	}{
		{kinOf("20.0.0.1", 1, 7), true},
		{kinOf("20.0.0.2", 1, 7), false},
		{kinOf("20.0.1.2", 1, 7), true}, // a stratum 1's reference ID names a kind of clock
		{kinOf("20.0.2.2", 2, 7), true},
		{kinOf("2600:0:1::1", 3, 7), false},
		{kinOf("2600:0:1:2::1", 1, 0), false},
		{kinOf("2600:0:2:2::1", 2, 0), true},
		{kinOf("192.168.1.1", 1, 0), true},
		{kinOf("192.168.1.2", 1, 0), false},
		{kinOf("::ffff:192.168.1.3", 1, 0), false},
	} {
		if got := f.add(c.k); got != c.want {
			t.Errorf("%d: %+v: independent %v", i, c.k, got)
		}
	}
}

// What is remembered of the replies is bounded, and the newest of it counts.
func TestStatementsAreBounded(t *testing.T) {
	var v vouching
	for i := range 3*statementsMost + 7 {
		k := kinOf(netip.AddrFrom4([4]byte{20, byte(i % 5), 0, 1}), 1, 0)
		v.add(statement{mono: int64(i) * 1e9, kin: k, offsetInterval: offsetInterval{offset: float64(i / statementsMost), bound: 1e-3}})
	}
	if len(v.said) != statementsMost || cap(v.said) > 2*statementsMost {
		t.Errorf("%d remembered, room for %d", len(v.said), cap(v.said))
	}
	now := int64(3*statementsMost+7) * 1e9
	lo, hi, n := v.others(0, statement{mono: now, kin: kinOf(netip.MustParseAddr("20.9.0.1"), 1, 0)})
	if n != 5 || lo > 3 || hi < 3 || hi-lo > 0.01 {
		t.Errorf("%d say %v to %v", n, lo, hi)
	}
	if _, _, n := v.others(now-4e9, statement{mono: now}); n != 3 {
		t.Errorf("%d since then, want 3", n)
	}
}

func BenchmarkOutside(b *testing.B) {
	var v vouching
	for i := range statementsMost {
		v.add(statement{mono: int64(i), kin: kinOf(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1}), 2, uint32(i)), offsetInterval: offsetInterval{bound: float64(i%97) / 1e3}})
	}
	b.ReportAllocs()
	for b.Loop() {
		v.others(-1, statement{mono: statementsMost, offsetInterval: offsetInterval{offset: 1, bound: 0.01}})
	}
}
