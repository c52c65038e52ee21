package main

import (
	"sync"
	"syscall"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

// found is where the receiver and its pulse were found, for as long as they are
// heard there.
type found struct {
	mu       sync.Mutex
	device   string
	baud     int
	protocol string
	model    string // what the receiver says that it is
	state    string // one of status.Setups
	pulse    string
	lateness pulse.Result // of the pulse's stamps
	obstacles

	open string          // port that is being read
	line syscall.RawConn // its descriptor
}

// opened says which port is being read; its descriptor ends with it.
func (f *found) opened(device string, p port) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.line = device, nil
	if d, ok := p.(descriptor); ok {
		if line, err := d.SyscallConn(); err == nil {
			f.line = line
		}
	}
}

// port is the port that a receiver is heard on. Its descriptor is nil while none
// is, or if it has none.
func (f *found) port() (device string, line syscall.RawConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.device == "" || f.device != f.open {
		return "", nil
	}
	return f.open, f.line
}

func (f *found) receiver(device string, baud int, protocol string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.device, f.baud, f.protocol = device, baud, protocol
	if f.antenna = ""; device != "" {
		f.trouble = ""
	}
}

// speaks says what the receiver speaks by now; empty: what it was heard in.
func (f *found) speaks(protocol string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if protocol != "" && f.device != "" {
		f.protocol = protocol
	}
}

// setup says what the receiver says that it is, and what came of configuring it.
func (f *found) setup(model, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.model, f.state = model, state
}

// lost says that the receiver is not heard any more.
func (f *found) lost() { f.receiver("", 0, "") }

// pulses says on which line pulses come; empty: on none.
func (f *found) pulses(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pulse, f.lateness = line, pulse.Result{}
	if line != "" {
		f.missing, f.elsewhere = false, ""
	}
}

// late says what is known of the stamps of those pulses.
func (f *found) late(r pulse.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lateness = r
}

// status is for the API. The hat is named where a person did: neither a pin nor
// a speed belongs to one hat alone.
func (f *found) status(c config.Receiver) status.Receiver {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := status.Receiver{Device: known(f.device), Baud: known(f.baud), Pulse: known(f.pulse), Protocol: known(f.protocol)}
	if f.device != "" {
		out.Model, out.Setup = known(f.model), known(f.state)
	}
	f.tell(&out)
	if f.lateness.Known {
		out.PulseLate, out.PulseLateError = known(f.lateness.Late), known(f.lateness.Error)
	}
	if hat, err := boards.HatByName(c.Hat); err == nil {
		out.Hat = &hat.Title
	}
	return out
}

// known is nil for what is not.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
