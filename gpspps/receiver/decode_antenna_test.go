package receiver

import (
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// TestAntenna: what receivers say of their antennas, in each of their ways, and for
// how long it counts.
func TestAntenna(t *testing.T) {
	hw := func(state byte) []byte {
		p := make([]byte, 60)
		p[20] = state
		return ubx.AppendFrame(nil, 0x0a, 0x09, p)
	}
	rf := func(state byte) []byte {
		p := make([]byte, 4+24)
		p[1], p[4+2] = 1, state
		return ubx.AppendFrame(nil, 0x0a, 0x38, p)
	}
	txt := func(text string) []byte { return nmea.AppendSentence(nil, "GNTXT,01,01,02,"+text) }
	for name, c := range map[string]struct {
		said        []byte
		want, later Antenna // at once, and two minutes later
	}{
		"nothing":        {nil, AntennaUnknown, AntennaUnknown},
		"open":           {hw(4), AntennaOpen, AntennaUnknown},
		"short":          {rf(3), AntennaShort, AntennaUnknown},
		"ok":             {hw(2), AntennaOK, AntennaUnknown},
		"starting":       {hw(0), AntennaUnknown, AntennaUnknown},
		"no such state":  {hw(200), AntennaUnknown, AntennaUnknown},
		"not supervised": {append(txt("ANTSTATUS=OPEN"), hw(1)...), AntennaOpen, AntennaOpen},
		"u-blox":         {txt("ANTSTATUS=SHORT"), AntennaShort, AntennaShort},
		"u-blox, mended": {append(txt("ANTSTATUS=SHORT"), txt("ANTSTATUS=OK")...), AntennaOK, AntennaOK},
		"u-blox, unsure": {append(txt("ANTSTATUS=SHORT"), txt("ANTSTATUS=DONTKNOW")...), AntennaUnknown, AntennaUnknown},
		"every second":   {txt("ANTENNA OPEN"), AntennaOpen, AntennaUnknown},
		"something else": {txt("u-blox ag - www.u-blox.com"), AntennaUnknown, AntennaUnknown},
		"no text":        {nmea.AppendSentence(nil, "GNTXT"), AntennaUnknown, AntennaUnknown},
		"makers' own":    {nmea.AppendSentence(nil, "P"), AntennaUnknown, AntennaUnknown},
	} {
		d := NewDecoder(DecoderConfig{Emit: func(gpspps.Fix) {}})
		const now = int64(time.Hour)
		d.Feed(c.said, now)
		if got, later := d.Antenna(now), d.Antenna(now+int64(2*time.Minute)); got != c.want || later != c.later {
			t.Errorf("%s: %d, two minutes later %d; want %d, %d", name, got, later, c.want, c.later)
		}
	}
}
