package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestReceiverOnARealLine: a terminal stands for the UART. Its other end sends
// a second's sentences and goes away.
func TestReceiverOnARealLine(t *testing.T) {
	master, name := openTerminal(t)
	fd := int(master.Fd())
	defer master.Close()
	b := newBench()
	conf, board := receiverOn(nil, name)
	h := newHardware(conf, board)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.listen(ctx, b.in) }()

	until := func(what string, is func() bool) {
		t.Helper()
		within(t, 10*time.Second, what, is)
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
	if r := b.in.found.status(auto); r.Device == nil || *r.Device != name || *r.Baud != 38400 || *r.Protocol != "nmea" {
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

// openTerminal makes a terminal; name is the end that stands for the UART.
func openTerminal(t *testing.T) (master *os.File, name string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprint("/dev/pts/", number)
}

// within looks every 50 ms whether something is so.
func within(t *testing.T, most time.Duration, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < most; <-tick.C {
		if is() {
			return
		}
	}
	t.Fatalf("not within %v: %s", most, what)
}

// plugged is a receiver on the far end of a terminal until unplug is called.
func plugged(t *testing.T, d *gpstest.Device) (name string, unplug func()) {
	t.Helper()
	master, name := openTerminal(t)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		var buf [512]byte
		for {
			n, err := master.Read(buf[:])
			d.Write(buf[:n], time.Now())
			select {
			case <-stop:
				return
			default:
			}
			if err != nil {
				time.Sleep(20 * time.Millisecond) // nobody has the other end open
			}
		}
	})
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if out := d.Read(time.Now()); len(out) > 0 {
					master.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
					master.Write(out) // what is not taken is lost, as on a wire
				}
			}
		}
	})
	return name, func() {
		close(stop)
		master.Close()
		running.Wait()
	}
}

// TestReceiverIsUnpluggedAndPluggedIn: it is configured, forgets all of it
// without power, and is configured again. In between it has no device.
func TestReceiverIsUnpluggedAndPluggedIn(t *testing.T) {
	link := filepath.Join(t.TempDir(), "gps")
	b := newBench()
	conf, board := receiverOn(nil, link)
	conf.Receiver.Baud = 115200
	h := newHardware(conf, board)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	for n, m := range []gpstest.Model{gpstest.NeoM9N, gpstest.NeoM9N} {
		d := gpstest.NewDevice(m, 115200, time.Now())
		name, unplug := plugged(t, d)
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			go func() { done <- h.listen(ctx, b.in) }()
		}
		within(t, 30*time.Second, "configured", func() bool { _, s := setup(b); return s == status.SetupDone })
		if s := d.Settings(); !s.OnlyFixed || s.Sentences["GLL"]+s.Sentences["VTG"] != 0 || len(d.Forbidden()) != 0 || len(b.in.notes.list()) != 0 {
			t.Errorf("%s: %+v, told to %q, notes %q", m.Name, s, d.Forbidden(), b.in.notes.list())
		}
		fixes := b.counters().Fixes
		within(t, 10*time.Second, "two more fixes", func() bool { return b.counters().Fixes >= fixes+2 })
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		unplug()
		within(t, 10*time.Second, "missed", func() bool {
			model, s := setup(b)
			return model == "" && s == "" && strings.Contains(strings.Join(b.in.notes.list(), ""), "No serial port can be read")
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
