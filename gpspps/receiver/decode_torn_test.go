package receiver

import (
	"strings"
	"testing"
	"time"
)

// TestBurstTornApart: a busy computer holds the line up in the middle of every
// burst, after each sentence and for as long as there is time left. What comes
// after it is neither another fix nor a lost one.
func TestBurstTornApart(t *testing.T) {
	for cut := 1; cut < 8; cut++ {
		for _, stall := range []int64{50 * ms, 150 * ms, 350 * ms} {
			l := newLine()
			for n := range 6 {
				l.wait(int64(n)*1e9 + 80*ms)
				s := second(noon.Add(time.Duration(n) * time.Second))
				s[0] = rmcWithDay(s[0])
				l.send(s[:cut]...)
				l.wait(l.mono + stall)
				l.send(s[cut:]...)
			}
			l.wait(l.mono + 500*ms)
			if len(l.fixes) != 6 {
				t.Errorf("%d ms after sentence %d: %d fixes in 6 s", stall/ms, cut, len(l.fixes))
			}
			for n, f := range l.fixes {
				if !f.Valid || f.NoFix || f.Mono != int64(n)*1e9+80*ms || !f.Time.Equal(noon.Add(time.Duration(n)*time.Second)) {
					t.Errorf("%d ms after sentence %d, second %d: %+v", stall/ms, cut, n, f)
				}
			}
		}
	}
}

func rmcWithDay(s string) string { return strings.Replace(s, ",0.0,,,", ",0.0,,231126,", 1) }

// TestRestThatRunsIntoTheNextBurst: the burst after a torn one began where it
// began, not with the rest of the one before.
func TestRestThatRunsIntoTheNextBurst(t *testing.T) {
	l := newLine()
	l.wait(80 * ms)
	l.send(rmc, gga)
	l.wait(900 * ms)
	l.send(zda)
	l.wait(970 * ms)
	next := l.mono
	l.send("GNRMC,123520.00,A," + place + ",0.0,,231126,,,A")
	l.wait(l.mono + 500*ms)
	if len(l.fixes) != 2 || l.fixes[1].Mono != next || !l.fixes[1].Valid {
		t.Errorf("fixes %+v, want the second at %d", l.fixes, next)
	}
}

// TestNoFixIsSaid: a burst without RMC and GGA does not say that there is none.
func TestNoFixIsSaid(t *testing.T) {
	for _, c := range []struct {
		send string
		want bool
	}{
		{zda, false},
		{rmc, false},
		{gga, false},
		{"GNRMC,123519.00,V,,,,,,,231126,,,N", true},
		{"GNRMC,,V,,,,,,,,,,N", true},
		{"GNGGA,123519.00,,,,,0,00,99.99,,,,,,", true},
	} {
		l := newLine()
		l.send(c.send)
		if f := l.one(t); f.NoFix != c.want || f.NoFix && f.Valid {
			t.Errorf("%s: %+v", c.send, f)
		}
	}
}
