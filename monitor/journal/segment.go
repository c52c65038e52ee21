package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// Segment names a segment for good: number and salt.
type Segment struct {
	Seq  uint64 // from 1 on
	Salt uint64 // random, so that numbers of a journal that was lost are not taken for these
}

// String is short, and different for each segment there ever was.
func (s Segment) String() string { return fmt.Sprintf("%d.%016x", s.Seq, s.Salt) }

const (
	version = 1
	maxSeq  = 1 << 62
	// maxSegment bounds a segment, bytes, and so what reading one may cost.
	maxSegment = 4 << 20
	minSegment = 2 * blockSize
)

// span is what is known of a segment's records beside them.
type span struct {
	used        int   // slots, the header's included; the rest was never written
	first, last int64 // of the instants of dated records, ns; first > last: there are none
	undated     bool  // there may be records without a date
	records     uint32
}

var emptySpan = span{used: 1, first: math.MaxInt64, last: math.MinInt64}

// add takes a record into account.
func (s *span) add(dated bool, at int64) {
	s.records++
	s.widen(dated, at)
}

// widen takes into account when something was.
func (s *span) widen(dated bool, at int64) {
	if !dated {
		s.undated = true
		return
	}
	s.first, s.last = min(s.first, at), max(s.last, at)
}

// header is a segment's slot 0. It also says how the segment before ended, for that
// is known when it is written, and nothing need be written twice.
type header struct {
	Segment
	session uint64 // that began the segment
	slots   int    // with the header's
	before  span   // of segment Seq-1
	foreign bool   // of a version that this program cannot read
}

const headerFlagUndated = 1

func (h *header) bytes(magic string) []byte {
	le, b := binary.LittleEndian, make([]byte, slotSize)
	b[4] = version
	if h.before.undated {
		b[5] = headerFlagUndated
	}
	b[6] = magic[0]
	le.PutUint64(b[8:], h.Seq)
	le.PutUint64(b[16:], h.Salt)
	le.PutUint64(b[24:], h.session)
	le.PutUint32(b[32:], uint32(h.slots))
	le.PutUint32(b[36:], uint32(h.before.used))
	le.PutUint64(b[40:], uint64(h.before.first))
	le.PutUint64(b[48:], uint64(h.before.last))
	le.PutUint32(b[56:], h.before.records)
	le.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

var errNoHeader = errors.New("it does not begin as a segment of a journal does")

// parseHeader reads slot 0 of a file of size bytes that may hold anything.
func parseHeader(b []byte, magic string, size int64) (h header, err error) {
	le := binary.LittleEndian
	if len(b) < slotSize || b[6] != magic[0] || b[7] != 0 || le.Uint32(b) != crc32.Checksum(b[4:slotSize], castagnoli) {
		return h, errNoHeader
	}
	h = header{
		Segment: Segment{Seq: le.Uint64(b[8:]), Salt: le.Uint64(b[16:])},
		session: le.Uint64(b[24:]), slots: int(le.Uint32(b[32:])), foreign: b[4] != version,
		before: span{
			used: int(le.Uint32(b[36:])), first: int64(le.Uint64(b[40:])), last: int64(le.Uint64(b[48:])),
			undated: b[5]&headerFlagUndated != 0, records: le.Uint32(b[56:]),
		},
	}
	if h.Seq == 0 || h.Seq > maxSeq || size > maxSegment || h.slots < minSegment/slotSize || int64(h.slots)*slotSize > size {
		return h, errNoHeader
	}
	return h, nil
}

// walker reads the entries of one segment in their order.
type walker struct {
	f File
	h header
	// end is the slot before which it stops.
	end int
	// strict stops it at the first slot that is no entry. In the newest segment that
	// is where a power cut tore off what was written last. In the others all up to
	// end was flushed once: what is no entry there is damage, and is stepped over.
	strict bool

	pos     int // of the next entry, slots
	session uint64
	targets []*Target // by index
	damaged int       // slots that were stepped over, and entries that made no sense
	err     error     // of the file

	buf  []byte
	from int // slot that buf begins with
}

const walkBuffer = 1024 // slots

func walk(f File, h header, end int, strict bool) *walker {
	return &walker{f: f, h: h, end: min(end, h.slots), strict: strict, pos: 1, session: h.session}
}

// salt is that of the checksums at the present place.
func (w *walker) salt() uint64 { return w.h.Salt + w.session }

// next is the next entry and its slot; nil: there is none, or err says why.
// Entries of sessions and targets are taken note of before they are returned.
// The entry is valid until the next call.
func (w *walker) next() (entry []byte, slot int) {
	for !w.h.foreign && w.err == nil && w.pos < w.end {
		b := w.window()
		if b == nil {
			return nil, 0
		}
		e := sealed(w.salt(), w.pos, b)
		if e == nil {
			if w.strict {
				return nil, 0
			}
			w.damaged++
			w.pos++
			continue
		}
		slot = w.pos
		w.pos += len(e) / slotSize
		switch e[4] {
		case kindSession:
			w.session = binary.LittleEndian.Uint64(e[8:])
		case kindTarget:
			w.define(e)
		}
		return e, slot
	}
	return nil, 0
}

// define takes a target's entry.
func (w *walker) define(e []byte) {
	t, index, ok := defined(e)
	if !ok {
		w.damaged++
		return
	}
	for len(w.targets) <= int(index) {
		w.targets = append(w.targets, nil)
	}
	w.targets[index] = &t
}

// target is what an index stands for here; nil: nobody knows.
func (w *walker) target(index uint16) *Target {
	if int(index) < len(w.targets) && w.targets[index] != nil {
		return w.targets[index]
	}
	w.damaged++
	return nil
}

// window is what is read at the present place, the longest entry at the least where
// end does not come before.
func (w *walker) window() []byte {
	if w.buf == nil {
		w.buf = make([]byte, 0, walkBuffer*slotSize)
	}
	if have := w.from + len(w.buf)/slotSize; w.pos < w.from || have-w.pos < maxSlots && have < w.end {
		n := min(walkBuffer, w.end-w.pos) * slotSize
		w.buf, w.from = w.buf[:n], w.pos
		k, err := w.f.ReadAt(w.buf, int64(w.pos)*slotSize)
		if k < n {
			if err != io.EOF {
				w.err = err
			}
			w.buf = w.buf[:k/slotSize*slotSize]
		}
	}
	b := w.buf[(w.pos-w.from)*slotSize:]
	if len(b) == 0 {
		return nil
	}
	return b
}

func (w *walker) close() { w.f.Close() } // it was only read
