//go:build bench

package bench_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps/bench"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// startChrony is a real one.
func startChrony(path string) func(context.Context, string, []string) (func() error, error) {
	return func(ctx context.Context, dir string, lines []string) (func() error, error) {
		// A port that nobody had a moment ago.
		l, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		port := uint16(l.LocalAddr().(*net.UDPAddr).Port)
		l.Close()
		c, err := ntptest.StartChronyd(ctx, ntptest.ChronydOptions{Path: path, Dir: dir, Port: port, Unsynchronized: true, Lines: lines})
		if err != nil {
			return nil, err
		}
		return c.Close, nil
	}
}

// chronyTraces are the noise of the scenarios.
func chronyTraces(seconds int) (list []bench.Trace) {
	for _, s := range bench.Scenarios() {
		list = append(list, s.Trace(seconds))
	}
	return list
}

// reported are the figures of the field report: RMS of the clock's error, ns,
// by poll, of chronyd 4.3 and 4.8 over 100,000 s.
var reported = map[string]map[int]float64{
	"A": {4: 244, 2: 192, 0: 131},
	"B": {4: 223, 2: 168, 0: 1035},
	"C": {4: 272, 2: 197, 0: 131},
	"D": {4: 52, 2: 21, 0: 15.5},
}

// reproduced is how far from them a figure may be, beside what chance does in
// two standard errors.
const reproduced = 0.15

// TestChronyReference measures real chronyds; BENCH_SECONDS seconds of each
// scenario take a sixteenth of that.
func TestChronyReference(t *testing.T) {
	seconds := benchSeconds(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path, err := ntptest.FetchChronyd(t.Context(), filepath.Join(cache, "truechimer"))
	if err != nil {
		t.Fatal(err)
	}
	version, err := ntptest.ChronydVersion(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, whose name is too long for a socket's address.
	dir, err := os.MkdirTemp("", "chrony")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o := bench.ChronyOptions{Start: startChrony(path), Dir: dir, Skip: min(5000, seconds/10)}
	results, err := bench.MeasureChrony(t.Context(), o, chronyTraces(seconds), []int{0, 1, 2, 3, 4})
	if err != nil {
		t.Error(err)
	}

	t.Log(version)
	t.Logf("%d s of each, the first %d s and the last hour not counted in RMS", seconds, o.Skip)
	t.Log("  poll  RMS ns    ±  report  ratio  believed  settled s  holdover us: 1, 10, 60 min, RMS (after the end)  lost")
	best := map[string]float64{}
	for _, r := range results {
		if b, ok := best[r.Trace]; !ok || r.Clock < b {
			best[r.Trace] = r.Clock
		}
		said, ratio := "", ""
		if want, ok := reported[r.Trace][r.Poll]; ok {
			got := r.Clock * 1e9
			said, ratio = fmt.Sprintf("%.4g", want), fmt.Sprintf("%.2f", got/want)
			if math.Abs(got-want) > reproduced*want+2*r.ClockSigma*1e9 {
				t.Errorf("%s, poll %d: %.1f ± %.1f ns, reported are %g", r.Trace, r.Poll, got, r.ClockSigma*1e9, want)
			}
		}
		var held strings.Builder
		for i := range r.Holdover {
			fmt.Fprintf(&held, "%8.2f (%+.2f)", r.Holdover[i]*1e6, r.AfterEnd[i]*1e6)
		}
		t.Logf("%s %4d %7.1f %4.1f %7s %6s %9.1f %10.0f %s %d", r.Trace, r.Poll, r.Clock*1e9, r.ClockSigma*1e9, said, ratio, r.Estimate*1e9, r.Settle, held.String(), r.Lost)
	}
	for _, s := range slices.Sorted(maps.Keys(best)) {
		t.Logf("%s best poll %.1f ns", s, best[s]*1e9)
	}
}
