// Package journal keeps every exchange with the verdict drawn from it, and
// roll-ups of each hour, in files on a card: for years of writing, and so that a
// power cut at any moment leaves a beginning of what was written, nothing else.
//
// # What is kept
//
// A [Journal] is a [monitor.Sink]. An exchange is put twice, with its provisional
// verdict and half a minute later with the final one; one [Record] of it is kept,
// with the final verdict, or with the provisional one and marked so where no final
// one comes within patience. Of each hour and target there is a [Rollup], made from
// the records. An [Outbox] hands records on to somebody else and remembers how far.
//
// Among the records there is a [Minute] for each minute, of what the station's own
// reference was like, and among the roll-ups a [ReferenceHour] made from these.
//
// # Files
//
// All numbers are little-endian. Records lie in files x-000, x-001 ... and roll-ups
// in h-000 ..., each a segment of at most 4 MiB, written with zeros before its
// first use. When there are as many as may be, the oldest is used anew. A segment
// is a row of slots of 64 bytes, so that none crosses a sector. Slot 0 is the header:
//
//	 0  CRC-32C of bytes 4 to 63       24  session that began the segment
//	 4  version, 1                     32  slots, 4 bytes
//	 5  1: segment 40 has undated      36  of the segment before this one: slots used,
//	    records                        40  the first and
//	 6  "x" or "h", and a zero byte    48  last instant of its dated records, and
//	 8  number of the segment          56  how many records there are, 4 bytes
//	16  salt, random                   60  0
//
// Then come entries of one slot or more:
//
//	0  CRC-32C of the 64-bit sum of salt and session, of the slot's number, 4 bytes,
//	   and of bytes 4 to the end of the entry
//	4  kind   5  slots   6  index of a target, 2 bytes
//
// An entry counts only with the checksum of its place, segment and session. So what
// an earlier use of the file left there, or a session whose power was cut behind
// the place where the next one went on, needs no erasing. The kinds:
//
//	1  session   8: the session that writes from here on; its own checksum is still
//	             of the one before
//	2  target    8: limit, seconds, float64; 16, 17, 18: lengths of its id, its
//	             server's name and its address and port, which follow from 20 on. It
//	             comes before the first record of the target in each segment: a segment can be
//	             read alone, and the names go with the last record that has them
//	3  exchange  8: the middle of the exchange, ns since the Unix epoch, or of
//	             CLOCK_MONOTONIC while true time is not known; 16: offset, ns;
//	             24: delay, ns, 4 bytes; 28: bound, s, float32; 32: uncertainty, s,
//	             float32; 36, 40: root delay and dispersion, 1/65536 s, 4 bytes each; 44: reference
//	             ID; 48: stratum; 49: leap; 50: verdict; 51: outcome; 52: the station's
//	             source of time; 53: its state; 54: flags, 2 bytes; 56: its uncertainty, s,
//	             float32; 60: error of the stamps, s, float32
//	4  gap       8: how many exchanges could not be kept
//	5  roll-up   see Rollup
//	6  hour end  8: an hour of which all roll-ups are there, since the epoch
//	7  minute    8: its middle, as in 3; 16, 20, 24, 28: mean, jitter, least and
//	             greatest offset of pulses, s, float32; 32: uncertainty, 36: bound, s,
//	             float32; 40: frequency, ppm, float32; 44: degrees Celsius, float32;
//	             48: holdover, s, 4 bytes; 52: source; 53: state; 54: flags, 2 bytes;
//	             56: pulses, 2 bytes; 58: seconds locked; 59: satellites and 1
//	8  hour of   8: hour since the epoch, 4 bytes; 12: minutes, 14: pulses, 16: seconds
//	   the       locked, 2 bytes each; 20 to 51: as 16 to 47 of a minute; 52: longest
//	   reference holdover, s, 4 bytes; 56 to 63: minutes by state
//
// A program that does not know a kind steps over it, so kinds can be added.
//
// What the numbers of words and flags mean is in words.go and record.go.
//
// # Instants
//
// A record is dated when true time is known. Before that it has the monotonic
// clock's reading; the file anchors says what that clock showed at a true time, for
// each session that needs it, so that such records are dated when they are read. No
// clock that may be wrong is ever taken for a date, and what is dropped is dropped by
// the order of writing.
package journal

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// How much is kept unless there is less room.
const (
	KeepRecords = 30 * 24 * time.Hour
	KeepRollups = 400 * 24 * time.Hour
	// MostBytes of all files together.
	MostBytes = 256 << 20
	// leastBytes is what a journal is of use with.
	leastBytes = 1 << 20
	// rollupShare of all is for roll-ups.
	rollupShare = 8
	// manySegments is how many a ring has if their size allows: as much as one of
	// them is given up at a time.
	manySegments = 64
)

const (
	// patience is how long a final verdict is waited for, ns: the monitor waits two
	// minutes for a final reading.
	patience = int64(150 * time.Second)
	// stale is how long after an exchange its first verdict may come, ns. What is put
	// later and is not waited for is the final verdict of one already written.
	stale = int64(time.Minute)
	// queueLeast and queueMost bound the records that wait for a final verdict or
	// for the card. 300 bytes each: 5 MB at the most, which takes 100 exchanges a second.
	queueLeast = 64
	queueMost  = 16384
)

