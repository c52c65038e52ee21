// Package powercut replays power cuts: a [Recorder] notes what is written to a
// disk and shows every disk that a cut may leave behind. It is for tests.
//
// What a card does with writes that it was not told to flush is modelled
// pessimistically: it may have done each of them or not, in any order, and one
// of them in part. Parts are whole sectors in their order, or the front of one
// sector, which real cards are not known to do.
package powercut

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
)

const sectorSize = 512

// Recorder is a disk that notes what is done to it. It implements
// bootfs.Device.
type Recorder struct {
	*Disk // as the running system sees it
	start *Disk
	log   []operation
}

// operation is a write, a flush or a mark.
type operation struct {
	off   int64
	b     []byte // nil: n zeros
	n     int
	flush bool
	mark  bool
}

// NewRecorder records from start on, which must not be written to any more.
func NewRecorder(start *Disk) *Recorder { return &Recorder{Disk: Over(start), start: start} }

// WriteAt is io.WriterAt.
func (r *Recorder) WriteAt(p []byte, off int64) (int, error) {
	n, err := r.Disk.WriteAt(p, off)
	if err != nil || n == 0 {
		return n, err
	}
	o := operation{off: off, n: n}
	if !allZero(p) {
		o.b = bytes.Clone(p)
	}
	r.log = append(r.log, o)
	return n, nil
}

// Sync flushes: what was written before is on the medium in each state after it.
func (r *Recorder) Sync() error {
	r.log = append(r.log, operation{flush: true})
	return nil
}

// Mark notes that something is done from the program's point of view, for State.Marks.
func (r *Recorder) Mark() { r.log = append(r.log, operation{mark: true}) }

// State is a disk as a power cut may leave it.
type State struct {
	*Disk
	// Min and Max are how often Mark may have been called when the power
	// failed: what has to hold after each of these numbers has to hold here.
	Min, Max int
	How      string // what the card did with the writes that were not flushed
}

// States shows each state to visit and returns how many there were. In each
// stretch between two flushes these are: after every write; every write torn,
// behind each sector if it has few, else behind some, and inside a sector; all
// subsets of the writes if they are few, else one missing, for up to 64 of them, one
// alone, for as many, and up to samples of any writes in any order, one of them torn. The same
// recording gives the same states.
func (r *Recorder) States(samples int, visit func(State)) int {
	e := &epoch{samples: samples, visit: visit, medium: Over(r.start), low: []int{0}, high: []int{0}}
	for _, o := range r.log {
		last := e.high[len(e.writes)]
		switch {
		case o.flush:
			e.play()
			for _, w := range e.writes {
				w.put(e.medium, w.n)
			}
			e.first += len(e.writes)
			e.writes, e.low, e.high = nil, []int{last}, []int{last}
		case o.mark:
			e.high[len(e.writes)]++
		default:
			e.writes = append(e.writes, o)
			e.low, e.high = append(e.low, last), append(e.high, last)
		}
	}
	e.play()
	return e.states
}

// put does the first n bytes of a write.
func (o operation) put(d *Disk, n int) {
	b := o.b
	if b == nil {
		b = zeros(n)
	}
	if _, err := d.WriteAt(b[:n], o.off); err != nil {
		panic(err) // it was written once already
	}
}

// zeros are n zeros that nobody writes to.
func zeros(n int) []byte {
	if n <= len(manyZeros) {
		return manyZeros[:n]
	}
	return make([]byte, n)
}

var manyZeros [1 << 20]byte

// epoch is a stretch between two flushes.
type epoch struct {
	samples int
	visit   func(State)
	medium  *Disk // what is sure to be there
	first   int   // number of the first write
	writes  []operation
	// By number of writes in this epoch: how often Mark had been called before
	// the last of them, and before the next.
	low, high []int
	states    int
}

// show shows a disk after some writes, the power having failed when from to
// until marks were set.
func (e *epoch) show(how string, from, until int, base *Disk, do func(*Disk)) {
	d := Over(base)
	do(d)
	e.states++
	e.visit(State{d, from, until, how})
}

