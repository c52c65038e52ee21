package probe

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A network card with a clock of its own may stamp packets as they pass, ahead of
// what the kernel takes to come to it. Its stamps are that clock's, which nobody
// need keep right: how far it is ahead of CLOCK_REALTIME is read before the request
// and after the reply, and what has become of that in between counts as error.
//
// The kernel's stamps are made all the same, and each of the card's is held against
// the kernel's of that packet. What is in doubt is left out: then the kernel's serves.
const (
	// cardWait is txWait with the card's stamp, which comes only once the packet has
	// left and the card has said so.
	cardWait = 10 * time.Millisecond
	// relateEvery is how old a reading of the card's clock may be when a request is
	// prepared.
	relateEvery = 2 * time.Millisecond
	// relationOld is how far the readings before and after may be apart, ns.
	relationOld = int64(4 * time.Second)
	// relationRate is how fast the clocks may run against each other, 500 ppm;
	// beyond that one of them was set, or stands still.
	relationRate = 500e-6
	// wanderRate is how fast they do so where nobody has set one meanwhile: what an
	// Ethernet's oscillator may be wrong by.
	wanderRate = 100e-6
	// cardErrorMost is what a card's stamp may be wrong by, ns. Where it is more, the
	// kernel's is as good.
	cardErrorMost = 5_000
	// cardStampError is what lies between a stamp and the wire, in the card, seconds.
	cardStampError = 1e-6
	// cardApart is how long after the driver has handed a packet over it may leave, and
	// how long one that has come may wait for the driver, ns. What waits for longer, as
	// on a busy processor, has the kernel's stamp, which is as true a bound. Were a
	// stamp another packet's after all, it could be wrong by no more than this.
	cardApart = 100_000
	// cardAgain is how long a card that is of no use is left alone, and how long
	// its link's speed is taken for the same.
	cardAgain = 10 * time.Second
	// missingMost stamps in a row that do not come are taken for somebody's having
	// turned them off.
	missingMost = 64
)

// relation is how far a card's clock was ahead of CLOCK_REALTIME at an instant of
// it, give or take half the time that reading it took. All in ns; the zero one is
// not known.
type relation struct{ at, ahead, half int64 }

// cardClock is a card's clock.
type cardClock interface {
	read() (relation, error)
	// speed is the link's, Mbit/s; 0 if it is not known.
	speed() int64
	close()
}

// openCard has an interface stamp packets, and returns its index and its clock.
type openCard func(name string) (index int32, clock cardClock, err error)

// cards are the interfaces whose stamps are wanted. Nil is none.
type cards struct {
	list  []*card
	open  openCard
	clock Clock
	count *counters
}

type card struct {
	name  string
	index atomic.Int32 // 0: of no use for now

	mu      sync.Mutex
	clock   cardClock // nil: of no use for now
	again   time.Time // when that, or the link's speed, is looked at anew
	problem string
	newest  relation
	mbits   int64
	missing int
}

// newCards returns the cards of some interfaces, those that can be had ready for use.
func newCards(names []string, open openCard, clock Clock, count *counters) *cards {
	c := &cards{open: open, clock: clock, count: count}
	for _, name := range names {
		k := &card{name: name}
		c.list = append(c.list, k)
		c.relate(k, 0)
	}
	return c
}

func (c *cards) close() {
	for _, k := range c.list {
		k.mu.Lock()
		k.drop("the prober was closed")
		k.again = time.Now().AddDate(100, 0, 0)
		k.mu.Unlock()
	}
}

// problems is why cards are of no use.
func (c *cards) problems() (list []string) {
	for _, k := range c.list {
		k.mu.Lock()
		if k.problem != "" {
			list = append(list, fmt.Sprintf("no time stamps of %s: %s", k.name, k.problem))
		}
		k.mu.Unlock()
	}
	return list
}

// at finds the card of an interface that is in use.
func (c *cards) at(index int32) (n int, k *card) {
	for n, k := range c.list {
		if index != 0 && k.index.Load() == index {
			return n, k
		}
	}
	return -1, nil
}

// relate is a reading of a card's clock that was begun at since or later; the zero
// one if there is none to be had.
func (c *cards) relate(k *card, since int64) relation {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); !now.Before(k.again) {
		k.again = now.Add(cardAgain)
		if k.clock == nil {
			index, clock, err := c.open(k.name)
			if err != nil {
				k.problem = err.Error()
				return relation{}
			}
			k.clock, k.newest, k.missing = clock, relation{}, 0
			k.index.Store(index)
		}
		k.mbits = k.clock.speed()
	}
	if k.clock == nil {
		return relation{}
	}
	if begun := k.newest.at - k.newest.half; k.newest.at != 0 && begun >= since && begun <= c.clock.Realtime() {
		return k.newest
	}
	r, err := k.clock.read()
	if err != nil {
		k.drop(fmt.Sprintf("its clock cannot be read: %v", err))
		return relation{}
	}
	k.problem = ""
	if r.half > cardErrorMost {
		k.problem = fmt.Sprintf("reading its clock takes too long, ± %v", time.Duration(r.half))
	}
	k.newest = r
	return r
}

// drop gives a card up until k.again.
func (k *card) drop(problem string) {
	if k.clock != nil {
		k.clock.close()
	}
	k.clock, k.newest, k.problem = nil, relation{}, problem
	k.index.Store(0)
}

// came says whether a stamp of the card came.
func (k *card) came(did bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.missing++; did {
		k.missing = 0
	}
	if k.missing >= missingMost && k.clock != nil {
		k.drop("it has stopped stamping packets")
	}
}

func (k *card) linkSpeed() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mbits
}

