package receiver

import (
	"slices"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// told has a decoder read sentences, and a frame, as one burst.
func told(d *Decoder, at int64, frame []byte, bodies ...string) []Satellite {
	var b []byte
	for _, s := range bodies {
		b = nmea.AppendSentence(b, s)
	}
	d.Feed(append(b, frame...), at)
	d.Flush()
	return d.Satellites(nil)
}

func TestSatellitesOfSentences(t *testing.T) {
	d := NewDecoder(DecoderConfig{Emit: func(gpspps.Fix) {}})
	const rmc = "GNRMC,120000.00,A,5128.68,N,00000.09,W,0.0,0.0,010726,,,A"
	got := told(d, 1e9, nil, rmc,
		"GPGSA,A,3,07,33,,,,,,,,,,,2.0,1.0,1.7",
		"GNGSA,A,3,72,,,,,,,,,,,,2.0,1.0,1.7,2",
		"GPGSV,2,1,05,07,45,123,41,08,05,360,,33,30,200,38,09,,,12,1",
		"GPGSV,2,2,05,10,91,361,100,1",
		"GPGSV,1,1,01,07,45,123,47,6", // on another frequency
		"GLGSV,1,1,01,72,60,010,44,1",
		"GAGSV,1,1,01,301,10,350,20,7",
		"GBGSV,1,1,02,205,10,351,20,412,11,352,21,1",
		"GQGSV,1,1,01,193,12,353,22,1",
	)
	want := []Satellite{
		{'G', 7, 45, 123, 47, true}, {'G', 8, 5, 0, 0, false}, {'S', 120, 30, 200, 38, true}, {'G', 9, -1, -1, 12, false},
		{'G', 10, -1, -1, 0, false}, {'R', 8, 60, 10, 44, true}, {'E', 1, 10, 350, 20, false}, {'C', 5, 10, 351, 20, false}, {'C', 12, 11, 352, 21, false},
		{'J', 1, 12, 353, 22, false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	// What is used is told anew with each epoch, what is in view stays for a while.
	got = told(d, 2e9, nil, "GNRMC,120001.00,A,5128.68,N,00000.09,W,0.0,0.0,010726,,,A", "GPGSA,A,3,08,,,,,,,,,,,,2.0,1.0,1.7", "GPGSV,1,1,01,08,06,001,30,1")
	if len(got) != len(want) || got[0].Used || !got[1].Used || got[1].CN0 != 30 || got[5].Used {
		t.Errorf("%+v", got)
	}
	for i := range int64(maxAge + 2) {
		second := "GNRMC,1200" + string([]byte{byte('1' + i/10), byte('0' + i%10)}) + ".00,A,5128.68,N,00000.09,W,0.0,0.0,010726,,,A"
		got = told(d, (3+i)*1e9, nil, second)
	}
	if len(got) != 0 {
		t.Errorf("long after: %+v", got)
	}
}

// TestSatellitesOfFrames reads NAV-SAT.
func TestSatellitesOfFrames(t *testing.T) {
	d := NewDecoder(DecoderConfig{Emit: func(gpspps.Fix) {}})
	sv := func(gnss, number, cno byte, elevation int8, azimuth int16, used byte) []byte {
		return []byte{gnss, number, cno, byte(elevation), byte(azimuth), byte(uint16(azimuth) >> 8), 0, 0, used << 3, 0, 0, 0}
	}
	list := slices.Concat(
		sv(0, 7, 41, 45, 123, 1), sv(6, 8, 44, 60, 360, 1), sv(2, 1, 20, -91, -1, 0), sv(3, 5, 0, -5, 10, 0), sv(1, 120, 0, 30, 200, 0),
	)
	payload := append([]byte{0, 0, 0, 0, 1, 5, 0, 0}, list...)
	got := told(d, 1e9, ubx.AppendFrame(nil, ubx.IDNavSAT.Class, ubx.IDNavSAT.Number, payload))
	want := []Satellite{{'G', 7, 45, 123, 41, true}, {'R', 8, 60, 0, 44, true}, {'E', 1, -1, -1, 20, false}, {'S', 120, 30, 200, 0, false}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// TestTableIsBounded: a receiver that names a thousand satellites has the newest kept.
func TestTableIsBounded(t *testing.T) {
	var list table
	for i := range 1000 {
		list.said(Satellite{System: 'G', Number: i + 1}, uint32(i))
	}
	list.said(Satellite{System: 'G'}, 1000)
	if list.count != len(list.rows) {
		t.Fatalf("%d", list.count)
	}
	for _, r := range list.rows {
		if r.Number <= 1000-len(list.rows) {
			t.Errorf("number %d is kept", r.Number)
		}
	}
}
