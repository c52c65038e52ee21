package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// maxFiles bounds the files of a ring, whatever lies in its directory.
const maxFiles = 256

// ring is a row of segments in files of one size, each begun when the one before is
// full, the oldest file used anew when there are enough. One goroutine writes;
// others may read what was flushed.
type ring struct {
	dir     Dir
	magic   string // a letter, with which the files' names begin
	size    int64  // of a segment, bytes
	most    int    // segments
	session uint64
	random  func() uint64
	// tooOld says of the oldest segment that there is no need of it any more, so
	// that no file is made while there is one.
	tooOld func(span) bool
	// dropping is called with the oldest segment before it is given up.
	dropping func(*segment) error

	bad map[int]bool // files that cannot be used

	mu   sync.Mutex
	segs []*segment // by number; the last is the one that is written
	// written counts the bytes given to the file system, whole blocks.
	written uint64

	// Of the segment that is written; file is nil where there is none yet.
	file   File
	table  map[Target]uint16
	buf    []byte // entries from slot base on, of which the first flushed bytes lie on the card
	base   int    // the first slot of a block
	onCard int    // bytes of buf
	// waiting are the slots of the records that are not flushed, minutes those of
	// minutes.
	waiting, minutes []int
	begun            bool   // this session has its entry there
	ended            uint64 // the session that wrote there last
}

// segment is one file in use.
type segment struct {
	header
	span
	file    int  // number of the file
	unknown bool // what span says is not known but for used
}

func newRing(dir Dir, magic string, size int64, most int) *ring {
	return &ring{
		dir: dir, magic: magic, size: size, most: min(max(most, 2), maxFiles), bad: map[int]bool{},
		tooOld: func(span) bool { return false }, dropping: func(*segment) error { return nil },
	}
}

func (r *ring) name(file int) string { return fmt.Sprintf("%s-%03d", r.magic, file) }

// open finds what is there. Files that cannot be used are left out, and used anew;
// problems says why.
func (r *ring) open() (problems []error, err error) {
	var segs []*segment
	for i := range maxFiles {
		h, err := r.readHeader(i)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case i >= r.most:
			// There may be fewer than there were.
			if err := r.dir.Remove(r.name(i)); err != nil {
				problems = append(problems, err)
			}
		case errors.Is(err, errNoHeader):
			// One that was being made when the power went.
		case err != nil:
			problems = append(problems, err)
			// What is no file of ours at all makes room for one, if it can.
			if !errors.Is(err, ErrNoFile) || r.dir.Remove(r.name(i)) != nil {
				r.bad[i] = true
			}
		default:
			segs = append(segs, &segment{header: h, span: span{used: h.slots}, file: i, unknown: true})
		}
	}
	slices.SortFunc(segs, func(a, b *segment) int {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	})
	segs = slices.CompactFunc(segs, func(a, b *segment) bool { return a.Seq == b.Seq })
	for i, s := range segs[:max(len(segs)-1, 0)] {
		if next := segs[i+1]; next.Seq == s.Seq+1 && !next.foreign && next.before.used >= 1 && next.before.used <= s.slots {
			s.span, s.unknown = next.before, false
		}
	}
	r.mu.Lock()
	r.segs = segs
	r.mu.Unlock()
	return problems, r.resume()
}

func (r *ring) readHeader(file int) (header, error) {
	f, err := r.dir.Open(r.name(file))
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return header{}, err
	}
	b := make([]byte, slotSize)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		if size >= slotSize {
			return header{}, fmt.Errorf("%s: %w", r.name(file), err)
		}
		return header{}, errNoHeader
	}
	return parseHeader(b, r.magic, size)
}

