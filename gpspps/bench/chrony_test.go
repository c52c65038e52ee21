package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var skipped = ChronyOptions{Skip: 200, CutFrom: 200, CutEvery: 60}

// steady is a trace of a clock that gains 1e-6 and is read without error, with
// a day after its pulses.
func steady(pulses int) Trace {
	s := Trace{Name: "steady", Clock: make([]float64, pulses+86400), Late: make([]float64, pulses)}
	for n := range s.Clock {
		s.Clock[n] = 1e-6 * float64(n)
	}
	return s
}

// logged is what chronyd logs of what it is sent for second n with a
// correction of its own, seconds.
func logged(w *watch, id string, n int, correction float64) string {
	said, ok := w.sample(n)
	if id == probeID {
		said, ok = w.probe(n)
	}
	if !ok {
		panic(fmt.Sprintf("nothing is sent in second %d", n))
	}
	raw := float64(said) * 1e-9
	at := epoch.Add(time.Duration(n)*slot + time.Duration(correction*1e9))
	return fmt.Sprintf("%s %-5s   1 N 0 %13.6e %13.6e %10.3e", at.Format("2006-01-02 15:04:05.000000"), id, raw, raw-correction, 1e-7)
}

// updated is what it logs of a correction of frequency and offset.
func updated(ppm, offset, sd float64) string {
	return fmt.Sprintf("2026-03-01 12:00:00 %-15s  1 %10.3f %10.3f %10.3e N  1 %10.3e %10.3e %10.3e %10.3e %10.3e", pulseID, ppm, 0.01, offset, sd, 0.0, 1e-9, 1e-6, 1e-6)
}

// A chronyd that learns the clock's frequency and 40 ns too much in second 100.
func TestWatch(t *testing.T) {
	s := steady(holdoverSeconds)
	for n := range s.Late {
		s.Late[n] = 500e-9 * float64(n%3-1)
	}
	w := newWatch(s, 0, skipped)
	w.start = epoch
	s.Late[77], s.Late[3000] = math.NaN(), math.NaN() // no pulse
	var lines []string
	for n := range w.pulses {
		if math.IsNaN(s.Late[n]) {
			continue
		}
		correction := 0.0
		if n >= 100 {
			correction = 40e-9 - s.Clock[n]
		}
		if n == 100 {
			lines = append(lines, updated(Compression, s.Clock[n]-40e-9, 1e-7))
		}
		if n == 1000 { // a poll without news
			lines = append(lines, updated(Compression, 0, 1e-7),
				"2026-03-01 12:01:02.000000 GPS     - N -       -        1.000000e-09  1.000e-07")
		}
		lines = append(lines, logged(w, pulseID, n, correction))
	}
	for _, h := range Horizons[:asked] {
		n := w.pulses - 1 + h
		lines = append(lines, logged(w, probeID, n, 40e-9-s.Clock[n]))
	}
	for i, l := range lines {
		if err := w.line(l); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			w.took(epoch.Add(slot))
			w.took(epoch.Add(slot + 1))
		}
	}
	if w.probes != asked {
		t.Fatalf("%d probes", w.probes)
	}
	r, err := w.result()
	if err != nil {
		t.Fatal(err)
	}
	// What is said is rounded to nanoseconds, the clock's error is not.
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	near("estimate", r.Estimate, 40e-9)
	near("clock", r.Clock, 40e-9)
	near("its standard error", r.ClockSigma, 0)
	for i := range Horizons {
		near("holdover", r.Holdover[i], 40e-9)
		if r.Cuts[i] != 1 {
			t.Errorf("%d cuts", r.Cuts[i])
		}
	}
	// 99.96 us take one second, at less than the fastest rate.
	if r.Settle != 101 || r.Lost != 0 || r.Late != 1 {
		t.Errorf("settled after %g s, lost %d, late %d", r.Settle, r.Lost, r.Late)
	}
}

