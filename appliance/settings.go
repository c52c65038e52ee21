package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"syscall"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/settings"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/monitor"
)

// errAnew says that the program ended to be started anew, with other settings.
var errAnew = errors.New("the station starts anew")

// beginAnew has this process run its program anew. Whoever supervises it need not
// notice, and whatever the old one had open is closed.
func beginAnew() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	return fmt.Errorf("starting anew: %w", syscall.Exec(path, os.Args, os.Environ()))
}

// newSettings has what may be changed on the page.
func (s *station) newSettings() *settings.Store {
	conf := s.conf
	if s.platform.safe {
		// What is kept holds again after safe mode, and may be what has to be changed.
		if kept, err := config.Kept(s.platform.keeps()); err == nil {
			conf = kept
		}
	}
	return settings.NewStore(settings.StoreOptions{Dir: s.platform.keeps(), Config: conf, Now: stationClock{s}.Now, Log: s.log})
}

// serveSettings has the pages of settings served to who may see them.
func (s *station) serveSettings() error {
	pages, err := settings.New(settings.Options{Store: s.settings, Station: changed{s}, Owner: s.access, Name: s.platform.name, Forms: s.access.StyleSheet(), Log: s.log})
	if err != nil {
		return err
	}
	pages.Register(s.access)
	return nil
}

// changed is the station as its settings change it.
type changed struct{ s *station }

// Apply implements settings.Station.
func (c changed) Apply(conf config.Config) {
	if c.s.platform.safe {
		return // nothing but the network and this page runs
	}
	before := c.s.inForce.Swap(&conf)
	c.s.assigned.own(conf.Servers)
	if u := c.s.updater; u != nil && !reflect.DeepEqual(before.Update, conf.Update) {
		u.goAnew()
	}
}

// answerOut is how long an answer may take to get out before a restart.
const answerOut = 500 * time.Millisecond

// restartable says why the program cannot be started anew now.
func (c changed) restartable() error {
	if u := c.s.updater; u != nil {
		if e := u.engine.Load(); e != nil && e.Status().State == update.StateTrial {
			return errors.New("a new version is on trial; in a quarter of an hour it can")
		}
	}
	return nil
}

// Restart implements settings.Station.
func (c changed) Restart() error {
	if err := c.restartable(); err != nil {
		return err
	}
	time.AfterFunc(answerOut, func() {
		if u := c.s.updater; u != nil && c.s.becomes.Load() {
			// Who the station is comes from init.
			c.s.log.Info("the machine restarts, to be the station of a backup")
			if err := u.machine.restart(""); err != nil {
				c.s.notes.set("restart", fmt.Sprintf("The station could not restart (%v): switch it off and on.", err))
			}
			return
		}
		select {
		case c.s.anew <- struct{}{}:
		default: // it is to start anew already
		}
	})
	return nil
}

// Network implements settings.Station.
func (c changed) Network() settings.Network {
	if m := c.s.manager.Load(); m != nil {
		return m
	}
	return nil
}

// Antenna implements settings.Station.
func (c changed) Antenna() []byte {
	path := c.s.platform.antennaPath()
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil || parseAntenna(b) == nil {
		return nil
	}
	return b
}

// SetAntenna implements settings.Station. What the reference knows is not kept any
// more: the next start begins with this.
func (c changed) SetAntenna(b []byte) error {
	path := c.s.platform.antennaPath()
	if parseAntenna(b) == nil {
		return errors.New("where the antenna is cannot be made out of this backup")
	}
	if path == "" {
		return errors.New("where the antenna is cannot be kept here")
	}
	if err := c.restartable(); err != nil {
		return err
	}
	c.s.antennaSet.Store(true)
	return durable.WriteFile(path, b)
}

// Moved implements settings.Station.
func (c changed) Moved() error {
	if c.s.platform.safe {
		return errors.New("in safe mode the receiver is not listened to: do it after the next start")
	}
	if c.s.antennaSet.Load() {
		return errors.New("where the antenna is was restored just now: do it after the next start")
	}
	c.s.ref.Moved()
	path := c.s.platform.antennaPath()
	if path == "" {
		return nil
	}
	if err := c.s.writeAntenna(path); err != nil {
		return fmt.Errorf("where the antenna was is forgotten until the next start, but not on the card: %w", err)
	}
	return nil
}

// Updates implements settings.Station.
func (c changed) Updates() settings.Updates {
	if c.s.updater == nil {
		return nil
	}
	return updates{c.s.updater}
}

// Ask implements settings.Station.
func (c changed) Ask(ctx context.Context, host string, port uint16) string {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		list, err := c.s.resolver.LookupNetIP(ctx, "ip", host)
		if err != nil || len(list) == 0 {
			return "its name could not be resolved. It can be kept all the same, and is asked as soon as it can be"
		}
		addr = list[0].Unmap()
	}
	done := make(chan monitor.Exchange, 1)
	go func() {
		done <- c.s.prober.Probe(ctx, monitor.Target{ID: "settings", Server: monitor.Server{Name: host, Host: host, Port: port}, Addr: netip.AddrPortFrom(addr, port)})
	}()
	select {
	case x := <-done:
		if x.Outcome == monitor.OutcomeOK {
			return fmt.Sprintf("it answers, after %.1f ms", float64(x.T4-x.T1)/1e6)
		}
		return fmt.Sprintf("it did not answer as a time server does (%s). It can be kept all the same", x.Outcome)
	case <-ctx.Done():
		return "it has not answered yet. It can be kept all the same"
	}
}
