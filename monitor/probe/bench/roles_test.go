//go:build bench && linux

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/beevik/ntp"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

// role is what a child process does.
type role struct {
	Do     string // accuracy, load, most, targets; reflect, burn
	Method string // plain, basic, interleaved
	N      int    // exchanges in all
	Rate   int    // a second

	Workers int // exchanges at once, at the most
}

const roleVar = "TRUECHIMER_BENCH"

func (r role) String() string {
	b, _ := json.Marshal(r)
	return string(b)
}

// accuracy is what one client measured, seconds.
type accuracy struct{ Offsets, Delays []float64 }

// load is what many exchanges a second came to.
type load struct {
	Sent, Lost int
	Seconds    float64
	CPU        float64   // seconds of the client's
	Stamps     []float64 // T2-T1, seconds: the error of T1, and 0.1 us of veth
	RSS        float64   // MB
}

func TestMain(m *testing.M) {
	v := os.Getenv(roleVar)
	if v == "" {
		os.Exit(m.Run())
	}
	var r role
	if err := json.Unmarshal([]byte(v), &r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out any
	switch r.Do {
	case "burn":
		for n := uint64(1); n != 0; n++ {
		}
	case "accuracy":
		out = measure(r)
	case "reflect":
		fmt.Fprintln(os.Stderr, reflectAll())
		os.Exit(1)
	case "load":
		out = run(r, func(int) netip.AddrPort { return netip.AddrPortFrom(server, 123) })
	case "most":
		out = run(r, func(int) netip.AddrPort { return netip.AddrPortFrom(server, reflectPort) })
	case "targets":
		debug.SetGCPercent(40) // as a station has it
		out = run(r, func(i int) netip.AddrPort {
			a := many.Addr().As4()
			i %= targets
			a[2], a[3] = byte(i>>8), byte(i)
			return netip.AddrPortFrom(netip.AddrFrom4(a), reflectPort)
		})
	}
	json.NewEncoder(os.Stdout).Encode(out)
}

// four is an exchange's time stamps.
type four struct{ t1, t2, t3, t4 int64 }

// asker has one exchange; ok is false without a good reply. Where the method is
// to measure the exchange before anew, better is what came of that, or nil.
type asker func(a netip.AddrPort) (now four, better *four, ok bool)

func newAsker(method string) (asker, func()) {
	if method == "plain" {
		return askBeevik, func() {}
	}
	var opts []probe.Option
	if method == "basic" {
		opts = append(opts, probe.Basic())
	}
	p := probe.New(opts...)
	return func(a netip.AddrPort) (now four, better *four, ok bool) {
		x := p.Probe(context.Background(), monitor.Target{Addr: a})
		if b := x.Before; b != nil {
			better = &four{b.T1, b.T2, b.T3, b.T4}
		}
		return four{x.T1, x.T2, x.T3, x.T4}, better, x.Outcome == monitor.OutcomeOK
	}, func() { p.Close() }
}

// askBeevik is beevik/ntp as it comes: a socket an exchange, kernel stamps of
// what arrives.
func askBeevik(a netip.AddrPort) (now four, better *four, ok bool) {
	r, err := ntp.QueryWithOptions(a.String(), ntp.QueryOptions{Version: 4, Timeout: probe.DefaultTimeout})
	if err != nil {
		return now, nil, false
	}
	s := r.Timestamps
	return four{s.ClientXmit.UnixNano(), s.ServerRecv.UnixNano(), s.ServerXmit.UnixNano(), s.ClientRecv.UnixNano()}, nil, true
}

// measure has exchanges one after the other.
func measure(r role) (out accuracy) {
	ask, done := newAsker(r.Method)
	defer done()
	a := netip.AddrPortFrom(server, 123)
	ask(a)
	var tick <-chan time.Time
	if r.Rate > 0 {
		tick = time.Tick(time.Second / time.Duration(r.Rate))
	}
	for range r.N {
		if tick != nil {
			<-tick
		}
		x, better, ok := ask(a)
		if r.Method == "interleaved" {
			if better == nil {
				continue
			}
			x = *better
		}
		if !ok {
			continue
		}
		out.Offsets = append(out.Offsets, (float64(x.t2-x.t1)+float64(x.t3-x.t4))/2e9)
		out.Delays = append(out.Delays, float64((x.t4-x.t1)-(x.t3-x.t2))/1e9)
	}
	return out
}

const (
	targets = 10_000
	// tick is how often requests are begun, with either client: waking up
	// for each would cost more than they do.
	tick     = 10 * time.Millisecond
	mostTick = time.Millisecond
)

// run has exchanges at a rate, each in a goroutine of its own, as a station has
// them.
func run(r role, address func(i int) netip.AddrPort) (out load) {
	ask, done := newAsker(r.Method)
	defer done()
	var mu sync.Mutex
	var all sync.WaitGroup
	room := make(chan struct{}, r.Workers)
	one := func(i int) {
		x, _, ok := ask(address(i))
		<-room
		mu.Lock()
		defer mu.Unlock()
		if !ok {
			out.Lost++
		} else if r.Do == "load" {
			out.Stamps = append(out.Stamps, float64(x.t2-x.t1)/1e9)
		}
	}
	if name := os.Getenv("BENCH_PROFILE"); name != "" {
		if f, err := os.Create(name + "." + r.Do); err == nil {
			pprof.StartCPUProfile(f)
			defer pprof.StopCPUProfile()
		}
	}
	cpu, begun := cpuTime(), time.Now()
	every := tick
	if r.Do == "most" {
		every = mostTick
	}
	clock := time.NewTicker(every)
	for out.Sent < r.N {
		<-clock.C
		due := min(int(time.Since(begun).Seconds()*float64(r.Rate)), r.N)
		for ; out.Sent < due; out.Sent++ {
			room <- struct{}{}
			i := out.Sent
			all.Go(func() { one(i) })
		}
	}
	all.Wait()
	out.Seconds, out.CPU = time.Since(begun).Seconds(), cpuTime()-cpu
	out.RSS = rss()
	return out
}

func cpuTime() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// rss is the memory in use, MB.
func rss() float64 {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1000
		}
	}
	return 0
}
