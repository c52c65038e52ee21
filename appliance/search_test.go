package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// wire is what a UART at one speed makes of what is sent at another.
type wire struct {
	mu   sync.Mutex
	baud int // of the sender
	say  func(second time.Time) []byte
	open map[*line]int // speeds of the ports that are open
}

// heard is what a UART at a speed reads of bytes that another one sends: every
// bit is sampled in its middle, and a byte whose stop bit is low is dropped, as
// serial.Open has the kernel do.
func heard(sent []byte, from, to int) (got []byte) {
	level := func(bit int64) bool { // by the sender's count
		if bit < 0 || bit >= int64(len(sent))*10 {
			return true
		}
		switch n := bit % 10; n {
		case 0:
			return false
		case 9:
			return true
		default:
			return sent[bit/10]>>(n-1)&1 == 1
		}
	}
	at := func(t float64) bool { return level(int64(t * float64(from))) }
	end := float64(len(sent)*10) / float64(from)
	step := 1 / (16 * float64(to))
	for t := 0.0; t < end; t += step {
		if at(t) {
			continue
		}
		begin := t
		sample := func(n int) bool { return at(begin + (float64(n)+0.5)/float64(to)) }
		var b byte
		for n := range 8 {
			if sample(n + 1) {
				b |= 1 << n
			}
		}
		t = begin + 9.5/float64(to)
		if sample(0) {
			continue // a spike
		}
		if sample(9) {
			got = append(got, b)
			continue
		}
		for t < end && !at(t) {
			t += step
		}
	}
	return got
}

func TestHeard(t *testing.T) {
	text := gpstest.New(1).Burst(epoch)
	for _, baud := range boards.Bauds {
		if got := heard(text, baud, baud); string(got) != string(text) {
			t.Errorf("at %d baud: %q", baud, got)
		}
	}
	for _, baud := range boards.Bauds[1:] {
		if n := len(heard(text, baud, boards.Bauds[0])); n == 0 {
			t.Errorf("at %d baud, the first speed tells nothing of a receiver at %d", boards.Bauds[0], baud)
		}
	}
}

func (w *wire) port(baud int) *line {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := newLine()
	if w.open == nil {
		w.open = map[*line]int{}
	}
	w.open[l] = baud
	return l
}

// run sends a burst a second for as long as ctx lasts.
func (w *wire) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		w.mu.Lock()
		if w.baud != 0 {
			text := w.say(epoch.Add(time.Duration(n) * time.Second))
			for l, baud := range w.open {
				select {
				case <-l.closed:
					delete(w.open, l)
				default:
					for part := range slices.Chunk(heard(text, w.baud, baud), 64) {
						l.bytes <- part
					}
				}
			}
		}
		w.mu.Unlock()
		wait(ctx, time.Second)
	}
}

func (w *wire) set(baud int, say func(time.Time) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.baud, w.say = baud, say
}

