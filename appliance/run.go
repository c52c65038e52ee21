package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/hostlink"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/web"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

// source is a receiver and its pulse: the hardware, or a simulation.
type source interface {
	// receive delivers fixes and pulses to ref until ctx ends, and comes back
	// by itself after every fault. note tells people what it is doing.
	receive(ctx context.Context, ref *gpspps.Reference, pivot time.Time, note func(topic, text string), log *slog.Logger)
}

// run is the station's life: it starts every part, joins them, and returns
// when ctx ends.
func run(ctx context.Context, p *platform, conf config.Config, notices []string, src source, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kernel, err := discipline.System()
	if err != nil {
		return err
	}
	if !p.station {
		// Only a station's own clock is steered.
		kernel = discipline.Observe(kernel)
	}
	ref := gpspps.New(gpspps.Config{Build: p.build, Log: log})
	s := &station{
		platform: p, conf: conf, ref: ref, kernel: kernel,
		notes: newNotes(notices), live: liveness(), born: time.Now(), log: log,
	}
	prober := probe.New()
	s.monitor, err = monitor.New(monitor.Config{
		Clock:       referenceClock{ref},
		Prober:      prober,
		Resolver:    net.DefaultResolver,
		Assignments: fixed(conf.Servers),
		Sink:        s,
		Log:         log,
	})
	if err != nil {
		return err
	}
	handler, err := web.New(web.Options{
		Source: s, Alive: s.alive, Log: log,
		Build: web.Build{Version: version, Slot: p.slot, Board: p.board.Name},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", p.listen)
	if err != nil {
		return fmt.Errorf("the page cannot be served: %w; choose another address with -http", err)
	}
	server := web.Server(handler)
	fail := make(chan error, 2)
	serve := func(l net.Listener) {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fail <- err
		}
	}
	go serve(listener)
	log.Info("serving the page", "address", listener.Addr())
	if p.station {
		go s.keepNetwork(ctx)
		go s.showSignsOfLife(ctx, listener.Addr())
		go logOpenSockets(ctx, log)
		// Elsewhere the machine's host is not the station's.
		if l, err := hostlink.Listen(log); err != nil {
			log.Warn("no link to the host", "error", err)
		} else if l != nil {
			go serve(l)
		}
	}
	go src.receive(ctx, ref, p.build, s.notes.set, log)
	go s.keepTime(ctx)
	go func() { fail <- s.monitor.Run(ctx) }()

	select {
	case <-ctx.Done():
		err = nil
	case err = <-fail:
		if ctx.Err() != nil {
			err = nil
		}
	}
	cancel()
	shut, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	server.Shutdown(shut)
	return err
}

// keepTime ticks the reference and steers the clock once a second.
func (s *station) keepTime(ctx context.Context) {
	owner := discipline.New(s.kernel, s.ref, s.log)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	probed := s.monitor.Progress()
	for {
		if p := s.monitor.Progress(); p != probed {
			probed = p
			s.live.Beat("monitor")
		}
		mono, diff, err := s.kernel.Now()
		if err != nil {
			s.log.Error("reading the clock", "error", err)
		} else {
			s.ref.SetRealtime(diff)
			s.ref.Tick(mono)
			owner.Tick(mono)
			s.live.Beat("time")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keepNetwork configures the network, and starts over after a fault.
func (s *station) keepNetwork(ctx context.Context) {
	m := network.New(network.Options{
		ResolvConf: "/tmp/resolv.conf", // what the image's /etc/resolv.conf points to
		Hostname:   s.platform.name,
		Log:        s.log,
		OnChange: func(st network.State) {
			text := ""
			if len(st.Addresses) == 0 && st.Reason != "" {
				text = "Network: " + st.Reason + "."
			}
			s.notes.set("network", text)
		},
	})
	for ctx.Err() == nil {
		err := m.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		s.log.Error("network", "error", err)
		wait(ctx, again)
	}
}

// fixed is a list of assignments that never changes.
type fixed []monitor.Server

// Servers implements monitor.Assignments.
func (f fixed) Servers() ([]monitor.Server, <-chan struct{}) { return f, nil }
