package monitor

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

// thousands are n servers of a list from elsewhere, every tenth given by name,
// from the first one on.
func thousands(first, n int) []Server {
	list := make([]Server, 0, n)
	for i := first; i < first+n; i++ {
		s := afar(fmt.Sprintf("server %05d", i), netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}).String())
		if i%10 == 0 {
			s.Host = fmt.Sprintf("ntp%d.example.net", i)
		}
		list = append(list, s)
	}
	return list
}

// noNet neither answers nor resolves, and knows no time.
type noNet struct{}

func (noNet) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, fmt.Errorf("no such host")
}
func (noNet) Probe(context.Context, Target) Exchange { return Exchange{Outcome: OutcomeTimeout} }
func (noNet) At(int64, string) Reading               { return Reading{Reason: "cold"} }
func (noNet) Servers() ([]Server, <-chan struct{})   { return nil, nil }
func newThousands(t testing.TB, list []Server) *Monitor {
	t.Helper()
	m, err := New(Config{Clock: noNet{}, Prober: noNet{}, Resolver: noNet{}, Assignments: noNet{}})
	if err != nil {
		t.Fatal(err)
	}
	m.assign(list, time.Now())
	return m
}

// A list of ten thousand servers is taken, and one that differs in half of them
// leaves the others as they are.
func TestThousands(t *testing.T) {
	const n = 10_000
	var before, after runtime.MemStats
	list, next := thousands(0, n), thousands(n/2, n)
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	m := newThousands(t, list)
	took := time.Since(begin)
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := after.HeapAlloc - before.HeapAlloc
	if len(m.servers) != n || len(m.due) != n-n/10 || len(m.Results()) != n {
		t.Fatalf("%d servers, %d due, %d shown", len(m.servers), len(m.due), len(m.Results()))
	}
	if grown > 40<<20 {
		t.Errorf("%d bytes for %d servers", grown, n)
	}
	same := map[string]*target{}
	for name, s := range m.servers {
		same[name] = s.targets[0]
	}

	slices.Reverse(next) // their order means nothing
	begin = time.Now()
	m.assign(next, time.Now())
	replaced := time.Since(begin)
	if len(m.servers) != n || len(m.due) != n-n/10 || len(m.Results()) != n || len(m.ids) != n-n/10 {
		t.Fatalf("%d servers, %d due, %d shown, %d ids", len(m.servers), len(m.due), len(m.Results()), len(m.ids))
	}
	kept := 0
	for name, s := range m.servers {
		if was, ok := same[name]; ok {
			kept++
			if s.targets[0] != was {
				t.Fatalf("%s began anew", name)
			}
		}
	}
	if kept != n/2 {
		t.Errorf("%d servers were kept", kept)
	}
	t.Logf("%d servers: taken in %v, half of them replaced in %v, %d bytes each", n, took, replaced, grown/n)

	m.assign(nil, time.Now())
	m.ticked(time.Now().Add(time.Hour))
	if len(m.servers)+len(m.due)+len(m.ids)+len(m.paces)+len(m.Results()) != 0 || left(m.side) {
		t.Errorf("left behind: %d servers, %d due, %d ids, %d paces", len(m.servers), len(m.due), len(m.ids), len(m.paces))
	}
}

// Names that are not due cost the loop nothing, however many there are.
func TestLookupsDoNotScan(t *testing.T) {
	m := newThousands(t, thousands(0, 1000))
	now := time.Now()
	for range 100 { // all names, 4 at a time
		m.resolve(t.Context(), now)
		for m.lookups > 0 {
			m.lookups--
			m.learned(<-m.resolved, now)
		}
	}
	m.resolve(t.Context(), now)
	if m.lookups != 0 || !m.lookNext.After(now) || m.lookNext.After(now.Add(retryFirst*11/10)) {
		t.Errorf("%d look-ups, the next in %v", m.lookups, m.lookNext.Sub(now))
	}
	m.resolve(t.Context(), now.Add(retryFirst*11/10))
	if m.lookups != maxLookups {
		t.Errorf("%d look-ups when they are due", m.lookups)
	}
	for m.lookups > 0 {
		m.lookups--
		<-m.resolved
	}
}

func BenchmarkReplaceThousands(b *testing.B) {
	lists := [2][]Server{thousands(0, 10_000), thousands(5_000, 10_000)}
	m := newThousands(b, lists[0])
	b.ReportAllocs()
	for i := 1; b.Loop(); i++ {
		m.assign(lists[i%2], time.Now())
	}
}
