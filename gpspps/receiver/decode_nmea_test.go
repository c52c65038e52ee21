package receiver

import (
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
)

const (
	ms       = int64(time.Millisecond)
	byteTime = time.Second * 10 / 9600
)

var pivot = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// line feeds a parser at 9600 baud.
type line struct {
	*Decoder
	mono  int64
	fixes []gpspps.Fix
	when  []int64 // the instant each fix came out
}

func newLine() *line {
	l := &line{}
	l.Decoder = NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: byteTime, Emit: func(f gpspps.Fix) {
		l.fixes = append(l.fixes, f)
		l.when = append(l.when, l.mono)
	}})
	return l
}

// send writes sentences without '$' and checksum, which it adds; a text with
// '$' goes out as it is.
func (l *line) send(bodies ...string) {
	for _, b := range bodies {
		raw := []byte(b)
		if !strings.Contains(b, "$") {
			raw = nmea.AppendSentence(nil, b)
		}
		for i := range raw {
			l.Feed(raw[i:i+1], l.mono)
			l.mono += int64(byteTime)
		}
	}
}

// wait lets the line be silent until mono, polled as a reader would.
func (l *line) wait(mono int64) {
	for l.mono+20*ms < mono {
		l.mono += 20 * ms
		l.Idle(l.mono)
	}
	l.mono = mono
	l.Idle(mono)
}

func (l *line) one(t *testing.T) gpspps.Fix {
	t.Helper()
	l.wait(l.mono + 500*ms)
	if len(l.fixes) != 1 {
		t.Fatalf("%d fixes, want 1: %+v", len(l.fixes), l.fixes)
	}
	return l.fixes[0]
}

const (
	place = "5128.6740,N,00000.0900,W"
	rmc   = "GNRMC,123519.00,A," + place + ",0.0,,231126,,,A"
	gga   = "GNGGA,123519.00," + place + ",1,09,0.9,45.0,M,47.0,M,,"
	zda   = "GNZDA,123519.00,23,11,2026,00,00"
)

var noon = time.Date(2026, 11, 23, 12, 35, 19, 0, time.UTC)

