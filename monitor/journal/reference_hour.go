package journal

import (
	"context"
	"encoding/binary"
	"math"
	"time"
)

// ReferenceHour is what the station's own reference was like in an hour, by the
// minutes that there are of it. Numbers that are not known are NaN.
type ReferenceHour struct {
	Hour     time.Time     // its beginning, UTC
	Minutes  int           // that there are: the station was off for the rest, or did not know the date
	Locked   time.Duration // whole seconds
	Holdover time.Duration // the longest that one had lasted at the end of a minute, whole seconds
	Pulses   int
	Offsets
	Uncertainty, Bound     float64 // the greatest, seconds
	Frequency, Temperature float64 // means; ppm and degrees Celsius
	states                 [numStates]int
}

// numStates is for how many states there is room.
const numStates = 8

// States is in how many minutes a state was in force at the end.
func (r *ReferenceHour) States(state string) int {
	if c := code(states, state); c != 0 && c <= numStates {
		return r.states[c-1]
	}
	return 0
}

// put writes it into its entry. See journal.go.
func (r *ReferenceHour) put(b []byte, _ uint16) {
	le := binary.LittleEndian
	le.PutUint32(b[8:], uint32(r.Hour.Unix()/3600))
	for i, n := range [...]int{r.Minutes, r.Pulses, int(r.Locked / time.Second)} {
		le.PutUint16(b[12+2*i:], uint16(min(n, math.MaxUint16)))
	}
	r.Offsets.put(b[20:])
	for i, v := range [...]float64{r.Uncertainty, r.Bound, r.Frequency, r.Temperature} {
		putFloat(b[36+4*i:], v)
	}
	le.PutUint32(b[52:], wholeSeconds(r.Holdover))
	for i, n := range r.states {
		b[56+i] = byte(min(n, math.MaxUint8))
	}
}

// get reads a slot, whatever it holds.
func (r *ReferenceHour) get(b []byte) {
	le := binary.LittleEndian
	*r = ReferenceHour{
		Hour:    time.Unix(int64(le.Uint32(b[8:]))*3600, 0).UTC(),
		Minutes: int(le.Uint16(b[12:])), Pulses: int(le.Uint16(b[14:])), Locked: time.Duration(le.Uint16(b[16:])) * time.Second,
		Offsets:     getOffsets(b[20:]),
		Uncertainty: getKnown(b[36:]), Bound: getKnown(b[40:]), Frequency: getKnown(b[44:]), Temperature: getKnown(b[48:]),
		Holdover: time.Duration(le.Uint32(b[52:])) * time.Second,
	}
	for i := range r.states {
		r.states[i] = int(b[56+i])
	}
}

// ReferenceSum puts together what the reference was like in a stretch of time, of
// minutes or of hours.
type ReferenceSum struct {
	of                     ReferenceHour
	offset, square         float64 // sums over pulses
	squares                int     // pulses of minutes with a jitter
	frequency, temperature mean
}

type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64, n int) {
	if v == v {
		m.sum, m.n = m.sum+v*float64(n), m.n+n
	}
}

// value of none is NaN.
func (m *mean) value() float64 { return m.sum / float64(m.n) }

// NewReferenceSum is that of nothing.
func NewReferenceSum(begin time.Time) *ReferenceSum {
	return &ReferenceSum{of: ReferenceHour{Hour: begin, Offsets: unknownOffsets(), Uncertainty: math.NaN(), Bound: math.NaN()}}
}

// Minute takes a minute of the stretch.
func (s *ReferenceSum) Minute(m *Minute) {
	one := ReferenceHour{
		Minutes: 1, Locked: time.Duration(m.Locked) * time.Second, Holdover: m.Holdover, Pulses: m.Pulses, Offsets: m.Offsets,
		Uncertainty: m.Uncertainty, Bound: m.Bound, Frequency: m.Frequency, Temperature: m.Temperature,
	}
	if c := code(states, m.State); c != 0 && c <= numStates {
		one.states[c-1] = 1
	}
	s.Hour(&one)
}

// Hour takes an hour of it.
func (s *ReferenceSum) Hour(h *ReferenceHour) {
	to := &s.of
	to.Minutes += h.Minutes
	to.Locked += h.Locked
	to.Holdover = max(to.Holdover, h.Holdover)
	for i, n := range h.states {
		to.states[i] += n
	}
	if n := float64(h.Pulses); h.Pulses > 0 && h.Mean == h.Mean {
		to.Pulses += h.Pulses
		s.offset += n * h.Mean
		if h.Jitter == h.Jitter {
			s.square += n * h.Jitter * h.Jitter
			s.squares += h.Pulses
		}
	}
	if !(to.Least <= h.Least) && h.Least == h.Least {
		to.Least = h.Least
	}
	for _, v := range [...]struct {
		greatest *float64
		of       float64
	}{{&to.Greatest, h.Greatest}, {&to.Uncertainty, h.Uncertainty}, {&to.Bound, h.Bound}} {
		if !(*v.greatest >= v.of) && v.of == v.of {
			*v.greatest = v.of
		}
	}
	s.frequency.add(h.Frequency, h.Minutes)
	s.temperature.add(h.Temperature, h.Minutes)
}

// Value is what they came to: Hour is where the stretch begins, and numbers that none
// of them knew are NaN.
func (s *ReferenceSum) Value() *ReferenceHour {
	s.of.Mean, s.of.Jitter = s.offset/float64(s.of.Pulses), math.Sqrt(s.square/float64(s.squares))
	s.of.Frequency, s.of.Temperature = s.frequency.value(), s.temperature.value()
	return &s.of
}

// ReferenceHours passes those of whole hours to yield, the oldest first; of the query
// Target and Undated mean nothing. One is valid until yield returns.
func (j *Journal) ReferenceHours(ctx context.Context, q Query, yield func(*ReferenceHour) error) error {
	var open *ReferenceHour // its end has not come
	return j.walkRollups(func(w *walker) (err error) {
		open, err = referenceHoursIn(ctx, w, q, open, yield)
		return err
	})
}

func referenceHoursIn(ctx context.Context, w *walker, q Query, open *ReferenceHour, yield func(*ReferenceHour) error) (*ReferenceHour, error) {
	for e, _ := w.next(); e != nil; e, _ = w.next() {
		switch e[4] {
		case kindReferenceHour:
			open = new(ReferenceHour) // what a power cut left of an hour is done anew
			open.get(e)
		case kindHourEnd:
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if open != nil && q.covers(open.Hour) && uint32(open.Hour.Unix()/3600) == binary.LittleEndian.Uint32(e[8:]) {
				if err := yield(open); err != nil {
					return nil, err
				}
			}
			open = nil
		}
	}
	return open, w.err
}
