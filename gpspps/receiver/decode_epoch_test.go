package receiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
)

// second is the burst of one second, RMC first.
func second(t time.Time) []string {
	c := t.Format("150405.00")
	return []string{
		"GNRMC," + c + ",A," + place + ",0.0,,," + ",,A",
		"GNGGA," + c + "," + place + ",1,09,0.9,45.0,M,47.0,M,,",
		"GNGSA,A,3,01,02,03,04,05,,,,,,,,1.5,0.9,1.2,1",
		"GNGSA,A,3,65,66,67,68,,,,,,,,,1.5,0.9,1.2,2",
		"GPGSV,2,1,08,01,40,083,46,02,17,308,41,03,07,344,39,04,22,228,45",
		"GPGSV,2,2,08,05,40,083,46,06,17,308,41,07,07,344,39,08,22,228,45",
		"GLGSV,1,1,04,65,40,083,46,66,17,308,41,67,07,344,39,68,22,228,45",
		"GNZDA," + c + t.Format(",02,01,2006") + ",00,00",
	}
}

func TestFixIsOutBeforeTheNextPulse(t *testing.T) {
	l := newLine()
	for n := range 6 {
		l.wait(int64(n)*1e9 + 80*ms)
		l.send(second(noon.Add(time.Duration(n) * time.Second))...)
		end := l.mono
		l.wait(int64(n)*1e9 + 999*ms)
		if len(l.fixes) != n+1 {
			t.Fatalf("second %d: %d fixes before the next", n, len(l.fixes))
		}
		f := l.fixes[n]
		if f.Mono != int64(n)*1e9+80*ms || !f.Time.Equal(noon.Add(time.Duration(n)*time.Second)) || !f.Valid {
			t.Errorf("second %d: %+v", n, f)
		}
		if f.Used != 9 || f.Seen != 12 {
			t.Errorf("second %d: %d used, %d seen; want 9, 12", n, f.Used, f.Seen)
		}
		late := l.when[n] - end
		if n < alike+1 {
			if late < 90*ms || late > 130*ms {
				t.Errorf("second %d: out %v after the burst, want about 100 ms", n, time.Duration(late))
			}
		} else if late > 0 {
			// Once the last sentence is alike, the fix is out with it.
			t.Errorf("second %d: out %v after the burst, want with its last sentence", n, time.Duration(late))
		}
	}
}

func TestCycleThatChangesIsLearnedAnew(t *testing.T) {
	l := newLine()
	for n := range 12 {
		l.wait(int64(n)*1e9 + 80*ms)
		s := second(noon.Add(time.Duration(n) * time.Second))
		if n >= 6 {
			s = append(s, "GNGSA,A,3,11,12,,,,,,,,,,,1.5,0.9,1.2,3")
		}
		l.send(s...)
		l.wait(int64(n)*1e9 + 999*ms)
	}
	if len(l.fixes) != 12 {
		t.Fatalf("%d fixes in 12 s", len(l.fixes))
	}
	for n, f := range l.fixes {
		if !f.Time.Equal(noon.Add(time.Duration(n)*time.Second)) || f.Mono != int64(n)*1e9+80*ms {
			t.Errorf("second %d: %+v", n, f)
		}
		// In second 6 the fix was out before the new sentence came.
		if want := map[bool]int{false: 9, true: 11}[n > 6]; f.Used != want {
			t.Errorf("second %d: %d used, want %d", n, f.Used, want)
		}
	}
}

func TestWithoutSilenceTheTimeEndsTheEpoch(t *testing.T) {
	l := newLine()
	starts := []int64{}
	for n := range 5 {
		starts = append(starts, l.mono)
		l.send(second(noon.Add(time.Duration(n) * time.Second))...)
	}
	l.Flush()
	if len(l.fixes) != 5 {
		t.Fatalf("%d fixes, want 5", len(l.fixes))
	}
	for n, f := range l.fixes {
		if f.Mono != starts[n] || !f.Valid || !f.Time.Equal(noon.Add(time.Duration(n)*time.Second)) {
			t.Errorf("second %d: %+v, want mono %d", n, f, starts[n])
		}
	}
}

