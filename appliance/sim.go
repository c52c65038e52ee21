//go:build !station

package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/receiver"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// runSimulated is the station with a simulated receiver and simulated servers
// on loopback, which all take this machine's clock for the truth. The clock is
// observed, not steered.
func runSimulated(ctx context.Context, p *platform, log *slog.Logger) error {
	servers, err := ntptest.StartSet()
	if err != nil {
		return err
	}
	defer servers.Close()
	made, err := config.Parse("simulation", servers.Config("127.0.0.1"))
	if err != nil {
		return err
	}
	conf, notices, err := p.simulatedConfig(made)
	if err != nil {
		return err
	}
	kernel, err := discipline.System()
	if err != nil {
		return err
	}
	p.name = "simulation"
	notices = append([]string{"A simulation: receiver, pulse and servers are made up on this machine."}, notices...)
	return run(ctx, p, conf, notices, simulated{kernel}, log)
}

// simulatedConfig is what is kept of the settings that were made on the page; with
// nothing kept, what was made up. The servers that are made up are at other ports each
// time: they are known by their names.
func (p *platform) simulatedConfig(made config.Config) (config.Config, []string, error) {
	if p.keeps() == "" {
		return made, nil, nil
	}
	conf, notices, err := p.loadConfig("")
	if err != nil {
		return made, notices, err
	}
	if _, err := os.Stat(filepath.Join(p.keeps(), config.KeptName)); errors.Is(err, fs.ErrNotExist) {
		return made, notices, nil
	}
	for i, s := range conf.Servers {
		for _, m := range made.Servers {
			if m.Name == s.Name && m.Host == s.Host {
				conf.Servers[i].Port = m.Port
			}
		}
	}
	return conf, notices, nil
}

// simulated is a receiver and its pulse inside this process.
type simulated struct{ clock discipline.Kernel }

func (s simulated) listen(ctx context.Context, in *inbox) error {
	l := &simulatedLine{clock: s.clock, ref: in.ref}
	l.parser, l.count = in.parser(simulatedByte)
	err := gpstest.New(time.Now().UnixNano()).Run(ctx, l, l.pulse, l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// watch has nothing to do: the receiver gives its own pulse.
func (simulated) watch(context.Context, *inbox) error { return nil }

// simulatedByte is how long a byte takes on the simulated line.
const simulatedByte = 10 * time.Second / 9600

// simulatedLine is both the clock that a simulated receiver lives by and the
// line it sends on. A byte is stamped with the instant at which a real line
// would have brought it, and silence is told to the parser only up to an
// instant before which everything was sent, so that a busy machine neither
// tears bursts apart nor delays them. One goroutine uses it.
type simulatedLine struct {
	gpstest.RealClock
	clock  discipline.Kernel
	ref    *gpspps.Reference
	parser *receiver.Decoder
	count  func()
	at     time.Time // the instant the receiver lives in
	last   int64     // CLOCK_MONOTONIC told to the parser
}

// SleepUntil implements gpstest.Clock: what is due at t has not happened
// before it returns, and all that was due earlier has.
func (l *simulatedLine) SleepUntil(ctx context.Context, t time.Time) error {
	for {
		next := l.Now().Add(idle)
		if !next.Before(t) {
			l.at = t
			return l.RealClock.SleepUntil(ctx, t)
		}
		if err := l.RealClock.SleepUntil(ctx, next); err != nil {
			return err
		}
		if mono, ok := l.mono(next); ok {
			l.parser.Idle(mono)
		}
	}
}

// Write takes bytes the last of which is through at the instant.
func (l *simulatedLine) Write(b []byte) (int, error) {
	if mono, ok := l.mono(l.at.Add(-time.Duration(len(b)) * simulatedByte)); ok {
		l.parser.Feed(b, mono)
		l.count()
	}
	return len(b), nil
}

func (l *simulatedLine) pulse(edge time.Time) {
	if _, diff, err := l.clock.Now(); err == nil {
		l.ref.AddPulse(gpspps.Pulse{Mono: edge.UnixNano() - diff})
	}
}

// mono is an instant on the monotonic clock, which does not run backwards even
// if somebody sets the machine's clock back.
func (l *simulatedLine) mono(t time.Time) (int64, bool) {
	_, diff, err := l.clock.Now()
	if err != nil {
		return 0, false
	}
	l.last = max(l.last, t.UnixNano()-diff)
	return l.last, true
}
