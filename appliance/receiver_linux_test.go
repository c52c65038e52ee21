package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestReceiverOnARealLine: a terminal stands for the UART. Its other end sends
// a second's sentences and goes away.
func TestReceiverOnARealLine(t *testing.T) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	defer master.Close()
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench()
	conf, board := receiverOn(nil, fmt.Sprint("/dev/pts/", number))
	h := newHardware(conf, board)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.listen(ctx, b.in) }()

	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	until := func(what string, is func() bool) {
		t.Helper()
		for range 200 {
			if is() {
				return
			}
			<-tick.C
		}
		t.Fatalf("not within 10 s: %s", what)
	}
	speed := func() uint32 {
		s, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
		if err != nil {
			t.Fatal(err)
		}
		return s.Ospeed
	}
	until("the first speed", func() bool { return speed() == 9600 })
	// What cannot be read has it try another one, on the real port.
	until("another speed", func() bool {
		if _, err := master.Write([]byte("\xff\x00\x81$\x55garbage")); err != nil {
			t.Fatal(err)
		}
		return speed() == 38400
	})
	// The port throws away what came in before it was open, and silence ends a
	// burst: again every half second.
	asked := 0
	until("a fix", func() bool {
		if asked++; asked%10 == 1 {
			if _, err := master.Write(gpstest.New(1).Burst(epoch)); err != nil {
				t.Fatal(err)
			}
		}
		return b.counters().Fixes > 0
	})
	if r := b.in.found.status(auto); r.Device == nil || *r.Device != fmt.Sprint("/dev/pts/", number) || *r.Baud != 38400 || *r.Protocol != "nmea" {
		t.Errorf("found %+v", r)
	}
	master.Close()
	until("told of the hang-up", func() bool {
		return strings.Contains(strings.Join(b.in.notes.list(), ""), "No serial port can be read")
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
