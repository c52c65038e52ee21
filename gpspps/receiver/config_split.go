package receiver

import (
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// longestSentence is the longest that is handed on, between '$' and line end,
// bytes. Airoha's answer with the version is longer than any that is decoded.
const longestSentence = 160

// splitter finds sentences and frames of UBX among whatever comes in.
type splitter struct {
	frame    func(class, id byte, payload []byte)
	sentence func(body []byte)

	frames ubx.Parser
	line   [longestSentence]byte // behind '$', so far
	lineN  int
	inLine bool
}

func (s *splitter) feed(b []byte) {
	for _, c := range b {
		s.takeLine(c)
		s.takeFrame(c)
	}
}

func (s *splitter) takeLine(c byte) {
	switch {
	case c == '$':
		s.inLine, s.lineN = true, 0
	case !s.inLine:
	case c == '\r' || c == '\n':
		s.inLine = false
		if n := s.lineN - 3; s.whole(n) {
			s.sentence(s.line[:n])
		}
	case c < ' ' || c > '~' || s.lineN == len(s.line):
		s.inLine = false
	default:
		s.line[s.lineN] = c
		s.lineN++
	}
}

// whole says whether a sentence ends in its checksum, which begins at n.
func (s *splitter) whole(n int) bool {
	if n <= 0 || s.line[n] != '*' {
		return false
	}
	high, ok1 := nmea.Hex(s.line[n+1])
	low, ok2 := nmea.Hex(s.line[n+2])
	return ok1 && ok2 && nmea.Checksum(s.line[:n]) == high<<4|low
}

func (s *splitter) takeFrame(c byte) {
	s.frames.Push(c)
	for f, ok := s.frames.Next(); ok; f, ok = s.frames.Next() {
		s.frame(f.ID.Class, f.ID.Number, f.Payload)
	}
}
