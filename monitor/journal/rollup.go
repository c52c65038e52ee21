package journal

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// Spread is the least, the middle and the greatest of some values, ns.
type Spread struct{ Min, Median, Max int64 }

// Rollup is what an hour's exchanges with a target were, by the records that there
// are of them.
type Rollup struct {
	Target   Target    // as it was at the end of the hour
	Hour     time.Time // its beginning, UTC
	Sent     uint32    // requests that left the station
	Received uint32    // replies to them
	Judged   uint32    // exchanges that told the server's offset against a usable reference
	Offset   Spread    // of those
	Timed    uint32    // exchanges with a round trip
	Delay    Spread    // of those
	verdicts [numVerdicts]uint32
}

const numVerdicts = 10

// Verdicts is after how many exchanges a verdict was in force.
func (r *Rollup) Verdicts(v monitor.Verdict) uint32 {
	if c := code(verdicts, v); c != 0 {
		return r.verdicts[c-1]
	}
	return 0
}

const rollupSlots = 2

// put writes a roll-up into its entry: 8: hour since the epoch; 12: sent;
// 16: received; 20: judged; 24, 32, 40: least, median and greatest offset, ns; 48: timed;
// 52, 56, 60: the delay's, 4 bytes each; 64 and on: exchanges by verdict, 4 bytes each.
func (r *Rollup) put(b []byte, target uint16) {
	le := binary.LittleEndian
	le.PutUint16(b[6:], target)
	le.PutUint32(b[8:], uint32(r.Hour.Unix()/3600))
	le.PutUint32(b[12:], r.Sent)
	le.PutUint32(b[16:], r.Received)
	le.PutUint32(b[20:], r.Judged)
	for i, v := range [...]int64{r.Offset.Min, r.Offset.Median, r.Offset.Max} {
		le.PutUint64(b[24+8*i:], uint64(v))
	}
	le.PutUint32(b[48:], r.Timed)
	for i, v := range [...]int64{r.Delay.Min, r.Delay.Median, r.Delay.Max} {
		le.PutUint32(b[52+4*i:], uint32(v))
	}
	for i, n := range r.verdicts {
		le.PutUint32(b[64+4*i:], n)
	}
}

// get reads an entry of two slots, whatever it holds.
func (r *Rollup) get(b []byte) (target uint16) {
	le := binary.LittleEndian
	at := func(i int) int64 { return int64(le.Uint64(b[i:])) }
	short := func(i int) int64 { return int64(le.Uint32(b[i:])) }
	*r = Rollup{
		Hour: time.Unix(short(8)*3600, 0).UTC(),
		Sent: le.Uint32(b[12:]), Received: le.Uint32(b[16:]), Judged: le.Uint32(b[20:]),
		Offset: Spread{at(24), at(32), at(40)},
		Timed:  le.Uint32(b[48:]), Delay: Spread{short(52), short(56), short(60)},
	}
	for i := range r.verdicts {
		r.verdicts[i] = le.Uint32(b[64+4*i:])
	}
	return le.Uint16(b[6:])
}

const (
	hour = int64(time.Hour)
	// settled is how long after an hour's end its records are on the card, ns: they
	// wait for their verdict and for two flushes.
	settled = patience + int64(10*time.Minute)
	// maxRolled bounds the targets of one hour, maxValues the values that are held
	// at a time for their medians, 16 bytes each.
	maxRolled = 20_000
	// maxHours is how far back hours are rolled up that were not in time.
	maxHours  = int64(KeepRecords / time.Hour)
	maxValues = 1 << 17
)

// hours makes the roll-ups, from the records on the card: what a power cut took is
// in neither, and an hour that was not done when the power went is done later.
type hours struct {
	s    *store
	next int64 // hour since the epoch
}

// begin finds the last hour that is done.
func (h *hours) begin() {
	h.next = 0
	views := h.s.rollups.views()
	for _, v := range slices.Backward(views) {
		w, err := h.s.rollups.walk(v)
		if err != nil {
			continue
		}
		for e, _ := w.next(); e != nil; e, _ = w.next() {
			if e[4] == kindHourEnd {
				h.next = int64(binary.LittleEndian.Uint32(e[8:])) + 1
			}
		}
		w.close()
		if h.next != 0 {
			return
		}
	}
}

// roll rolls up one hour, the first that is over and not done, if there is one.
func (h *hours) roll(utc int64) error {
	over := (utc - settled) / hour // the first that is not
	// It may lie ahead where the time was wrong when the last one was done.
	h.next = max(min(h.next, over), over-maxHours, 0)
	for h.next < over {
		list, reference, err := h.of(h.next)
		if err != nil {
			return err
		}
		if len(list) > 0 || reference != nil {
			if err := h.write(list, reference); err != nil {
				return err
			}
			h.next++
			return nil
		}
		if h.next, err = h.after(h.next, over); err != nil {
			return err
		}
	}
	return nil
}

// after is the next hour behind n of which there are records or minutes, or over.
func (h *hours) after(n, over int64) (next int64, err error) {
	next = over
	q := Query{From: time.Unix(0, (n+1)*hour), To: time.Unix(0, over*hour)}
	take := func(at time.Time) error {
		next = min(next, at.UnixNano()/hour)
		return nil
	}
	_, err = h.s.pass(context.Background(), q, visitor{
		record: func(rec *Record) error { return take(rec.Time) },
		minute: func(m *Minute) error { return take(m.Time) },
	})
	return next, err
}

