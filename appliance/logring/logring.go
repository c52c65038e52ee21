// Package logring keeps the last lines of the log in memory that does not grow, with
// what looks like a secret taken out.
package logring

import (
	"bytes"
	"regexp"
	"sync"
)

const (
	// Lines is how many lines are kept, Longest how much of each, bytes: 160 KB.
	Lines   = 400
	Longest = 400
)

// Ring is what is kept. The zero value has nothing yet. It is an io.Writer for whole
// lines, as a slog.Handler writes them.
type Ring struct {
	mu    sync.Mutex
	lines [Lines][]byte
	n     uint64 // that were written, ever
}

// secret is what no line should have, in case one does: the password in an address,
// and the value of what is called by such a name.
var secret = regexp.MustCompile(`(?i)(://[^\s/@:"]*):[^\s/@"]+(@)|((?:pass(?:word|phrase|wd)?|psk|secret|token|authorization|cookie|claim_code|private_key)\\?"?\s?[=:]\s?)(?:\\"[^"]*"|"[^"]*"|[^\s"]+)`)

// signs are in whatever secret matches; looking for them first is what makes that cheap.
var signs = [...][]byte{
	[]byte("@"), []byte("pass"), []byte("Pass"), []byte("PASS"), []byte("psk"), []byte("PSK"), []byte("ecret"), []byte("ECRET"), []byte("oken"), []byte("OKEN"),
	[]byte("uthorization"), []byte("UTHORIZATION"), []byte("ookie"), []byte("OOKIE"), []byte("laim_code"), []byte("rivate_key"),
}

// Write keeps what is written, line by line. It never fails.
func (r *Ring) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range bytes.SplitSeq(bytes.TrimRight(b, "\n"), []byte{'\n'}) {
		r.add(line)
	}
	return len(b), nil
}

func (r *Ring) add(line []byte) {
	if most := 8 * Longest; len(line) > most {
		line = line[:most] // what follows is not looked at
	}
	for _, sign := range signs {
		if bytes.Contains(line, sign) {
			line = secret.ReplaceAll(line, []byte("${1}${3}…${2}"))
			break
		}
	}
	at := &r.lines[r.n%Lines]
	*at = append((*at)[:0], line[:min(len(line), Longest)]...)
	r.n++
}

// Last are the lines, the oldest first, and how many there ever were. A line may be
// cut short, also within a character.
func (r *Ring) Last() (lines []string, n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := r.n - min(r.n, Lines); i < r.n; i++ {
		lines = append(lines, string(r.lines[i%Lines]))
	}
	return lines, r.n
}

// Count is how many lines there ever were.
func (r *Ring) Count() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}
