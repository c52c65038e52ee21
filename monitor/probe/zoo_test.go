package probe

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

const (
	// unhurried is the timeout where something is expected to come that ends the
	// exchange: no machine is starved for that long.
	unhurried = 30 * time.Second
	// patient is that where something comes that does not.
	patient = 3 * time.Second
)

func waitFor(k ntptest.Kind) time.Duration {
	switch {
	case !k.Silent:
		return unhurried
	case k.Finding == string(monitor.FindingTimeout), k.Finding == "":
		return brief
	}
	return patient
}

// TestZoo has an exchange with every kind of server there is, all at once: each
// has to come to its own outcome, finding and warnings, on the shared sockets
// and on the plain path.
func TestZoo(t *testing.T) {
	for _, path := range []struct {
		name string
		opt  []Option
	}{{"best", nil}, {"plain", []Option{Plain()}}} {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			defer all.Wait()
			for _, k := range ntptest.Kinds() {
				switch {
				case k.Queue && (path.name == "plain" || runtime.GOOS != "linux"):
					continue // a plain socket is not told
				case k.Root && os.Geteuid() != 0:
					t.Logf("without %q: sending ICMP messages takes root", k.Name)
					continue
				}
				s, err := k.Start()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				p := prober(t, append(path.opt, Timeout(waitFor(k)))...)
				all.Go(func() { checkKind(t, k, s, p) })
			}
		})
	}
}

func checkKind(t *testing.T, k ntptest.Kind, s ntptest.Started, p *Prober) {
	x := p.Probe(context.Background(), monitor.Target{ID: "t", Addr: s.Addr()})
	if x.Outcome != monitor.Outcome(k.Outcome) || x.Finding != monitor.Finding(k.Finding) {
		t.Errorf("%s: %s, %s %q; want %s, %s", k.Name, x.Outcome, x.Finding, x.Detail, k.Outcome, k.Finding)
	}
	limit := k.Limit.Seconds()
	if limit == 0 {
		limit = math.Inf(1)
	}
	var want []monitor.Warning
	for _, w := range k.Warnings {
		want = append(want, monitor.Warning(w))
	}
	if got := x.Warnings(limit, nil); !slices.Equal(got, want) {
		t.Errorf("%s: warnings %v, want %v", k.Name, got, want)
	}
	if int(x.Strays) < k.Strays || p.Counters().Panics != 0 {
		t.Errorf("%s: %d strays, want %d; %d panics", k.Name, x.Strays, k.Strays, p.Counters().Panics)
	}
	if w, ok := s.(*ntptest.Wild); ok {
		for _, err := range w.Last().Errors {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}

// TestMutants asks a hundred servers whose replies were changed at random, over
// one set of sockets, twice each. Whatever they say has a word of its own; and
// what is found ok proves what an exchange can prove: that the clock which the
// reply tells of was right, or not, within the interval. See monitor's pathWidth:
// its low end holds for the clock when the reply left, the high one for the
// clock when the request came.
func TestMutants(t *testing.T) {
	mutants := ntptest.Mutants(100)
	for _, path := range []struct {
		name string
		opt  []Option
	}{{"best", nil}, {"plain", []Option{Plain()}}} {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()
			// A timeout for those that are silent, another for those that are not.
			probers := map[bool]*Prober{}
			for _, silent := range []bool{false, true} {
				probers[silent] = prober(t, append(path.opt, Timeout(waitFor(ntptest.Kind{Silent: silent})))...)
			}
			var all sync.WaitGroup
			var mu sync.Mutex
			seen := map[monitor.Finding]int{}
			for _, k := range mutants {
				s, err := k.Start()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				all.Go(func() {
					for range 2 {
						x := probers[k.Silent].Probe(context.Background(), monitor.Target{ID: k.Name, Addr: s.Addr()})
						mu.Lock()
						seen[x.Finding]++
						mu.Unlock()
						checkMutant(t, k, s.(*ntptest.Wild).Last(), x)
					}
				})
			}
			all.Wait()
			for _, p := range probers {
				if n := p.Counters().Panics; n != 0 {
					t.Errorf("%d panics", n)
				}
			}
			if len(seen) < 8 {
				t.Errorf("a dull lot of mutants: %v", seen)
			}
			t.Log(seen)
		})
	}
}

