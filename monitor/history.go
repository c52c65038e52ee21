package monitor

import "math"

const (
	// windowFast is how many exchanges are looked at one by one, windowSlow in
	// how many parts those before them are kept as one exchange each, the best.
	windowFast = 8
	windowSlow = 4

	// A part ends once it has partLeast exchanges and is partSpan old: at the
	// default interval the four hold 64 exchanges, in 68 minutes.
	partLeast = 16
	partSpan  = 1024.0 // seconds

	// aging is how fast a server's clock may be thought to leave what it was
	// seen at: RFC 5905's frequency tolerance (PHI, section 7.2).
	aging = 15e-6

	// tickBits: instants of the window are counted in 2^27 ns, 0.13 s, which
	// lasts for 18 years and makes an exchange older by 2 ns of aging at most.
	tickBits = 27
	tickSpan = float64(1<<tickBits) / 1e9
)

// sample is what a window keeps of one exchange.
type sample struct {
	offset      float32 // less window.origin, seconds
	bound       float32 // half-width of the offset interval when it was had, seconds
	uncertainty float32 // likewise
	delay       float32 // seconds
	at          uint32  // Mono, ticks
}

// window is what is remembered of the proper replies of one target that the
// reference was good enough to measure. All of its intervals, grown with age,
// have a point in common: a reply whose interval has none with one of them
// shows that the server's clock was set, and begins the window anew.
//
// The best estimate is that of the one whose interval, grown with age, is the
// narrowest, never a mean: a queue only ever adds to the delay, and what it
// adds to the offset is at most half of that. It holds no pointer and is part
// of state, so it is copied with it.
type window struct {
	origin float64 // offset of the first exchange, seconds
	ring   [windowFast]sample
	slow   [windowSlow]sample // the best of each part, the open one included
	opened uint32             // when the open part began, ticks
	inPart uint16             // exchanges in the open part
	n      uint8              // used of ring
	next   uint8              // of ring
	parts  uint8              // used of slow
	part   uint8              // of slow, the open one
	held   uint16             // exchanges since it began
}

func ticks(mono int64) uint32 { return uint32(mono >> tickBits) }

// age is how long before now a sample was had, seconds.
func (a *sample) age(now uint32) float64 { return tickSpan * float64(max(int32(now-a.at), 0)) }

// aged is the half-width of what is known of the offset now.
func (a *sample) aged(now uint32) float64 { return float64(a.bound) + aging*a.age(now) }

// all calls f for what is kept until it returns false.
func (w *window) all(f func(a *sample) bool) bool {
	for i := range w.n {
		if !f(&w.ring[i]) {
			return false
		}
	}
	for i := range w.parts {
		if !f(&w.slow[i]) {
			return false
		}
	}
	return true
}

// add takes an exchange that was measured as i. It reports whether the window
// began anew, since the server's clock was set.
func (w *window) add(i offsetInterval, delay float64, mono int64) (anew bool) {
	now := ticks(mono)
	anew = w.n > 0 && !w.all(func(a *sample) bool {
		return math.Abs(i.offset-w.origin-float64(a.offset)) <= i.bound+a.aged(now)
	})
	if anew || w.n == 0 {
		*w = window{origin: i.offset}
	}
	// Rounded up: float32 has 24 bits.
	const up = 1 + 1.0/(1<<23)
	s := sample{
		offset: float32(i.offset - w.origin), bound: float32(i.bound * up), uncertainty: float32(i.uncertainty * up),
		delay: float32(delay), at: now,
	}
	w.ring[w.next] = s
	w.next = (w.next + 1) % windowFast
	w.n = min(w.n+1, windowFast)
	if w.held < math.MaxUint16 {
		w.held++
	}
	w.addSlow(s)
	return anew
}

func (w *window) addSlow(s sample) {
	open := &w.slow[w.part]
	switch {
	case w.parts == 0:
		w.parts = 1
	case w.inPart >= partLeast && tickSpan*float64(s.at-w.opened) >= partSpan:
		w.part = (w.part + 1) % windowSlow
		w.parts = min(w.parts+1, windowSlow)
		open, w.inPart = &w.slow[w.part], 0
	case s.aged(s.at) > open.aged(s.at):
		w.inPart++
		return
	}
	if w.inPart == 0 {
		w.opened = s.at
	}
	w.inPart++
	*open = s
}

// best is the best estimate at an instant, aged, and whether the newest
// exchange is the one. It must not be asked of an empty window.
func (w *window) best(mono int64) (i offsetInterval, newest bool) {
	now := ticks(mono)
	last := w.last()
	b, width := last, float64(last.bound)
	w.all(func(a *sample) bool {
		if v := a.aged(now); v < width {
			b, width = a, v
		}
		return true
	})
	grown := aging * b.age(now)
	return offsetInterval{
		offset: w.origin + float64(b.offset), bound: width,
		uncertainty: math.Hypot(float64(b.uncertainty), grown),
	}, b == last
}

// last is the newest exchange of a window that is not empty.
func (w *window) last() *sample { return &w.ring[(w.next+windowFast-1)%windowFast] }

// jitter is how far the last exchanges are from an offset, RMS, seconds; false
// if there are no two.
func (w *window) jitter(offset float64) (rms float64, ok bool) {
	if w.n < 2 {
		return 0, false
	}
	sum := 0.0
	for i := range w.n {
		d := w.origin + float64(w.ring[i].offset) - offset
		sum += d * d
	}
	// The best one is no witness of how far the others are, if it is among them.
	return math.Sqrt(sum / float64(w.n-1)), true
}

// least is the shortest delay, seconds.
func (w *window) least() float64 {
	d := math.Inf(1)
	w.all(func(a *sample) bool { d = min(d, float64(a.delay)); return true })
	return d
}

// traffic counts exactly what was sent and what came of it.
type traffic struct {
	sent, received uint32 // at the highest pace for 270 years
	reach          uint16 // of the last 16 requests, the last one in the lowest bit
}

// add takes an exchange of which a request was sent.
func (c *traffic) add(replied bool) {
	c.sent++
	c.reach <<= 1
	if replied {
		c.received++
		c.reach |= 1
	}
}

// traffic says whether an exchange sent a request, and whether there was a
// reply with its cookie, whatever the reply was worth.
func (o Outcome) traffic() (sent, replied bool) {
	switch o {
	case OutcomeOK, OutcomeUnsynchronized, OutcomeDenied, OutcomeRateLimited, OutcomeInvalid, OutcomeClockStepped:
		return true, true
	case OutcomeTimeout, OutcomeRefused, OutcomeUnreachable, OutcomeStray:
		return true, false
	}
	return false, false
}
