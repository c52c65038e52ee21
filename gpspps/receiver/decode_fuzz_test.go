package receiver

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
)

func FuzzDecoder(f *testing.F) {
	golden, err := os.ReadFile("testdata/receivers.nmea")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden, uint16(7))
	f.Add(nmea.AppendSentence(nmea.AppendSentence(nil, rmc), zda), uint16(1))
	f.Add(nmea.AppendSentence(nil, "GPRMC,235960.99,A,9000.000,S,18000.000,E,,,311299,,,A"), uint16(500))
	f.Add([]byte("$GPGSV,99,99,999,,,,,,,,,,,,,,,,,,*00$$$*$GNGSA,A,9"), uint16(3))
	both := strings.Join(burst(noon), "") + timeGPS(noon, 18, 7)
	f.Add([]byte(both), uint16(9))
	f.Add(append(nmea.AppendSentence([]byte(both[:60]), rmc), both...), uint16(30))
	f.Add([]byte("\xb5\x62\x01\x07\xff\x07\xb5\x62\x01\x07\x5c\x00"+both), uint16(2))
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		read := func(chunk int) (fixes []gpspps.Fix, s DecoderStats) {
			p := NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: byteTime, Emit: func(f gpspps.Fix) { fixes = append(fixes, f) }})
			for i := 0; i < len(b); i += chunk {
				p.Feed(b[i:min(i+chunk, len(b))], int64(i)*int64(byteTime))
				was := s
				if s = p.Stats(); s.Noise < was.Noise || s.Checksum < was.Checksum || s.Broken < was.Broken || s.Damaged < was.Damaged {
					t.Fatalf("counts run backwards: %+v, then %+v", was, s)
				}
			}
			p.Flush()
			return fixes, p.Stats()
		}
		fixes, stats := read(int(chunk) + 1)
		again, statsAgain := read(1)
		if !slices.Equal(fixes, again) || stats != statsAgain {
			t.Fatalf("what is read depends on how the bytes come in:\n%+v\n%+v", fixes, again)
		}
		sane(t, fixes)
	})
}

// sane checks what every fix must be, whatever came in.
func sane(t *testing.T, fixes []gpspps.Fix) {
	t.Helper()
	last := int64(-1)
	for _, f := range fixes {
		if f.Mono <= last {
			t.Errorf("fix at %d after one at %d", f.Mono, last)
		}
		last = f.Mono
		if f.Used < -1 || f.Seen < -1 || f.Mode < 0 || f.Mode > 3 || f.Checksum < 0 {
			t.Errorf("impossible: %+v", f)
		}
		p := f.Position
		for _, x := range []float64{f.Accuracy, f.Sawtooth, p.Lat, p.Lon, p.Height, p.Accuracy} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Errorf("not a number: %+v", f)
			}
		}
		if math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180 || p.Accuracy < 0 || !p.Known && p != (gpspps.Position{}) ||
			f.Accuracy < 0 || math.Abs(f.Sawtooth) > 1e-6 || math.Abs(float64(f.Leap)) > 128 || f.LeapUTC && f.Leap == 0 || f.Valid && f.NoFix {
			t.Errorf("impossible: %+v", f)
		}
		if f.Valid && f.Time.Before(pivot.Add(-24*time.Hour)) {
			t.Errorf("valid before the pivot: %v", f.Time)
		}
	}
}

// FuzzMessages makes sentences and frames with right checksums of b, so that
// what they say gets through.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(strings.Join(burst(noon), "")))
	f.Add([]byte("\x03\x5c" + pvt(noon, resolved, 3, 1, 0)[6:98] + "\x80\x2bGNRMC,123519.00,A,5128.6740,N,00000.0900,W," + "\x07\x10" + tp(noon, 4300, 3)[6:22]))
	f.Add([]byte("\x80\x30GNGGA,123519.00,5128.6740,N,00000.0900,W,1,09,0.9\x81\x2cGNZDA,123519.00,23,11,2026,00,00"))
	ids := [][2]byte{{1, 2}, {1, 3}, {1, 6}, {1, 7}, {1, 0x20}, {1, 0x21}, {1, 0x22}, {0xd, 1}, {1, 0x26}, {1, 0x35}, {1, 0x61}, {0xa, 9}, {0xa, 0x38}, {0x27, 9}, {0xd, 4}, {1, 0x3b}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var fixes []gpspps.Fix
		d := NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: byteTime, Emit: func(f gpspps.Fix) { fixes = append(fixes, f) }})
		mono := int64(0)
		for len(b) > 2 {
			what, n := b[0], min(int(b[1]), len(b)-2)
			payload := b[2 : 2+n]
			b = b[2+n:]
			var raw []byte
			switch {
			case what == 0xff: // the line is silent
				mono += int64(n) * 10 * ms
				d.Idle(mono)
			case what >= 0x80:
				raw = nmea.AppendSentence(nil, string(payload))
			default:
				id := ids[int(what)%len(ids)]
				raw = []byte(frame(id[0], id[1], payload))
			}
			d.Feed(raw, mono)
			mono += int64(len(raw)) * int64(byteTime)
		}
		d.Flush()
		sane(t, fixes)
	})
}

func BenchmarkDecoderNMEA(b *testing.B) {
	var burst []byte
	for _, s := range second(noon) {
		burst = nmea.AppendSentence(burst, s)
	}
	n := 0
	p := NewDecoder(DecoderConfig{Pivot: pivot, Emit: func(gpspps.Fix) { n++ }})
	b.SetBytes(int64(len(burst)))
	b.ReportAllocs()
	mono := int64(0)
	for b.Loop() {
		p.Feed(burst, mono)
		mono += int64(time.Second)
	}
	if n < b.N-1 {
		b.Fatalf("%d fixes of %d bursts", n, b.N)
	}
}

func TestDecoderAllocatesNothing(t *testing.T) {
	var burst []byte
	for _, s := range second(noon) {
		burst = nmea.AppendSentence(burst, s)
	}
	fixes, mono := 0, int64(0)
	p := NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: byteTime, Emit: func(gpspps.Fix) { fixes++ }})
	if n := testing.AllocsPerRun(100, func() {
		p.Feed(burst, mono)
		p.Idle(mono + 900*ms)
		mono += 1e9
	}); n != 0 {
		t.Errorf("%v allocations a burst", n)
	}
	if fixes != 101 {
		t.Errorf("%d fixes of 101 bursts", fixes)
	}
}

func BenchmarkDecoderUBX(b *testing.B) {
	benchmark(b, func(at time.Time) (out []byte) {
		for _, s := range burst(at) {
			out = append(out, s...)
		}
		return out
	})
}

func BenchmarkDecoderBoth(b *testing.B) {
	benchmark(b, func(at time.Time) (out []byte) {
		for _, s := range second(at) {
			out = nmea.AppendSentence(out, s)
		}
		for _, s := range burst(at) {
			out = append(out, s...)
		}
		return out
	})
}

// benchmark feeds a minute over and over.
func benchmark(b *testing.B, say func(time.Time) []byte) {
	var minute [60][]byte
	for n := range minute {
		minute[n] = say(noon.Add(time.Duration(n) * time.Second))
	}
	fixes := 0
	d := NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: time.Second / 11520, Emit: func(gpspps.Fix) { fixes++ }})
	b.SetBytes(int64(len(minute[0])))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		d.Feed(minute[n%60], int64(n)*1e9)
		n++
	}
	if fixes < n-1 {
		b.Fatalf("%d fixes of %d bursts", fixes, n)
	}
}
