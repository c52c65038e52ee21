package nmea

import (
	"math"
	"testing"
	"time"
)

func TestAppendSentence(t *testing.T) {
	got := string(AppendSentence([]byte("x"), "GPGLL,5300.97914,N,00259.98174,E,125926,A"))
	if want := "x$GPGLL,5300.97914,N,00259.98174,E,125926,A*28\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzRead reads b as the body of a sentence of every type.
func FuzzRead(f *testing.F) {
	f.Add([]byte("GPRMC,235960.99,A,9000.000,S,18000.000,E,,,311299,,,A"))
	f.Add([]byte("GNGNS,123519.00,5128.6740,N,00000.0900,W,ANNR,12,0.9,-45.0,47.0,,,V"))
	f.Add([]byte("GPGST,123519.00,1.2,,,,3.0,4.0,6.0"))
	f.Add([]byte("PUBX,04,123519.00,231126,45319.00,2446,18D,500123,-12.3,21"))
	f.Add([]byte("GPGSV,99,99,999,,,,,,,,,,,,,,,,,,"))
	f.Add([]byte("GNGSA,A,3,999,01,,,,,,,,,,,,,,1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Read(b)
		for s.Type = Other; s.Type <= TypePUBX; s.Type++ {
			again := s
			if x, ok := again.Fix(); ok {
				p := x.Position
				if x.Clock < NoTime || x.Clock > int64(25*time.Hour) || x.Used < -1 || x.Leap < 0 || x.Leap > 99 || x.LeapUTC && x.Leap == 0 ||
					!(math.Abs(p.Lat) <= 90) || !(math.Abs(p.Lon) <= 180) || !(math.Abs(p.Height) < 100e3) || !(p.Accuracy >= 0 && p.Accuracy < 1e6) || x.OK && !p.Known {
					t.Errorf("%q as %d: %+v", b, s.Type, x)
				}
			}
			again = s
			if g, ok := again.GSV(); ok && (g.Part < 1 || g.Part > g.Parts || g.Total < 0) {
				t.Errorf("%q: %+v", b, g)
			}
			again = s
			if g, ok := again.GSA(); ok && (g.Mode < 1 || g.Mode > 3) {
				t.Errorf("%q: %+v", b, g)
			}
		}
	})
}

func TestParserAllocatesNothing(t *testing.T) {
	var p Parser
	line := AppendSentence(nil, "GPRMC,123519.00,A,5128.6740,N,00000.0900,W,0.0,,231126,,,A")
	if n := testing.AllocsPerRun(100, func() {
		for _, c := range line {
			if p.Take(c, 0) == Whole {
				s := Read(p.Body())
				s.Fix()
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations a sentence", n)
	}
}

func BenchmarkParser(b *testing.B) {
	var p Parser
	line := AppendSentence(nil, "GPRMC,123519.00,A,5128.6740,N,00000.0900,W,0.0,,231126,,,A")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range line {
			if p.Take(c, 0) == Whole {
				s := Read(p.Body())
				s.Fix()
			}
		}
	}
}
