package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// random is for salts and sessions, which need not be secret.
func random() uint64 { return rand.Uint64() }

// store is all that lies in a directory.
type store struct {
	records, rollups *ring
	session          uint64

	mu      sync.Mutex // of all from here on
	anchors *anchors
	boxes   []*Outbox
	spans   map[uint64]span // of segments by number, see known

	ended     atomic.Bool
	unflushed atomic.Int64 // records
	undated   bool         // this session has written records without a date
	anchored  bool
	left      int // the slot of a record that the last flush left; 0: none
	minute    int // the slot of the oldest minute that the last flush left; 0: none
	waited    int // how many flushes have left that minute
}

// openStore opens what lies in a directory that may hold anything. problems are
// such as the journal can live with.
func openStore(dir Dir, most int64, session uint64, random func() uint64) (s *store, problems []error, err error) {
	if most = min(most, MostBytes); most < leastBytes {
		return nil, nil, fmt.Errorf("there are %d bytes for it, %d are needed", most, leastBytes)
	}
	s = &store{session: session, anchors: newAnchors(dir), spans: map[uint64]span{}}
	if err := s.anchors.load(); err != nil {
		problems = append(problems, err)
	}
	for _, r := range []struct {
		to    **ring
		magic string
		bytes int64
	}{{&s.records, "x", most - most/rollupShare}, {&s.rollups, "h", most / rollupShare}} {
		size := min(max(r.bytes/manySegments, minSegment), maxSegment) / blockSize * blockSize
		ring := newRing(dir, r.magic, size, int(r.bytes/size))
		ring.session, ring.random = session, random
		told, err := ring.open()
		problems = append(problems, told...)
		*r.to = ring
		if err != nil {
			for _, r := range s.rings() {
				if r != nil {
					r.close()
				}
			}
			return nil, problems, err
		}
	}
	s.records.dropping = s.drop
	return s, problems, nil
}

func (s *store) rings() [2]*ring { return [2]*ring{s.records, s.rollups} }

// keep says from when on things are too old, by true time now, ns; 0: nobody knows.
func (s *store) keep(utc int64) {
	for i, keep := range [...]time.Duration{KeepRecords, KeepRollups} {
		s.rings()[i].tooOld = func(p span) bool {
			return utc != 0 && !p.undated && p.first <= p.last && p.last < utc-int64(keep)
		}
	}
}

// add writes a record into the buffer.
func (s *store) add(rec *Record) error {
	err := s.records.add(kindExchange, &rec.Target, 1, rec.put)
	if err == nil && rec.Time.IsZero() {
		s.undated = true
	}
	s.unflushed.Store(int64(len(s.records.waiting)))
	return err
}

// addGap notes that n exchanges are missing here.
func (s *store) addGap(n uint64) error {
	return s.records.add(kindGap, nil, 1, func(e []byte, _ uint16) { binary.LittleEndian.PutUint64(e[8:], n) })
}

// flush brings to the card what has waited long enough: whole blocks, and a block
// that is not if a record in it was left by the flush before, or minutes
// have waited for records to go with.
func (s *store) flush(all bool) error {
	defer func() { s.unflushed.Store(int64(len(s.records.waiting))) }()
	r := s.records
	if err := r.flush(all); err != nil {
		return err
	}
	if len(r.waiting) > 0 && r.waiting[0] == s.left || s.waited >= minutesWait {
		if err := r.flush(true); err != nil {
			return err
		}
	}
	s.left = first(r.waiting)
	if m := first(r.minutes); m == 0 || m != s.minute {
		s.minute, s.waited = m, 0
	}
	if s.minute != 0 {
		s.waited++
	}
	return nil
}

// first is the first of some slots; 0, which is no entry's: there is none.
func first(slots []int) int {
	if len(slots) == 0 {
		return 0
	}
	return slots[0]
}

// anchor keeps what the monotonic clock shows at a true time, once, if there are
// records that need it.
func (s *store) anchor(mono, utc int64) error {
	if !s.undated || s.anchored {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.anchors.write(s.session, anchor{mono, utc}); err != nil {
		return err
	}
	s.anchors.known[s.session] = anchor{mono, utc}
	clear(s.spans)
	s.anchored = true
	return nil
}

// date dates what has no date, if its session is anchored.
func (s *store) date(session uint64, mono int64) (at time.Time, ok bool) {
	s.mu.Lock()
	a, ok := s.anchors.known[session]
	s.mu.Unlock()
	if ok {
		at = time.Unix(0, a.utc-(a.mono-mono)).UTC()
	}
	return at, ok
}

// drop is called before the oldest segment is used anew.
func (s *store) drop(seg *segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.boxes {
		if err := o.skip(seg); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) close() error {
	s.ended.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.records.close(), s.rollups.close(), s.anchors.cells.close())
	for _, o := range s.boxes {
		err = errors.Join(err, o.cells.close())
	}
	s.unflushed.Store(0)
	return err
}
