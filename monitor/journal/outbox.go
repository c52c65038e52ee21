package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
)

// Outbox hands the records of a journal on, in their order, each at least once: a
// batch comes again, the same, until Done is called for it, and after a power cut
// what was handed on since the last Done that reached the card. Records that were
// dropped before they were handed on are counted.
//
// An outbox is used by one goroutine.
type Outbox struct {
	s     *store
	name  string
	cells cells

	// at is where the next batch begins, dropped how many records never were in
	// one. Both are on the card. The store's mutex guards all from here on.
	at      place
	dropped uint64
	batch   Batch // handed out, and not done
}

// place is a slot of a segment.
type place struct {
	seq  uint64
	slot int
}

// Batch is some records of one segment.
type Batch struct {
	// ID is for whoever takes batches to know one that came before: the segment's
	// name, the first slot and the one behind the last. Records have names of their
	// own, Segment and Slot, for batches that overlap after a power cut.
	ID      string
	Records []Record
	next    place
}

// MaxBatch bounds the records of a batch.
const MaxBatch = 4096

// Stats is how an outbox stands.
type Stats struct {
	Pending uint64 // records that were not handed on yet, as far as is known without reading
	Dropped uint64 // records that never were, since the outbox was first opened
}

var outboxName = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

// Outbox opens the outbox of a name, of letters and digits; a new one begins with
// the oldest record. It ends with the journal's Run: its methods return ErrNotOpen
// then, and another is opened.
func (j *Journal) Outbox(name string) (*Outbox, error) {
	s := j.store.Load()
	if s == nil {
		return nil, ErrNotOpen
	}
	if !outboxName.MatchString(name) {
		return nil, fmt.Errorf("%q cannot be the name of an outbox: up to 16 of a to z and 0 to 9 can", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.boxes {
		if o.name == name {
			return o, nil
		}
	}
	// Two blocks, so that no write touches the one before.
	o := &Outbox{s: s, name: name, cells: cells{dir: s.records.dir, name: "outbox-" + name, count: 2, stride: blockSize}}
	first := true
	err := o.cells.load(func(data []byte) {
		if first {
			le := binary.LittleEndian
			o.at = place{le.Uint64(data), int(le.Uint32(data[8:]))}
			o.dropped = le.Uint64(data[12:])
			first = false
		}
	})
	if err != nil {
		return nil, err
	}
	s.boxes = append(s.boxes, o)
	return o, nil
}

// write brings to the card how far it is.
func (o *Outbox) write(at place, dropped uint64) error {
	b := make([]byte, 20)
	le := binary.LittleEndian
	le.PutUint64(b, at.seq)
	le.PutUint32(b[8:], uint32(at.slot))
	le.PutUint64(b[12:], dropped)
	if err := o.cells.write(b); err != nil {
		return err
	}
	o.at, o.dropped = at, dropped
	return nil
}

// Next is the next batch, of up to most records; without records: there are none
// now. Until Done is called it is the same again.
func (o *Outbox) Next(most int) (Batch, error) {
	if o.s.ended.Load() {
		return Batch{}, ErrNotOpen
	}
	views := o.s.records.views()
	o.s.mu.Lock()
	batch, at := o.batch, o.at
	o.s.mu.Unlock()
	if len(batch.Records) > 0 {
		return batch, nil
	}
	if n := len(views); n > 0 && (at.seq < views[0].Seq || at.seq > views[n-1].Seq) {
		// A new outbox, or one of a journal that was lost.
		at = place{views[0].Seq, 1}
	}
	for _, v := range views {
		if v.Seq < at.seq {
			continue
		}
		slot := 1
		if v.Seq == at.seq {
			slot = at.slot
		}
		batch, err := o.s.batch(v, slot, min(max(most, 1), MaxBatch))
		if err != nil {
			return Batch{}, err
		}
		if len(batch.Records) > 0 {
			o.s.mu.Lock()
			o.batch = batch
			o.s.mu.Unlock()
			return batch, nil
		}
	}
	return Batch{}, nil
}

// batch reads records of a segment from a slot on.
func (s *store) batch(v view, from, most int) (b Batch, err error) {
	w, err := s.records.walk(v)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	defer w.close()
	for len(b.Records) < most {
		e, slot := w.next()
		if e == nil {
			break
		}
		var rec Record
		if e[4] == kindExchange && slot >= from {
			index := rec.get(e)
			if t := w.target(index); t != nil {
				rec.Target, rec.Segment, rec.Slot, rec.Session = *t, v.Segment, slot, w.session
				if rec.Time.IsZero() {
					rec.Time, rec.DatedLater = s.date(rec.Session, rec.Mono)
				}
				b.Records = append(b.Records, rec)
				b.next = place{v.Seq, w.pos}
			}
		}
	}
	if len(b.Records) > 0 {
		b.ID = fmt.Sprintf("%s-%d-%d", v.Segment, b.Records[0].Slot, b.next.slot)
	}
	return b, w.err
}

// Done says that whoever takes the batches has got this one for good.
func (o *Outbox) Done(b Batch) error {
	if o.s.ended.Load() {
		return ErrNotOpen
	}
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	if b.ID == "" || b.ID != o.batch.ID {
		return fmt.Errorf("the outbox %s has not handed out the batch %q, or it was dropped meanwhile", o.name, b.ID)
	}
	if err := o.write(b.next, o.dropped); err != nil {
		return err
	}
	o.batch = Batch{}
	return nil
}

// skip moves an outbox past a segment that is to be dropped, which the store's
// mutex is held for.
func (o *Outbox) skip(seg *segment) error {
	if o.at.seq > seg.Seq {
		return nil
	}
	from := 1
	if o.at.seq == seg.Seq {
		from = o.at.slot
	}
	v := view{segment: *seg}
	w, err := o.s.records.walk(v)
	if err != nil {
		return err
	}
	defer w.close()
	lost := uint64(0)
	for e, slot := w.next(); e != nil; e, slot = w.next() {
		if e[4] == kindExchange && slot >= from {
			lost++
		}
	}
	if err := o.write(place{seg.Seq + 1, 1}, o.dropped+lost); err != nil {
		return err
	}
	o.batch = Batch{}
	return nil
}

// Stats says how the outbox stands.
func (o *Outbox) Stats() Stats {
	views := o.s.records.views()
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	s := Stats{Dropped: o.dropped}
	for _, v := range views {
		switch {
		case v.unknown || v.Seq < o.at.seq:
		case v.Seq == o.at.seq:
			// Slots are records but for a few.
			s.Pending += uint64(max(v.used-o.at.slot, 0))
		default:
			s.Pending += uint64(v.records)
		}
	}
	return s
}
