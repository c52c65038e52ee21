package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

// finder looks for a receiver: on port after port and, where bytes come in that
// cannot be read, at speed after speed. The first speed costs nothing if it is
// right: nothing is changed on a line that is silent or readable.
type finder struct {
	hardware hardware
	in       *inbox
	names    []string // of the ports, in the order in which to look
	bauds    []int    // in the order in which to try; one: a person named it
	ports    map[string]*memory
}

// memory is what is known of a port.
type memory struct {
	baud    int   // at which a receiver was heard last; 0: never
	silent  bool  // nothing came in
	garbled bool  // something came in, at no speed readable
	heard   bool  // a receiver, in this visit
	err     error // the port cannot be used
}

// listen reads the receiver, wherever it is.
func (h hardware) listen(ctx context.Context, in *inbox) error {
	if h.conf.Receiver.PulseAlone {
		return nil
	}
	f := h.finder(in)
	if len(f.names) == 0 {
		in.log.Info("no serial port to look for a receiver on")
		return nil
	}
	in.log.Info("looking for a receiver", "ports", strings.Join(f.names, ", "), "baud", fmt.Sprint(f.bauds))
	for ctx.Err() == nil {
		for _, name := range f.names {
			f.visit(ctx, name)
			if ctx.Err() != nil {
				return nil
			}
		}
		if f.tell() {
			wait(ctx, again)
		}
	}
	return nil
}

func (h hardware) finder(in *inbox) *finder {
	f := &finder{hardware: h, in: in, names: h.board.Serial, bauds: boards.Bauds, ports: map[string]*memory{}}
	c := h.conf.Receiver
	if c.Device != config.Auto {
		f.names = []string{c.Device}
	}
	if hat, err := boards.HatByName(c.Hat); err == nil {
		f.bauds = ahead(f.bauds, hat.Bauds...)
	}
	if c.Baud != 0 {
		f.bauds = []int{c.Baud}
	}
	for _, name := range f.names {
		f.ports[name] = &memory{}
	}
	return f
}

// ahead is list with some of its members put before the others.
func ahead(list []int, first ...int) []int {
	out := slices.Clone(first)
	for _, v := range list {
		if !slices.Contains(first, v) {
			out = append(out, v)
		}
	}
	return out
}

// alone says whether a port is the only one: there is nowhere else to look.
func (f *finder) alone() bool { return len(f.names) == 1 }

// visit reads one port for as long as a receiver is heard on it, or may be.
func (f *finder) visit(ctx context.Context, name string) {
	m := f.ports[name]
	bauds := f.order(m)
	sending := m.garbled && len(bauds) > 1 // somebody is, at none of the speeds tried before
	switch {
	case sending:
		bauds = append(slices.Clone(bauds[1:]), bauds[0])
	case !f.alone():
		bauds = bauds[:1] // first each port at its likeliest speed
	}
	*m = memory{baud: m.baud}
	for _, baud := range bauds {
		err := f.readPort(ctx, name, baud, f.limits(baud, sending))
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errGarbled):
			m.garbled = true
		case errors.Is(err, errSilent):
			m.silent = true
		default:
			m.err = err
		}
		if m.heard || !m.garbled && !sending {
			break
		}
		sending = true
	}
	if m.garbled {
		m.silent = false
		if !m.heard {
			m.err = nil // at some speeds it can be read
		}
	}
	if m.heard {
		m.garbled = false // begin with the speed that was right
	}
}

// order is in which order to try speeds: the one that was right last, but on a
// line that has fallen silent first the one at which any sender is noticed.
func (f *finder) order(m *memory) []int {
	if len(f.bauds) == 1 {
		return f.bauds
	}
	list := f.bauds
	if m.baud != 0 {
		list = ahead(list, m.baud)
	}
	if m.silent {
		list = ahead(list, boards.Bauds[0])
	}
	return list
}

func (f *finder) limits(baud int, sending bool) limits {
	switch {
	case len(f.bauds) == 1 && f.alone():
		return limits{}
	case len(f.bauds) == 1:
		return limits{silent: patience}
	case sending:
		return limits{silent: dwell, garbled: dwell}
	case f.alone() && baud == boards.Bauds[0]:
		return limits{garbled: dwell}
	}
	return limits{silent: patience, garbled: dwell}
}

// learn tells people what is on a port, as soon as that is known, and says
// whether it is a receiver.
func (f *finder) learn(r *reading, now time.Time, sentences, frames uint64) bool {
	m := f.ports[r.name]
	m.err = nil
	if readable := sentences + frames; readable != r.readable {
		r.readable, r.begun, r.since = readable, now, now
	}
	ubx := sentences < enough
	switch {
	case r.readable >= enough && (!r.heard || r.ubx && !ubx || r.told && now.Equal(r.begun)):
		r.heard, r.told, r.ubx = true, false, ubx
		*m = memory{baud: r.baud, heard: true}
		protocol := status.ProtocolNMEA
		if ubx {
			protocol = status.ProtocolUBX
		}
		f.in.found.receiver(r.name, r.baud, protocol)
		f.in.notes.set("receiver", "")
		f.in.notes.say(slog.LevelInfo, "receiver heard", "a receiver is heard on "+r.name+at(r.baud))
	case f.alone() && !r.told && now.Sub(r.begun) > patience:
		r.told, m.heard = true, false
		m.garbled = r.last.After(r.begun)
		f.in.found.lost()
		f.tell()
	}
	return r.heard
}

func at(baud int) string {
	if baud == 0 {
		return ""
	}
	return fmt.Sprintf(" at %d baud", baud)
}

// tell says why no receiver is heard, after each port has been visited in vain,
// and whether none of them can be used.
func (f *finder) tell() (none bool) {
	var failed, silent, garbled []string
	for _, name := range f.names {
		switch m := f.ports[name]; {
		case m.heard:
			return false // until just now; what became of it, the next visit shows
		case m.err != nil:
			failed = append(failed, m.err.Error())
		case m.garbled:
			garbled = append(garbled, name)
		default:
			silent = append(silent, name)
		}
	}
	text, trouble := "", status.ReceiverSilent
	switch {
	case len(failed) == len(f.names):
		trouble = status.ReceiverPort
		text = "No serial port can be read: " + strings.Join(failed, "; ") + "."
	case len(garbled) > 0 && len(f.bauds) == 1:
		trouble = status.ReceiverSpeed
		text = fmt.Sprintf("What comes in on %s cannot be read at %d baud: write baud = 0 in truechimer.toml to have the speed found, or check the wire.",
			strings.Join(garbled, ", "), f.bauds[0])
	case len(garbled) > 0:
		trouble = status.ReceiverGarbled
		text = fmt.Sprintf("What comes in on %s cannot be read at any speed from %d to %d baud: check the wire and the ground, or write the receiver's speed as baud in truechimer.toml.",
			strings.Join(garbled, ", "), slices.Min(f.bauds), slices.Max(f.bauds))
	default:
		text = "No receiver is heard: nothing comes in on " + strings.Join(silent, ", ") + ". Is it powered, and its TX wired to the board's RX?"
	}
	f.in.notes.set("receiver", text)
	f.in.found.unheard(trouble)
	return len(failed) == len(f.names)
}
