package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"time"
)

// ErrNotOpen says that a journal is not open: it was not yet, or the card does not
// let it.
var ErrNotOpen = errors.New("the journal of exchanges is not open")

// Query says which records are wanted.
type Query struct {
	From, To time.Time // of exchanges, To excluded; zero: no limit
	Target   string    // Target.ID; empty: all
	// Undated: also records whose date nobody knows, whatever From and To are.
	Undated bool
}

// Found says what there was where the records were looked for.
type Found struct {
	Records uint64
	Missing uint64 // exchanges that the card would not take
	Damaged uint64 // slots and entries that could not be read
}

// Range passes the records that are wanted to yield, in the order in which they were
// written, which is that of the exchanges but for some seconds. A record is valid until
// yield returns. It needs little memory and may run while records are written; those
// on their way to the card are not among those found. An error of yield ends it.
func (j *Journal) Range(ctx context.Context, q Query, yield func(*Record) error) (Found, error) {
	s := j.store.Load()
	if s == nil {
		return Found{}, ErrNotOpen
	}
	return s.each(ctx, q, yield)
}

// covers says whether an instant is wanted.
func (q *Query) covers(at time.Time) bool {
	return (q.From.IsZero() || !at.Before(q.From)) && (q.To.IsZero() || at.Before(q.To))
}

// visitor is given what is found; of what is nil nothing is wanted.
type visitor struct {
	record func(*Record) error
	minute func(*Minute) error
}

func (s *store) each(ctx context.Context, q Query, yield func(*Record) error) (Found, error) {
	return s.pass(ctx, q, visitor{record: yield})
}

// pass passes what is wanted to a visitor.
func (s *store) pass(ctx context.Context, q Query, to visitor) (found Found, err error) {
	from, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.From.IsZero() {
		from = q.From.UnixNano()
	}
	if !q.To.IsZero() {
		until = q.To.UnixNano()
	}
	for _, v := range s.records.views() {
		if p, ok := s.known(v); ok && !(p.undated && q.Undated) && (p.first > p.last || p.last < from || p.first >= until) {
			continue
		}
		if err := s.eachIn(ctx, v, from, until, q, to, &found); err != nil {
			return found, err
		}
	}
	return found, nil
}

// known is when the records of a segment were. Where some had no date when they were
// written, that is known once all were read with what dates them.
func (s *store) known(v view) (p span, ok bool) {
	if !v.unknown && !v.undated {
		return v.span, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok = s.spans[v.Seq]
	return p, ok && !v.newest
}

// learned takes note of it, unless another anchor has come since there were so many.
func (s *store) learned(v view, p span, anchors int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if anchors != len(s.anchors.known) {
		return
	}
	if len(s.spans) >= maxFiles {
		clear(s.spans)
	}
	s.spans[v.Seq] = p
}

// look is after how many records it is asked whether anybody still waits.
const look = 1024

// eachIn reads one segment.
func (s *store) eachIn(ctx context.Context, v view, from, until int64, q Query, to visitor, found *Found) error {
	w, err := s.records.walk(v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer w.close()
	s.mu.Lock()
	anchors := len(s.anchors.known)
	s.mu.Unlock()
	var rec Record
	var m Minute
	all := emptySpan
	wanted := func(at time.Time) bool {
		ns := at.UnixNano()
		return at.IsZero() && q.Undated || !at.IsZero() && ns >= from && ns < until
	}
	for n := 0; ; n++ {
		if n%look == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, slot := w.next()
		if e == nil {
			found.Damaged += uint64(w.damaged)
			if w.err == nil && !v.newest && (v.unknown || v.undated) {
				s.learned(v, all, anchors)
			}
			return w.err
		}
		switch e[4] {
		case kindGap:
			found.Missing += binary.LittleEndian.Uint64(e[8:])
		case kindExchange:
			if !s.read(w, e, slot, &rec) {
				continue
			}
			all.add(!rec.Time.IsZero(), rec.Time.UnixNano())
			if to.record == nil || q.Target != "" && rec.Target.ID != q.Target || !wanted(rec.Time) {
				continue
			}
			found.Records++
			if err := to.record(&rec); err != nil {
				return err
			}
		case kindMinute:
			s.readMinute(w, e, &m)
			all.widen(!m.Time.IsZero(), m.Time.UnixNano())
			if to.minute == nil || !wanted(m.Time) {
				continue
			}
			if err := to.minute(&m); err != nil {
				return err
			}
		}
	}
}

// read makes a record of an entry; false: nobody knows whose it is.
func (s *store) read(w *walker, e []byte, slot int, rec *Record) bool {
	t := w.target(rec.get(e))
	if t == nil {
		return false
	}
	rec.Target, rec.Segment, rec.Slot, rec.Session = *t, w.h.Segment, slot, w.session
	if rec.Time.IsZero() {
		rec.Time, rec.DatedLater = s.date(rec.Session, rec.Mono)
	}
	return true
}