// resume goes on behind the last entry of the newest segment.
func (r *ring) resume() error {
	if len(r.segs) == 0 || r.segs[len(r.segs)-1].foreign {
		return nil
	}
	s := r.segs[len(r.segs)-1]
	f, err := r.dir.Open(r.name(s.file))
	if err != nil {
		return err
	}
	w := walk(f, s.header, s.slots, true)
	found := summarize(w)
	if w.err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", r.name(s.file), w.err)
	}
	base := found.used / blockSlots * blockSlots
	buf := make([]byte, (found.used-base)*slotSize)
	if _, err := f.ReadAt(buf, int64(base)*slotSize); err != nil && len(buf) > 0 {
		f.Close()
		return fmt.Errorf("%s: %w", r.name(s.file), err)
	}
	table := map[Target]uint16{}
	for i, t := range w.targets {
		if t != nil {
			table[*t] = uint16(i)
		}
	}
	// A place in the table that nothing is known of must not be given away again.
	if len(table) < len(w.targets) {
		clear(table)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.span, s.unknown = found, false
	r.file, r.table, r.buf, r.base, r.onCard, r.ended = f, table, buf, base, len(buf), w.session
	if len(table) < len(w.targets) {
		r.table = nil // begin another segment
	}
	return nil
}

// summarize reads all of a segment.
func summarize(w *walker) span {
	s := emptySpan
	for {
		e, _ := w.next()
		if e == nil {
			s.used = w.pos
			return s
		}
		switch e[4] {
		case kindExchange:
			s.add(dated(e))
		case kindMinute:
			s.widen(dated(e))
		}
	}
}

// dated says whether a record or a minute has a date, and which.
func dated(e []byte) (bool, int64) {
	le := binary.LittleEndian
	return le.Uint16(e[54:])&flagDated != 0, int64(le.Uint64(e[8:]))
}

// tail is the slot at which the next entry goes.
func (r *ring) tail() int { return r.base + len(r.buf)/slotSize }

// add writes an entry of n slots for a target, nil for none, into the buffer;
// fill is given its bytes, zeros but for the kind, and the target's index.
func (r *ring) add(kind byte, t *Target, n int, fill func(entry []byte, index uint16)) error {
	var index uint16
	if r.file == nil || r.table == nil {
		if err := r.rotate(); err != nil {
			return err
		}
	}
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	var define []byte
	if t != nil {
		var known bool
		if index, known = r.table[*t]; !known {
			kept := Target{ID: bounded(t.ID), Name: bounded(t.Name), Addr: t.Addr, Limit: t.Limit}
			if index, known = r.table[kept]; !known {
				if index = uint16(len(r.table)); len(r.table) > maxTargets {
					return r.retry(kind, t, n, fill)
				}
				define = definition(kept, index)
				t = &kept
			}
		}
	}
	if r.tail()+len(define)/slotSize+n > r.segs[len(r.segs)-1].slots {
		return r.retry(kind, t, n, fill)
	}
	if define != nil {
		r.append(define)
		r.table[*t] = index
	}
	at := len(r.buf)
	r.buf = append(r.buf, make([]byte, n*slotSize)...)
	e := r.buf[at:]
	e[4] = kind
	fill(e, index)
	seal(r.salt(), r.base+at/slotSize, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s := r.segs[len(r.segs)-1]; kind {
	case kindExchange:
		s.span.add(dated(e))
		r.waiting = append(r.waiting, r.base+at/slotSize)
	case kindMinute:
		s.span.widen(dated(e))
		r.minutes = append(r.minutes, r.base+at/slotSize)
	}
	return nil
}

// maxTargets bounds the table of one segment.
const maxTargets = 1<<16 - 1

// retry does in a new segment what the present one has no room for.
func (r *ring) retry(kind byte, t *Target, n int, fill func([]byte, uint16)) error {
	if err := r.rotate(); err != nil {
		return err
	}
	return r.add(kind, t, n, fill)
}

func (r *ring) salt() uint64 { return r.segs[len(r.segs)-1].Salt + r.session }

func (r *ring) append(entry []byte) {
	seal(r.salt(), r.tail(), entry)
	r.buf = append(r.buf, entry...)
}

// begin writes that another session goes on here. Its entry is checked with the salt
// of the session before, all behind it with its own: what a cut had left behind it
// is void from now on.
func (r *ring) begin() error {
	s := r.segs[len(r.segs)-1]
	if r.tail()+1 > s.slots {
		return r.rotate()
	}
	e := make([]byte, slotSize)
	e[4] = kindSession
	binary.LittleEndian.PutUint64(e[8:], r.session)
	seal(s.Salt+r.ended, r.tail(), e)
	r.buf = append(r.buf, e...)
	r.begun = true
	return nil
}
