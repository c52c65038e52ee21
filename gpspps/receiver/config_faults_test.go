package receiver_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/receiver"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// TestNoAnswer: a receiver that does not listen is asked what it is, and that
// is all.
func TestNoAnswer(t *testing.T) {
	for _, baud := range []int{0, 4800, 9600, 115200} {
		w := newTalk(gpstest.NoAnswer, baud, receiver.Setup{})
		took := w.until(t, time.Minute, receiver.Unanswered)
		if r := w.conf.Report(); w.sent != 8 || r.Name != "" || r.Times != 0 {
			t.Errorf("%d baud: %d messages, %+v", baud, w.sent, r)
		}
		w.run(20 * time.Minute)
		if w.sent != 8 || w.conf.Report().State != receiver.Unanswered {
			t.Errorf("%d baud: %d messages in 20 minutes", baud, w.sent)
		}
		t.Logf("%d baud: left alone after %v", baud, took)
	}
}

// TestNothingIsSentUnheard: not a byte goes out before two sentences came in.
func TestNothingIsSentUnheard(t *testing.T) {
	c := receiver.NewConfigurator(receiver.Setup{Baud: 9600})
	noise := []byte("login: \xb5\x62\x00 $GPRMC,1*00\r\n$GPGGA,123519*47\r\n")
	for i := range int64(10_000) {
		c.Feed(noise[int(i)%len(noise):])
		if out := c.Tick(i * 1e9); out != nil {
			t.Fatalf("sent %q", out)
		}
	}
}

func TestRefuses(t *testing.T) {
	w := newTalk(gpstest.Refusing, 9600, receiver.Setup{CableDelay: 50})
	w.until(t, time.Minute, receiver.Partly)
	want := []string{"to send only what is read", "one fix a second", "a pulse only while it is locked", "an antenna that stands still"}
	if r := w.conf.Report(); !slices.Equal(r.Refused, want) || r.Name != "u-blox NEO-M8N-0 (SPG 3.01)" || r.Silent || r.Cable {
		t.Errorf("%+v", r)
	}
	sent := w.sent
	w.run(20 * time.Minute)
	if w.sent != sent {
		t.Errorf("%d messages more in 20 minutes", w.sent-sent)
	}
	if s := w.device.Settings(); s.Sentences["GSV"] != 1 || s.OnlyFixed {
		t.Errorf("%+v", s)
	}
}

// TestSurveyIsNotBegunAnew by a station that starts again beside a receiver
// that went on.
func TestSurveyIsNotBegunAnew(t *testing.T) {
	for _, m := range []gpstest.Model{gpstest.LeaM8T, gpstest.ZedF9T} {
		w := newTalk(m, 115200, receiver.Setup{UBX: true})
		w.until(t, time.Minute, receiver.Configured)
		w.conf = receiver.NewConfigurator(receiver.Setup{Baud: 115200, UBX: true})
		w.until(t, time.Minute, receiver.Configured)
		if f := w.device.Forbidden(); len(f) > 0 || !w.device.Settings().Survey {
			t.Errorf("%s: %q", m.Name, f)
		}
	}
	w := newTalk(gpstest.ZedF9T, 115200, receiver.Setup{Moving: true})
	w.until(t, time.Minute, receiver.Configured)
	if s := w.device.Settings(); s.Survey || s.Still {
		t.Errorf("an antenna that moves: %+v", s)
	}
}

// TestCableDelayIsLeft where a person said nothing of it.
func TestCableDelayIsLeft(t *testing.T) {
	for _, m := range []gpstest.Model{gpstest.NeoM8N, gpstest.NeoM9N} {
		w := newTalk(m, 38400, receiver.Setup{})
		w.until(t, time.Minute, receiver.Configured)
		if s := w.device.Settings(); s.Cable != 50 || w.conf.Report().Cable {
			t.Errorf("%s: %+v", m.Name, s)
		}
	}
}

// TestPorts: which of a receiver's ports this is on shows in what the settings do.
func TestPorts(t *testing.T) {
	for _, c := range []struct {
		port  ubx.Port
		baud  int
		times int
	}{
		{ubx.UART1, 38400, 1}, {ubx.UART2, 38400, 2},
		{ubx.USB, 0, 1}, {ubx.UART1, 0, 2}, // the last through a converter that looks like USB
	} {
		m := gpstest.ZedF9T
		m.Port = c.port
		w := newTalk(m, c.baud, receiver.Setup{UBX: true})
		w.run(10 * time.Minute)
		s, r := w.device.Settings(), w.conf.Report()
		if r.State != receiver.Configured || r.Times != c.times || s.Frames[[2]byte{0x01, 0x07}] != 1 || s.Sentences["RMC"] != 0 {
			t.Errorf("port %d at %d baud: %+v, %+v", c.port, c.baud, r, s)
		}
		w.device.Reset(w.now)
		w.run(10 * time.Minute)
		if r := w.conf.Report(); r.State != receiver.Configured || r.Times != c.times+1 {
			t.Errorf("port %d at %d baud, after a reset: %+v", c.port, c.baud, r)
		}
	}
}

