//go:build bench

package bench_test

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/bench"
)

const (
	allSeconds = 100000
	starts     = 200
	days       = 12    // holdovers of a day, each with other noise
	daylong    = 86400 // seconds locked before them
)

// benchSeconds is how long each scenario is measured for.
func benchSeconds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("BENCH_SECONDS")
	if s == "" {
		return allSeconds
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("BENCH_SECONDS: %v", err)
	}
	return n
}

// TestReference measures the scenarios; holdovers of a day only with all the
// seconds there are.
func TestReference(t *testing.T) {
	seconds := benchSeconds(t)
	after := []time.Duration{time.Minute, 10 * time.Minute, time.Hour}
	share := 0.06 * math.Sqrt(allSeconds/float64(min(seconds, allSeconds)))
	for _, s := range bench.Scenarios() {
		live, lagged := s.Locked(seconds, min(5000, seconds/10), gpspps.Config{})
		t.Logf("%s  %s; of %d s", s.Name, s.Says, live.Count)
		for i, a := range []bench.Accuracy{live, lagged} {
			t.Logf("   %-12s rms %6.1f ns, 95 %% ± %6.1f ns covers %.3f, uncertainty %.3f, bound %.6f",
				[]string{"live", "lagged 32 s"}[i], a.RMS*1e9, a.MeanRandom*1e9, a.Random, a.Uncertainty, a.Bound)
		}
		locked(t, s.Name, live, lagged, share)
		for i, a := range s.Holdover(seconds, seconds/5, seconds/100, after, gpspps.Config{}) {
			show(t, after[i], a)
			// An hour is known of after a day.
			if seconds >= allSeconds || after[i] < time.Hour {
				alone(t, fmt.Sprintf("%s, %v", s.Name, after[i]), a, 4)
			}
		}
		if seconds >= allSeconds {
			var day bench.Accuracy
			for seed := range int64(days) {
				day = day.With(s.Seed(100+seed).Holdover(daylong, daylong-10, daylong, []time.Duration{24 * time.Hour}, gpspps.Config{})[0])
			}
			show(t, 24*time.Hour, day)
			alone(t, s.Name+", a day", day, math.Inf(1))
		}
		begun := s.Starts(starts, gpspps.Config{})
		t.Logf("   of %d starts 95 %% were locked after %d s, all after %d s; within 1 µs after %d s and %d s",
			starts, begun.Lock(0.95), begun.Lock(1), begun.Settle(0.95), begun.Settle(1))
		if begun.Lock(1) > 10 || begun.Settle(0.95) > 15 {
			t.Errorf("%s: slow to start", s.Name)
		}
	}
}

func show(t *testing.T, after time.Duration, a bench.Accuracy) {
	t.Logf("   holdover %-8v rms %8.2f µs, 95 %% ± %8.2f µs covers %.3f, uncertainty %.3f, bound ± %6.0f µs %.3f; of %d",
		after, a.RMS*1e6, a.MeanRandom*1e6, a.Random, a.Uncertainty, a.MeanBound*1e6, a.Bound, a.Count)
}
