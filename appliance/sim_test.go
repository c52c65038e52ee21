//go:build !station

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/monitor"
)

// busy is a clock on a machine that now and then does not run this process for
// a while, in virtual time.
type busy struct {
	rng  *rand.Rand
	most time.Duration
}

func (b busy) Now() (mono, diff int64, err error) {
	if b.most > 0 && b.rng.IntN(20) == 0 {
		time.Sleep(time.Duration(b.rng.Int64N(int64(b.most))))
	}
	const diff0 = 900_000_000e9
	return time.Now().UnixNano() - diff0, diff0, nil
}

func (busy) SetFrequency(float64) error        { return nil }
func (busy) Step(int64) error                  { return nil }
func (busy) Report(discipline.Condition) error { return nil }

// TestSimulatedReceiverOnABusyMachine: the simulated line does not suffer from
// what the machine does otherwise; a real one would not either.
func TestSimulatedReceiverOnABusyMachine(t *testing.T) {
	for _, most := range []time.Duration{0, 50 * time.Millisecond, 400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			b.in.ref = gpspps.New(gpspps.Config{Build: time.Now()})
			ctx, cancel := context.WithCancel(t.Context())
			s := simulated{busy{rand.New(rand.NewPCG(1, 2)), most}}
			done := make(chan error, 1)
			go func() { done <- s.listen(ctx, b.in) }()
			if most == 0 {
				// The first fix is out before the next burst begins.
				time.Sleep(2050 * time.Millisecond)
				if c := b.counters(); c.Fixes != 1 || c.Pulses != 2 {
					t.Errorf("after 2.05 s: %+v", c)
				}
			}
			time.Sleep(120 * time.Second)
			c := b.counters()
			// A second that is more than a second late is left out.
			if c.Fixes < 100 || c.FixesInvalid+c.FixesImplausible != 0 || c.Pulses < 100 || c.PulsesDoubled != 0 || b.in.tally.damaged.Load()+b.in.tally.noise.Load() != 0 {
				t.Errorf("up to %v: %+v", most, c)
			}
			stopped := time.Now()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if d := time.Since(stopped); d > most {
				t.Errorf("up to %v: it took %v to end", most, d)
			}
		})
	}
}

// TestSimulation runs the whole process in real time, as a newcomer would, on
// a free port of this machine's own.
func TestSimulation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var j journal
	p, err := plainPlatform()
	if err != nil {
		t.Fatal(err)
	}
	p.listen = "127.0.0.1:0"
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	before := goroutines()
	begun := time.Now()
	go func() { done <- runSimulated(running, p, j.log()) }()

	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	url, wrong, was := "", "no status yet", ""
	for wrong != "" {
		select {
		case <-ctx.Done():
			t.Fatalf("after 90 s: %s\n%s", wrong, strings.Join(j.lines(""), "\n"))
		case err := <-done:
			t.Fatalf("ended by itself: %v", err)
		case <-tick.C:
		}
		if l := j.lines("serving the page"); url == "" && len(l) > 0 {
			_, addr, _ := strings.Cut(l[0], "address=")
			url = "http://" + addr + "/api/v1/status"
			t.Logf("page after %v", time.Since(begun).Round(time.Millisecond))
		}
		if url == "" {
			continue
		}
		s := get(t, client, url)
		if s.Reference.State != was {
			t.Logf("%s after %v: %s", s.Reference.State, time.Since(begun).Round(time.Millisecond), s.Reference.Reason)
			// A machine that stands still for seconds may cost the lock; it must
			// not look as if the receiver had said so.
			if strings.Contains(s.Reference.Reason, "lost its fix") {
				t.Fatalf("the lock was lost: %+v", s.Reference)
			}
			was = s.Reference.State
		}
		wrong = unfinished(s)
	}
	t.Logf("all judged after %v", time.Since(begun).Round(time.Millisecond))
	s := get(t, client, url)
	if c := s.Reference.Counters; c.FixesInvalid+c.FixesImplausible+c.Checksum+c.NoiseBytes+c.PulsesDoubled+c.Vetoes != 0 || c.Votes == 0 || s.Probe.Exchanges == 0 || s.Probe.Panics != 0 {
		t.Errorf("counted: %+v, %+v", c, s.Probe)
	}
	if len(s.Notices) != 1 || !strings.Contains(s.Notices[0], "A simulation") || s.Station.Name != "simulation" {
		t.Errorf("notices %q, name %q", s.Notices, s.Station.Name)
	}

	stop()
	ending := time.Now()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	if d := time.Since(ending); d > 5*time.Second {
		t.Errorf("it took %v to end", d)
	}
	// What has just ended may take a moment to be gone.
	left := goroutines()
	for range 25 {
		if left == before {
			break
		}
		<-tick.C
		left = goroutines()
	}
	if left != before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, left, stacks[:runtime.Stack(stacks, true)])
	}
	if l := j.lines("level=ERROR"); len(l) > 0 {
		t.Errorf("logged: %q", l)
	}
}

