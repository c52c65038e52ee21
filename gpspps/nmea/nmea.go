// Package nmea reads what a GPS receiver says about the time in NMEA 0183
// sentences.
//
// A sentence is a line of printable ASCII,
//
//	$GPRMC,123519.00,A,4807.038,N,01131.000,E,0.0,,230394,,,A*hh
//
// with two letters for who talks (GP, GL, GA, GN for several systems at once),
// three for what is said, fields, and the exclusive or of all bytes between
// '$' and '*' in hexadecimal. A receiver sends a burst of them once a second,
// which begins some ten to hundreds of milliseconds after the second it names.
// Parser joins the sentences of one burst into one gpspps.Fix.
//
// Read are RMC, ZDA, GGA, GSA and GSV of any talker; the others only tell
// where a burst begins and ends. A sentence without a checksum, or with a
// wrong one, is dropped. A position is looked at only to see whether the
// receiver has one, and is not kept.
package nmea

import (
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// maxLine bounds a sentence between '$' and '*'. The standard allows 82
// characters with '$' and line end; receivers' own sentences are longer.
const maxLine = 120

const (
	defaultGap = 100 * time.Millisecond
	// A burst goes on while bytes of sentences come in, but not for longer than
	// this after the last whole one: garbage must not hold a fix back.
	maxWait = 300 * time.Millisecond
	// A burst that names the same time as the one before is another one, of a
	// receiver whose clock stands still, if it begins this much later.
	sameTimeApart = int64(500 * time.Millisecond)
	// No burst lasts longer: the next one would have no room.
	longestBurst = int64(time.Second)
	// Satellites are shown from the last sentences that named them; receivers
	// may send those every few seconds only.
	maxAge = 10
)

// Config is what a Parser needs to know.
type Config struct {
	// Emit takes each fix, in the goroutine that calls Feed, Idle or Flush.
	Emit func(gpspps.Fix)
	// Pivot is a time known to be past: that of the build, or the last good one.
	// See Resolve. Zero trusts every date as it is.
	Pivot time.Time
	// ByteTime is how long one byte takes on the line, 10 bits / baud, for
	// the bytes of one Feed; 0 takes them all as arrived at once.
	ByteTime time.Duration
	// Gap is the silence that ends a burst; 0 means 100 ms.
	Gap time.Duration
}

// Stats count what was read, since the start.
type Stats struct {
	Sentences uint64 // with the right checksum, known or not
	Checksum  uint64 // dropped: checksum wrong or missing
	Broken    uint64 // dropped: cut short by another '$', too long, or with bytes no sentence has
	Noise     uint64 // bytes between sentences, line ends not counted
	Fixes     uint64 // emitted
	Rollover  uint64 // fixes whose date had lost 1024 weeks or more
	Conflict  uint64 // fixes where RMC and ZDA named two dates: not valid
}

// Parser turns bytes into fixes. It allocates nothing after New. Not safe for
// use by several goroutines.
type Parser struct {
	emit  func(gpspps.Fix)
	pivot time.Time
	byteT int64
	gap   int64
	stats Stats

	// The line being read.
	in       lineState
	line     [maxLine]byte
	n        int
	xor, sum byte
	start    int64 // arrival of its '$'

	// The burst being read.
	active  int64 // arrival of the last byte that belonged to a sentence
	good    int64 // arrival of the last byte of the last whole sentence
	begun   bool  // something of this burst has come
	begin   int64 // arrival of its first '$'
	dropped int   // sentences dropped since the last fix
	ep      epoch
	dated   dated
	cycle   cycle
	sky     sky
}

type lineState uint8

const (
	outside lineState = iota
	inBody
	inSum1
	inSum2
)

// New makes a Parser. c.Emit must be set.
func New(c Config) *Parser {
	p := &Parser{emit: c.Emit, pivot: c.Pivot, byteT: int64(c.ByteTime), gap: int64(c.Gap)}
	if p.gap <= 0 {
		p.gap = int64(defaultGap)
	}
	p.sky.used = -1
	p.sky.clearUsed()
	return p
}

// SetPivot moves the time known to be past, see Config.
func (p *Parser) SetPivot(t time.Time) { p.pivot = t }

// Stats are the counts so far.
func (p *Parser) Stats() Stats { return p.stats }

// Feed takes bytes in the order they came in. mono is the arrival of the first
// one, CLOCK_MONOTONIC ns, and must not run backwards from call to call.
func (p *Parser) Feed(b []byte, mono int64) {
	for i, c := range b {
		p.take(c, mono+int64(i)*p.byteT)
	}
}

// Idle says that it is mono now and all bytes that came in before were fed. It
// emits the fix of a burst that has ended. Call it every 50 ms or so, so that
// a fix is out before the next pulse.
func (p *Parser) Idle(mono int64) {
	if p.begun && (mono-p.active >= p.gap || mono-p.good >= max(int64(maxWait), p.gap)) {
		p.endBurst()
	}
}

// Flush emits the fix of a burst not yet ended, as at the end of a file.
func (p *Parser) Flush() {
	p.in = outside
	p.endBurst()
}

func (p *Parser) take(c byte, at int64) {
	p.Idle(at)
	if c == '$' {
		if p.in != outside && p.n > 0 {
			p.drop(&p.stats.Broken)
		}
		p.in, p.n, p.xor, p.start = inBody, 0, 0, at
		p.active = at
		return
	}
	switch p.in {
	case outside:
		if c != '\r' && c != '\n' {
			p.stats.Noise++
		}
		return
	case inBody:
		switch {
		case c == '*':
			p.in = inSum1
		case c == '\r' || c == '\n':
			p.drop(&p.stats.Checksum)
		case c < ' ' || c > '~' || p.n == maxLine:
			p.drop(&p.stats.Broken)
		default:
			p.line[p.n] = c
			p.n++
			p.xor ^= c
		}
	case inSum1, inSum2:
		h, ok := hex(c)
		switch {
		case !ok:
			p.drop(&p.stats.Checksum)
		case p.in == inSum1:
			p.sum, p.in = h<<4, inSum2
		case p.sum|h != p.xor:
			p.drop(&p.stats.Checksum)
		default:
			p.in = outside
			p.stats.Sentences++
			p.beginBurst(p.start)
			p.active, p.good = at, at
			p.sentence(p.line[:p.n], p.start)
			return
		}
	}
	p.active = at
}

// drop gives up the line being read. If it looks like a sentence its arrival
// still marks the beginning of the burst.
func (p *Parser) drop(count *uint64) {
	p.in = outside
	*count++
	if p.n < 5 {
		return
	}
	for _, c := range p.line[:5] {
		if c < 'A' || c > 'Z' {
			return
		}
	}
	p.dropped++
	p.beginBurst(p.start)
}

func hex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
