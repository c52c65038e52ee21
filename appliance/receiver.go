package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/pulse"
	"github.com/truechimer/truechimer/gpspps/receiver"
	"github.com/truechimer/truechimer/gpspps/serial"
)

const (
	// patience is how long a serial port may say nothing that a receiver says
	// before the next one is tried.
	patience = 10 * time.Second
	// dwell is how long what comes in may be unreadable before another speed is
	// tried: a receiver says all it has to say every second, and the first time
	// it may be cut in two.
	dwell = 2500 * time.Millisecond
	// enough is how many sentences, or frames of UBX, make a receiver.
	enough = 2
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
	Write(b []byte) (int, error)
	SetWriteDeadline(time.Time) error
	ByteTime() time.Duration
	Close() error
}

// hardware is the receiver on a serial port and its pulse on a line.
type hardware struct {
	conf     config.Config
	board    boards.Board
	openPort func(name string, baud int) (port, error)
	openLine func(name string) (pulse.Edges, error)

	openCarrier func(path string, line syscall.RawConn) (pulse.Edges, error)
	devices     func(receiver string) []string // PPS devices; nil: there are none
}

func newHardware(conf config.Config, board boards.Board) hardware {
	return hardware{
		conf: conf, board: board,
		openPort: func(name string, baud int) (port, error) { return serial.Open(name, baud) },
		openLine: pulse.Open, openCarrier: pulse.OpenCarrier, devices: pulse.Devices,
	}
}

// antennas are the words for what a receiver says of its antenna.
var antennas = map[receiver.Antenna]string{
	receiver.AntennaOK: status.AntennaFine, receiver.AntennaShort: status.AntennaShort, receiver.AntennaOpen: status.AntennaOpen,
}

// What may end the reading of a port that works.
var (
	errSilent  = errors.New("nothing comes in")
	errGarbled = errors.New("nothing readable comes in")
)

// limits are how long a port is read without a receiver being heard; 0: for ever.
type limits struct {
	silent  time.Duration // whatever comes in
	garbled time.Duration // while something comes in all the time
}

// reading is a port being read at one speed.
type reading struct {
	name     string
	baud     int       // 0: the device has none
	begun    time.Time // when it was opened, or something readable came in last
	since    time.Time // bytes have come in since then without a long pause
	last     time.Time // the last byte
	readable uint64    // sentences and frames
	heard    bool      // a receiver
	ubx      bool      // it speaks nothing else
	told     bool      // that it is not heard any more
}

// came notes that bytes came in.
func (r *reading) came(now time.Time) {
	if now.Sub(r.last) > dwell {
		r.since = now // what was before may have been the receiver's power coming on
	}
	r.last = now
}

// over says whether to give up.
func (r *reading) over(now time.Time, l limits) error {
	switch {
	case l.garbled > 0 && now.Sub(r.since) > l.garbled && r.last.Sub(r.since) > l.garbled/2 && now.Sub(r.last) <= dwell:
		return errGarbled
	case l.silent > 0 && now.Sub(r.begun) > l.silent && r.last.After(r.begun):
		return errGarbled
	case l.silent > 0 && now.Sub(r.begun) > l.silent:
		return errSilent
	}
	return nil
}

// readPort feeds what a port's receiver says to the reference until the port fails, or
// nothing was readable on it for as long as l says.
func (f *finder) readPort(ctx context.Context, name string, baud int, l limits) error {
	port, err := f.hardware.openPort(name, baud)
	if err != nil {
		return err
	}
	defer port.Close()
	defer context.AfterFunc(ctx, func() { port.Close() })()
	f.in.found.opened(name, port)
	defer f.in.found.lost()
	if port.ByteTime() == 0 {
		baud, l.garbled = 0, 0 // no line, so no speed can be wrong
	}
	tune := f.tuning(name, baud, port)
	defer tune.over()
	p, count := f.in.parser(port.ByteTime())
	r := &reading{name: name, baud: baud, begun: time.Now()}
	var last, fed int64 // when the last read returned, and until when the bytes came
	var buf [lineBuffer]byte
	for {
		// The parser needs to know of silence too: it ends a burst.
		if err := port.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		n, first, err := port.ReadStamped(buf[:])
		mono, now := first+int64(n)*int64(port.ByteTime()), time.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// If this process was held up, more has come in and is not read
			// yet: the line was silent until the last read returned, no longer.
			p.Idle(last)
		case err != nil:
			return err
		default:
			p.Feed(buf[:n], max(first, fed))
			tune.fed(buf[:n])
			fed = mono
			r.came(now)
		}
		last = mono
		count()
		if s := p.Stats(); f.learn(r, now, s.Sentences, s.Frames) {
			if l.garbled > 0 {
				l.garbled = patience // it has been right, and a line may have its moments
			}
			f.in.found.speaks(string(p.Protocol()))
			f.in.found.says(antennas[p.Antenna(mono)])
			tune.tick(mono)
		}
		if err := r.over(now, l); err != nil {
			return err
		}
	}
}