// TestSimulationKeeps: what was changed on the page is there the next time, and the
// servers that are made up are where they are then; a reset forgets it.
func TestSimulationKeeps(t *testing.T) {
	p := &platform{settings: t.TempDir(), build: oldestDate}
	made := func(port string) config.Config {
		c, err := config.Parse("simulation", []byte("[[server]]\nname = \"right-1\"\naddress = \"127.0.0.1:"+port+"\"\n[[server]]\nname = \"dead\"\naddress = \"127.0.0.1:"+port+"1\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	start := func(port string) *station {
		t.Helper()
		conf, notices, err := p.simulatedConfig(made(port))
		if err != nil {
			t.Fatal(err)
		}
		return newStation(p, conf, stopped{}, stillProber{}, notices, slog.New(slog.DiscardHandler))
	}
	if c := start("1001").settings.Now(); !reflect.DeepEqual(c, made("1001")) {
		t.Errorf("at first: %+v", c)
	}
	if err := start("1002").settings.Put("a change", func(c *config.Config) error {
		c.Name = "attic"
		c.Servers = append(c.Servers[:1:1], monitor.Server{Name: "mine", Host: "127.0.0.1", Port: 1123, Limit: 0.025, Interval: time.Minute})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s := start("1003")
	got := s.settings.Now()
	if got.Name != "attic" || len(got.Servers) != 2 || got.Servers[0].Port != 1003 || got.Servers[0].Name != "right-1" || got.Servers[1].Port != 1123 {
		t.Errorf("the next time: %+v", got)
	}
	if err := (changed{s}).Reset(); err != nil {
		t.Fatal(err)
	}
	<-s.anew
	if s := start("1004"); !reflect.DeepEqual(s.settings.Now(), made("1004")) || !strings.Contains(strings.Join(s.notes.list(), ""), "was reset") {
		t.Errorf("after a reset: %+v, notices %q", s.settings.Now(), s.notes.list())
	}
	p.settings = ""
	if c := start("1005").settings.Now(); !reflect.DeepEqual(c, made("1005")) {
		t.Errorf("without a directory: %+v", c)
	}
}

// stillProber has no exchanges.
type stillProber struct{ prober }

// goroutines counts those of this program.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	n := 0
	for g := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(g, "truechimer") && !strings.Contains(g, "testing.tRunner") && !strings.Contains(g, "testing.(*M)") {
			n++
		}
	}
	return n
}

func get(t *testing.T, client *http.Client, url string) (s status.Status) {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// unfinished says what is not as it will be yet.
func unfinished(s status.Status) string {
	if r := s.Reference; r.State != "locked" || r.Source != "gps+pps" {
		return "reference " + r.Source + " " + r.State + ": " + r.Reason
	}
	want := map[string]string{"right-1": "ok", "right-2": "ok", "right-3": "ok", "ahead": "off", "unsynchronized": "unsynchronized", "dead": "unreachable"}
	if len(s.Servers) != len(want) {
		return "servers are missing"
	}
	for _, v := range s.Servers {
		if v.Verdict != want[v.Name] {
			return v.Name + " is " + v.Verdict + ": " + v.Reason
		}
		offset := map[string]float64{"ahead": 0.080}[v.Name]
		if want := want[v.Name]; (want == "ok" || want == "off") && (v.Offset == nil || math.Abs(*v.Offset-offset) > 0.010) {
			return v.Name + " is at the wrong offset"
		}
	}
	return ""
}
