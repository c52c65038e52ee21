package main

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/pulselog"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	diary "github.com/truechimer/truechimer/monitor/journal"
)

// minuteLate is how long after a minute it is looked at, ns: pulses are numbered up to a
// second after they came.
const minuteLate = int64(2 * time.Second)

// minute is one of the reference that is being counted, by who keeps the time alone.
type minute struct {
	number  int64 // by CLOCK_MONOTONIC
	seconds int   // that were counted
	diary.Minute
}

// keepMinute takes what the reference knows, once a second, and has the journal keep what a
// minute was like. Nothing of that ever goes back into the reference.
func (s *station) keepMinute(r gpspps.Reading, info gpspps.Info) {
	if s.diary == nil {
		return
	}
	m := &s.minute
	if number := (r.Mono - minuteLate) / int64(time.Minute); number != m.number {
		if m.seconds > 0 {
			s.diary.PutMinute(m.with(s.pulses.Minute(m.number), s.around.temperature()))
		}
		nan := math.NaN()
		*m = minute{number: number, Minute: diary.Minute{Uncertainty: nan, Bound: nan}}
	}
	m.add(r, info)
}

func (m *minute) add(r gpspps.Reading, info gpspps.Info) {
	m.seconds++
	m.Source, m.State = string(r.Source), string(r.State)
	m.Frequency, m.Satellites = info.FrequencyPPM, info.SatellitesUsed
	m.Holdover = 0
	switch r.State {
	case gpspps.StateLocked:
		m.Locked++
	case gpspps.StateHoldover:
		m.Holdover = info.Holdover
	}
	if r.Known {
		if !(r.Uncertainty <= m.Uncertainty) {
			m.Uncertainty = r.Uncertainty
		}
		if !(r.Bound <= m.Bound) {
			m.Bound = r.Bound
		}
	}
}

// with is the minute with what its pulses were like.
func (m *minute) with(p pulselog.Minute, temperature float64) diary.Minute {
	out := m.Minute
	out.Mono, out.Pulses, out.Temperature = p.Mono, p.Pulses, temperature
	out.Offsets = diary.Offsets{Mean: p.Mean, Least: p.Least, Greatest: p.Greatest, Jitter: p.Jitter}
	return out
}

// temperature is the processor's, degrees Celsius; NaN: nobody knows.
func (a *surroundings) temperature() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.machine == nil || a.machine.Temperature == nil {
		return math.NaN()
	}
	return *a.machine.Temperature
}

// plottedDay is how much of the past is plotted minute by minute.
const plottedDay = 24 * time.Hour

// earlier are the minutes of the runs before this one, while they are of the last day.
type earlier struct {
	mu   sync.Mutex
	list []earlierMinute // the oldest first
}

// earlierMinute is what is shown of one, in little memory: 60 KB a day.
type earlierMinute struct {
	at                        int64 // ns since the Unix epoch
	pulses                    int32
	mean, jitter, uncertainty float32
	state                     string
}

// recall reads the minutes of earlier runs once the journal is open.
func (s *station) recall(ctx context.Context) error {
	for ctx.Err() == nil {
		list, err := s.diary.Earlier(ctx)
		switch {
		case errors.Is(err, diary.ErrNotOpen):
			wait(ctx, again)
		case err != nil:
			if ctx.Err() == nil {
				s.log.Warn("what pulses were like before this start cannot be read", "error", err)
			}
			return nil
		default:
			s.earlier.set(list)
			return nil
		}
	}
	return nil
}

// set takes those in which there was a pulse.
func (e *earlier) set(list []diary.Minute) {
	kept := make([]earlierMinute, 0, len(list))
	for _, m := range list {
		if m.Pulses > 0 {
			kept = append(kept, earlierMinute{m.Time.UnixNano(), int32(m.Pulses), float32(m.Mean), float32(m.Jitter), float32(m.Uncertainty), m.State})
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = kept
}

// minutes are those of the day before now, and before the first of this run, and forgets
// older ones.
func (e *earlier) minutes(now, first time.Time) (out []status.Minute) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := 0
	for _, m := range e.list {
		at := time.Unix(0, m.at).UTC()
		switch age := now.Sub(at); {
		case age > plottedDay:
			old++
		case at.Before(first):
			out = append(out, minuteOf(pulselog.Minute{
				Pulses: int(m.pulses), Mean: float64(m.mean), Jitter: float64(m.jitter), Uncertainty: float64(m.uncertainty), State: gpspps.State(m.state),
			}, at, age.Seconds()))
		}
	}
	if old > 0 && old == len(e.list) {
		e.list = nil
	}
	return out
}

// minutes are what the pulses of the last day were like: those of before this start
// once the time is known.
func (s *station) minutes() []status.Minute {
	mono, _, err := s.kernel.Now()
	if err != nil {
		return nil
	}
	now, list := time.Now(), s.pulses.Minutes()
	at := func(m pulselog.Minute) time.Time { return now.Add(-time.Duration(mono - m.Mono)).UTC() }
	var out []status.Minute
	if r := s.ref.At(mono, ""); r.Known {
		now = time.Unix(0, r.True)
		first := now
		if len(list) > 0 {
			first = at(list[0])
		}
		out = s.earlier.minutes(now, first)
	}
	for _, m := range list {
		out = append(out, minuteOf(m, at(m), time.Duration(mono-m.Mono).Seconds()))
	}
	return out
}

func minuteOf(m pulselog.Minute, at time.Time, age float64) status.Minute {
	known := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	return status.Minute{
		Time: at, Age: age, Pulses: m.Pulses, Mean: known(m.Mean), Jitter: known(m.Jitter), Uncertainty: known(m.Uncertainty), State: string(m.State),
	}
}
