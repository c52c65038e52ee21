package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/hostlink"
	"github.com/truechimer/truechimer/appliance/settings"
	"github.com/truechimer/truechimer/appliance/web"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/pulse"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

// collectAt is by how much the heap of a station may grow before it is collected, per
// cent of what is in use: less than half of Go's own. A station has little to allocate and
// much else to keep in its memory.
const collectAt = 40

// run is the station's life: it starts every part, joins them, and returns
// when ctx ends and all of them have. Once it runs, no part that fails ends it.
func run(ctx context.Context, p *platform, conf config.Config, notices []string, src source, log *slog.Logger) error {
	kernel, err := discipline.System()
	if err != nil {
		return err
	}
	if !p.station || p.safe {
		// Only a station's own clock is steered.
		kernel = discipline.Observe(kernel)
	}
	prober := probe.New(probe.HardwareStamps(conf.Hardware...))
	defer prober.Close()
	s := newStation(p, conf, kernel, prober, notices, log)
	server, err := s.server()
	if err != nil {
		return err
	}
	var outside []part
	if len(conf.Hardware) > 0 {
		outside = append(outside, part{"network cards' stamps", func(ctx context.Context) error { return s.watchCards(ctx, prober.HardwareProblems) }})
	}
	if p.station {
		debug.SetGCPercent(collectAt)
		s.updater = newUpdater(s, thisMachine())
		// Elsewhere neither the network nor the machine's host is the station's.
		outside = append(outside, []part{
			{partNetwork, s.network()},
			{"list of sockets", func(ctx context.Context) error { return logOpenSockets(ctx, log) }},
			{"link to the host", func(context.Context) error { return serveHost(server, log) }},
			{partUpdater, s.updater.run},
			{"display", s.showScreen},
			{"light", s.showLight},
			{"reset button", func(ctx context.Context) error {
				return s.watchButton(ctx, newHardware(conf, p.board).pulseLines(), openButton, pulse.Where)
			}},
		}...)
	}
	return s.run(ctx, server, src, outside...)
}

// server makes the server of the page.
func (s *station) server() (*http.Server, error) {
	o := web.Options{
		Source: s, Alive: s.alive, Log: s.log, Proofs: s.proofs, Recent: s.lastExchanges, Minutes: s.minutes,
		Build: web.Build{Version: s.version, Slot: s.platform.slot, Board: s.platform.board.Name},
	}
	if s.diary != nil {
		o.Exchanges, o.History = s.diary, s.diary
	}
	if s.platform.lines != nil {
		o.Lines = s.platform.lines
	}
	if s.platform.secure != "" {
		o.Manage = settings.Path
		o.Guard = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.access.Require(h).ServeHTTP(w, r) })
		}
	}
	handler, err := web.New(o)
	if err != nil {
		return nil, err
	}
	if s.access, err = s.newAccess(); err != nil {
		return nil, err
	}
	if err := s.serveSettings(); err != nil {
		return nil, err
	}
	server := web.Server(s.access.Handler(handler), s.log)
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if hostlink.FromHost(c) {
			return access.FromHost(ctx)
		}
		return ctx
	}
	return server, nil
}

// run runs the station's own parts and those that deal with what is outside of it.
func (s *station) run(ctx context.Context, server *http.Server, src source, outside ...part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, err := s.listen("tcp", s.platform.listen)
	if err != nil {
		if !s.platform.station {
			return fmt.Errorf("the page cannot be served: %w; choose another address with -http", err)
		}
		s.log.Error("the page cannot be served yet", "error", err)
	} else {
		s.page.Store(listener.Addr())
		s.log.Info("serving the page", "address", listener.Addr())
	}

	secure, err := s.listenSecurely()
	if err != nil {
		return err
	}

	all := s.parts
	all.keep(ctx, partPage, func(context.Context) error {
		l := listener
		listener = nil
		return s.servePage(server, l)
	})
	if s.platform.secure != "" {
		all.keep(ctx, "certificate", s.access.Run)
		all.keep(ctx, partSecure, func(context.Context) error {
			l := secure
			secure = nil
			return s.serveSecurely(server, l)
		})
	}
	for _, p := range outside {
		all.keep(ctx, p.name, p.run)
	}
	if s.platform.station {
		all.keep(ctx, partWatchdog, s.showSignsOfLife)
		all.keep(ctx, "look at the machine", s.watchMachine)
	}
	if !s.platform.safe {
		all.keep(ctx, "receiver", func(ctx context.Context) error { return src.listen(ctx, s.inbox) })
		all.keep(ctx, "pulse", func(ctx context.Context) error { return src.watch(ctx, s.inbox) })
		all.keep(ctx, partClock, s.keepTime)
		all.keep(ctx, partMonitor, s.judge)
		if s.diary != nil {
			all.keep(ctx, "journal", s.diary.Run)
			all.keep(ctx, "earlier pulses", s.recall)
		}
		all.keep(ctx, "proofs", s.proofs.run)
		all.keep(ctx, "antenna", s.keepAntenna)
		if p := s.assigned.poller; p != nil {
			all.keep(ctx, "list of servers", p.Run)
		}
		if c := s.conf.PTP; c != nil {
			all.keep(ctx, "PTP clock", func(ctx context.Context) error { return s.readPTP(ctx, *c, openPTP) })
		}
	}

	var why error
	select {
	case <-ctx.Done():
	case <-s.anew:
		why = errAnew
		cancel()
	}
	shut, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	if server.Shutdown(shut) != nil {
		server.Close() // whoever is still reading has had his time
	}
	all.running.Wait()
	return why
}