func (h *hours) write(list []*Rollup, reference *ReferenceHour) error {
	for _, r := range list {
		if err := h.s.rollups.add(kindRollup, &r.Target, rollupSlots, r.put); err != nil {
			return err
		}
		if h.s.rollups.unflushed() >= flushAt {
			if err := h.s.rollups.flush(false); err != nil {
				return err
			}
		}
	}
	if reference != nil {
		if err := h.s.rollups.add(kindReferenceHour, nil, 1, reference.put); err != nil {
			return err
		}
	}
	return h.s.rollups.add(kindHourEnd, nil, 1, func(e []byte, _ uint16) {
		binary.LittleEndian.PutUint32(e[8:], uint32(h.next))
	})
}

// of makes the roll-ups of one hour, in the order of their targets' ids, and the
// reference's, nil where there are no minutes.
func (h *hours) of(n int64) ([]*Rollup, *ReferenceHour, error) {
	begin := time.Unix(0, n*hour).UTC()
	q := Query{From: begin, To: begin.Add(time.Hour)}
	byID := map[string]*Rollup{}
	own := NewReferenceSum(begin)
	_, err := h.s.pass(context.Background(), q, visitor{minute: func(m *Minute) error {
		own.Minute(m)
		return nil
	}, record: func(rec *Record) error {
		r := byID[rec.Target.ID]
		if r == nil {
			if len(byID) == maxRolled {
				return nil
			}
			r = &Rollup{Hour: begin}
			byID[rec.Target.ID] = r
		}
		r.add(rec)
		return nil
	}})
	if err != nil {
		return nil, nil, err
	}
	list := slices.SortedFunc(maps.Values(byID), func(a, b *Rollup) int { return cmp.Compare(a.Target.ID, b.Target.ID) })
	if sum := own.Value(); sum.Minutes > 0 {
		return list, sum, h.medians(q, list)
	}
	return list, nil, h.medians(q, list)
}

// medians fills them in, of as many targets at a time as there is room for.
func (h *hours) medians(q Query, list []*Rollup) error {
	type values struct {
		r              *Rollup
		offset, delays []int64
	}
	for len(list) > 0 {
		group, n := map[string]*values{}, 0
		for len(list) > 0 && (n == 0 || n+int(list[0].Judged+list[0].Timed) <= maxValues) {
			r := list[0]
			list, n = list[1:], n+int(r.Judged+r.Timed)
			group[r.Target.ID] = &values{r: r}
		}
		_, err := h.s.each(context.Background(), q, func(rec *Record) error {
			v := group[rec.Target.ID]
			if v == nil {
				return nil
			}
			if judged(rec) {
				v.offset = append(v.offset, rec.Offset)
			}
			if rec.Timed {
				v.delays = append(v.delays, rec.Delay)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, v := range group {
			v.r.Offset.Median, v.r.Delay.Median = median(v.offset), median(v.delays)
		}
	}
	return nil
}

// judged says whether a record's offset says something of the server.
func judged(rec *Record) bool {
	return rec.Measured && (rec.Verdict == monitor.OK || rec.Verdict == monitor.Doubtful || rec.Verdict == monitor.Off)
}

func (r *Rollup) add(rec *Record) {
	r.Target = rec.Target
	if wasSent(rec.Outcome) {
		r.Sent++
	}
	if wasReceived(rec.Outcome) {
		r.Received++
	}
	if c := code(verdicts, rec.Verdict); c != 0 {
		r.verdicts[c-1]++
	}
	if judged(rec) {
		r.Offset.widen(rec.Offset, r.Judged == 0)
		r.Judged++
	}
	if rec.Timed {
		r.Delay.widen(rec.Delay, r.Timed == 0)
		r.Timed++
	}
}

func (s *Spread) widen(v int64, first bool) {
	if first {
		s.Min, s.Max = v, v
	}
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
}

// median sorts v; that of nothing is 0.
func median(v []int64) int64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	low, high := v[(len(v)-1)/2], v[len(v)/2]
	return low + (high-low)/2
}

// Rollups passes those of whole hours to yield, the oldest first; of the query
// Undated means nothing. A roll-up is valid until yield returns.
func (j *Journal) Rollups(ctx context.Context, q Query, yield func(*Rollup) error) error {
	var list []Rollup // of an hour whose end has not come
	return j.walkRollups(func(w *walker) (err error) {
		list, err = rollupsIn(ctx, w, q, list, yield)
		return err
	})
}

// walkRollups has visit read the segments of roll-ups, the oldest first.
func (j *Journal) walkRollups(visit func(*walker) error) error {
	s := j.store.Load()
	if s == nil {
		return ErrNotOpen
	}
	for _, v := range s.rollups.views() {
		w, err := s.rollups.walk(v)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = visit(w)
		w.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func rollupsIn(ctx context.Context, w *walker, q Query, list []Rollup, yield func(*Rollup) error) ([]Rollup, error) {
	for e, _ := w.next(); e != nil; e, _ = w.next() {
		switch {
		case e[4] == kindRollup && len(e) == rollupSlots*slotSize:
			var r Rollup
			t := w.target(r.get(e))
			if t == nil {
				continue
			}
			r.Target = *t
			// What a power cut left of an hour is done anew.
			if len(list) > 0 && (list[0].Hour != r.Hour || list[len(list)-1].Target.ID >= t.ID) || len(list) == maxRolled {
				list = list[:0]
			}
			list = append(list, r)
		case e[4] == kindHourEnd:
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			for i := range list {
				r := &list[i]
				if q.Target != "" && r.Target.ID != q.Target || !q.covers(r.Hour) {
					continue
				}
				if err := yield(r); err != nil {
					return nil, err
				}
			}
			list = list[:0]
		}
	}
	return list, w.err
}
