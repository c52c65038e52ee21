//go:build bench

package bench_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
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

// TestReference measures the scenarios, and real chronyds with the same noise;
// holdovers of a day only with all the seconds there are.
func TestReference(t *testing.T) {
	seconds := benchSeconds(t)
	skip := min(5000, seconds/10)
	// A long lock before each, as far as a short run has room for it.
	from, every := max(seconds/5, min(5000, seconds/2)), max(seconds/100, 500)
	horizons := bench.Horizons[:]
	if seconds < allSeconds {
		horizons = horizons[:len(horizons)-1]
	}
	after := horizons[len(horizons)-1]
	var traces []bench.Trace
	for _, s := range bench.Scenarios() {
		traces = append(traces, s.Trace(seconds, after))
	}
	run := runChrony(t, bench.ChronyOptions{Skip: skip, CutFrom: from, CutEvery: every}, traces)
	var all []compared
	for i, s := range bench.Scenarios() {
		if err := s.Same(traces[i]); err != nil {
			t.Error(err)
		}
		all = append(all, reference(t, s, seconds, skip, from, every, horizons))
		t.Logf("%s is %s: ours is measured", s.Name, s.Says)
	}
	<-run.ended
	if run.err != nil {
		t.Error(run.err)
	}
	cuts := map[int]bool{}
	for _, r := range run.results {
		for i := range all {
			if all[i].name == r.Trace {
				all[i].chrony = append(all[i].chrony, r)
			}
		}
		cuts[r.Cuts[0]] = true
	}
	t.Logf("%s, with the same noise as ours\n\n%s", run.version, table(all))
	t.Logf("%d s with a pulse each, the first %d s not counted in RMS; ± is one standard error. Believed: RMS if chrony's corrections were complete at once.", seconds, skip)
	t.Logf("Best is the smallest of its column over all polls. Holdover: %d cuts, every %d s from second %d on; chrony's at its first update from there on (%v cuts).",
		all[0].holdover[0].Count, every, from, slices.Sorted(maps.Keys(cuts)))
	if seconds >= allSeconds {
		t.Logf("The days after these cuts overlap, so that few are independent. Other days: %d holdovers, ours only, each with other noise.", days)
	} else {
		t.Logf("A day of holdover is measured, and 4 x RMS asked for an hour's, with %d s only: the station knows its oscillator after a long lock.", allSeconds)
	}
	t.Logf("Settled: the first of 10 s in a row within 1 µs, after the first pulse. Starts: %d of ours, each with other noise, settled for good.", starts)
	t.Logf("B's receiver announces its sawtooth, which chrony's driver cannot be told.")
	t.Logf("Lost: samples that chronyd did not take; late: that it took after the next was due. Of %d s, %d were fed late, by %v at worst.",
		run.fed.Seconds, run.fed.Late, run.fed.Worst)
	allowed := 0.0
	if seconds < allSeconds {
		allowed = 2
	}
	t.Logf("Ratios to the best: at most %g live, %g in the mean, %g lagged, and %g standard errors.", liveMost, liveMeanMost, laggedMost, allowed)
	for _, m := range missed(all, allowed) {
		t.Error(m)
	}
}

// reference measures ours in one scenario.
func reference(t *testing.T, s bench.Scenario, seconds, skip, from, every int, horizons []int) compared {
	t.Helper()
	c := compared{name: s.Name, settle: s.Settle(600, gpspps.Config{})}
	c.live, c.lagged = s.Locked(seconds, skip, gpspps.Config{})
	locked(t, s.Name, c.live, c.lagged, 0.06*math.Sqrt(allSeconds/float64(min(seconds, allSeconds))))
	var after []time.Duration
	for _, h := range horizons {
		after = append(after, time.Duration(h)*time.Second)
	}
	c.holdover = s.Holdover(seconds, from, every, after, gpspps.Config{})
	for i, a := range c.holdover {
		switch {
		case after[i] > time.Hour:
			alone(t, fmt.Sprintf("%s, %v", s.Name, after[i]), a, math.Inf(1))
		case seconds >= allSeconds || after[i] < time.Hour: // an hour is known of after a day
			alone(t, fmt.Sprintf("%s, %v", s.Name, after[i]), a, 4)
		}
	}
	if seconds >= allSeconds {
		for seed := range int64(days) {
			c.days = c.days.With(s.Seed(100+seed).Holdover(daylong, daylong-10, daylong, []time.Duration{24 * time.Hour}, gpspps.Config{})[0])
		}
		alone(t, s.Name+", a day", c.days, math.Inf(1))
	}
	c.begun = s.Starts(starts, gpspps.Config{})
	if c.begun.Lock(1) > 10 || c.begun.Settle(0.95) > 15 {
		t.Errorf("%s: slow to start", s.Name)
	}
	return c
}
