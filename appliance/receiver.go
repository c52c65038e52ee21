package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/pulse"
	"github.com/truechimer/truechimer/gpspps/serial"
)

const (
	// patience is how long a serial port may say nothing that a receiver says
	// before the next one is tried.
	patience = 10 * time.Second
	// idle is how long the line may be silent before the parser is told.
	idle = 50 * time.Millisecond
	// lineBuffer is what the kernel keeps of a line for a reader who is late:
	// all of it is read at once, since its stamp counts back from its end.
	lineBuffer = 4096 // bytes
)

// port is what is needed of a *serial.Port.
type port interface {
	ReadStamped(b []byte) (n int, first int64, err error)
	SetReadDeadline(time.Time) error
	ByteTime() time.Duration
	Close() error
}

// hardware is the receiver on a serial port and its pulse on a line.
type hardware struct {
	conf     config.Config
	board    boards.Board
	openPort func(name string, baud int) (port, error)
	openLine func(name string) (pulse.Pin, error)
}

func newHardware(conf config.Config, board boards.Board) hardware {
	return hardware{
		conf: conf, board: board,
		openPort: func(name string, baud int) (port, error) { return serial.Open(name, baud) },
		openLine: pulse.Open,
	}
}

// listen reads the receiver, port after port where it is not known.
func (h hardware) listen(ctx context.Context, in *inbox) error {
	ports := h.board.Serial
	if d := h.conf.Receiver.Device; d != config.Auto {
		ports = []string{d}
	}
	if len(ports) == 0 {
		in.log.Info("no serial port to look for a receiver on")
		return nil
	}
	in.log.Info("looking for a receiver", "ports", strings.Join(ports, ", "), "baud", h.conf.Receiver.Baud)
	for ctx.Err() == nil {
		var failed []string
		for _, name := range ports {
			err := h.readPort(ctx, in, name, len(ports) > 1)
			if ctx.Err() != nil {
				return nil
			}
			if !errors.Is(err, errQuiet) {
				failed = append(failed, err.Error())
			}
		}
		if len(failed) == len(ports) {
			in.notes.set("receiver", "No serial port can be read: "+strings.Join(failed, "; ")+".")
			wait(ctx, again)
		}
	}
	return nil
}

// errQuiet says that a port works and that no receiver is heard on it.
var errQuiet = errors.New("no receiver is heard")

// readPort feeds a port's sentences to the reference until the port fails, or,
// where there are others to try, until nothing was heard for too long.
func (h hardware) readPort(ctx context.Context, in *inbox, name string, others bool) error {
	port, err := h.openPort(name, h.conf.Receiver.Baud)
	if err != nil {
		return err
	}
	defer port.Close()
	defer context.AfterFunc(ctx, func() { port.Close() })()
	in.notes.set("receiver", "")
	p, count := in.parser(port.ByteTime())

	heard := time.Now()
	sentences := uint64(0)
	var last, fed int64 // when the last read returned, and until when the bytes came
	var buf [lineBuffer]byte
	for {
		// The parser needs to know of silence too: it ends a burst.
		if err := port.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		n, first, err := port.ReadStamped(buf[:])
		now := first + int64(n)*int64(port.ByteTime())
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// If this process was held up, more has come in and is not read
			// yet: the line was silent until the last read returned, no longer.
			p.Idle(last)
		case err != nil:
			return err
		default:
			p.Feed(buf[:n], max(first, fed))
			fed = now
		}
		last = now
		count()
		if n := p.Stats().Sentences; n != sentences {
			if sentences == 0 {
				in.notes.say(slog.LevelInfo, "receiver heard", "a receiver is heard on "+name)
			}
			sentences, heard = n, time.Now()
		} else if others && time.Since(heard) > patience {
			return errQuiet
		}
	}
}

// watch reads the pulse line.
func (h hardware) watch(ctx context.Context, in *inbox) error {
	lines := h.board.Pulse
	switch l := h.conf.Receiver.Pulse; l {
	case config.Auto:
	case config.Off:
		return nil
	default:
		lines = []string{l}
	}
	if len(lines) == 0 {
		in.log.Info("no line to look for a pulse on")
		return nil
	}
	for ctx.Err() == nil {
		var failed []string
		for _, name := range lines {
			pin, err := h.openLine(name)
			if err != nil {
				failed = append(failed, err.Error())
				continue
			}
			in.notes.set("pulse", "")
			in.notes.say(slog.LevelInfo, "pulse line", "waiting for pulses on "+pin.Name())
			err = readPulses(ctx, in, pin)
			if ctx.Err() != nil {
				return nil
			}
			failed = append(failed, err.Error())
			break
		}
		in.notes.set("pulse", "No pulse line can be used: "+strings.Join(failed, "; ")+".")
		wait(ctx, again)
	}
	return nil
}

// readPulses delivers a line's edges until it gives none any more.
func readPulses(ctx context.Context, in *inbox, pin pulse.Pin) error {
	defer pin.Close()
	s := pulse.NewSource(pin)
	lost := uint64(0)
	for {
		p, err := s.Read(ctx)
		if err != nil {
			return err
		}
		in.ref.AddPulse(p)
		in.tally.edges.Add(s.Lost() - lost)
		lost = s.Lost()
	}
}