// Config is what a journal works with. All but Log and Random is required.
type Config struct {
	// Open opens the directory and says how many bytes may lie there. It is called
	// again while it fails.
	Open func() (Dir, int64, error)
	// Now is CLOCK_MONOTONIC, ns.
	Now func() int64
	// Reference says what is known of true time at an instant of that clock; judged
	// is the Target.ID that it is asked for, see monitor.Clock.
	Reference func(mono int64, judged string) Reference
	Random    func() uint64 // nil: the runtime's
	Log       *slog.Logger  // nil: silent
}

// Journal keeps exchanges. Put and everything that reads may be called at any time.
type Journal struct {
	cfg   Config
	store atomic.Pointer[store] // nil while there is none
	busy  atomic.Int64          // since when the card has been written, Now; 0: it is not

	mu      sync.Mutex
	queue   []item // of a power of two; positions are counted on for ever
	head    uint64
	tail    uint64
	waited  map[exchange]uint64 // places of those without a final verdict
	counts  Counts
	missed  uint64 // dropped, and not written so yet
	minutes []Minute
	problem string
}

// exchange names one.
type exchange struct {
	target string
	mono   int64
}

type item struct {
	rec     Record
	put     int64 // Now
	settled bool
}

// Counts are since the start.
type Counts struct {
	Records uint64 // given to the card
	Dropped uint64 // that the card would not take in time
	Late    uint64 // final verdicts that came after the record was written
}

// New makes a journal; nothing is opened before Run.
func New(cfg Config) (*Journal, error) {
	if cfg.Open == nil || cfg.Now == nil || cfg.Reference == nil {
		return nil, errors.New("journal: it needs a directory, a clock and a reference")
	}
	if cfg.Random == nil {
		cfg.Random = random
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Journal{cfg: cfg, queue: make([]item, queueLeast), waited: map[exchange]uint64{}}, nil
}

// Put implements monitor.Sink. It waits for nothing.
func (j *Journal) Put(x monitor.Exchange, r monitor.Result) {
	now := j.cfg.Now()
	ref := j.cfg.Reference(x.Mono, x.Target)
	if x.Mono == 0 { // the station has asked nobody yet
		x.Mono, ref = now, Reference{}
	}
	name := exchange{x.Target, x.Mono}

	j.mu.Lock()
	defer j.mu.Unlock()
	if at, ok := j.waited[name]; ok {
		it := &j.queue[at%uint64(len(j.queue))]
		it.rec, it.settled = record(&x, &r, ref), true
		delete(j.waited, name)
		return
	}
	if now-x.Mono > stale {
		j.counts.Late++
		return
	}
	if j.tail-j.head == uint64(len(j.queue)) && !j.grow() {
		j.counts.Dropped++
		j.missed++
		return
	}
	j.queue[j.tail%uint64(len(j.queue))] = item{rec: record(&x, &r, ref), put: now, settled: !r.Provisional}
	if r.Provisional {
		j.waited[name] = j.tail
	}
	j.tail++
}

// grow makes room in the queue.
func (j *Journal) grow() bool {
	old := j.queue
	if len(old) >= queueMost {
		return false
	}
	j.queue = make([]item, 2*len(old))
	for at := j.head; at < j.tail; at++ {
		j.queue[at%uint64(len(j.queue))] = old[at%uint64(len(old))]
	}
	return true
}

// take fills list with the oldest records that are ready, and returns how many
// these are. They are taken in the order of the exchanges, each once its verdict is
// final; all takes those whose is not, too.
func (j *Journal) take(list []Record, all bool) int {
	now := j.cfg.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for n < len(list) && j.head < j.tail {
		it := &j.queue[j.head%uint64(len(j.queue))]
		crowded := j.tail-j.head > queueMost*3/4
		if !it.settled && !all && !crowded && now-it.put < patience {
			break
		}
		if !it.settled {
			delete(j.waited, exchange{it.rec.Target.ID, it.rec.Mono})
		}
		list[n] = it.rec
		*it = item{}
		n++
		j.head++
	}
	return n
}

// Status is how a journal is.
type Status struct {
	Counts
	Waiting int    // records that are not on the card yet
	Written uint64 // bytes given to the file system since the start, whole blocks of 4 KiB
	Size    int64  // of all files, bytes
	// Oldest is the instant of the oldest dated record; zero: there is none, or it
	// is not known without reading.
	Oldest time.Time
	// Problem says in a sentence what people should know; empty: all is well.
	Problem string
}

// Status says how the journal is now.
func (j *Journal) Status() Status {
	j.mu.Lock()
	s := Status{Counts: j.counts, Waiting: int(j.tail - j.head), Problem: j.problem}
	j.mu.Unlock()
	if since := j.busy.Load(); since != 0 && j.cfg.Now()-since > int64(stuck) {
		s.Problem = "The card has been taking no writes for minutes: exchanges are not kept meanwhile. Replace the card if this lasts."
	}
	if st := j.store.Load(); st != nil {
		s.Waiting += int(st.unflushed.Load())
		for _, r := range st.rings() {
			r.mu.Lock()
			s.Written += r.written
			s.Size += int64(len(r.segs)) * r.size
			r.mu.Unlock()
		}
		for _, v := range st.records.views() {
			if !v.unknown && v.first <= v.last {
				s.Oldest = time.Unix(0, v.first).UTC()
				break
			}
		}
	}
	return s
}
