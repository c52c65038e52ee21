package main

import (
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

// ways are the names of what the pulse may come on, the best first: a line of a
// GPIO chip, a PPS device, the carrier detect pin of the port that the receiver
// is heard on. Devices come and go, and so do receivers.
func (h hardware) ways(in *inbox) []string {
	c := h.conf.Receiver
	switch c.Pulse {
	case config.Off:
		return nil
	case config.Auto:
	default:
		return []string{c.Pulse}
	}
	ways := slices.Clone(h.board.Pulse)
	if hat, err := boards.HatByName(c.Hat); err == nil && slices.Contains(ways, hat.Pulse) {
		ways = []string{hat.Pulse}
	}
	path, line := in.found.port()
	if h.devices != nil {
		ways = append(ways, h.devices(path)...)
	}
	if line != nil {
		ways = append(ways, config.DCD)
	}
	return ways
}

// pulseLines are the lines of GPIO chips on which a pulse is listened to, or looked for
// when it is missed.
func (h hardware) pulseLines() []string {
	lines := append(h.ways(&inbox{}), h.otherLines()...)
	return slices.DeleteFunc(lines, func(way string) bool { return way == config.DCD || strings.HasPrefix(way, "/dev/") })
}

// rank is how many more pulses than the best way another one has to give until it
// is chosen: where the same pulse comes on several, it is to be the best.
func rank(way string) int {
	switch {
	case way == config.DCD:
		return 4
	case strings.HasPrefix(way, "/dev/"):
		return 2
	}
	return 0
}

// open opens one of the ways.
func (h hardware) open(way string, in *inbox) (pulse.Edges, error) {
	if way != config.DCD {
		return h.openLine(way)
	}
	path, line := in.found.port()
	if line == nil {
		return nil, errors.New("dcd: no receiver is heard yet, on whose serial port that pin could be")
	}
	edges, err := h.openCarrier(path, line)
	if err != nil {
		return nil, err
	}
	return carrierOf{edges, path}, nil
}

// carrierOf is named for people.
type carrierOf struct {
	pulse.Edges
	path string
}

func (c carrierOf) Name() string { return "the carrier detect pin of " + c.path }

// descriptor is what of a port the carrier detect pin is read by.
type descriptor interface {
	SyscallConn() (syscall.RawConn, error)
}