func TestWatchRefuses(t *testing.T) {
	w := newWatch(steady(holdoverSeconds), 0, skipped)
	w.start = epoch
	good := logged(w, pulseID, 5, 0)
	if err := w.line(good); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]string{
		"twice":         good,
		"a banner":      "=====",
		"nothing":       "",
		"a time":        strings.Replace(logged(w, pulseID, 6, 0), ":", "-", 1),
		"before":        strings.Replace(logged(w, pulseID, 6, 0), "2026", "1926", 1),
		"after":         strings.Replace(logged(w, pulseID, 6, 0), "2026", "2926", 1),
		"another value": strings.Replace(logged(w, pulseID, 6, 0), "-6.0", "-6.1", 1),
		"no number":     strings.Replace(logged(w, pulseID, 6, 0), "-6.000000e-06", "NaN", 1),
		"infinite":      strings.Replace(updated(16, 1e-9, 1e-7), "16.000", "Inf", 1),
		"a probe early": strings.Replace(logged(w, pulseID, 6, 0), pulseID, probeID, 1),
	} {
		if err := w.line(l); err == nil {
			t.Errorf("%s: %q taken", name, l)
		}
	}
}

func TestWatchDoubts(t *testing.T) {
	for name, tt := range map[string]struct {
		seen  int
		drift float64
		want  string
	}{
		"lost":     {3400, 0, "lost 200 of 3600"},
		"wanders":  {3600, 2e-6, "in holdover"},
		"deaf":     {3600, 0, "never followed"},
		"lost few": {3580, 0, "never followed"},
	} {
		w := newWatch(steady(holdoverSeconds), 0, skipped)
		w.seen = tt.seen
		w.correction[asked-1] = tt.drift
		if _, err := w.result(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzWatch(f *testing.F) {
	s := steady(holdoverSeconds)
	w := newWatch(s, 0, skipped)
	f.Add(logged(w, pulseID, 7, 1e-6))
	f.Add(logged(w, probeID, w.pulses-1+60, 1e-6))
	f.Add(updated(3, 1e-6, 1e-7))
	f.Fuzz(func(t *testing.T, line string) {
		w := newWatch(s, 0, skipped)
		w.start = epoch
		w.line(line)
		if w.line(line); w.seen > 1 || w.next > w.pulses {
			t.Errorf("%d samples, the next is %d", w.seen, w.next)
		}
	})
}

func TestSlew(t *testing.T) {
	var s slew
	// 10 ns known to 20 ns, every 4 s: an area of 120 ns s, so 12 s.
	s.accrue(100, 10e-9, 20e-9, 4)
	for _, tt := range []struct{ t, want float64 }{{100, 10e-9}, {106, 5e-9}, {112, 0}, {200, 0}} {
		if got := s.at(tt.t); math.Abs(got-tt.want) > 1e-15 {
			t.Errorf("%g s: %g pending, want %g", tt.t, got, tt.want)
		}
	}
	// Half of it is still to come when the other way is wanted.
	s.accrue(106, -5e-9, 20e-9, 4)
	if got := s.at(106); math.Abs(got) > 1e-15 {
		t.Errorf("%g pending", got)
	}
	// A large one takes no less than a second, and no rate beyond the limit.
	s = slew{}
	s.accrue(0, -0.01, 1e-9, 4)
	if got := s.at(0.5); math.Abs(got+0.005) > 1e-15 {
		t.Errorf("%g pending", got)
	}
	s = slew{}
	s.accrue(0, 10, 1e-9, 4)
	if got := s.at(12); math.Abs(got-9) > 1e-6 {
		t.Errorf("%g pending", got)
	}
}

func TestSend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dialSample(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, nanos := range []int64{0, 1, -1, 400, -1234567890} {
		if err := send(c, epoch.Add(62500*time.Microsecond), nanos); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 64)
		n, err := l.Read(b)
		if err != nil || n != sockSize {
			t.Fatalf("%d bytes, %v", n, err)
		}
		le := binary.NativeEndian
		if int64(le.Uint64(b)) != epoch.Unix() || le.Uint64(b[8:]) != 62500 || le.Uint64(b[24:]) != 0 || le.Uint32(b[32:]) != 0 || le.Uint32(b[36:]) != sockMagic {
			t.Errorf("sent %x", b[:n])
		}
		if got := math.Float64frombits(le.Uint64(b[16:])) * 1e9; int64(got) != nanos {
			t.Errorf("%d ns sent as %g", nanos, got)
		}
	}
	// Nobody reads: the sample is lost, and nothing waits long.
	for range 50 {
		if err := send(c, epoch, 1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFeeding(t *testing.T) {
	var f Feeding
	for _, after := range []time.Duration{sendAfter, slot, slot + 1, 3 * slot, 0} {
		f.sent(after)
	}
	if want := (Feeding{Worst: 3 * slot, Late: 2, Seconds: 5}); f != want {
		t.Errorf("%+v, want %+v", f, want)
	}
	now := time.Now()
	if d := apart(now, now.Add(time.Hour)); d != 0 {
		t.Errorf("%v apart", d)
	}
}

func TestMeasureChronyRefuses(t *testing.T) {
	good := steady(holdoverSeconds)
	short := good
	short.Clock = short.Clock[:7199]
	broken := errors.New("no chronyd")
	for name, tt := range map[string]struct {
		s     Trace
		poll  int
		skip  int
		every int
		want  string
	}{
		"no clock":   {short, 0, 0, 60, "3600 seconds with pulses, 7199 with a clock; at least 3600 and 3600 more"},
		"too short":  {good, 0, 1, 60, "at least 3601"},
		"poll":       {good, -1, 0, 60, "poll -1"},
		"no cuts":    {good, 0, 0, 0, "holdover from second 0, every 0"},
		"no program": {good, 4, 0, 60, "trace steady, poll 4: no chronyd"},
	} {
		o := ChronyOptions{Dir: t.TempDir(), Skip: tt.skip, CutFrom: tt.skip, CutEvery: tt.every, Start: func(_ context.Context, _ string, lines []string) (func() error, error) {
			if got := strings.Join(lines, "\n"); !strings.Contains(got, " poll 0 filter 16\n") || !strings.Contains(got, "\nmaxclockerror 16\n") {
				t.Errorf("configured with\n%s", got)
			}
			return nil, broken
		}}
		if _, _, err := MeasureChrony(t.Context(), o, []Trace{tt.s}, []int{tt.poll}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A chronyd that takes samples and logs what nobody can read ends the run, and
// is ended with it.
func TestMeasureChronyEnds(t *testing.T) {
	ended := 0
	start := func(_ context.Context, dir string, _ []string) (func() error, error) {
		var sockets []*net.UnixConn
		for _, name := range []string{"pulse", "probe"} {
			l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unixgram"})
			if err != nil {
				return nil, err
			}
			sockets = append(sockets, l)
		}
		log, err := os.OpenFile(filepath.Join(dir, "tracking.log"), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		go func() {
			if n, err := sockets[0].Read(make([]byte, 64)); err == nil {
				fmt.Fprintf(log, "%d bytes\n", n)
			}
		}()
		return func() error {
			ended++
			return errors.Join(sockets[0].Close(), sockets[1].Close(), log.Close())
		}, nil
	}
	dir, err := os.MkdirTemp("", "chrony") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	_, _, err = MeasureChrony(t.Context(), ChronyOptions{Dir: dir, CutEvery: 60, Start: start}, []Trace{steady(holdoverSeconds)}, []int{4})
	if err == nil || !strings.HasSuffix(err.Error(), `trace steady, poll 4: chronyd logs something else than its manual says: "40 bytes"`) {
		t.Errorf("%v", err)
	}
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}
