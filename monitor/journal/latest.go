package journal

import (
	"context"
	"math"
	"slices"
)

// MostLatest is how many records Latest returns at the most: a megabyte.
const MostLatest = 4096

// Latest are the newest n records that are wanted, the oldest first, MostLatest at
// the most. It reads the segments from the newest back and stops with the one in
// which there are enough, so that a page of a server's exchanges costs a segment or
// two and not the card. Records on their way to the card are not among them.
func (j *Journal) Latest(ctx context.Context, q Query, n int) ([]Record, error) {
	s := j.store.Load()
	if s == nil {
		return nil, ErrNotOpen
	}
	n = min(n, MostLatest)
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.From.IsZero() {
		from = q.From.UnixNano()
	}
	if !q.To.IsZero() {
		to = q.To.UnixNano()
	}
	var list []Record
	for _, v := range slices.Backward(s.records.views()) {
		if len(list) >= n {
			break
		}
		if p, ok := s.known(v); ok && !(p.undated && q.Undated) && (p.first > p.last || p.last < from || p.first >= to) {
			continue
		}
		part := newest[Record]{room: n - len(list)} // of this segment
		var found Found
		err := s.eachIn(ctx, v, from, to, q, visitor{record: func(rec *Record) error {
			part.add(rec)
			return nil
		}}, &found)
		if err != nil {
			return nil, err
		}
		list = append(part.all(), list...)
	}
	return list, nil
}

// newest are the last of what is added, as many as there is room for.
type newest[T any] struct {
	room int
	ring []T
	n    int // that were added
}

func (l *newest[T]) add(v *T) {
	if len(l.ring) < l.room {
		l.ring = append(l.ring, *v)
	} else {
		l.ring[l.n%l.room] = *v
	}
	l.n++
}

// all are in the order in which they were added.
func (l *newest[T]) all() []T {
	if l.n <= l.room {
		return l.ring
	}
	at := l.n % l.room
	return append(l.ring[at:len(l.ring):len(l.ring)], l.ring[:at]...)
}
