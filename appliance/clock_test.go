package main

import (
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/monitor"
)

// exchange is a good one: 20 ms of delay of which the server took 4 ms.
func exchange() monitor.Exchange {
	const t1, ms = 1_790_000_000_000_000_000, 1_000_000
	return monitor.Exchange{
		Target: "a", Addr: netip.MustParseAddrPort("192.0.2.7:123"), Outcome: monitor.OutcomeOK,
		T1: t1, T2: t1 + 108*ms, T3: t1 + 112*ms, T4: t1 + 20*ms,
		Mono: 5_000_000_000, Diff: t1 + 10*ms - 5_000_000_000, StampError: 1e-5,
		Stratum: 2, RefID: 0xc0000201, RootDelay: 0.010, RootDispersion: 0.003,
	}
}

func TestVote(t *testing.T) {
	x := exchange()
	x.Target = "a/2"
	got, ok := vote(x, "a")
	want := gpspps.Vote{
		Server: "a/2", Host: "a", Group: "192.0.2.0/24", Upstream: "refid c0000201",
		Mono: 5_000_000_000, Time: x.T1 + 110_000_000,
		HalfWidth: got.HalfWidth,
	}
	if !ok || got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for li, want := range map[uint8]int{0: 0, 1: 1, 2: -1, 3: 0} {
		x.Leap = li
		if v, ok := vote(x, ""); !ok || v.Leap != want {
			t.Errorf("leap indicator %d: %+v, want %d", li, v, want)
		}
	}
	// Half the delay, half the root delay, the root dispersion, the stamps.
	if w := 0.008 + 0.005 + 0.003 + 1e-5; math.Abs(got.HalfWidth-w) > 1e-12 {
		t.Errorf("half-width %g, want %g", got.HalfWidth, w)
	}
}

func TestWhatIsNoVote(t *testing.T) {
	for name, spoil := range map[string]func(*monitor.Exchange){
		"no reply":       func(x *monitor.Exchange) { x.Outcome = monitor.OutcomeTimeout },
		"clock stepped":  func(x *monitor.Exchange) { x.Outcome = monitor.OutcomeClockStepped },
		"unsynchronized": func(x *monitor.Exchange) { x.Outcome = monitor.OutcomeUnsynchronized },
		"stratum 0":      func(x *monitor.Exchange) { x.Stratum = 0 },
		"stratum 16":     func(x *monitor.Exchange) { x.Stratum = 16 },
		"stratum 255":    func(x *monitor.Exchange) { x.Stratum = 255 },
	} {
		x := exchange()
		spoil(&x)
		if v, ok := vote(x, "a"); ok {
			t.Errorf("%s: a vote %+v", name, v)
		}
	}
}

func TestUpstream(t *testing.T) {
	x := exchange()
	for stratum, want := range map[uint8]string{1: "", 2: "refid c0000201", 15: "refid c0000201"} {
		x.Stratum = stratum
		if got := upstream(x); got != want {
			t.Errorf("stratum %d: %q, want %q", stratum, got, want)
		}
	}
}

