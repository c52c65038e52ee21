//go:build !station

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/nmea"
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
	conf, err := config.Parse("simulation", servers.Config("127.0.0.1"))
	if err != nil {
		return err
	}
	kernel, err := discipline.System()
	if err != nil {
		return err
	}
	p.name = "simulation"
	return run(ctx, p, conf, []string{"A simulation: receiver, pulse and servers are made up on this machine."}, simulated{kernel}, log)
}

// simulated is a receiver and its pulse inside this process.
type simulated struct{ clock discipline.Kernel }

func (s simulated) receive(ctx context.Context, ref *gpspps.Reference, pivot time.Time, note func(topic, text string), log *slog.Logger) {
	r, w := io.Pipe()
	receiver := gpstest.New(time.Now().UnixNano())
	p := nmea.New(nmea.Config{Emit: ref.AddFix, Pivot: pivot, ByteTime: 10 * time.Second / config.DefaultBaud})
	var parts sync.WaitGroup
	parts.Go(func() {
		defer w.Close()
		err := receiver.Run(ctx, w, func(edge time.Time) {
			if _, diff, err := s.clock.Now(); err == nil {
				ref.AddPulse(gpspps.Pulse{Mono: edge.UnixNano() - diff})
			}
		}, gpstest.RealClock{})
		if err != nil && !errors.Is(err, context.Canceled) {
			log.Error("simulated receiver", "error", err)
		}
	})
	defer context.AfterFunc(ctx, func() { r.Close() })()
	var feeding sync.Mutex
	parts.Go(func() {
		for range time.Tick(idle) {
			if ctx.Err() != nil {
				return
			}
			if mono, _, err := s.clock.Now(); err == nil {
				feeding.Lock()
				p.Idle(mono)
				feeding.Unlock()
			}
		}
	})
	var buf [512]byte
	for {
		n, err := r.Read(buf[:])
		if err != nil {
			break
		}
		if mono, _, err := s.clock.Now(); err == nil {
			feeding.Lock()
			p.Feed(buf[:n], mono)
			feeding.Unlock()
		}
	}
	parts.Wait()
}
