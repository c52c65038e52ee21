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
	off := fakeServer{offset: 75 * ms}
	for _, c := range []struct {
		name         string
		wrong, right []string
		behave       func(i int) fakeServer
		want         Verdict
		reason       string
	}{
		{"one among right ones", []string{apart(0)}, []string{apart(1), apart(2), apart(3)}, nil, Off, "no path"},
		{"all, as a wrong reference shows them", []string{apart(0), apart(1), apart(2), apart(3), apart(4)}, nil, nil, NotJudged, "the reference is in doubt: the middle one of the 4 nearest independent servers is 75 ms ahead"},
		{"most, independent", []string{apart(0), apart(1), apart(2), apart(3)}, []string{apart(4)}, nil, NotJudged, "the reference is in doubt"},
		{"as many as not beside it", []string{apart(0), apart(1), apart(2)}, []string{apart(3), apart(4)}, nil, Doubtful, "the other servers leave open"},
		{"three of one operator, alone", []string{operator(0), operator(1), operator(2)}, nil, nil, Off, "no path"},
		{"three of one operator among two others", []string{operator(0), operator(1), operator(2)}, []string{apart(3), apart(4)}, nil, Off, "no path"},
		{"two, where nobody could tell", []string{apart(0), apart(1)}, nil, nil, Off, "no path"},
		{"most, by amounts of their own", []string{apart(0), apart(1), apart(2)}, []string{apart(3), apart(4)},
			func(i int) fakeServer { return fakeServer{offset: []float64{75, 300, -300}[i] * ms} }, Off, "no path"},
		{"others too far to tell", []string{apart(0)}, []string{apart(1), apart(2), apart(3)}, nil, Doubtful, "the other servers leave open"},
	} {
		var list []Server
		setup := func(w *fakeWorld, _ *Config) {
			for i, a := range c.wrong {
				list = append(list, at(fmt.Sprint("wrong ", i), a))
				w.byAddr[a] = off
				if c.behave != nil {
					w.byAddr[a] = c.behave(i)
				}
			}
			for i, a := range c.right {
				list = append(list, at(fmt.Sprint("right ", i), a))
				if strings.Contains(c.name, "too far") {
					w.byAddr[a] = fakeServer{rtt: 200 * time.Millisecond}
				}
			}
			w.list = list
		}
		inWorld(t, nil, setup, func(w *fakeWorld) {
			w.pass(10 * time.Minute)
			for _, s := range list {
				r := w.result(s.Name)
				want := c.want
				if strings.HasPrefix(s.Name, "right") {
					want = OK
				}
				if r.Verdict != want || want != OK && !strings.Contains(r.Reason, c.reason) {
					t.Errorf("%s: %s is %s: %s", c.name, s.Name, r.Verdict, r.Reason)
				}
			}
		})
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