func TestSatellitesBeforeTheTime(t *testing.T) {
	l := newLine()
	for n := range 8 {
		l.wait(int64(n)*1e9 + 80*ms)
		s := second(noon.Add(time.Duration(n) * time.Second))
		l.send(append(append([]string{}, s[2:]...), s[:2]...)...)
		if out := len(l.fixes) == n+1; out != (n > alike) {
			t.Errorf("second %d: out with the last sentence: %v", n, out)
		}
		l.wait(int64(n)*1e9 + 999*ms)
		if f := l.fixes[n]; f.Mono != int64(n)*1e9+80*ms || f.Used != 9 || f.Mode != 3 || !f.Valid {
			t.Errorf("second %d: %+v", n, f)
		}
	}
}

func TestFourTimesASecond(t *testing.T) {
	l := newLine()
	for n := range 8 {
		l.wait(int64(n) * 250 * ms)
		at := noon.Add(time.Duration(n) * 250 * time.Millisecond)
		l.send("GPGSA,A,3,01,02,03,04,,,,,,,,,1.5,0.9,1.2", "GPRMC,"+at.Format("150405.00")+",A,"+place+",,,231126,,,A")
		if out := len(l.fixes) == n+1; out != (n > alike) {
			t.Errorf("fix %d: out with the last sentence: %v", n, out)
		}
		l.wait(int64(n)*250*ms + 249*ms)
		if f := l.fixes[n]; f.Mono != int64(n)*250*ms || !f.Time.Equal(at) || !f.Valid || f.Used != 4 {
			t.Errorf("fix %d: %+v", n, f)
		}
	}
}

func TestEndingWithSatellitesThatComeAndGo(t *testing.T) {
	l := newLine()
	for n := range 8 {
		l.wait(int64(n)*1e9 + 80*ms)
		l.send(second(noon.Add(time.Duration(n) * time.Second))[0], "GPGSV,1,1,04,01,40,083,46,1")
		parts := 1 + n%3
		for i := range parts {
			if len(l.fixes) > n {
				t.Errorf("second %d: out before part %d of %d", n, i+1, parts)
			}
			l.send(fmt.Sprintf("GPGSV,%d,%d,%02d,01,40,083,46,6", parts, i+1, 4*parts))
		}
		if out := len(l.fixes) == n+1; out != (n > alike) {
			t.Errorf("second %d: out with the last part: %v", n, out)
		}
		l.wait(int64(n)*1e9 + 999*ms)
	}
}

func TestPauseInsideABurst(t *testing.T) {
	l := newLine()
	for n := range 6 {
		l.wait(int64(n)*1e9 + 80*ms)
		s := second(noon.Add(time.Duration(n) * time.Second))
		l.send(s[:2]...)
		l.wait(l.mono + 150*ms)
		l.send(s[2:]...)
	}
	l.wait(l.mono + 500*ms)
	// Six fixes, not twelve. The day is only in ZDA, which comes too late for
	// its own second but tells the next one.
	if len(l.fixes) != 6 {
		t.Fatalf("%d fixes, want 6", len(l.fixes))
	}
	for n, f := range l.fixes {
		if f.Mono != int64(n)*1e9+80*ms {
			t.Errorf("second %d: mono %d", n, f.Mono)
		}
		if want := noon.Add(time.Duration(n) * time.Second); n > 0 && (!f.Valid || !f.Time.Equal(want)) {
			t.Errorf("second %d: %v valid %v, want %v", n, f.Time, f.Valid, want)
		}
	}
}

