package receiver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/receiver"
)

var start = time.Date(2026, 12, 1, 0, 0, 0, 300e6, time.UTC)

// talk is a receiver and what configures it, in virtual time.
type talk struct {
	device *gpstest.Device
	conf   *receiver.Configurator
	now    time.Time
	sent   int
	loss   int // of what the station sends, one message in so many is lost; 0: none

	keep  bool // what came in
	heard []byte
}

func newTalk(m gpstest.Model, baud int, s receiver.Setup) *talk {
	s.Baud = baud
	return &talk{device: gpstest.NewDevice(m, baud, start), conf: receiver.NewConfigurator(s), now: start}
}

// step is what a port does: it reads what has come in, for 50 ms at the most.
func (t *talk) step() {
	t.now = t.now.Add(50 * time.Millisecond)
	b := t.device.Read(t.now)
	t.conf.Feed(b)
	if t.keep {
		t.heard = append(t.heard, b...)
	}
	if out := t.conf.Tick(t.now.UnixNano()); out != nil {
		t.sent++
		if t.loss == 0 || t.sent%t.loss != 0 {
			t.device.Write(out, t.now)
		}
	}
}

func (t *talk) run(d time.Duration) {
	for end := t.now.Add(d); t.now.Before(end); {
		t.step()
	}
}

// until runs until a state is reached, and says how long that took.
func (t *talk) until(tt *testing.T, most time.Duration, states ...receiver.State) time.Duration {
	tt.Helper()
	begun := t.now
	for !slices.Contains(states, t.conf.Report().State) {
		if t.now.Sub(begun) > most {
			tt.Fatalf("%s: still %s after %v", t.device.Model.Name, t.conf.Report().State, most)
		}
		t.step()
	}
	return t.now.Sub(begun)
}

// longest is how long the longest burst of n seconds keeps the line busy, to
// the resolution of a step, and how many bytes it has.
func (t *talk) longest(n int) (time.Duration, int) {
	t.now = t.now.Truncate(time.Second).Add(time.Second)
	t.device.Read(t.now)
	most, bytes := time.Duration(0), 0
	for range n {
		begun, last, got := t.now, t.now, 0
		for t.now.Before(begun.Add(time.Second)) {
			t.now = t.now.Add(time.Millisecond)
			if n := len(t.device.Read(t.now)); n > 0 {
				last = t.now
				got += n
			}
		}
		most, bytes = max(most, last.Sub(begun)-60*time.Millisecond), max(bytes, got)
	}
	return most, bytes
}

// byDefault is how long a burst takes with a model's own settings.
func byDefault(m gpstest.Model, baud int) time.Duration {
	w := newTalk(m, 0, receiver.Setup{})
	w.longest(1) // it introduces itself
	_, bytes := w.longest(5)
	return time.Duration(bytes) * 10 * time.Second / time.Duration(baud)
}

func TestModels(t *testing.T) {
	for _, c := range []struct {
		model  gpstest.Model
		baud   int
		before time.Duration // its burst is longer than that
		name   string
		timing bool
		cable  bool // it takes the delay off itself
	}{
		{gpstest.NeoM8N, 9600, 770 * time.Millisecond, "u-blox NEO-M8N-0 (SPG 3.01)", false, true},
		{gpstest.NeoM8N, 115200, 0, "u-blox NEO-M8N-0 (SPG 3.01)", false, true},
		{gpstest.LeaM8T, 9600, 0, "u-blox LEA-M8T-0 (TIM 1.10)", true, true},
		{gpstest.NeoM9N, 9600, 1380 * time.Millisecond, "u-blox NEO-M9N (SPG 4.04)", false, true},
		{gpstest.NeoM9N, 38400, 0, "u-blox NEO-M9N (SPG 4.04)", false, true},
		{gpstest.MaxM10S, 9600, 0, "u-blox M10 (SPG 5.10)", false, true},
		{gpstest.ZedF9T, 38400, 0, "u-blox ZED-F9T (TIM 2.20)", true, true},
		{gpstest.MT3339, 9600, 0, "MediaTek PA6H (AXN_2.31_3339_13101700)", false, false},
		{gpstest.AG3335, 115200, 0, "Airoha AG3335M_V2.5.0.AG3335_20230213", false, false},
		{gpstest.AG3335, 9600, 0, "Airoha AG3335M_V2.5.0.AG3335_20230213", false, false},
		{gpstest.LC29H, 115200, 0, "Quectel LC29HAANR11A05S", false, false},
		{gpstest.LG290P, 460800, 0, "Quectel LG290P03AANR01A06S", false, false},
	} {
		for _, reads := range []bool{false, true} {
			name := fmt.Sprintf("%s at %d, UBX %v", c.model.Name, c.baud, reads)
			w := newTalk(c.model, c.baud, receiver.Setup{UBX: reads, CableDelay: 75})
			before := byDefault(c.model, c.baud)
			if before < c.before {
				t.Errorf("%s: its burst is %v long as it comes", name, before)
			}
			took := w.until(t, time.Minute, receiver.Configured)
			s, r := w.device.Settings(), w.conf.Report()
			if r.Name[:min(len(r.Name), 40)] != c.name[:min(len(c.name), 40)] || r.Times != 1 || r.Refused != nil || r.Silent || r.Cable != c.cable {
				t.Errorf("%s: %+v", name, r)
			}
			ublox := strings.HasPrefix(c.name, "u-blox")
			if s.Interval != time.Second || !s.OnlyFixed || !s.UTC || s.Survey != c.timing || ublox && (!s.Still || s.Cable != 75) {
				t.Errorf("%s: %+v", name, s)
			}
			if ublox && reads {
				if s.Sentences["RMC"] != 0 || s.Frames[[2]byte{0x01, 0x07}] != 1 || s.Frames[[2]byte{0x0d, 0x01}] != 1 || s.Frames[[2]byte{0x01, 0x26}] != 10 {
					t.Errorf("%s: messages %v, %v", name, s.Sentences, s.Frames)
				}
			} else if s.Sentences["RMC"] != 1 || s.Sentences["GGA"] != 1 || s.Sentences["GLL"]+s.Sentences["VTG"] != 0 || len(s.Frames) != 0 {
				t.Errorf("%s: messages %v, %v", name, s.Sentences, s.Frames)
			}
			after, bytes := w.longest(30)
			if after >= 500*time.Millisecond {
				t.Errorf("%s: its burst is still %v long", name, after)
			}
			if f := w.device.Forbidden(); len(f) > 0 {
				t.Errorf("%s: told to %q", name, f)
			}
			t.Logf("%-28s configured after %6v with %2d messages; its burst was %v, is %v, %d bytes", name, took, w.sent, before, after, bytes)
			// It stays so, and nothing more is said.
			sent := w.sent
			w.run(5 * time.Minute)
			if w.sent != sent || w.conf.Report().State != receiver.Configured {
				t.Errorf("%s: %d messages in five minutes, %s", name, w.sent-sent, w.conf.Report().State)
			}
		}
	}
}
