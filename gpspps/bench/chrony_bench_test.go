//go:build bench

package bench_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
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

// chronyRun is what chronyds make of the noise, measured beside something else.
type chronyRun struct {
	version string
	results []bench.ChronyResult
	fed     bench.Feeding
	err     error
	ended   chan struct{} // closed once the rest is there
}

// runChrony measures real chronyds with these traces in the background, in a
// sixteenth of their time.
func runChrony(t *testing.T, o bench.ChronyOptions, traces []bench.Trace) *chronyRun {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path, err := ntptest.FetchChronyd(t.Context(), filepath.Join(cache, "truechimer"))
	if err != nil {
		t.Fatal(err)
	}
	r := &chronyRun{ended: make(chan struct{})}
	if r.version, err = ntptest.ChronydVersion(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, whose name is too long for a socket's address.
	if o.Dir, err = os.MkdirTemp("", "chrony"); err != nil {
		t.Fatal(err)
	}
	o.Start = startChrony(path)
	o.Progress = func(second, of int, f bench.Feeding) {
		t.Logf("chrony: %d of %d s, %d of them fed late, by %v at worst", second, of, f.Late, f.Worst)
	}
	ctx := t.Context() // over before what follows, also where the test fails early
	t.Cleanup(func() {
		<-r.ended
		os.RemoveAll(o.Dir)
	})
	go func() {
		defer close(r.ended)
		r.results, r.fed, r.err = bench.MeasureChrony(ctx, o, traces, []int{0, 1, 2, 3, 4})
	}()
	return r
}