func TestClockThatStandsStill(t *testing.T) {
	for _, s := range []string{"GPRMC,,V,,,,,,,,,,N", "GPRMC,000000.00,V,,,,,,,060180,,,N"} {
		l := newLine()
		for n := range 5 {
			l.wait(int64(n)*1e9 + 80*ms)
			l.send(s, "GPGSV,1,1,03,01,40,083,46,02,17,308,41,03,07,344,39")
		}
		l.wait(l.mono + 500*ms)
		if len(l.fixes) != 5 {
			t.Errorf("%s: %d fixes in 5 s", s, len(l.fixes))
		}
		for _, f := range l.fixes {
			if f.Valid || f.Seen != 3 {
				t.Errorf("%s: %+v", s, f)
			}
		}
	}
}

func TestDateIsCarriedForAMinute(t *testing.T) {
	l := newLine()
	midnight := time.Date(2026, 12, 31, 23, 59, 50, 0, time.UTC)
	for n := range 80 {
		l.wait(int64(n)*1e9 + 80*ms)
		at := midnight.Add(time.Duration(n) * time.Second)
		if n == 0 {
			l.send("GPZDA," + at.Format("150405.00,02,01,2006") + ",00,00")
		}
		l.send("GPGGA," + at.Format("150405.00") + "," + place + ",1,05,,,M,,M,,")
	}
	l.wait(l.mono + 500*ms)
	if len(l.fixes) != 80 {
		t.Fatalf("%d fixes, want 80", len(l.fixes))
	}
	for n, f := range l.fixes {
		at := midnight.Add(time.Duration(n) * time.Second)
		if n <= 60 && (!f.Valid || !f.Time.Equal(at)) || n > 60 && (f.Valid || !f.Time.IsZero()) {
			t.Errorf("second %d: %v valid %v, true %v", n, f.Time, f.Valid, at)
		}
	}
}

func TestDateIsNotCarriedOverAJump(t *testing.T) {
	l := newLine()
	l.send(rmc)
	l.wait(1e9)
	l.send("GPGGA,150000.00," + place + ",1,05,,,M,,M,,")
	l.wait(2e9)
	if len(l.fixes) != 2 || !l.fixes[1].Time.IsZero() || l.fixes[1].Valid {
		t.Errorf("got %+v", l.fixes)
	}
}

func TestDateIsNotCarriedOverASilence(t *testing.T) {
	l := newLine()
	l.send(rmc)
	l.wait(70e9)
	l.send("GPGGA,123549.00," + place + ",1,05,,,M,,M,,")
	l.wait(71e9)
	if len(l.fixes) != 2 || !l.fixes[1].Time.IsZero() || l.fixes[1].Valid {
		t.Errorf("got %+v", l.fixes)
	}
}

func TestGarbageDoesNotHoldAFixBack(t *testing.T) {
	l := newLine()
	l.send(rmc, gga)
	end := l.mono
	for i := range 500 {
		// A '$' and letters all the time, but no sentence.
		l.Feed([]byte{"$GPRM\x80"[i%6]}, l.mono)
		l.mono += int64(byteTime)
	}
	if len(l.fixes) != 1 || l.when[0]-end > int64(maxWait)+10*ms {
		t.Errorf("%d fixes, out after %v", len(l.fixes), l.when)
	}
}

func TestRolloverIsCounted(t *testing.T) {
	l := newLine()
	l.send("GPRMC,123519.00,A,"+place+",,,090407,,,A", "GPZDA,123519.00,09,04,2007,00,00")
	if f := l.one(t); !f.Valid || !f.Time.Equal(noon) || l.Stats().Rollover != 1 {
		t.Errorf("got %+v, %+v", f, l.Stats())
	}
}

