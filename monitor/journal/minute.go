package journal

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// Minute is what the station's own reference was like in a minute. Numbers that are
// not known are NaN. Offsets are of a pulse minus what was expected of it.
type Minute struct {
	// Time is its middle; for it, DatedLater, Mono and Session see Record.
	Time       time.Time
	DatedLater bool
	Mono       int64
	Session    uint64

	Source, State string        // at its end, see Knows
	Locked        int           // seconds of it in which the reference was locked
	Holdover      time.Duration // how long it had been in holdover at the end, whole seconds; 0: it was not
	Pulses        int           // that were held against what was expected
	Offsets
	Uncertainty float64 // the greatest half-width of a 95 % interval, seconds
	Bound       float64 // the greatest half-width of what verdicts use, seconds
	Frequency   float64 // of the oscillator left alone, ppm; positive: it runs fast
	Temperature float64 // of the processor, degrees Celsius
	Satellites  int     // used for the fix; -1: not known
}

// Offsets are what offsets of pulses were like, seconds.
type Offsets struct {
	Mean, Least, Greatest float64
	Jitter                float64 // RMS around the mean of each minute
}

// unknownOffsets are those where there was no pulse.
func unknownOffsets() Offsets {
	nan := math.NaN()
	return Offsets{nan, nan, nan, nan}
}

const (
	// minutesMost bounds the minutes that wait for the card, 170 bytes each: of what
	// it does not take for longer, the newest are kept.
	minutesMost = 12 * 60
	// minutesWait is how many flushes they wait for records to go with: fewer than
	// an hour waits for its roll-up.
	minutesWait = 8
)

// PutMinute keeps a minute; only Mono says when it was. It waits for nothing.
func (j *Journal) PutMinute(m Minute) {
	m.Time, m.DatedLater = time.Time{}, false
	if ref := j.cfg.Reference(m.Mono, ""); ref.Known {
		m.Time = time.Unix(0, ref.UTC).UTC()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.minutes) >= minutesMost {
		j.minutes = slices.Delete(j.minutes, 0, 1)
	}
	j.minutes = append(j.minutes, m)
}

// put writes a minute into its entry. See journal.go.
func (m *Minute) put(b []byte, _ uint16) {
	var flags uint16
	le, at := binary.LittleEndian, m.Mono
	if !m.Time.IsZero() {
		at, flags = m.Time.UnixNano(), flagDated
	}
	le.PutUint64(b[8:], uint64(at))
	m.Offsets.put(b[16:])
	for i, v := range [...]float64{m.Uncertainty, m.Bound, m.Frequency, m.Temperature} {
		putFloat(b[32+4*i:], v)
	}
	le.PutUint32(b[48:], wholeSeconds(m.Holdover))
	b[52], b[53] = code(sources, m.Source), code(states, m.State)
	le.PutUint16(b[54:], flags)
	le.PutUint16(b[56:], uint16(min(max(m.Pulses, 0), math.MaxUint16)))
	b[58], b[59] = byte(min(max(m.Locked, 0), 60)), byte(min(max(m.Satellites+1, 0), math.MaxUint8))
}

// get reads a slot, whatever it holds.
func (m *Minute) get(b []byte) {
	le := binary.LittleEndian
	*m = Minute{
		Source: word(sources, b[52]), State: word(states, b[53]), Locked: int(min(b[58], 60)),
		Holdover: time.Duration(le.Uint32(b[48:])) * time.Second,
		Pulses:   int(le.Uint16(b[56:])), Offsets: getOffsets(b[16:]),
		Uncertainty: getKnown(b[32:]), Bound: getKnown(b[36:]), Frequency: getKnown(b[40:]), Temperature: getKnown(b[44:]),
		Satellites: int(b[59]) - 1,
	}
	at := int64(le.Uint64(b[8:]))
	if le.Uint16(b[54:])&flagDated != 0 {
		m.Time = time.Unix(0, at).UTC()
	} else {
		m.Mono = at
	}
}

func (o *Offsets) put(b []byte) {
	for i, v := range [...]float64{o.Mean, o.Jitter, o.Least, o.Greatest} {
		putFloat(b[4*i:], v)
	}
}

func getOffsets(b []byte) Offsets {
	return Offsets{Mean: getKnown(b), Jitter: getKnown(b[4:]), Least: getKnown(b[8:]), Greatest: getKnown(b[12:])}
}

// getKnown is what putFloat wrote; what is infinite was not written by us.
func getKnown(b []byte) float64 {
	f := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	if math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

func wholeSeconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), math.MaxUint32))
}

// addMinute writes a minute into the buffer.
func (s *store) addMinute(m *Minute) error {
	err := s.records.add(kindMinute, nil, 1, m.put)
	if err == nil && m.Time.IsZero() {
		s.undated = true
	}
	return err
}

// readMinute makes a minute of an entry.
func (s *store) readMinute(w *walker, e []byte, m *Minute) {
	m.get(e)
	m.Session = w.session
	if m.Time.IsZero() {
		m.Time, m.DatedLater = s.date(m.Session, m.Mono)
	}
}

// Minutes passes those that are wanted to yield, in the order in which they were
// written; Target means nothing. All else is as in Range: of what it found, Records
// are minutes.
func (j *Journal) Minutes(ctx context.Context, q Query, yield func(*Minute) error) (Found, error) {
	s := j.store.Load()
	if s == nil {
		return Found{}, ErrNotOpen
	}
	n := uint64(0)
	found, err := s.pass(ctx, q, visitor{minute: func(m *Minute) error {
		n++
		return yield(m)
	}})
	found.Records = n
	return found, err
}

const (
	// MostEarlier is how many minutes Earlier returns at the most: a day's.
	MostEarlier = 24 * 60
	// earlierRead is how much it reads for them at the most, bytes: a day of 200
	// servers a minute, each of which has a slot.
	earlierRead = 20 << 20
)

// Earlier are the newest minutes of the runs before this one that have a date, in the
// order of their time. It reads from the newest segment back until it has MostEarlier.
func (j *Journal) Earlier(ctx context.Context) ([]Minute, error) {
	s := j.store.Load()
	if s == nil {
		return nil, ErrNotOpen
	}
	var list []Minute
	var found Found
	read := 0
	for _, v := range slices.Backward(s.records.views()) {
		if len(list) >= MostEarlier || read >= earlierRead {
			break
		}
		read += v.used * slotSize
		part := newest[Minute]{room: MostEarlier - len(list)}
		err := s.eachIn(ctx, v, math.MinInt64, math.MaxInt64, Query{}, visitor{minute: func(m *Minute) error {
			if m.Session != s.session {
				part.add(m)
			}
			return nil
		}}, &found)
		if err != nil {
			return nil, err
		}
		list = append(part.all(), list...)
	}
	slices.SortStableFunc(list, func(a, b Minute) int { return a.Time.Compare(b.Time) })
	return list, nil
}