// TestLossy: every third message is lost on its way.
func TestLossy(t *testing.T) {
	for _, m := range []gpstest.Model{gpstest.NeoM8N, gpstest.NeoM9N, gpstest.MT3339, gpstest.LC29H} {
		w := newTalk(m, 38400, receiver.Setup{UBX: true})
		w.loss = 3
		took := w.until(t, 5*time.Minute, receiver.Configured)
		if s := w.device.Settings(); !s.OnlyFixed || s.Sentences["GLL"] != 0 {
			t.Errorf("%s: %+v", m.Name, s)
		}
		t.Logf("%s: %v, %d messages", m.Name, took, w.sent)
	}
}

// TestReset: a receiver that had no power for a moment is configured again, and
// one that has none every few seconds not all the time.
func TestReset(t *testing.T) {
	for _, m := range []gpstest.Model{gpstest.NeoM8N, gpstest.NeoM9N, gpstest.MT3339, gpstest.AG3335, gpstest.LG290P} {
		for _, reads := range []bool{false, true} {
			w := newTalk(m, 38400, receiver.Setup{UBX: reads})
			w.until(t, time.Minute, receiver.Configured)
			w.run(time.Minute)
			w.device.Reset(w.now)
			begun := w.now
			for w.conf.Report().Times < 2 || w.conf.Report().State != receiver.Configured {
				if w.now.Sub(begun) > time.Minute {
					t.Fatalf("%s: %+v", m.Name, w.conf.Report())
				}
				w.step()
			}
			if s := w.device.Settings(); !s.OnlyFixed || s.Sentences["GLL"] != 0 {
				t.Errorf("%s: %+v", m.Name, s)
			}
			t.Logf("%s: configured again after %v", m.Name, w.now.Sub(begun))
		}
	}
	w := newTalk(gpstest.NeoM9N, 38400, receiver.Setup{})
	for range 2 * 120 {
		w.run(30 * time.Second)
		w.device.Reset(w.now)
	}
	if r := w.conf.Report(); r.Times > 8 {
		t.Errorf("configured %d times in two hours of resets", r.Times)
	}
}

// TestResetInTheMiddle: at every step of the way.
func TestResetInTheMiddle(t *testing.T) {
	for _, m := range []gpstest.Model{gpstest.NeoM8N, gpstest.NeoM9N, gpstest.MT3339, gpstest.AG3335} {
		for when := 1; when <= 24; when++ {
			w := newTalk(m, 38400, receiver.Setup{UBX: when%2 == 0})
			for w.sent < when && w.now.Sub(start) < time.Minute {
				w.step()
			}
			w.device.Reset(w.now)
			w.run(3 * time.Minute)
			if s, r := w.device.Settings(), w.conf.Report(); r.State != receiver.Configured || !s.OnlyFixed || s.Sentences["GLL"]+s.Sentences["VTG"] != 0 {
				t.Errorf("%s, at message %d: %+v, %+v", m.Name, when, r, s)
			}
		}
	}
}

// TestFallsSilent on the way: what is left is told, and not tried for ever.
func TestFallsSilent(t *testing.T) {
	w := newTalk(gpstest.NeoM8N, 9600, receiver.Setup{})
	w.until(t, time.Minute, receiver.Setting)
	w.run(time.Second)
	w.device.Deafen(1 << 30)
	took := w.until(t, 2*time.Minute, receiver.Partly)
	if r := w.conf.Report(); !r.Silent || len(r.Refused) == 0 {
		t.Errorf("%+v", r)
	}
	t.Logf("told after %v", took)
}

// TestOlder: generation 6 has no NAV-PVT, and its sentences stay.
func TestOlder(t *testing.T) {
	c := receiver.NewConfigurator(receiver.Setup{Baud: 9600, UBX: true})
	version := make([]byte, 40)
	copy(version, "7.03 (45969)")
	copy(version[30:], "00040007")
	for range 2 {
		c.Sentence([]byte("GPRMC,,V"))
	}
	off := map[byte]byte{}
	for now := int64(0); c.Report().State != receiver.Configured && now < 60e9; now += 50e6 {
		out := c.Tick(now)
		if len(out) < 8 {
			continue
		}
		class, id := out[2], out[3]
		switch {
		case class == ubx.ClassMON:
			c.Frame(ubx.ClassMON, ubx.MonVER, version)
		case id == ubx.CfgMSG && out[6] == 0x01:
			c.Frame(ubx.ClassACK, ubx.AckNAK, []byte{class, id})
		default:
			if id == ubx.CfgMSG && out[6] == 0xf0 {
				off[out[7]] = out[8]
			}
			c.Frame(ubx.ClassACK, ubx.AckACK, []byte{class, id})
		}
	}
	r := c.Report()
	if r.Name != "u-blox 6 (7.03)" || off[0x04] != 1 || off[0x01] != 0 || len(off) != 13 {
		t.Errorf("%+v, %v", r, off)
	}
	if !slices.Equal(r.Refused, []string{"to send only what is read"}) && r.Refused != nil {
		t.Errorf("%+v", r)
	}
}

