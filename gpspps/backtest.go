package gpspps

import "math"

// How far off a holdover would be is not left to the model alone: every second
// the station looks at what a holdover that had begun 1, 2, 4 ... 65,536 s ago
// would have made of now, and keeps how often it was how far off. That knows
// the swing of the room's temperature, which no random walk is.
const (
	testSpans   = 17                // the longest is 2^16 s
	testsInSpan = 16                // how many begin in a span; fewer in one shorter than as many seconds
	testAge     = 64                // seconds a lock must be old until its frequency counts
	testMemory  = 86400             // seconds; a day has all the temperatures of a day
	testMost    = 64                // spans remembered, if that is longer
	testLeast   = 4                 // spans that make an experience
	testMargin  = 1.25              // times what 95 % of the tests stayed within
	testFew     = 2                 // over the spans: how much more few tests may have missed
	binsOctave  = 8                 // bins of a doubling
	binFirst    = 1e-9              // seconds, the end of the lowest
	bins        = 30*binsOctave + 1 // up to a second
)

// start is where a test begins: a state and its instant on the paper timescale.
type start struct {
	second int64
	mono   int64
	added  float64 // by steering until then, seconds
	base   int64
	s      state
}

// span is the tests of one length.
type span struct {
	starts [testsInSpan + 1]start
	count  [bins]uint32 // by how far off they were
	total  uint32
}

type backtests [testSpans]span

// every is how many seconds lie between the tests of a length.
func every(length int64) int64 { return max(1, length/testsInSpan) }

// take ends the tests that are due at s and begins others.
func (b *backtests) take(s start) {
	if s.second>>testSpans <= 0 {
		return // no clock that is right says so
	}
	for k := range b {
		length := int64(1) << k
		step := every(length)
		if s.second%step != 0 {
			break // longer ones take even rarer seconds
		}
		p := &b[k]
		slot := func(second int64) *start { return &p.starts[second/step%int64(len(p.starts))] }
		if was := slot(s.second - length); was.second == s.second-length {
			dt := float64(s.mono-was.mono)*1e-9 - (s.added - was.added)
			p.note(math.Abs(float64(was.base-s.base)*1e-9+was.s.alone(dt)-s.s.x), max(testMemory, testMost*length)/step)
		}
		*slot(s.second) = s
	}
}

// interrupt forgets where tests began: what comes now is no continuation.
func (b *backtests) interrupt() {
	for k := range b {
		b[k].starts = [testsInSpan + 1]start{}
	}
}

// note counts a test that was off by so many seconds, and halves what is known
// when it becomes more than most.
func (p *span) note(off float64, most int64) {
	i := bins - 1
	switch {
	case off <= binFirst:
		i = 0
	case off < 1:
		i = 1 + int(math.Log2(off/binFirst)*binsOctave)
	}
	p.count[i]++
	p.total++
	if int64(p.total) <= most {
		return
	}
	p.total = 0
	for i := range p.count {
		p.count[i] /= 2
		p.total += p.count[i]
	}
}

// within is what 95 % of the tests stayed within, seconds.
func (p *span) within() float64 {
	beyond := p.total / 20
	i := bins - 1
	for sum := p.count[i]; i > 0 && sum <= beyond; sum += p.count[i] {
		i--
	}
	return binFirst * math.Exp2(float64(i)/binsOctave)
}

// experience is how far off a holdover of 2^k s is (95 %), seconds, for the
// first known k. It does not change any more.
type experience struct {
	known int
	off   [testSpans]float64
}

// experience sums the tests up.
func (b *backtests) experience() *experience {
	e := &experience{}
	least := 0.0
	for k := range b {
		length := int64(1) << k
		spans := float64(int64(b[k].total)*every(length)) / float64(length)
		if spans < testLeast {
			break
		}
		// Few tests see little of what can happen, nor do longer ones end
		// nearer to the truth than shorter ones.
		least = max(least, testMargin*b[k].within()*(1+testFew/spans))
		e.off[k], e.known = least, k+1
	}
	return e
}

// reach is the longest holdover that is known of, seconds; 0 none.
func (e *experience) reach() float64 {
	if e.known == 0 {
		return 0
	}
	return math.Exp2(float64(e.known - 1))
}

// at is how far off a holdover is after dt seconds (95 %), seconds, for dt up
// to the reach.
func (e *experience) at(dt float64) float64 {
	if dt <= 1 {
		return e.off[0] * dt
	}
	at := math.Log2(dt)
	k := min(int(at), e.known-2)
	f := at - float64(k)
	return math.Exp((1-f)*math.Log(e.off[k]) + f*math.Log(e.off[k+1]))
}
