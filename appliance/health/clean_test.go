package health

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "plain", "a\tb\n\nc", "\xff\xfe", "\u202eevil", strings.Repeat("é", 500), "  x  "} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 2 || limit > 1000 {
			return
		}
		got := Clean(s, limit)
		if n := utf8.RuneCountInString(got); n > limit {
			t.Errorf("%d characters, %d allowed", n, limit)
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\t\x00\u202e") || got != strings.TrimSpace(got) {
			t.Errorf("not clean: %q", got)
		}
		if again := Clean(got, limit); again != got {
			t.Errorf("not settled: %q becomes %q", got, again)
		}
	})
}