// FuzzConfigurator: whatever comes in, little goes out, and only what may.
func FuzzConfigurator(f *testing.F) {
	f.Add([]byte("$GPRMC,123519,A*6A\r\n$GPGGA,1*50\r\n"), true)
	for _, m := range []gpstest.Model{gpstest.NeoM8N, gpstest.ZedF9T, gpstest.MT3339, gpstest.LC29H, gpstest.LG290P} {
		w := newTalk(m, 115200, receiver.Setup{UBX: true})
		w.keep = true
		w.run(6 * time.Second)
		f.Add(w.heard[:min(len(w.heard), 4096)], m.Timing)
	}
	f.Fuzz(func(t *testing.T, b []byte, reads bool) {
		c := receiver.NewConfigurator(receiver.Setup{Baud: 38400, UBX: reads, CableDelay: len(b)})
		now, sent := int64(0), 0
		for part := range slices.Chunk(b, 37) {
			c.Feed(part)
			now += 50e6
			sent += check(t, c.Tick(now))
		}
		for range 20 * 600 {
			now += 50e6
			sent += check(t, c.Tick(now))
		}
		if most := 500 + 2*len(b); sent > most { // messages
			t.Errorf("%d messages", sent)
		}
		r := c.Report()
		if r.State == receiver.Asking || r.State == receiver.Setting || len(r.Name) > 80 || len(r.Refused) > 10 {
			t.Errorf("%+v", r)
		}
		c.Feed(make([]byte, 2048)) // whatever was begun is over
		before := r.Times
		for _, s := range []string{"GPRMC,,V", "GPRMC,,V", "GPRMC,,V"} {
			c.Feed(nmea.AppendSentence(nil, s))
		}
		if c.Report().Times != before {
			t.Error("configured by sentences alone")
		}
	})
}

// check counts a message, and looks at what it may never be.
func check(t *testing.T, out []byte) int {
	t.Helper()
	if out == nil {
		return 0
	}
	for _, never := range []string{"PAIR513", "PAIR511", "PAIR864", "PQTMSAVEPAR", "PMTK251", "PMTK104", "PQBAUD"} {
		if bytes.Contains(out, []byte(never)) {
			t.Errorf("sent %q", out)
		}
	}
	if out[0] == 0xb5 {
		if class, id := out[2], out[3]; class == ubx.ClassCFG && (id == 0x00 || id == 0x09 || id == 0x04) || class != ubx.ClassCFG && class != ubx.ClassMON {
			t.Errorf("sent % x", out)
		}
		if _, ok := ubx.Settings(out[6 : len(out)-2]); out[3] == ubx.CfgVALSET && !ok {
			t.Errorf("sent % x", out)
		}
	}
	return 1
}

// BenchmarkFeed is what a configured receiver costs: per second of a burst.
func BenchmarkFeed(b *testing.B) {
	w := newTalk(gpstest.NeoM9N, 115200, receiver.Setup{})
	w.run(20 * time.Second)
	w.keep = true
	w.run(time.Second)
	second := w.heard
	now := w.now.UnixNano()
	b.SetBytes(int64(len(second)))
	b.ReportAllocs()
	for b.Loop() {
		for part := range slices.Chunk(second, 64) {
			w.conf.Feed(part)
			now += 50e6
			w.conf.Tick(now)
		}
	}
}

// TestAnotherReceiver takes the place of one that did not answer, or of one of
// another make.
func TestAnotherReceiver(t *testing.T) {
	for _, was := range []gpstest.Model{gpstest.NoAnswer, gpstest.MT3339} {
		w := newTalk(was, 38400, receiver.Setup{})
		w.until(t, time.Minute, receiver.Unanswered, receiver.Configured)
		w.run(time.Minute)
		w.device = gpstest.NewDevice(gpstest.NeoM8N, 38400, w.now)
		w.run(time.Minute)
		if r := w.conf.Report(); r.State != receiver.Configured || r.Name != "u-blox NEO-M8N-0 (SPG 3.01)" {
			t.Errorf("after %s: %+v", was.Name, r)
		}
	}
}