func (e *epoch) play() {
	rng := e.random()
	done := Over(e.medium)
	// Nothing is flushed: a card may still be like this when all was written.
	last := e.high[len(e.writes)]
	for i := range len(e.writes) + 1 {
		e.show(fmt.Sprintf("after write %d", e.first+i), e.low[i], last, done, func(*Disk) {})
		if i == len(e.writes) {
			break
		}
		w := e.writes[i]
		for _, n := range w.tears(e.medium, rng) {
			e.show(fmt.Sprintf("write %d torn after %d of %d bytes", e.first+i, n, w.n), e.high[i], last, done, func(d *Disk) { w.put(d, n) })
		}
		w.put(done, w.n)
	}
	e.subsets(rng)
}

// random follows from what is written, so that a scenario does not depend on others.
func (e *epoch) random() *rand.Rand {
	h := fnv.New64a()
	for _, w := range e.writes {
		fmt.Fprint(h, w.off, w.n)
	}
	return rand.New(rand.NewPCG(h.Sum64(), uint64(e.first)))
}

// tears are the numbers of bytes after which a write may be torn.
func (o operation) tears(old *Disk, rng *rand.Rand) []int {
	const few, some = 16, 6
	at := make(map[int]bool)
	sectors := (o.n + sectorSize - 1) / sectorSize
	var tornIn []int // sectors
	if sectors <= few {
		for s := range sectors {
			at[s*sectorSize] = true
			tornIn = append(tornIn, s)
		}
	} else {
		tornIn = []int{0, 1, sectors - 1}
		for range some {
			s := rng.IntN(sectors)
			at[s*sectorSize] = true
			tornIn = append(tornIn, s)
		}
	}
	for _, s := range tornIn[:min(len(tornIn), some)] {
		for _, n := range o.tearsInSector(old, s, rng) {
			at[n] = true
		}
	}
	var list []int
	for n := 1; n < o.n; n++ { // in their order, not the map's
		if at[n] {
			list = append(list, n)
		}
	}
	return list
}

// tearsInSector tears a sector around the bytes that change.
func (o operation) tearsInSector(old *Disk, s int, rng *rand.Rand) []int {
	const most = 12
	start, end := s*sectorSize, min((s+1)*sectorSize, o.n)
	before := make([]byte, end-start)
	old.ReadAt(before, o.off+int64(start))
	var changed []int
	for i, b := range before {
		var now byte
		if o.b != nil {
			now = o.b[start+i]
		}
		if b != now {
			changed = append(changed, start+i)
		}
	}
	if len(changed) > most {
		rng.Shuffle(len(changed), func(i, j int) { changed[i], changed[j] = changed[j], changed[i] })
		changed = changed[:most/3]
	}
	var list []int
	for _, n := range changed {
		list = append(list, n, n+1)
	}
	return append(list, start+1+rng.IntN(sectorSize-1))
}

// subsets drops and reorders writes.
func (e *epoch) subsets(rng *rand.Rand) {
	const (
		all  = 6  // writes of which all subsets are shown
		some = 64 // writes which are missing, or done, alone
	)
	n := len(e.writes)
	pick := func(how string, chosen []int, torn int) {
		until := 0 // the last one chosen
		for _, i := range chosen {
			until = max(until, i+1)
		}
		e.show(how, e.low[until], e.high[n], e.medium, func(d *Disk) {
			for _, i := range chosen {
				w := e.writes[i]
				if i == torn {
					k := 1 + rng.IntN(w.n)
					if whole := k / sectorSize * sectorSize; rng.IntN(2) == 0 {
						k = whole
					}
					w.put(d, k)
					continue
				}
				w.put(d, w.n)
			}
		})
	}
	if n == 0 {
		return
	}
	if n <= all {
		for set := range 1 << n {
			var chosen []int
			for i := range n {
				if set>>i&1 != 0 {
					chosen = append(chosen, i)
				}
			}
			pick(fmt.Sprintf("writes %v of %d and on", chosen, e.first), chosen, -1)
		}
	} else {
		for _, i := range rng.Perm(n)[:min(n, some)] {
			var rest []int
			for j := range n {
				if j != i {
					rest = append(rest, j)
				}
			}
			pick(fmt.Sprintf("without write %d", e.first+i), rest, -1)
			pick(fmt.Sprintf("write %d alone", e.first+i), []int{i}, -1)
		}
	}
	for k := range e.samples * min(n, 2*all) / (2 * all) {
		order := rng.Perm(n)[:1+rng.IntN(n)]
		torn := -1
		if k%2 == 0 {
			torn = order[rng.IntN(len(order))]
		}
		pick(fmt.Sprintf("writes %v of %d and on, %d torn", order, e.first, torn), order, torn)
	}
}