func TestFixOfOneBurst(t *testing.T) {
	l := newLine()
	l.mono = 7_080_000_000
	l.send(rmc, gga, "GNGSA,A,3,01,02,03,04,05,,,,,,,,1.5,0.9,1.2", zda)
	f := l.one(t)
	want := gpspps.Fix{Mono: 7_080_000_000, Time: noon, Valid: true, Mode: 3, Used: 9, Seen: -1,
		Position: gpspps.Position{Known: true, Lat: 51.4779, Lon: -0.0015, Height: 45}}
	if f != want {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	if l.Stats().Sentences != 4 || l.Stats().Fixes != 1 {
		t.Errorf("stats %+v", l.Stats())
	}
}

func TestValid(t *testing.T) {
	tests := []struct {
		name  string
		valid bool
		timed bool
		send  []string
	}{
		{"RMC alone", true, true, []string{rmc}},
		{"RMC before NMEA 2.3, no mode", true, true, []string{"GPRMC,123519,A,5128.67,N,00000.09,W,0.0,0.0,231126,,"}},
		{"lower case checksum", true, true, []string{"$GPRMC,123512,A,5128.67,N,00000.09,W,0.0,0.0,231126,,*0a\r\n"}},
		{"status V", false, false, []string{"GNRMC,123519.00,V," + place + ",,,231126,,,A"}},
		{"status V, but ZDA names the time", false, true, []string{"GNRMC,123519.00,V," + place + ",,,231126,,,A", zda}},
		{"mode N", false, true, []string{"GNRMC,123519.00,A," + place + ",,,231126,,,N"}},
		{"mode E, estimated", false, true, []string{"GNRMC,123519.00,A," + place + ",,,231126,,,E"}},
		{"mode S, simulated", false, true, []string{"GNRMC,123519.00,A," + place + ",,,231126,,,S"}},
		{"mode D", true, true, []string{"GNRMC,123519.00,A," + place + ",,,231126,,,D,V"}},
		{"no position", false, true, []string{"GNRMC,123519.00,A,,,,,,,231126,,,A"}},
		{"north of the pole", false, true, []string{"GNRMC,123519.00,A,9000.0001,N,00000.0900,W,,,231126,,,A"}},
		{"sixty minutes of arc", false, true, []string{"GNRMC,123519.00,A,5160.0000,N,00000.0900,W,,,231126,,,A"}},
		{"at the pole and the date line", true, true, []string{"GNRMC,123519.00,A,9000.000,S,18000.000,E,,,231126,,,A"}},
		{"GGA quality 0", false, true, []string{rmc, "GNGGA,123519.00," + place + ",0,00,,,M,,M,,"}},
		{"GGA quality 6", false, true, []string{rmc, "GNGGA,123519.00," + place + ",6,05,,,M,,M,,"}},
		{"GGA quality 2", true, true, []string{rmc, "GNGGA,123519.00," + place + ",2,12,,,M,,M,,"}},
		{"ZDA alone vouches for nothing", false, true, []string{zda}},
		{"ZDA and GGA", true, true, []string{zda, gga}},
		{"GGA says fix, with no satellite", false, true, []string{zda, "GNGGA,123519.00," + place + ",1,00,,,M,,M,,"}},
		{"GGA alone has no date", false, false, []string{gga}},
		{"nothing known", false, false, []string{"GNRMC,,V,,,,,,,,,,N", "GNGGA,,,,,,0,00,99.99,,,,,,"}},
		{"dates differ", false, true, []string{rmc, "GNZDA,123519.00,24,11,2026,00,00"}},
		{"30 February", false, false, []string{"GNRMC,123519.00,A," + place + ",,,300226,,,A"}},
		{"month 0", false, false, []string{"GNRMC,123519.00,A," + place + ",,,310026,,,A"}},
		{"date of seven digits", false, false, []string{"GNRMC,123519.00,A," + place + ",,,2311026,,,A"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine()
			l.send(tt.send...)
			f := l.one(t)
			if f.Valid != tt.valid || f.Time.IsZero() == tt.timed {
				t.Errorf("valid %v, time %v; want %v, a time %v", f.Valid, f.Time, tt.valid, tt.timed)
			}
		})
	}
}

func TestNoFixFrom(t *testing.T) {
	for name, s := range map[string]string{
		"Garmin's own PGRMC":    "PGRMC,123519.00,A," + place + ",,,231126,,,A",
		"hour 24":               "GPRMC,240000.00,A," + place + ",,,231126,,,A",
		"minute 60":             "GPRMC,126000.00,A," + place + ",,,231126,,,A",
		"second 61":             "GPRMC,235961.00,A," + place + ",,,231126,,,A",
		"second 60 at noon":     "GPRMC,120060.00,A," + place + ",,,231126,,,A",
		"letters in the time":   "GPRMC,12a519.00,A," + place + ",,,231126,,,A",
		"letters in fraction":   "GPRMC,123519.0x,A," + place + ",,,231126,,,A",
		"short time":            "GPRMC,1235,A," + place + ",,,231126,,,A",
		"wrong checksum":        "$" + rmc + "*00\r\n",
		"no checksum":           "$" + rmc + "\r\n",
		"half a checksum":       "$" + rmc + "*5\r\n",
		"checksum of no digits": "$" + rmc + "*zz\r\n",
		"a control character":   "$GNRMC,1235\x0019.00,A*00\r\n",
		"too long":              "GNRMC,123519.00,A," + place + ",,,231126,,,A" + strings.Repeat(",", 70),
		"never ends":            "$GNRMC" + strings.Repeat("9", 5000),
		"a bare dollar":         "$*00\r\n",
	} {
		l := newLine()
		l.send(s)
		l.wait(l.mono + 500*ms)
		l.Flush()
		if len(l.fixes) != 0 {
			t.Errorf("%s: got %+v", name, l.fixes)
		}
	}
}

func TestLeapSecond(t *testing.T) {
	l := newLine()
	l.send("GPRMC,235960.00,A," + place + ",,,311226,,,A")
	if f, want := l.one(t), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); !f.Valid || !f.Time.Equal(want) {
		t.Errorf("23:59:60 is %v valid %v, want %v", f.Time, f.Valid, want)
	}
}

func TestFractionOfTime(t *testing.T) {
	l := newLine()
	l.send("GPRMC,123519.937,A," + place + ",,,231126,,,A")
	if f := l.one(t); !f.Time.Equal(noon.Add(937 * time.Millisecond)) {
		t.Errorf("time %v", f.Time)
	}
}

