package receiver

import (
	"os"
	"slices"
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
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		read := func(chunk int) (fixes []gpspps.Fix, s DecoderStats) {
			p := NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: byteTime, Emit: func(f gpspps.Fix) { fixes = append(fixes, f) }})
			for i := 0; i < len(b); i += chunk {
				p.Feed(b[i:min(i+chunk, len(b))], int64(i)*int64(byteTime))
			}
			p.Flush()
			return fixes, p.Stats()
		}
		fixes, stats := read(int(chunk) + 1)
		again, statsAgain := read(1)
		if !slices.Equal(fixes, again) || stats != statsAgain {
			t.Fatalf("what is read depends on how the bytes come in:\n%+v\n%+v", fixes, again)
		}
		last := int64(-1)
		for _, f := range fixes {
			if f.Mono <= last {
				t.Errorf("fix at %d after one at %d", f.Mono, last)
			}
			last = f.Mono
			if f.Used < -1 || f.Seen < -1 || f.Mode < 0 || f.Mode > 3 || f.Checksum < 0 {
				t.Errorf("impossible: %+v", f)
			}
			if f.Valid && f.Time.Before(pivot.Add(-24*time.Hour)) {
				t.Errorf("valid before the pivot: %v", f.Time)
			}
		}
	})
}

func BenchmarkFeed(b *testing.B) {
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

func TestFeedAllocatesNothing(t *testing.T) {
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
