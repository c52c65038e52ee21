package journal

import (
	"errors"
	"slices"
)

// flush writes what there is and returns when it outlasts a power cut; without all
// only whole blocks, since a block costs the card the same whatever is new in it.
// After an error nothing is lost: the next flush writes the same bytes again.
func (r *ring) flush(all bool) error {
	n := len(r.buf)
	if !all {
		n = n / blockSize * blockSize
	}
	if n <= r.onCard {
		return nil
	}
	from := r.onCard / blockSize * blockSize
	if _, err := r.file.WriteAt(r.buf[from:n], int64(r.base)*slotSize+int64(from)); err != nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	r.mu.Lock()
	r.segs[len(r.segs)-1].used = r.base + n/slotSize
	r.written += uint64((n - from + blockSize - 1) / blockSize * blockSize)
	r.mu.Unlock()
	r.onCard = n
	for _, list := range [...]*[]int{&r.waiting, &r.minutes} {
		done, _ := slices.BinarySearch(*list, r.base+n/slotSize)
		*list = append((*list)[:0], (*list)[done:]...)
	}
	if whole := n / blockSize * blockSize; whole > 0 {
		r.base += whole / slotSize
		r.onCard -= whole
		r.buf = append(r.buf[:0], r.buf[whole:]...)
	}
	return nil
}

// unflushed is how many bytes wait for a flush.
func (r *ring) unflushed() int { return len(r.buf) - r.onCard }

// rotate begins the next segment. The one before is flushed by then, so that only
// the newest can have been torn.
func (r *ring) rotate() error {
	next := header{Segment: Segment{Seq: 1, Salt: r.random()}, session: r.session, slots: int(r.size / slotSize)}
	if r.file != nil {
		if err := r.flush(true); err != nil {
			return err
		}
	}
	if len(r.segs) > 0 {
		last := r.segs[len(r.segs)-1]
		next.Seq, next.before = last.Seq+1, last.span
		if last.foreign {
			next.before = span{}
		}
	}
	number, f, err := r.makeRoom()
	if err != nil {
		return err
	}
	// The header is flushed before anything follows it: while it was the old one,
	// an entry behind it might be taken for the old segment's.
	if _, err = f.WriteAt(next.bytes(r.magic), 0); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		return err
	}
	if r.file != nil {
		r.file.Close() // it was flushed
	}
	r.file, r.table = f, map[Target]uint16{}
	r.buf, r.base, r.onCard = append(r.buf[:0], next.bytes(r.magic)...), 0, slotSize
	r.begun = true
	r.mu.Lock()
	r.segs = append(r.segs, &segment{header: next, span: emptySpan, file: number})
	r.written += blockSize
	r.mu.Unlock()
	return nil
}

var errNoRoom = errors.New("none of its files can be used")

// makeRoom is a file for another segment: a new one, or the oldest.
func (r *ring) makeRoom() (number int, f File, err error) {
	used := make([]bool, maxFiles)
	for _, s := range r.segs {
		used[s.file] = true
	}
	for number < r.most && (used[number] || r.bad[number]) {
		number++
	}
	err = errNoRoom
	oldest := len(r.segs) >= 2 && !r.segs[0].unknown && r.tooOld(r.segs[0].span)
	if number < r.most && !oldest {
		before := int64(0)
		if f, err := r.dir.Open(r.name(number)); err == nil {
			before, _ = f.Size()
			f.Close()
		}
		if f, err = r.dir.Make(r.name(number), r.size); err == nil {
			r.mu.Lock()
			r.written += uint64(max(r.size-before, 0))
			r.mu.Unlock()
			return number, f, nil
		}
	}
	if len(r.segs) < 2 {
		return 0, nil, err
	}
	// There are enough, or the file system is full.
	s := r.segs[0]
	if err := r.dropping(s); err != nil {
		return 0, nil, err
	}
	if f, err = r.dir.Make(r.name(s.file), r.size); err != nil {
		return 0, nil, err
	}
	r.mu.Lock()
	r.segs = r.segs[1:]
	r.mu.Unlock()
	return s.file, f, nil
}

// view is what a reader needs of a segment.
type view struct {
	segment
	newest bool
}

// views are the segments as they are now, oldest first.
func (r *ring) views() []view {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]view, len(r.segs))
	for i, s := range r.segs {
		list[i] = view{*s, i == len(r.segs)-1}
	}
	return list
}

// walk opens a segment for reading. What is written meanwhile, even another segment
// into the same file, does no harm: its entries have other salts.
func (r *ring) walk(v view) (*walker, error) {
	f, err := r.dir.Open(r.name(v.file))
	if err != nil {
		return nil, err
	}
	return walk(f, v.header, v.used, v.newest), nil
}

// close flushes and closes.
func (r *ring) close() error {
	if r.file == nil {
		return nil
	}
	err := r.flush(true)
	if e := r.file.Close(); err == nil {
		err = e
	}
	r.file, r.table = nil, nil
	return err
}

// abandon gives up the segment that is written, where it cannot be: the next entry
// begins another. It returns the records and minutes that are not flushed.
func (r *ring) abandon() (list []Record, minutes []Minute) {
	if r.file == nil {
		return nil, nil
	}
	targets := map[uint16]Target{}
	for t, index := range r.table {
		targets[index] = t
	}
	for _, slot := range r.waiting {
		var rec Record
		rec.Target = targets[rec.get(r.buf[(slot-r.base)*slotSize:])]
		list = append(list, rec)
	}
	for _, slot := range r.minutes {
		var m Minute
		m.get(r.buf[(slot-r.base)*slotSize:])
		minutes = append(minutes, m)
	}
	r.file.Close() // what it says does not matter any more
	r.mu.Lock()
	r.segs[len(r.segs)-1].records -= uint32(len(list))
	r.mu.Unlock()
	r.file, r.table, r.buf, r.waiting, r.minutes = nil, nil, r.buf[:0], r.waiting[:0], r.minutes[:0]
	r.base, r.onCard = 0, 0
	return list, minutes
}