func TestNeighbourhood(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:123":            "192.0.2.0/24",
		"192.0.2.200:1123":         "192.0.2.0/24",
		"192.0.3.7:123":            "192.0.3.0/24",
		"[::ffff:192.0.2.7]:123":   "192.0.2.0/24",
		"[2001:db8:1:2::3]:123":    "2001:db8:1::/48",
		"[2001:db8:1:ffff::3]:123": "2001:db8:1::/48",
		"[2001:db8:2::3]:123":      "2001:db8:2::/48",
		"10.1.2.3:123":             "10.1.2.3:123",
		"10.1.2.4:123":             "10.1.2.4:123",
		"192.168.1.1:123":          "192.168.1.1:123",
		"[::ffff:10.1.2.3]:123":    "10.1.2.3:123", // one host by two names has one vote
		"[fd00::1]:123":            "[fd00::1]:123",
		"[fe80::1%eth0]:123":       "[fe80::1%eth0]:123",
		"127.0.0.1:1001":           "127.0.0.1:1001",
		"127.0.0.1:1002":           "127.0.0.1:1002",
		"[::1]:1001":               "[::1]:1001",
	} {
		if got := neighbourhood(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if got := neighbourhood(netip.AddrPort{}); got == "" {
		t.Error("no address has the empty group, in which a server counts by its name")
	}
}

// lived gives a reference some seconds with a receiver that is sure of itself,
// and the last instant.
func lived(seconds int, faults ...gpstest.Fault) (*gpspps.Reference, int64) {
	ref := gpspps.New(gpspps.Config{})
	sim := &gpstest.Sim{Seed: 1, Start: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Mono: 7e9, WhiteS: 1e-7, LeapUTC: true, Faults: faults}
	mono := int64(0)
	for n := range seconds {
		sim.Run(n, n+1, ref.AddPulse, ref.AddFix)
		mono = sim.MonoAt(sim.Start.Add(time.Duration(n)*time.Second + 700*time.Millisecond))
		ref.Tick(mono)
	}
	return ref, mono
}

func TestReferenceClock(t *testing.T) {
	for _, c := range []struct {
		name    string
		seconds int
		faults  []gpstest.Fault
		known   bool
		usable  bool
		reason  string
	}{
		{"cold", 3, []gpstest.Fault{{Command: "gps off"}}, false, false, "no fix, no pulse"},
		{"without a pulse", 10, []gpstest.Fault{{Command: "pulse off"}}, true, false, "no pulse"},
		{"locked", 30, nil, true, true, ""},
		{"in holdover", 60, []gpstest.Fault{{From: 30, Command: "pulse off"}}, true, true, "no pulse"},
		{"suspect", 60, []gpstest.Fault{{From: 30, Command: "gps leap -1"}}, true, false, "the receiver jumped 1 s ahead while its pulses ran on"},
	} {
		ref, mono := lived(c.seconds, c.faults...)
		r := referenceClock{ref}.At(mono, "")
		if r.Known != c.known || r.Usable != c.usable || r.Reason != c.reason {
			t.Errorf("%s: %+v", c.name, r)
		}
		of := ref.At(mono, "")
		if r.True != of.True || r.Bound != of.Bound || r.Uncertainty != of.Uncertainty || r.Final || !(referenceClock{ref}.At(mono-33e9, "").Final || c.seconds < 40) {
			t.Errorf("%s: %+v of %+v", c.name, r, of)
		}
	}
}

// TestReferenceServer: without a receiver the time is the named server's, by which
// it is not judged itself.
func TestReferenceServer(t *testing.T) {
	const alone = "[[server]]\naddress = \"192.0.2.1\"\n[[server]]\nname = \"cellar\"\naddress = \"198.51.100.1\"\nreference = true\n"
	for name, c := range map[string]struct {
		file, verdict string
	}{
		"with one other": {alone, "not_judged"},
		"with three":     {alone + "[[server]]\naddress = \"203.0.113.1\"\n[[server]]\naddress = \"198.18.7.1\"\n", "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(c.file))}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{mute: true, pulseless: true})
				s, _ := live(t, w, p, 20*time.Minute)
				if r := s.Reference; r.Source != "ntp" || r.State != "locked" || *r.Bound > 0.014 {
					t.Errorf("%+v", r)
				}
				for _, v := range s.Servers {
					want := "ok"
					if v.Name == "cellar" {
						want = c.verdict
					}
					if v.Verdict != want {
						t.Errorf("%s: %s (%s), want %s", v.Name, v.Verdict, v.Reason, want)
					}
				}
			})
		})
	}
}

// TestReferenceServerJumps: a named server that jumps is suspect within two of its
// rounds, and nobody is convicted by it: not those who are right, and not itself.
func TestReferenceServerJumps(t *testing.T) {
	const (
		interval = "interval = \"16s\"\n"
		file     = "[[server]]\nname = \"cellar\"\nreference = true\naddress = \"192.0.2.1\"\n" + interval
		others   = "[[server]]\naddress = \"198.51.100.1\"\n" + interval + "[[server]]\naddress = \"203.0.113.1\"\n" + interval
		more     = "[[server]]\naddress = \"198.18.7.1\"\n" + interval
	)
	for name, file := range map[string]string{"two others": file + others, "three others": file + others + more} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(file))}
			synctest.Test(t, func(t *testing.T) {
				const jump = 30 * time.Minute
				w := newWorld(lack{mute: true, pulseless: true})
				w.wrong = func(server string) time.Duration {
					if server == "cellar" && time.Since(w.begun) > jump {
						return 75 * time.Millisecond
					}
					return 0
				}
				var noticed time.Duration
				right := map[string]bool{}
				w.each = func(s status.Status) {
					now := time.Since(w.begun)
					if s.Reference.State == "suspect" && noticed == 0 {
						noticed = now - jump
					}
					for _, v := range s.Servers {
						if v.Verdict == "ok" {
							right[v.Name] = true
						}
						// With three others a quorum judges the one that jumped.
						if v.Verdict == "off" && v.Name != "cellar" || v.Verdict == "doubtful" && v.Name != "cellar" {
							t.Errorf("after %v: %s is %s (%s)", now, v.Name, v.Verdict, v.Reason)
						}
					}
				}
				live(t, w, p, jump+10*time.Minute)
				if noticed <= 0 || noticed > 32*time.Second+2*time.Second {
					t.Errorf("suspect after %v", noticed)
				}
				if len(right) < 2 {
					t.Errorf("right at some time: %v", right)
				}
			})
		})
	}
}
