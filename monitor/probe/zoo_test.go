package probe

import (
	"context"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// unhurried is the timeout where something is expected to come: no machine is
// starved for that long.
const unhurried = 30 * time.Second

func waitFor(k ntptest.Kind) time.Duration {
	if k.Silent {
		return brief
	}
	return unhurried
}

// TestZoo has an exchange with every kind of server there is, all at once: each
// has to come to its own outcome, finding and warnings, on the shared sockets
// and on the plain path.
func TestZoo(t *testing.T) {
	for _, path := range []struct {
		name string
		opt  []Option
	}{{"best", nil}, {"plain", []Option{Plain()}}} {
		for _, k := range ntptest.Kinds() {
			t.Run(path.name+"/"+k.Name, func(t *testing.T) {
				t.Parallel()
				switch {
				case k.Queue && (path.name == "plain" || runtime.GOOS != "linux"):
					t.Skip("a plain socket is not told")
				case k.Root && os.Geteuid() != 0:
					t.Skip("sending ICMP messages takes root")
				}
				s, err := k.Start()
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				p := prober(t, append(path.opt, Timeout(waitFor(k)))...)
				x := p.Probe(context.Background(), monitor.Target{ID: "t", Addr: s.Addr()})
				if x.Outcome != monitor.Outcome(k.Outcome) || x.Finding != monitor.Finding(k.Finding) {
					t.Errorf("%s, %s %q; want %s, %s", x.Outcome, x.Finding, x.Detail, k.Outcome, k.Finding)
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
					t.Errorf("warnings %v, want %v", got, want)
				}
				if x.Strays < k.Strays || p.Counters().Panics != 0 {
					t.Errorf("%d strays, want %d; %d panics", x.Strays, k.Strays, p.Counters().Panics)
				}
				if w, ok := s.(*ntptest.Wild); ok {
					for _, err := range w.Last().Errors {
						t.Error(err)
					}
				}
			})
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
	switch {
	case !slices.Contains(monitor.Findings, x.Finding):
		t.Errorf("%s: finding %q is no word of the taxonomy", k.Name, x.Finding)
	case x.Finding == monitor.FindingInternal, x.Finding == monitor.FindingSendError, x.Finding == monitor.FindingClockStepped:
		t.Errorf("%s: %s %q, which is the station's own fault", k.Name, x.Finding, x.Detail)
	case x.Finding == monitor.FindingTimeout && !k.Silent:
		t.Errorf("%s: not heard", k.Name)
	case x.Finding == monitor.FindingOK && x.Outcome != monitor.OutcomeOK:
		t.Errorf("%s: ok, and %s", k.Name, x.Outcome)
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

// TestLateIsCounted has a reply come after its exchange has ended, and another
// twice.
func TestLateIsCounted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sockets that are shared are for Linux")
	}
	// The reply to the first request comes with the second's, which is twice.
	s, err := ntptest.StartWild("", func(q *ntptest.Question) {
		if q.Number > 0 {
			q.Send(q.Before)
			q.Send(q.Right)
			q.Send(q.Right)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := prober(t, Timeout(brief))
	to := monitor.Target{ID: "t", Addr: s.Addr()}
	if x := p.Probe(context.Background(), to); x.Finding != monitor.FindingTimeout {
		t.Fatalf("%s %q", x.Finding, x.Detail)
	}
	deadline := time.Now().Add(unhurried)
	for p.Probe(context.Background(), to).Finding != monitor.FindingOK && time.Now().Before(deadline) {
	}
	for c := p.Counters(); c.Late == 0 || c.Duplicates == 0; c = p.Counters() {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", c)
		}
		p.Probe(context.Background(), to)
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
