package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

const (
	// lineSilent is how long the line with the pulse may be silent before the
	// others are listened to again.
	lineSilent = time.Minute
	// edgesKept is how many edges of a line are looked at to tell whether it
	// gives one a second; pulseEdges of them must lie a second apart.
	edgesKept  = 16
	pulseEdges = 3
	// edgesMost is how many edges a second are read of a line; more are noise, and
	// must not keep the processor busy. It is more than the kernel keeps for a
	// reader who is late.
	edgesMost = 50
	// edgeApart is how far from a second apart they may lie: more than any
	// oscillator is wrong by, and than an interrupt is late.
	edgeApart = int64(20 * time.Millisecond)
	// noPulseFixes is how many valid fixes without a pulse a person should know
	// of: receivers give none before they have a fix, and some a while later.
	noPulseFixes = 60
	noPulseEvery = 10 * time.Second
)

// watch reads the pulse, on whatever it comes.
func (h hardware) watch(ctx context.Context, in *inbox) error {
	if h.conf.Receiver.Pulse == config.Off {
		return nil
	}
	if h.conf.Receiver.PulseAlone {
		in.cable.Store(int64(h.conf.Receiver.CableDelay))
	}
	l := &listener{
		in:   in,
		ways: func() []string { return h.ways(in) },
		rest: h.otherLines,
		open: func(way string) (pulse.Edges, error) { return h.open(way, in) },
	}
	for ctx.Err() == nil {
		failed := l.listen(ctx)
		if ctx.Err() != nil {
			break
		}
		if len(l.names) == 0 {
			in.notes.say(slog.LevelInfo, "pulse line", "no line to look for a pulse on")
			wait(ctx, noPulseEvery)
		} else if len(failed) > 0 {
			in.notes.set("pulse", "No pulse line can be used: "+strings.Join(failed, "; ")+".")
			wait(ctx, again)
		}
	}
	return nil
}

// listener listens to several lines at the same time until one of them gives an
// edge a second, and then to that one alone: the interrupts of a line that
// nothing is connected to would disturb it.
type listener struct {
	in   *inbox
	ways func() []string // what there is to listen to now
	rest func() []string // lines that a pulse could come on, and that are not listened to
	open func(way string) (pulse.Edges, error)

	names     []string   // what is listened to
	calibrate func(*ear) // begins it
	look      func()     // begins to listen to the others for a moment
	looked    time.Time  // when it did last

	came  bool   // a pulse, since fixes were counted
	fixes uint64 // valid ones, at the last pulse
}

// ear is one line.
type ear struct {
	edges   pulse.Edges
	source  *pulse.Source
	ctx     context.Context
	cancel  context.CancelFunc
	rank    int // see rank
	regular int // how many pulses have come a second after those before

	calibrating bool
	known       bool           // how late its pulses are stamped
	pulses      []gpspps.Pulse // the newest
	waiting     int            // how many of them have not been delivered
	lost        uint64
}

// edge is what an ear heard; or why it hears no more.
type edge struct {
	ear   *ear
	pulse gpspps.Pulse
	err   error
}

// listen delivers pulses until their line fails or falls silent; failed says
// what is wrong with the lines, if that was the reason.
func (l *listener) listen(ctx context.Context) (failed []string) {
	ctx, cancel := context.WithCancel(ctx)
	heard := make(chan edge)
	var hearing sync.WaitGroup
	var ears []*ear
	defer func() {
		cancel()
		hearing.Wait()
		l.in.found.pulses("")
	}()
	l.names = l.ways()
	for _, name := range l.names {
		edges, err := l.open(name)
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		e := &ear{edges: edges, source: pulse.NewSource(edges), rank: rank(name)}
		e.ctx, e.cancel = context.WithCancel(ctx)
		ears = append(ears, e)
		hearing.Go(func() { e.hear(e.ctx, heard) })
	}
	if len(ears) == 0 {
		return failed
	}
	l.in.notes.set("pulse", "")
	l.in.notes.say(slog.LevelInfo, "pulse line", "waiting for pulses on "+earNames(ears))
	l.calibrate = func(e *ear) { hearing.Go(func() { e.calibrate(l.in) }) }
	l.look = func() { hearing.Go(func() { l.lookElsewhere(ctx) }) }
	return l.follow(ctx, ears, heard, failed)
}