func TestSatellites(t *testing.T) {
	gsv := func(talker, signal string, total int) []string {
		var s []string
		parts := (total + 3) / 4
		for p := range parts {
			b := fmt.Sprintf("%sGSV,%d,%d,%02d", talker, parts, p+1, total)
			for i := p * 4; i < min(total, p*4+4); i++ {
				b += fmt.Sprintf(",%02d,40,083,46", i+1)
			}
			s = append(s, b+signal)
		}
		return s
	}
	var many []string
	for _, talker := range []string{"GP", "GL", "GA", "GB"} {
		for _, signal := range []string{",1", ",5", ",8"} {
			many = append(many, gsv(talker, signal, 7)...)
		}
	}
	tests := []struct {
		name       string
		used, seen int
		mode       int
		send       []string
	}{
		{"none said", -1, -1, 2, nil},
		{"one talker, three parts", -1, 11, 2, gsv("GP", "", 11)},
		{"two talkers", -1, 15, 2, append(gsv("GP", "", 11), gsv("GL", "", 4)...)},
		{"signals of one talker are the same satellites", -1, 28, 2, many},
		{"fewer on the second signal", -1, 9, 2, append(gsv("GP", ",1", 9), gsv("GP", ",6", 5)...)},
		{"signal 0 lists what is heard on no signal", -1, 14, 2, append(gsv("GP", ",1", 9), "GPGSV,2,1,05,21,01,049,,22,04,097,,23,00,204,,25,00,204,,0", "GPGSV,2,2,05,26,01,049,,0")},
		{"signal 0 stands for all signals", -1, 9, 2, append(gsv("GP", ",1", 7), gsv("GP", ",0", 9)...)},
		{"an empty sky", -1, 0, 2, []string{"GPGSV,1,1,00"}},
		{"GGA alone", 12, -1, 3, []string{"GNGGA,123519.00," + place + ",1,12,,,M,,M,,"}},
		{"GSA counts past GGA's 12", 14, -1, 3, []string{
			"GNGGA,123519.00," + place + ",1,12,,,M,,M,,",
			"GNGSA,A,3,01,02,03,04,05,06,07,08,09,10,,,1.5,0.9,1.2",
			"GNGSA,A,3,65,66,67,68,,,,,,,,,1.5,0.9,1.2"}},
		{"GSA again for another signal", 5, -1, 3, []string{
			"GNGSA,A,3,01,02,03,,,,,,,,,,1.5,0.9,1.2,1",
			"GNGSA,A,3,01,02,,,,,,,,,,,1.5,0.9,1.2,3",
			"GNGSA,A,3,01,02,,,,,,,,,,,1.5,0.9,1.2,1"}},
		{"2D", 3, -1, 2, []string{"GPGSA,A,2,01,02,03,,,,,,,,,,1.5,0.9,1.2"}},
		{"2D, with a height", 9, -1, 2, []string{gga, "GPGSA,A,2,01,02,03,,,,,,,,,,1.5,0.9,1.2"}},
		{"no fix", 0, -1, 1, []string{"GPGSA,A,1,,,,,,,,,,,,99,99,99"}},
		{"part beyond the parts", -1, -1, 2, []string{"GPGSV,1,2,04,01,40,083,46"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine()
			l.byteT = 1 // a fast line: the many sentences are one burst
			l.Feed(nmea.AppendSentence(nil, rmc), 0)
			for _, s := range tt.send {
				l.Feed(nmea.AppendSentence(nil, s), 0)
			}
			f := l.one(t)
			if f.Used != tt.used || f.Seen != tt.seen || f.Mode != tt.mode {
				t.Errorf("%d used, %d seen, mode %d; want %d, %d, %d", f.Used, f.Seen, f.Mode, tt.used, tt.seen, tt.mode)
			}
		})
	}
}

func TestSatellitesGrowOld(t *testing.T) {
	l := newLine()
	l.send(second(noon)...)
	for n := 1; n < 20; n++ {
		l.wait(int64(n)*1e9 + 80*ms)
		l.send(second(noon.Add(time.Duration(n) * time.Second))[0])
	}
	l.wait(l.mono + 500*ms)
	var got []gpspps.Fix
	for _, f := range l.fixes {
		got = append(got, gpspps.Fix{Used: f.Used, Seen: f.Seen})
	}
	for n, f := range got {
		want := gpspps.Fix{Used: 9, Seen: 12}
		if n > maxAge {
			want = gpspps.Fix{Used: -1, Seen: -1}
		}
		if f != want {
			t.Errorf("%d s after the last that named them: %d used, %d seen; want %d, %d", n, f.Used, f.Seen, want.Used, want.Seen)
		}
	}
}