// search is a station that looks for a receiver on a wire; other ports are
// there and silent.
func search(t *testing.T, hat string, ports []string, try func(b *bench, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, w := newBench(), &wire{}
		conf, board := receiverOn(ports, "")
		conf.Receiver.Hat = hat
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		h := hardware{conf: conf, board: board, openPort: func(name string, baud int) (port, error) {
			b.note(fmt.Sprint(name, " ", baud))
			switch name {
			case "none":
				return nil, errors.New("open none: no such file")
			case "gps":
				return w.port(baud), nil
			}
			return newLine(), nil
		}}
		done := make(chan error, 1)
		go w.run(ctx)
		go func() { done <- h.listen(ctx, b.in) }()
		try(b, w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// auto is a receiver of which a person said nothing.
var auto = config.Default().Receiver

// until is how long it takes, with a resolution of a tenth of a second.
func until(most time.Duration, is func() bool) time.Duration {
	begun := time.Now()
	for !is() && time.Since(begun) < most {
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(begun)
}

func TestSpeedIsFound(t *testing.T) {
	r := gpstest.New(1)
	for _, baud := range boards.Bauds {
		for _, ports := range [][]string{{"gps"}, {"none", "silent", "gps"}} {
			search(t, "auto", ports, func(b *bench, w *wire) {
				w.set(baud, r.Burst)
				most := time.Duration(len(boards.Bauds)) * 3 * time.Second
				if len(ports) > 1 {
					most += 3 * patience // the others are looked at in between
				}
				took := until(2*time.Minute, func() bool { return b.counters().Fixes > 1 })
				s := b.in.found.status(auto)
				if took > most || s.Baud == nil || *s.Baud != baud || *s.Device != "gps" || *s.Protocol != "nmea" || s.Hat != nil || s.Pulse != nil {
					t.Errorf("%d baud, %d ports: after %v (at most %v): %+v, opened %q", baud, len(ports), took, most, s, b.names())
				}
				if len(ports) == 1 && baud == boards.Bauds[0] && (took > 3*time.Second || len(b.names()) != 1) {
					t.Errorf("the first speed was right: after %v, opened %q", took, b.names())
				}
				t.Logf("%6d baud, %d ports: %v", baud, len(ports), took)
				if n := b.in.notes.list(); len(n) != 0 {
					t.Errorf("notes %q", n)
				}
				opened := len(b.names())
				time.Sleep(5 * time.Minute)
				if n := len(b.names()); n != opened {
					t.Errorf("opened %d times more in five minutes", n-opened)
				}
			})
		}
	}
}

// TestSpeedIsRemembered while the receiver has no power, and is found anew where
// it came back with another one.
func TestSpeedIsRemembered(t *testing.T) {
	r := gpstest.New(1)
	search(t, "auto", []string{"gps"}, func(b *bench, w *wire) {
		w.set(115200, r.Burst)
		time.Sleep(time.Minute)
		for _, baud := range []int{115200, 115200, 9600, 57600} {
			w.set(0, nil)
			time.Sleep(5 * time.Minute)
			if s := b.in.found.status(auto); s.Device != nil || s.Baud != nil {
				t.Errorf("silent: %+v", s)
			}
			if n := strings.Join(b.in.notes.list(), ""); !strings.HasPrefix(n, "No receiver is heard: nothing comes in on gps.") {
				t.Errorf("notes %q", n)
			}
			fixes, opened := b.counters().Fixes, len(b.names())
			w.set(baud, r.Burst)
			took := until(time.Minute, func() bool { return b.counters().Fixes > fixes })
			most := map[int]time.Duration{115200: 6 * time.Second, 9600: 3 * time.Second, 57600: 25 * time.Second}[baud] // the last was right, so it is given time
			if s := b.in.found.status(auto); took > most || s.Baud == nil || *s.Baud != baud || len(b.in.notes.list()) != 0 {
				t.Errorf("back at %d baud: after %v, %+v, opened %q, notes %q", baud, took, s, b.names()[opened:], b.in.notes.list())
			}
		}
		// Set to another speed without a pause.
		w.set(38400, r.Burst)
		fixes := b.counters().Fixes
		if took := until(time.Minute, func() bool { return b.counters().Fixes > fixes+1 }); took > 30*time.Second {
			t.Errorf("set to another speed: after %v", took)
		}
	})
}

func TestHatIsTriedFirst(t *testing.T) {
	r := gpstest.New(1)
	search(t, "waveshare-lc29h", []string{"gps"}, func(b *bench, w *wire) {
		w.set(115200, r.Burst)
		time.Sleep(10 * time.Second)
		conf := auto
		conf.Hat = "waveshare-lc29h"
		if s := b.in.found.status(conf); len(b.names()) != 1 || s.Baud == nil || *s.Baud != 115200 || s.Hat == nil || *s.Hat != "Waveshare LC29H GPS/RTK HAT" {
			t.Errorf("opened %q, %+v", b.names(), s)
		}
	})
	// It is set to another speed than it came with.
	search(t, "waveshare-lc29h", []string{"gps"}, func(b *bench, w *wire) {
		w.set(9600, r.Burst)
		if took := until(time.Minute, func() bool { return b.counters().Fixes > 0 }); took > 15*time.Second {
			t.Errorf("after %v, opened %q", took, b.names())
		}
	})
}

// ubxBurst is what a u-blox receiver says whose NMEA is off: UBX-NAV-PVT with a
// fix and UBX-NAV-EOE.
func ubxBurst(at time.Time) []byte {
	pvt := make([]byte, 92)
	tow := uint32(at.Sub(time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC))%(7*24*time.Hour)/time.Millisecond) + 18000
	binary.LittleEndian.PutUint32(pvt[0:], tow)
	binary.LittleEndian.PutUint16(pvt[4:], uint16(at.Year()))
	pvt[6], pvt[7], pvt[8], pvt[9], pvt[10] = byte(at.Month()), byte(at.Day()), byte(at.Hour()), byte(at.Minute()), byte(at.Second())
	pvt[11], pvt[20], pvt[21], pvt[23] = 0x37, 3, 1, 9
	return append(ubxFrame(0x01, 0x07, pvt), ubxFrame(0x01, 0x61, pvt[:4])...)
}

func ubxFrame(class, id byte, payload []byte) []byte {
	b := append([]byte{0xb5, 0x62, class, id, byte(len(payload)), byte(len(payload) >> 8)}, payload...)
	var x, y byte
	for _, c := range b[2:] {
		x += c
		y += x
	}
	return append(b, x, y)
}

// TestReceiverThatSpeaksUBXOnly is found and heard like any other.
func TestReceiverThatSpeaksUBXOnly(t *testing.T) {
	r := gpstest.New(1)
	for _, ports := range [][]string{{"gps"}, {"gps", "silent"}} {
		search(t, "auto", ports, func(b *bench, w *wire) {
			w.set(38400, ubxBurst)
			if took := until(time.Minute, func() bool { return b.counters().Fixes > 0 }); took > 30*time.Second {
				t.Errorf("%d ports: a fix after %v, opened %q", len(ports), took, b.names())
			}
			time.Sleep(time.Minute)
			if c := b.counters(); c.Fixes < 59 || c.FixesInvalid != 0 || c.FixesImplausible != 0 || b.in.tally.noise.Load() > 500 {
				t.Errorf("%d ports: %+v, %d bytes of noise", len(ports), c, b.in.tally.noise.Load())
			}
			s := b.in.found.status(auto)
			if s.Protocol == nil || *s.Protocol != "ubx" || *s.Baud != 38400 || len(b.in.notes.list()) != 0 {
				t.Errorf("%d ports: %+v, notes %q", len(ports), s, b.in.notes.list())
			}
			w.set(38400, r.Burst) // somebody has it speak NMEA
			time.Sleep(5 * time.Second)
			if s := b.in.found.status(auto); s.Protocol == nil || *s.Protocol != "nmea" {
				t.Errorf("%d ports: NMEA is %+v", len(ports), s)
			}
		})
	}
}

func TestReceiverThatSaysNothingReadable(t *testing.T) {
	noise := gpstest.New(1)
	if err := noise.Set("gps", "garbage"); err != nil {
		t.Fatal(err)
	}
	r := gpstest.New(1)
	for _, ports := range [][]string{{"gps"}, {"gps", "silent"}} {
		search(t, "auto", ports, func(b *bench, w *wire) {
			w.set(9600, noise.Burst)
			time.Sleep(2 * time.Minute)
			got := strings.Join(b.in.notes.list(), "|")
			if !strings.HasPrefix(got, "What comes in on gps cannot be read at any speed from 4800 to 115200 baud") {
				t.Errorf("%d ports: notes %q", len(ports), got)
			}
			for _, baud := range boards.Bauds {
				if !slices.Contains(b.names(), fmt.Sprint("gps ", baud)) {
					t.Errorf("%d baud was never tried", baud)
				}
			}
			if n := len(b.names()); n > 80 {
				t.Errorf("opened %d times in two minutes", n)
			}
		})
	}
	// A person named the speed, and it is wrong: nobody looks for another.
	synctest.Test(t, func(t *testing.T) {
		b, w := newBench(), &wire{}
		conf, board := receiverOn([]string{"gps"}, "")
		conf.Receiver.Baud = 19200
		ctx, cancel := context.WithCancel(t.Context())
		h := hardware{conf: conf, board: board, openPort: func(string, int) (port, error) { b.note("gps"); return w.port(19200), nil }}
		w.set(9600, r.Burst)
		go w.run(ctx)
		done := make(chan error, 1)
		go func() { done <- h.listen(ctx, b.in) }()
		time.Sleep(time.Minute)
		if got := strings.Join(b.in.notes.list(), "|"); !strings.HasPrefix(got, "What comes in on gps cannot be read at 19200 baud: write baud = 0") || len(b.names()) != 1 {
			t.Errorf("notes %q, opened %q", got, b.names())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestReceiverThatBecomesUnreadable is not said to be silent, at no time.
func TestReceiverThatBecomesUnreadable(t *testing.T) {
	noise, r := gpstest.New(1), gpstest.New(1)
	if err := noise.Set("gps", "garbage"); err != nil {
		t.Fatal(err)
	}
	for _, ports := range [][]string{{"gps"}, {"gps", "silent"}} {
		search(t, "auto", ports, func(b *bench, w *wire) {
			w.set(9600, r.Burst)
			time.Sleep(20 * time.Second)
			w.set(9600, noise.Burst)
			got := ""
			for range 120 {
				time.Sleep(time.Second)
				if got = strings.Join(b.in.notes.list(), "|"); strings.Contains(got, "on gps. Is it powered") {
					t.Fatalf("%d ports: notes %q", len(ports), got)
				}
			}
			if !strings.HasPrefix(got, "What comes in on gps cannot be read at any speed") {
				t.Errorf("%d ports: notes %q", len(ports), got)
			}
			fixes := b.counters().Fixes
			w.set(9600, r.Burst)
			if took := until(time.Minute, func() bool { return b.counters().Fixes > fixes+1 }); took > 35*time.Second {
				t.Errorf("%d ports: readable again after %v", len(ports), took)
			}
		})
	}
}
