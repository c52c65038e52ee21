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
	states                 [numStates]uint8
}

// numStates is for how many states there is room.
const numStates = 8

// States is in how many minutes a state was in force at the end.
func (r *ReferenceHour) States(state string) int {
	if c := code(states, state); c != 0 && c <= numStates {
		return int(r.states[c-1])
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
	copy(b[56:], r.states[:])
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
	copy(r.states[:], b[56:])
}

// summing is an hour that is being put together.
type summing struct {
	ReferenceHour
	offset, square         float64 // sums over pulses
	squares                int     // pulses of minutes with a jitter
	frequency, temperature mean
}

type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) {
	if v == v {
		m.sum, m.n = m.sum+v, m.n+1
	}
}

// value of none is NaN.
func (m *mean) value() float64 { return m.sum / float64(m.n) }

func newSumming(begin time.Time) *summing {
	return &summing{ReferenceHour: ReferenceHour{Hour: begin, Offsets: unknownOffsets(), Uncertainty: math.NaN(), Bound: math.NaN()}}
}

// add takes a minute of the hour.
func (s *summing) add(m *Minute) {
	s.Minutes++
	s.Locked += time.Duration(m.Locked) * time.Second
	s.Holdover = max(s.Holdover, m.Holdover)
	if c := code(states, m.State); c != 0 && c <= numStates && s.states[c-1] < math.MaxUint8 {
		s.states[c-1]++
	}
	if n := float64(m.Pulses); m.Pulses > 0 && m.Mean == m.Mean {
		s.Pulses += m.Pulses
		s.offset += n * m.Mean
		if m.Jitter == m.Jitter {
			s.square += n * m.Jitter * m.Jitter
			s.squares += m.Pulses
		}
	}
	if !(s.Least <= m.Least) && m.Least == m.Least {
		s.Least = m.Least
	}
	for _, v := range [...]struct {
		greatest *float64
		of       float64
	}{{&s.Greatest, m.Greatest}, {&s.Uncertainty, m.Uncertainty}, {&s.Bound, m.Bound}} {
		if !(*v.greatest >= v.of) && v.of == v.of {
			*v.greatest = v.of
		}
	}
	s.frequency.add(m.Frequency)
	s.temperature.add(m.Temperature)
}

// hour is what the minutes came to.
func (s *summing) hour() *ReferenceHour {
	s.Mean, s.Jitter = s.offset/float64(s.Pulses), math.Sqrt(s.square/float64(s.squares))
	s.Frequency, s.Temperature = s.frequency.value(), s.temperature.value()
	return &s.ReferenceHour
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
