package gpspps

import (
	"math"
	"testing"
)

func TestSetPulseError(t *testing.T) {
	r := New(Config{})
	now := int64(5e9)
	at := func(seconds int, e float64) float64 {
		for range seconds {
			now += 1e9
			r.Tick(now)
			r.SetPulseError(e)
		}
		return r.c.PulseError
	}
	const minutes = 60
	for i, c := range []struct {
		seconds int
		told    float64
		want    float64
	}{
		{minutes, 20e-6, 20e-6},
		{10 * minutes, 2e-6, 20e-6}, // readings can still be made of the pulses before
		{2 * minutes, 2e-6, 2e-6},
		{1, 10e-3, 10e-3}, // a worse line
		{10 * minutes, 1e-6, 10e-3},
		{1, 5e-6, 10e-3},
		{2 * minutes, 5e-6, 5e-6},
		{11 * minutes, 5e-6 * 0.99, 5e-6}, // not worth noting
		{12 * minutes, 1e-6, 1e-6},
	} {
		if got := at(c.seconds, c.told); got != c.want {
			t.Errorf("%d: told %g for %d s, it is %g, want %g", i, c.told, c.seconds, got, c.want)
		}
	}
	for _, e := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if got := at(1, e); got != 1e-6 {
			t.Errorf("told %g, it is %g", e, got)
		}
	}
	// What a calibration does: a little less with each pulse, for an hour.
	e := 1.0
	for range 3600 {
		e *= 0.997
		at(1, e)
		if len(r.pulseErrors) > 200 {
			t.Fatalf("%d values are kept", len(r.pulseErrors))
		}
	}
	if got := r.c.PulseError; got < e || got > e*math.Pow(1/0.997, history.Seconds()+10) {
		t.Errorf("it is %g after %g", got, e)
	}
}