func TestResync(t *testing.T) {
	l := newLine()
	l.mono = 1e9
	noise := "\x00\xff\x81$GP\xb5\x62\x01\x07*4"
	for i := range len(noise) {
		l.Feed([]byte{noise[i]}, l.mono)
	}
	l.send("$GNRMC,123519.00,A,51$"+rmc[:30], "$"+rmc+"*00\r\n", gga, rmc)
	f := l.one(t)
	if !f.Valid || !f.Time.Equal(noon) || f.Checksum != 3 {
		t.Errorf("fix %+v, want a valid one with 3 dropped", f)
	}
	// The cut sentence was the first of the burst, and marks its beginning.
	if f.Mono != 1e9 {
		t.Errorf("mono %d, want 1e9", f.Mono)
	}
	s := l.Stats()
	// "$GP" with a byte no sentence has, and two cut by the next '$'.
	if s.Broken != 3 || s.Checksum != 1 || s.Sentences != 2 || s.Noise != 3+5 {
		t.Errorf("stats %+v", s)
	}
}

func TestAddressesOfAnyTalker(t *testing.T) {
	for _, talker := range []string{"GP", "GN", "GL", "GA", "GB", "BD", "GQ", "GI", "IN"} {
		l := newLine()
		l.send(talker + rmc[2:])
		if f := l.one(t); !f.Valid {
			t.Errorf("talker %s: %+v", talker, f)
		}
	}
}

// TestLeapSecondsOfSentences: u-blox says them in PUBX,04, with a D as long as
// they are the firmware's.
func TestLeapSecondsOfSentences(t *testing.T) {
	for leap, want := range map[string]gpspps.Fix{"18": {Leap: 18, LeapUTC: true}, "18D": {Leap: 18}, "": {}, "D": {}, "999": {}} {
		l := newLine()
		l.send(rmc, "PUBX,04,123519.00,231126,45319.00,2446,"+leap+",500123,-12.3,21")
		if f := l.one(t); !f.Valid || f.Leap != want.Leap || f.LeapUTC != want.LeapUTC {
			t.Errorf("%q: %+v", leap, f)
		}
	}
}

func TestAccuracyOfSentences(t *testing.T) {
	gst := "GPGST,123519.00,1.2,,,,3.0,4.0,6.0"
	for _, send := range [][]string{{rmc, gga, gst}, {rmc, gst, gga}} {
		l := newLine()
		l.send(send...)
		if f := l.one(t); f.Position != (gpspps.Position{Known: true, Lat: 51.4779, Lon: -0.0015, Height: 45, Accuracy: 5}) {
			t.Errorf("%q: %+v", send, f.Position)
		}
	}
	l := newLine()
	l.send("GNRMC,123519.00,V,,,,,,,,,,N", gst)
	if f := l.one(t); f.Position != (gpspps.Position{}) {
		t.Errorf("without a place: %+v", f.Position)
	}
}

func TestGNS(t *testing.T) {
	for modes, want := range map[string]bool{"AN": true, "NNNR": true, "NN": false, "EE": false, "": false} {
		l := newLine()
		l.send(zda, "GNGNS,123519.00,"+place+","+modes+",12,0.9,45.0,47.0,,,V")
		if f := l.one(t); f.Valid != want || f.NoFix == want || f.Used != 12 || want && (f.Position.Height != 45 || f.Mode != 3) {
			t.Errorf("modes %q: %+v", modes, f)
		}
	}
}

// TestBurstsLongerThanASecond, as of receivers that say all they know at 9600
// baud: every one makes a fix, and no two get mixed up.
func TestBurstsLongerThanASecond(t *testing.T) {
	l := newLine()
	var starts []int64
	for n := range 5 {
		at := noon.Add(time.Duration(2*n) * time.Second) // it leaves out every other second
		starts = append(starts, l.mono)
		l.send(second(at)...)
		for range 13 {
			l.send("GPGSV,3,1,12,01,40,083,46,02,17,308,41,03,07,344,39,04,22,228,45")
		}
	}
	if length := l.mono / 5; length < 1200*ms {
		t.Fatalf("a burst takes %d ms", length/ms)
	}
	l.wait(l.mono + 500*ms)
	if len(l.fixes) != 5 {
		t.Fatalf("%d fixes of 5 bursts", len(l.fixes))
	}
	for n, f := range l.fixes {
		if !f.Valid || f.Mono != starts[n] || !f.Time.Equal(noon.Add(time.Duration(2*n)*time.Second)) {
			t.Errorf("burst %d at %d: %+v", n, starts[n], f)
		}
	}
}
