package receiver

import "github.com/truechimer/truechimer/gpspps/nmea"

// The longest that is handed on, bytes. MON-VER with thirty lines takes 940.
const (
	longestFrame    = 1024 // payload
	longestSentence = 160
)

// splitter finds sentences and frames of UBX among whatever comes in. It holds
// one of each at the most; what is longer is left out.
type splitter struct {
	frame    func(class, id byte, payload []byte)
	sentence func(body []byte)

	in     [longestFrame + 8]byte // the frame so far
	n      int
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
		if n := s.lineN - 3; n > 0 && s.line[n] == '*' && nmea.Checksum(s.line[:n]) == hex(s.line[n+1])<<4|hex(s.line[n+2]) {
			s.sentence(s.line[:n])
		}
	case c < ' ' || c > '~' || s.lineN == len(s.line):
		s.inLine = false
	default:
		s.line[s.lineN] = c
		s.lineN++
	}
}

// hex is the value of a hexadecimal digit; what is none fits no checksum but
// by chance, as noise does.
func hex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func (s *splitter) takeFrame(c byte) {
	s.in[s.n] = c
	s.n++
	switch {
	case s.n == 1 && c != 0xb5, s.n == 2 && c != 0x62:
		s.drop()
	case s.n < 6:
	case s.size() > len(s.in):
		s.drop()
	case s.n == s.size():
		var a, b byte
		for _, x := range s.in[2 : s.n-2] {
			a += x
			b += a
		}
		if a != s.in[s.n-2] || b != s.in[s.n-1] {
			s.drop()
			return
		}
		n := s.n
		s.n = 0
		s.frame(s.in[2], s.in[3], s.in[6:n-2])
	}
}

// size is how long the frame says that it is, bytes.
func (s *splitter) size() int { return 8 + int(s.in[4]) + int(s.in[5])<<8 }

// drop gives up what looked like a frame, and begins with its last byte, which
// may be the first of one.
func (s *splitter) drop() {
	last := s.in[s.n-1]
	s.n = 0
	if last == 0xb5 {
		s.in[0], s.n = last, 1
	}
}