// servePage serves the page on l, or on a new listener where there is none.
func (s *station) servePage(server *http.Server, l net.Listener) error {
	if l == nil {
		var err error
		if l, err = s.listen("tcp", s.platform.listen); err != nil {
			return err
		}
		s.page.Store(l.Addr())
		s.log.Info("serving the page", "address", l.Addr())
	}
	if err := server.Serve(web.Limit(l)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveHost serves the page to the host of a virtual machine.
func serveHost(server *http.Server, log *slog.Logger) error {
	l, err := hostlink.Listen(log)
	if l == nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// judge runs a monitor, whose verdicts begin anew each time.
func (s *station) judge(ctx context.Context) error {
	m, err := monitor.New(monitor.Config{
		Clock:       referenceClock{s.ref},
		Prober:      s.outcomes.of(s.prober),
		Tracer:      tracer(s.prober),
		Resolver:    s.resolver,
		Assignments: s.assigned.roster,
		Own:         s.ownAddresses,
		Local:       s.localAddresses,
		Leap:        s.leapThisMonth,
		Manners:     s.manners(),
		Host:        s.ownSide,
		Sink:        s,
		Log:         s.log,
	})
	if err != nil {
		return err
	}
	s.monitor.Store(m)
	if err := m.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// keepTime ticks the reference and steers the clock once a second.
func (s *station) keepTime(ctx context.Context) error {
	owner := discipline.New(s.kernel, s.ref, s.log)
	owner.Expect(s.memory.frequency())
	s.owner.Store(owner)
	defer s.memory.end()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var probed uint64
	for {
		if m := s.monitor.Load(); m != nil && m.Progress() != probed {
			probed = m.Progress()
			s.live.Beat("monitor")
		}
		mono, diff, err := s.kernel.Now()
		if err != nil {
			s.notes.say(slog.LevelError, "clock", err.Error())
		} else {
			s.ref.SetRealtime(diff)
			s.ref.Tick(mono)
			s.pulses.Add(s.ref.Samples(lookBack))
			owner.Tick(mono)
			r, info := s.ref.At(mono, ""), s.ref.Info(mono)
			s.memory.tick(r, info, s.ref.Leap())
			s.keepMinute(r, info)
			s.notes.set("clock owner", contested(owner.Status()))
			s.live.Beat("time")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// newStation makes a station whose parts do not run yet.
func newStation(p *platform, conf config.Config, kernel discipline.Kernel, prober prober, notices []string, log *slog.Logger) *station {
	s := &station{
		platform: p, version: version, conf: conf, kernel: kernel, prober: prober,
		anew: make(chan struct{}, 1), notes: newNotes(notices, log), live: liveness(p.safe), born: time.Now(), log: log,
		listen: net.Listen, dial: new(net.Dialer).DialContext, resolver: net.DefaultResolver, interfaces: net.InterfaceAddrs,
	}
	s.parts = &parts{notes: s.notes}
	s.inForce.Store(&conf)
	s.settings = s.newSettings()
	s.memory = remember(p.perm, p.build, s.notes)
	before := s.memory.at
	s.ref = gpspps.New(gpspps.Config{
		Build: p.build, LastGood: before.Good, ConfirmUTC: before.confirms, Log: log,
		Survey: p.surveyed(), MovingAntenna: conf.Receiver.Moving,
		PulseAlone: conf.Receiver.PulseAlone,
	})
	s.assigned = s.assign()
	s.diary = s.newJournal()
	s.proofs = s.newProofs()
	s.inbox = &inbox{ref: s.ref, pivot: before.pivot(p.build), notes: s.notes, log: log}
	return s
}
