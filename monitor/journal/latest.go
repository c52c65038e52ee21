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
		room := n - len(list)
		var newest []Record // of this segment, a ring of room
		count := 0
		var found Found
		err := s.eachIn(ctx, v, from, to, q, visitor{record: func(rec *Record) error {
			if len(newest) < room {
				newest = append(newest, *rec)
			} else {
				newest[count%room] = *rec
			}
			count++
			return nil
		}}, &found)
		if err != nil {
			return nil, err
		}
		if count > room {
			at := count % room
			newest = append(newest[at:len(newest):len(newest)], newest[:at]...)
		}
		list = append(newest, list...)
	}
	return list, nil
}
