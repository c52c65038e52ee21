package main

import (
	"strings"

	"github.com/truechimer/truechimer/appliance/status"
)

// obstacles are what keeps a receiver or its pulse from being of use, as far as
// the station found out. They are part of found, under its lock.
type obstacles struct {
	trouble   string // one of status.ReceiverTroubles; empty: none is known
	antenna   string // one of status.Antennas; empty: the receiver does not say
	missing   bool   // the pulse, although there has been a fix for long
	elsewhere string // the line on which one comes that is not the one to listen to
}

// unheard says why no receiver is heard.
func (f *found) unheard(trouble string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble = trouble
}

// says is what the receiver says of its antenna.
func (f *found) says(antenna string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.device != "" {
		f.antenna = antenna
	}
}

// missPulse says that a pulse should have come, and on which other line one does;
// empty: on none that was listened to.
func (f *found) missPulse(elsewhere string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missing, f.elsewhere = true, elsewhere
}

// tell is what of it goes into the status. f.mu is held.
func (f *found) tell(out *status.Receiver) {
	out.Trouble, out.PulseElsewhere, out.PulseMissing = known(f.trouble), known(f.elsewhere), known(f.missing)
	if f.device == "" {
		return
	}
	out.Antenna = known(f.antenna)
	usb := onUSB(f.device)
	out.USB = &usb
}

// onUSB says whether a serial port hangs on USB, by the names that Linux gives.
func onUSB(device string) bool {
	return strings.HasPrefix(device, "/dev/ttyACM") || strings.HasPrefix(device, "/dev/ttyUSB") || strings.HasPrefix(device, "/dev/serial/by-id/usb-")
}
