package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/pulse"
	"github.com/truechimer/truechimer/gpspps/serial"
)

const (
	// patience is how long a serial port may say nothing that a receiver says
	// before the next one is tried.
	patience = 10 * time.Second
	// again is how long to wait before hardware that was not there is looked
	// for once more.
	again = 5 * time.Second
)

// hardware is the receiver on a serial port and its pulse on a line.
type hardware struct {
	conf  config.Config
	board boards.Board
}

func (h hardware) receive(ctx context.Context, ref *gpspps.Reference, pivot time.Time, note func(topic, text string), log *slog.Logger) {
	var parts sync.WaitGroup
	parts.Go(func() { h.sentences(ctx, ref, pivot, note, log) })
	parts.Go(func() { h.pulses(ctx, ref, note, log) })
	parts.Wait()
}

// sentences reads the receiver, port after port where it is not known, for ever.
func (h hardware) sentences(ctx context.Context, ref *gpspps.Reference, pivot time.Time, note func(topic, text string), log *slog.Logger) {
	ports := h.board.Serial
	if d := h.conf.Receiver.Device; d != config.Auto {
		ports = []string{d}
	}
	if len(ports) == 0 {
		log.Info("no serial port to look for a receiver on")
		return
	}
	baud := h.conf.Receiver.Baud
	for ctx.Err() == nil {
		var failed []string
		for _, name := range ports {
			err := readPort(ctx, name, baud, ref, pivot, len(ports) > 1, log)
			if ctx.Err() != nil {
				return
			}
			if !errors.Is(err, errQuiet) {
				failed = append(failed, err.Error())
			}
		}
		if len(failed) == len(ports) {
			note("receiver", "No serial port can be read: "+strings.Join(failed, "; ")+".")
			wait(ctx, again)
			continue
		}
		note("receiver", "")
	}
}

// errQuiet says that a port works and that no receiver is heard on it.
var errQuiet = errors.New("no receiver is heard")

// readPort feeds a port's sentences to the reference until the port fails, or,
// where there are others to try, until nothing was heard for too long.
func readPort(ctx context.Context, name string, baud int, ref *gpspps.Reference, pivot time.Time, others bool, log *slog.Logger) error {
	port, err := serial.Open(name, baud)
	if err != nil {
		return err
	}
	defer port.Close()
	defer context.AfterFunc(ctx, func() { port.Close() })()
	log.Info("listening for a receiver", "port", name, "baud", baud)
	p := nmea.New(nmea.Config{Emit: ref.AddFix, Pivot: pivot, ByteTime: port.ByteTime()})

	heard := time.Now()
	sentences := uint64(0)
	var buf [512]byte
	for {
		// The parser needs to know of silence too: it ends a burst.
		port.SetReadDeadline(time.Now().Add(idle))
		n, first, err := port.ReadStamped(buf[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.Idle(first)
		case err != nil:
			return err
		default:
			p.Feed(buf[:n], first)
		}
		if now := p.Stats().Sentences; now != sentences {
			sentences, heard = now, time.Now()
		} else if others && time.Since(heard) > patience {
			return errQuiet
		}
	}
}

// idle is how long the line may be silent before the parser is told.
const idle = 50 * time.Millisecond

// pulses reads the pulse line for ever.
func (h hardware) pulses(ctx context.Context, ref *gpspps.Reference, note func(topic, text string), log *slog.Logger) {
	lines := h.board.Pulse
	switch l := h.conf.Receiver.Pulse; l {
	case config.Auto:
	case config.Off:
		return
	default:
		lines = []string{l}
	}
	if len(lines) == 0 {
		log.Info("no line to look for a pulse on")
		return
	}
	for ctx.Err() == nil {
		var pin pulse.Pin
		var failed []string
		for _, name := range lines {
			p, err := pulse.Open(name)
			if err == nil {
				pin = p
				break
			}
			failed = append(failed, err.Error())
		}
		if pin == nil {
			note("pulse", "No pulse line can be used: "+strings.Join(failed, "; ")+".")
			wait(ctx, again)
			continue
		}
		note("pulse", "")
		log.Info("waiting for pulses", "line", pin.Name())
		err := readPulses(ctx, pin, ref)
		if ctx.Err() != nil {
			return
		}
		log.Error("pulse line", "error", err)
		wait(ctx, again)
	}
}

func readPulses(ctx context.Context, pin pulse.Pin, ref *gpspps.Reference) error {
	defer pin.Close()
	s := pulse.NewSource(pin)
	for {
		p, err := s.Read(ctx)
		if err != nil {
			return err
		}
		ref.AddPulse(p)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