// hear passes on what a line gives until ctx ends or it gives no more.
func (e *ear) hear(ctx context.Context, heard chan<- edge) {
	defer e.edges.Close()
	n, begun := 0, time.Now()
	for {
		p, err := e.source.Read(ctx)
		if ctx.Err() != nil {
			return
		}
		if n++; n == edgesMost {
			if time.Since(begun) < time.Second {
				wait(ctx, time.Second)
			}
			n, begun = 0, time.Now()
		}
		select {
		case heard <- edge{e, p, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *listener) follow(ctx context.Context, ears []*ear, heard <-chan edge, failed []string) []string {
	var chosen *ear
	if len(ears) == 1 {
		chosen = ears[0]
	}
	first := chosen // the only one with edges so far; nil where there are several
	some := false   // edges, of any
	silent := true  // no pulses come
	silence, look := time.NewTimer(lineSilent), time.NewTicker(noPulseEvery)
	defer silence.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-silence.C:
			silent = true
			l.in.found.pulses("")
			if len(l.names) > 1 && (some || len(ears) < len(l.names)) {
				return nil // perhaps it is on another line now
			}
			silence.Reset(lineSilent)
		case <-look.C:
			l.missPulse(ears)
			if silent && !slices.Equal(l.names, l.ways()) {
				return nil // something has been plugged in, or out
			}
		case e := <-heard:
			if e.err != nil {
				failed = append(failed, e.err.Error())
				ears = slices.DeleteFunc(ears, func(x *ear) bool { return x == e.ear })
				if e.ear == chosen || len(ears) == 0 {
					return failed
				}
				continue
			}
			if chosen != nil && e.ear != chosen {
				continue // on its way when the other was chosen
			}
			regular := e.ear.add(e.pulse)
			if !some {
				some, first = true, e.ear
			} else if e.ear != first {
				first = chosen
			}
			if regular {
				e.ear.regular++
			}
			if regular && (e.ear == chosen || e.ear.regular > e.ear.rank) {
				chosen = l.choose(ears, e.ear)
				silent = false
				silence.Reset(lineSilent)
			}
			// The first pulses are not held back while there is no doubt.
			if e.ear == chosen || e.ear == first && e.ear.rank == 0 && !e.ear.noisy() {
				e.ear.deliver(l.in)
			}
		}
	}
}

// choose leaves one line to listen to.
func (l *listener) choose(ears []*ear, chosen *ear) *ear {
	for _, e := range ears {
		if e != chosen {
			e.cancel()
		}
	}
	name := chosen.edges.Name()
	l.came = true
	if !chosen.calibrating {
		chosen.calibrating = true
		l.calibrate(chosen)
	}
	l.in.found.pulses(name)
	l.tellLateness(chosen)
	l.in.notes.set("no pulse", "")
	l.in.notes.say(slog.LevelInfo, "pulse found", "pulses come on "+name)
	return chosen
}

// add takes an edge and says whether it and those before it come once a second.
// Edges in between do not matter as long as they are few: a doubled pulse is
// the reference's business, the noise of an open line is not.
func (e *ear) add(p gpspps.Pulse) bool {
	if len(e.pulses) == edgesKept {
		e.pulses = append(e.pulses[:0], e.pulses[1:]...)
	}
	e.pulses = append(e.pulses, p)
	e.waiting = min(e.waiting+1, edgesKept)
	at, found := p.Mono, 1
	for i := len(e.pulses) - 2; i >= 0 && found < pulseEdges; i-- {
		if d := at - e.pulses[i].Mono - int64(time.Second); -edgeApart <= d && d <= edgeApart {
			at = e.pulses[i].Mono
			found++
		}
	}
	return found == pulseEdges
}

// noisy says that a line gives more edges than a pulse has.
func (e *ear) noisy() bool {
	return len(e.pulses) == edgesKept && e.pulses[edgesKept-1].Mono-e.pulses[0].Mono < int64(2*time.Second)
}

func (e *ear) deliver(in *inbox) {
	in.ref.SetPulseError(e.source.PulseError())
	for _, p := range e.pulses[len(e.pulses)-e.waiting:] {
		p.Mono -= in.cable.Load()
		in.ref.AddPulse(p)
	}
	e.waiting = 0
	lost := e.source.Lost()
	in.tally.edges.Add(lost - e.lost)
	e.lost = lost
}

// missPulse tells of a receiver that has a fix and gives no pulse.
func (l *listener) missPulse(ears []*ear) {
	c := l.in.ref.Info(0).Counters
	valid := c.Fixes - c.FixesInvalid - c.FixesImplausible
	if l.came {
		l.came, l.fixes = false, valid
	}
	if valid-l.fixes >= noPulseFixes {
		l.in.notes.set("no pulse", fmt.Sprintf("The receiver has a fix, but no pulse comes in on %s: is it wired to another pin? Name that as pps in truechimer.toml, or write pps = \"off\" if there is none.",
			earNames(ears)))
		l.elsewhere()
	}
}

func earNames(ears []*ear) string {
	var names []string
	for _, e := range ears {
		names = append(names, e.edges.Name())
	}
	return strings.Join(names, " or ")
}
