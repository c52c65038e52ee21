package gpspps_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

const surveyTime = 6*3600 + 180 // seconds, with the way to the first lock

// home is a receiver with an antenna at the end of the world: beside the
// meridian where longitudes wrap.
func home(seed int64) *gpstest.Sim {
	sim := quiet(seed)
	sim.Lat, sim.Lon, sim.PositionM = -16.5, 179.99999, 5
	return sim
}

// away is how far a survey is from where the antenna is, metres.
func away(s gpspps.Survey, sim *gpstest.Sim) float64 {
	const metres = 111195
	lon := math.Remainder(s.Lon-sim.Lon, 360)
	return metres * math.Hypot(s.Lat-sim.Lat, lon*math.Cos(sim.Lat*math.Pi/180))
}

func TestSurvey(t *testing.T) {
	var log bytes.Buffer
	timeless := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // its digits are no position's
		}
		return a
	}}
	sim := home(1)
	// Two hours without a fix, and minutes of reflections, only take time.
	sim.Faults = []gpstest.Fault{{From: 1000, To: 8200, Command: "gps off"}, {From: 9000, To: 9180, NorthM: 90}}
	w := newWorld(t, sim, gpspps.Config{Log: slog.New(slog.NewTextHandler(&log, timeless))})
	w.run(surveyTime)
	if _, ok := w.ref.Antenna(); ok {
		t.Error("surveyed in less than six hours of fixes")
	}
	w.run(7200 + 600)
	s, ok := w.ref.Antenna()
	if !ok || away(s, sim) > 1 || math.Abs(s.Lon) > 180 {
		t.Fatalf("surveyed %v, %g m off", ok, away(s, sim))
	}
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %s", s, s, s), log.String()} {
		if strings.Contains(out, "16.") || strings.Contains(out, "179.") {
			t.Errorf("the position shows: %s", out)
		}
	}
	slog.New(slog.NewTextHandler(&log, timeless)).Info("survey", "at", s)
	if strings.Contains(log.String(), "179.") {
		t.Errorf("the position shows in the log: %s", log.String())
	}
}

// TestAntennaThatMoves has no survey, and nothing is held against where it is.
func TestAntennaThatMoves(t *testing.T) {
	sim := home(2)
	for at := 0; at < 15000; at += 300 {
		sim.Faults = append(sim.Faults, gpstest.Fault{From: at, To: at + 300, NorthM: float64(at)})
	}
	for _, config := range []gpspps.Config{{}, {MovingAntenna: true, Survey: &gpspps.Survey{Lat: 1, Lon: 2}}} {
		w := newWorld(t, sim, config)
		w.run(60)
		w.each = func(n int, now int64) {
			if r := w.ref.At(now, ""); r.State != gpspps.StateLocked {
				t.Fatalf("second %d: %s (%s)", n, r.State, r.Reason)
			}
		}
		w.run(15000)
		if _, ok := w.ref.Antenna(); ok {
			t.Error("a vehicle was surveyed")
		}
	}
}

// TestMovedAntenna: the ways out of the suspicion.
func TestMovedAntenna(t *testing.T) {
	const moved = 600
	begin := func(servers int) *world {
		sim := home(3)
		sim.Faults = []gpstest.Fault{{From: moved, NorthM: 130}}
		w := newWorld(t, sim, gpspps.Config{Survey: &gpspps.Survey{Lat: sim.Lat, Lon: sim.Lon}})
		w.right(servers)
		w.run(moved + 190)
		w.want(gpspps.StateSuspect, "somewhere else than surveyed")
		return w
	}
	t.Run("a person says so", func(t *testing.T) {
		w := begin(0)
		w.run(100)
		w.ref.Moved()
		if _, ok := w.ref.Antenna(); ok {
			t.Error("the old place is still known")
		}
		w.until(gpspps.StateLocked, 30)
		w.run(surveyTime)
		w.want(gpspps.StateLocked, "")
		if s, ok := w.ref.Antenna(); !ok || math.Abs(away(s, w.sim)-130) > 2 {
			t.Errorf("surveyed %v, %g m away", ok, away(s, w.sim))
		}
	})
	t.Run("six hours while servers agree", func(t *testing.T) {
		w := begin(4)
		w.run(surveyTime - 600)
		w.want(gpspps.StateSuspect, "somewhere else than surveyed")
		w.run(800)
		w.want(gpspps.StateLocked, "")
		if s, _ := w.ref.Antenna(); math.Abs(away(s, w.sim)-130) > 2 {
			t.Errorf("%g m away", away(s, w.sim))
		}
	})
	t.Run("nobody vouches for it", func(t *testing.T) {
		w := begin(2)
		w.each = func(n int, now int64) {
			if r := w.ref.At(now, ""); r.State != gpspps.StateSuspect {
				t.Fatalf("second %d: %s (%s)", n, r.State, r.Reason)
			}
		}
		w.run(25 * 3600) // the holdover ends meanwhile
		w.ref.Moved()
		w.each = nil
		w.until(gpspps.StateLocked, 30)
	})
	t.Run("servers that disagree do not", func(t *testing.T) {
		w := begin(0)
		w.wrong(0.2, 3)
		w.run(surveyTime + 600)
		w.want(gpspps.StateSuspect, "somewhere else than surveyed")
	})
	t.Run("less than it takes", func(t *testing.T) {
		sim := home(4)
		sim.Faults = []gpstest.Fault{{From: 600, To: 770, NorthM: 5000}, {From: 900, NorthM: 95}}
		w := newWorld(t, sim, gpspps.Config{Survey: &gpspps.Survey{Lat: sim.Lat, Lon: sim.Lon}})
		w.run(60)
		w.each = func(n int, now int64) {
			if r := w.ref.At(now, ""); r.State != gpspps.StateLocked {
				t.Fatalf("second %d: %s (%s)", n, r.State, r.Reason)
			}
		}
		w.run(3000)
	})
}

// TestAbsurdPositions: none of them is a place.
func TestAbsurdPositions(t *testing.T) {
	w := newWorld(t, quiet(5), gpspps.Config{Survey: &gpspps.Survey{Lat: math.NaN(), Lon: 1}})
	values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300, -90.001, 180.001}
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
		a, b := values[n%len(values)], values[n/len(values)%len(values)]
		f.Position = gpspps.Position{Known: true, Lat: a, Lon: b, Accuracy: b}
		return p, f
	}
	w.run(surveyTime)
	w.want(gpspps.StateLocked, "")
	if s, ok := w.ref.Antenna(); ok {
		t.Errorf("surveyed at %g %g", s.Lat, s.Lon)
	}
}