func checkMutant(t *testing.T, k ntptest.Kind, q ntptest.Question, x monitor.Exchange) {
	agree(t, x)
	switch {
	case x.Finding == monitor.FindingInternal, x.Finding == monitor.FindingSendError, x.Finding == monitor.FindingClockStepped:
		t.Errorf("%s: %s %q, which is the station's own fault", k.Name, x.Finding, x.Detail)
	case x.Finding == monitor.FindingTimeout && !k.Silent:
		t.Errorf("%s: not heard", k.Name)
	}
	if x.Finding != monitor.FindingOK {
		return
	}
	const rounding = 2e-9
	half := x.Delay()/2 + x.StampError + 601e-6*(float64(x.T4-x.T1)/2e9+x.StampError) + rounding
	came, left := float64(x.T2-q.Received)/1e9, float64(x.T3-q.Sent)/1e9 // how wrong the clock was that it tells of
	if o := offset(x); o-half > left || o+half < came {
		t.Errorf("%s: offset %g +-%g, and the clock was wrong by %g when the request came, by %g when the reply left", k.Name, o, half, came, left)
	}
}

// TestRateLimited asks a server that answers four requests at once and few
// beyond that: no other word is found for it than that it was silent, or RATE.
func TestRateLimited(t *testing.T) {
	for _, kod := range []bool{false, true} {
		t.Run(map[bool]string{false: "silently", true: "with RATE"}[kod], func(t *testing.T) {
			t.Parallel()
			s, err := ntptest.StartWild("", ntptest.RateLimited(kod))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			to := monitor.Target{ID: "t", Addr: s.Addr()}
			first := prober(t, Timeout(unhurried))
			for range 4 {
				if x := first.Probe(context.Background(), to); x.Finding != monitor.FindingOK {
					t.Fatalf("%s %q within the burst", x.Finding, x.Detail)
				}
			}
			then := prober(t, Timeout(brief))
			for range 12 {
				switch x := then.Probe(context.Background(), to); {
				case x.Finding == monitor.FindingOK, x.Finding == monitor.FindingTimeout:
				case kod && x.Finding == monitor.FindingKissRate:
				default:
					t.Errorf("%s %q beyond the burst", x.Finding, x.Detail)
				}
			}
		})
	}
}

// TestChronyd asks real ones: without a time source, and one that limits rates as
// RateLimited does. What it is asked while it starts counts, too.
func TestChronyd(t *testing.T) {
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	path, err := ntptest.FetchChronyd(t.Context(), filepath.Join(dir, "truechimer"))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	start := func(t *testing.T, o ntptest.ChronydOptions) monitor.Target {
		free := serve(t, "")
		free.Close()
		o.Path, o.Dir, o.Port = path, t.TempDir(), free.Addr().Port()
		c, err := ntptest.StartChronyd(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return monitor.Target{ID: "chronyd", Addr: c.Addr()}
	}
	// Started one after the other: a program that is being copied while another is
	// forked is open for writing in that one for a moment, and cannot be run.
	t.Run("unsynchronized", func(t *testing.T) {
		to := start(t, ntptest.ChronydOptions{Unsynchronized: true})
		t.Parallel()
		x := prober(t, Timeout(unhurried)).Probe(context.Background(), to)
		if agree(t, x); x.Finding != monitor.FindingUnsynchronized {
			t.Errorf("%s %q", x.Finding, x.Detail)
		}
	})
	t.Run("rate limited", func(t *testing.T) {
		to := start(t, ntptest.ChronydOptions{Lines: []string{"ratelimit interval 3 burst 4 leak 2"}})
		p, silent := prober(t, Timeout(brief)), 0
		for range 16 {
			switch x := p.Probe(context.Background(), to); x.Finding {
			case monitor.FindingOK:
			case monitor.FindingTimeout:
				silent++
			default:
				t.Errorf("%s %q", x.Finding, x.Detail)
			}
		}
		if silent == 0 {
			t.Error("16 requests at once, and each was answered")
		}
	})
}