// cardStamps are a flight's stamps of cards, by their clocks, 0 for none.
type cardStamps struct {
	before []relation // of the cards in their order
	left   int32      // interface that it left by, as the kernel says
	tx, rx int64
	txOn   int32 // interface that stamped it
	rxOn   int32
	length int // of the reply on the wire, without its check sequence; 0 if not known

	settled bool
	st      stamps // then
}

// begin prepares for a flight.
func (c *cards) begin() *cardStamps {
	h := &cardStamps{before: make([]relation, len(c.list))}
	since := c.clock.Realtime() - int64(relateEvery)
	for i, k := range c.list {
		h.before[i] = c.relate(k, since)
	}
	return h
}

// take takes a transmit stamp, and says whether no other is to come.
func (c *cards) take(f *flight, q *queued) (all bool) {
	h := f.card
	if q.raw != 0 && h.tx == 0 {
		h.tx, h.txOn = q.raw, q.on
	}
	if q.stamp != 0 {
		h.left = q.on
	}
	_, k := c.at(h.left)
	return f.tx != 0 && (h.tx != 0 || k == nil)
}

// settle puts the card's stamps of a flight whose reply has come in the place of the
// kernel's where that is right. It reads the card's clock, and so is for whoever
// waits for the flight to do, not for the loop.
func (c *cards) settle(f *flight) {
	h := f.card
	st := f.kernelStamps()
	_, leaving := c.at(h.left)
	if leaving != nil {
		leaving.came(h.tx != 0)
	}
	if st.kernel {
		tx, wide := c.convert(f, h.tx, h.txOn)
		rx, wideToo := c.convert(f, h.rx, h.rxOn)
		if h.txOn != h.left {
			tx = converted{}
		}
		if rx.at != 0 {
			rx.at += c.lasted(h)
		}
		st = withCard(st, f.before, tx, rx)
		if leaving != nil && !wide && !wideToo {
			c.count.doubted.Add(uint64(2 - st.card))
		}
	}
	h.st, h.settled = st, true
}

// converted is a card's stamp by CLOCK_REALTIME and what it may be wrong by for the
// conversion, ns; the zero one is none.
type converted struct{ at, err int64 }

// convert converts a stamp of an interface; wide says that this takes more error than
// the stamp is worth.
func (c *cards) convert(f *flight, stamp int64, on int32) (t converted, wide bool) {
	n, k := c.at(on)
	if k == nil || stamp == 0 {
		return t, false
	}
	t, ok := between(f.card.before[n], c.relate(k, f.read), stamp)
	if !ok {
		return converted{}, false
	}
	if t.err > cardErrorMost {
		return converted{}, true
	}
	return t, false
}

// between converts a card's stamp that was made between two readings of its clock.
// It fails if the stamp was not, if a reading is missing, and if the clocks have not
// run alike meanwhile.
//
// A step of one of them too small to be told from the readings' own width and their
// running apart may have happened all the same, at any time. So all that the two
// readings differ by counts as error.
func between(before, after relation, stamp int64) (t converted, ok bool) {
	span, moved := after.at-before.at, after.ahead-before.ahead
	if before.at == 0 || after.at == 0 || span <= 0 || span > relationOld {
		return t, false
	}
	if float64(abs(moved)) > float64(before.half+after.half)+relationRate*float64(span) {
		return t, false
	}
	since, until := stamp-before.ahead-before.at, after.at-(stamp-after.ahead)
	if since < -before.half || until < -after.half {
		return t, false
	}
	share := min(max(float64(since)/float64(span), 0), 1)
	return converted{
		at:  stamp - before.ahead - int64(share*float64(moved)),
		err: max(before.half, after.half) + abs(moved) + int64(wanderRate*float64(span)) + 1,
	}, true
}

const (
	// checkSequence follows a frame, bytes; usualFrame is a reply's without it.
	checkSequence = 4
	usualFrame    = 14 + 20 + 8 + packetSize
	// longestFrame is longer than an answer may be.
	longestFrame = 1600
)

// lasted is how long a reply took to arrive, ns. The card stamps its beginning; what
// NTP goes by is its end, as the kernel's stamps do. It is 0 where the link's speed is
// not known, which leaves a stamp that is early, but not earlier than the reply left.
func (c *cards) lasted(h *cardStamps) int64 {
	_, k := c.at(h.rxOn)
	if k == nil {
		return 0
	}
	mbits := k.linkSpeed()
	if mbits <= 0 {
		return 0
	}
	n := h.length
	if n < usualFrame || n > longestFrame {
		n = usualFrame
	}
	return int64(n+checkSequence) * 8 * 1000 / mbits
}

// withCard is the kernel's stamps with those of a card that can be true in their
// place. before is when the request was about to be sent.
func withCard(st stamps, before int64, tx, rx converted) stamps {
	var n, worst int64
	if tx.at != 0 && tx.at >= max(before, st.t1-stampSlack)-tx.err && tx.at <= st.t1+tx.err+cardApart {
		n, worst = n+1, tx.err
	} else {
		tx.at = st.t1
	}
	if rx.at != 0 && rx.at <= st.t4+rx.err && rx.at >= st.t4-rx.err-cardApart && rx.at >= tx.at-tx.err-rx.err {
		n, worst = n+1, max(worst, rx.err)
	} else {
		rx.at = st.t4
	}
	if n == 0 {
		return st
	}
	st.t1, st.t4, st.card = tx.at, rx.at, uint8(n)
	err := cardStampError + float64(worst)/1e9
	if n < 2 {
		err = max(err, st.err)
	}
	st.err = err
	return st
}
