package main

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/receiver"
)

const (
	// lookBack is how many pulses are looked for each second: there is one, or a few
	// where this process was held up.
	lookBack = 8
	// aboveAge is how long what a receiver said of the sky holds.
	aboveAge = 10 * time.Second
)

// above is what the receiver says of the satellites.
type above struct {
	mu   sync.Mutex
	list []receiver.Satellite
	at   time.Time

	fix   bool // the receiver vouches for its fix
	fixAt time.Time
}

// heard notes whether a fix is one.
func (a *above) heard(f gpspps.Fix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.Valid || f.NoFix || f.Mode != 0 {
		a.fix, a.fixAt = f.Valid && f.Mode != 1, time.Now()
	}
}

// fixed is what the receiver last said of it.
func (a *above) fixed() fixState {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.fixAt.IsZero() || time.Since(a.fixAt) > aboveAge:
		return fixUnknown
	case a.fix:
		return fixGood
	}
	return fixNone
}

func (a *above) set(list []receiver.Satellite) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list, a.at = list, time.Now()
}

// status is for the API. It has no satellites where nothing was said of late.
func (a *above) status() []status.Satellite {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []status.Satellite{}
	if time.Since(a.at) > aboveAge {
		return out
	}
	from := func(v, least int) *int {
		if v < least {
			return nil
		}
		return &v
	}
	for _, x := range a.list {
		s := status.Satellite{Number: x.Number, Elevation: coarse(x.Elevation, 91), Azimuth: coarse(x.Azimuth, 360), CN0: from(x.CN0, 1), Used: x.Used}
		if x.System != 0 {
			s.System = string(x.System)
		}
		out = append(out, s)
	}
	return out
}

// coarseness is in which steps the directions of satellites are told, degrees: by
// finer ones anybody who reads the page could work out where the antenna is.
const coarseness = 10

// coarse is an angle in such steps, of a scale that begins anew at end; nil where it
// is not known.
func coarse(angle, end int) *int {
	if angle < 0 {
		return nil
	}
	angle = (angle + coarseness/2) / coarseness * coarseness % end
	return &angle
}

// predicted is for how long the error is predicted.
var predicted = [...]time.Duration{time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// addReference adds what the page's panel of the reference has beside its state.
func (s *station) addReference(out *status.Status, r gpspps.Reading, info gpspps.Info) {
	ref := &out.Reference
	ref.Satellites = s.inbox.above.status()
	ref.Predictions, ref.Stability = []status.Prediction{}, []status.Deviation{}
	for _, d := range s.pulses.Allan() {
		ref.Stability = append(ref.Stability, status.Deviation{Interval: float64(d.Interval), Deviation: d.Deviation, Count: d.Count})
	}
	bySource := r.Source == gpspps.SourceGPSPPS || r.Source == gpspps.SourcePPS
	if usable(r) && bySource {
		for _, d := range predicted {
			if then := s.ref.At(r.Mono+int64(d), ""); then.Known {
				ref.Predictions = append(ref.Predictions, status.Prediction{After: d.Seconds(), Uncertainty: then.Uncertainty})
			}
		}
	}
	recent, pulsed := s.pulses.Recent()
	t := tracking(r, info, s.ref.Leap())
	t.SystemTime = ref.Offset
	if t.RefTime != nil {
		at := time.Unix(0, s.ref.At(info.LastPulse, "").True).UTC().Round(time.Microsecond) // it was the second, but for noise
		t.RefTime = &at
	}
	if pulsed && bySource {
		t.LastOffset, t.RMSOffset = &recent.Last, &recent.RMS
		if recent.Interval > 0 {
			t.UpdateInterval = &recent.Interval
		}
	}
	if k, ok := s.kernel.(discipline.Settable); ok && t.Frequency != nil {
		if set, err := k.Read(); err == nil {
			residual := *t.Frequency + set.PPM
			t.ResidualFrequency = &residual
		}
	}
	out.Tracking = t
}

// tracking is what chronyc would show of a reference, as far as it tells alone.
func tracking(r gpspps.Reading, info gpspps.Info, leap gpspps.Leap) *status.Tracking {
	t := &status.Tracking{LeapStatus: "Not synchronised"}
	if !usable(r) {
		return t
	}
	t.LeapStatus = "Normal"
	if leap.Next.Change != 0 && leap.Next.At.Sub(time.Unix(0, r.True)) <= 24*time.Hour {
		t.LeapStatus = map[int]string{1: "Insert second", -1: "Delete second"}[leap.Next.Change]
	}
	t.RootDispersion = &r.Bound
	if !math.IsNaN(info.FrequencyPPM) {
		t.Frequency = &info.FrequencyPPM
		if info.FrequencyUncertaintyPPM > 0 {
			t.Skew = &info.FrequencyUncertaintyPPM
		}
	}
	name, direct := map[gpspps.Source]string{gpspps.SourceGPSPPS: "GPS", gpspps.SourceGPS: "GPS", gpspps.SourcePPS: "PPS"}[r.Source], 0.0
	if name == "" {
		return t // a clock that somebody else keeps: what it rests on is not known
	}
	one, id := 1, fmt.Sprintf("%X%0*d", name, 8-2*len(name), 0)
	t.ReferenceID, t.ReferenceName, t.Stratum, t.RootDelay = &id, &name, &one, &direct
	if info.LastPulse != 0 && r.Source != gpspps.SourceGPS {
		t.RefTime = new(time.Time)
	}
	return t
}
