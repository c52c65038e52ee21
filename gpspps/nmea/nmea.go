// Package nmea reads what a GPS receiver says about the time in NMEA 0183
// sentences.
//
// A sentence is a line of printable ASCII,
//
//	$GPRMC,123519.00,A,4807.038,N,01131.000,E,0.0,,230394,,,A*hh
//
// with two letters for who talks (GP, GL, GA, GN for several systems at once),
// three for what is said, fields, and the exclusive or of all bytes between
// '$' and '*' in hexadecimal. A sentence without a checksum, or with a wrong
// one, is dropped.
//
// Parser finds the sentences in a stream of bytes; Read takes one apart. Read
// are RMC, ZDA, GGA, GNS, GSA, GSV and GST of any talker and u-blox's PUBX,04.
// What belongs to one second is put together by package receiver.
package nmea

// maxLine bounds a sentence between '$' and '*'. The standard allows 82
// characters with '$' and line end; receivers' own sentences are longer.
const maxLine = 120

// Stats count what was read, since the start.
type Stats struct {
	Sentences uint64 // with the right checksum, known or not
	Checksum  uint64 // dropped: checksum wrong or missing
	Broken    uint64 // dropped: cut short by another '$', too long, or with bytes no sentence has
}

// Parser finds sentences. The zero value is ready. It allocates nothing. Not
// safe for use by several goroutines.
type Parser struct {
	stats Stats

	in       lineState
	line     [maxLine]byte
	n        int
	xor, sum byte
	start    int64 // arrival of the '$' of the line being read
	ended    int64 // of the sentence that ended last
}

type lineState uint8

const (
	outside lineState = iota
	inBody
	inSum1
	inSum2
)

// Event is what a byte brings.
type Event uint8

// The events.
const (
	Outside Event = iota // it belongs to no sentence
	Inside               // it belongs to one, or to what began like one
	Dropped              // with it a sentence was given up, see Start
	Whole                // with it a sentence is whole, see Start and Body
)

// Stats are the counts so far.
func (p *Parser) Stats() Stats { return p.stats }

// Body is the sentence that became whole last, what stands between '$' and
// '*'. It is good until the next byte is taken.
func (p *Parser) Body() []byte { return p.line[:p.n] }

// Start is when the '$' of the sentence that became whole or was dropped last
// arrived.
func (p *Parser) Start() int64 { return p.ended }

// Abandon forgets the line being read, and what has been counted since the
// stats were s: all of it was something else.
func (p *Parser) Abandon(s Stats) {
	p.in = outside
	p.stats.Checksum, p.stats.Broken = s.Checksum, s.Broken
}

// Take takes the next byte, which arrived at the instant at.
func (p *Parser) Take(c byte, at int64) Event {
	if c == '$' {
		e := Inside
		if p.in != outside && p.n > 0 {
			e = p.drop(&p.stats.Broken)
		}
		p.in, p.n, p.xor, p.start = inBody, 0, 0, at
		return e
	}
	switch p.in {
	case inBody:
		switch {
		case c == '*':
			p.in = inSum1
		case c == '\r' || c == '\n':
			return p.drop(&p.stats.Checksum)
		case c < ' ' || c > '~' || p.n == maxLine:
			return p.drop(&p.stats.Broken)
		default:
			p.line[p.n] = c
			p.n++
			p.xor ^= c
		}
	case inSum1, inSum2:
		h, ok := Hex(c)
		switch {
		case !ok:
			return p.drop(&p.stats.Checksum)
		case p.in == inSum1:
			p.sum, p.in = h<<4, inSum2
		case p.sum|h != p.xor:
			return p.drop(&p.stats.Checksum)
		default:
			p.in, p.ended = outside, p.start
			p.stats.Sentences++
			return Whole
		}
	default:
		return Outside
	}
	return Inside
}

// drop gives up the line being read. Only what looks like a sentence is one.
func (p *Parser) drop(count *uint64) Event {
	p.in = outside
	*count++
	if p.n < 5 {
		return Inside
	}
	for _, c := range p.line[:5] {
		if c < 'A' || c > 'Z' {
			return Inside
		}
	}
	p.ended = p.start
	return Dropped
}

// Hex is the value of a hexadecimal digit.
func Hex(c byte) (byte, bool) {
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
