package gpspps_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// busy is a reference with everything that a station may have: a lock, steering,
// and servers that vote.
func busy(seconds int) (r *gpspps.Reference, feed func(n int)) {
	r = gpspps.New(gpspps.Config{})
	feed = func(n int) {
		mono := int64(5e9) + int64(n)*1e9
		r.AddPulse(gpspps.Pulse{Mono: mono + int64(n*7919%1000)})
		r.AddFix(gpspps.Fix{Mono: mono + 8e7, Time: start.Add(time.Duration(n) * time.Second), Valid: true, LeapUTC: true, Used: 9, Seen: 14})
		if n%4 == 0 {
			r.Steered(mono+1e8, 0)
		}
		for i := range 8 {
			if (n+i)%8 == 0 {
				r.AddVote(gpspps.Vote{Server: fmt.Sprint(i), Mono: mono + 5e8, Time: start.UnixNano() + int64(n)*1e9 + 5e8, HalfWidth: 0.01})
			}
		}
		r.Tick(mono + 7e8)
	}
	for n := range seconds {
		feed(n)
	}
	return r, feed
}

// TestMemoryIsBounded: nothing grows after the first half hour, whatever the
// day brings. 30 days are 400 times as long as the second part.
func TestMemoryIsBounded(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r, feed := busy(2400)
	first := heap()
	if x := r.At(5e9+2399e9, ""); x.State != gpspps.StateLocked {
		t.Fatalf("%+v", x)
	}
	// Faults, too, leave nothing behind: each makes new labels and runs.
	for n := 2400; n < 9000; n++ {
		if n%50 > 10 {
			feed(n)
		} else {
			r.Tick(int64(5e9) + int64(n)*1e9)
			r.AddVote(gpspps.Vote{Server: fmt.Sprint("passing by ", n), Mono: int64(5e9) + int64(n)*1e9, Time: 1, HalfWidth: 1})
		}
	}
	last := heap()
	t.Logf("%d kB after 40 minutes, %d kB after 150", (first-before)>>10, (last-before)>>10)
	if last > before+1<<20 {
		t.Errorf("%d kB are held", (last-before)>>10)
	}
	runtime.KeepAlive(r)
}

func BenchmarkSecond(b *testing.B) {
	_, feed := busy(1000)
	b.ReportAllocs()
	n := 1000
	for b.Loop() {
		feed(n)
		n++
	}
}

func BenchmarkAt(b *testing.B) {
	r, _ := busy(1000)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		r.At(int64(1e12)-i%600*1e9, "3")
	}
}

func BenchmarkAddVote(b *testing.B) {
	r, _ := busy(1000)
	b.ReportAllocs()
	mono := int64(1004e9)
	for b.Loop() {
		mono += 1e6
		r.AddVote(gpspps.Vote{Server: "3", Mono: mono, Time: start.UnixNano() + mono, HalfWidth: 0.01})
	}
}

// BenchmarkPulse is what a second costs while locked: the pulse, the fix and
// the tick that smooths what is old enough.
func BenchmarkPulse(b *testing.B) {
	r, _ := busy(1000)
	b.ReportAllocs()
	n := 1000
	for b.Loop() {
		mono := int64(5e9) + int64(n)*1e9
		r.AddPulse(gpspps.Pulse{Mono: mono + int64(n*7919%1000)})
		r.AddFix(gpspps.Fix{Mono: mono + 8e7, Time: start.Add(time.Duration(n) * time.Second), Valid: true, LeapUTC: true, Used: 9, Seen: 14, Sawtooth: 5e-9})
		r.Tick(mono + 7e8)
		n++
	}
}
