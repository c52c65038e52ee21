package health

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes foreign text safe to set within a line of our own: valid UTF-8,
// on one line, without control characters and the marks that turn the direction
// of writing, single-spaced, and at most max characters long.
func Clean(s string, max int) string {
	if len(s) > 4*max+utf8.UTFMax { // no need to look at what will be cut off
		s = s[:4*max+utf8.UTFMax]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:max-1]), " ") + "…"
}
