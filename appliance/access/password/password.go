// Package password makes and checks hashes of passwords: Argon2id (RFC 9106) in
// the text form that the reference program prints with -e,
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// so that a hash can also be made elsewhere.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// What a password may be. The least is for one that is guessed at a few times a
// minute at the most, the most what a form may hold.
const (
	Least = 10  // characters
	Most  = 128 // bytes
)

// What a hash of ours costs: the least that OWASP's Password Storage Cheat Sheet
// has for Argon2id, which a board of 1 GHz and 512 MB can afford for one at a
// time. One lane, since a second one would take a core from the measurements.
const (
	memory = 19 << 10 // KiB
	passes = 2
	lanes  = 1
	saltTo = 16 // bytes, RFC 9106 section 3.1
	hashTo = 32 // bytes
)

// The most that a hash made elsewhere may cost: in memory, and in time eight
// times what ours does.
const (
	memoryMost = 64 << 10 // KiB
	workMost   = 8 * memory * passes
	lanesMost  = 4
)

// textMost bounds a hash as text, bytes: salt and hash of 64 bytes each and the
// parameters have less.
const textMost = 256

// Hash is one of a password. The zero value is nobody's.
type Hash struct {
	text         string
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

// Check says what keeps s from being a password, as a sentence; nil: nothing does.
func Check(s string) error {
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return errors.New("the password has a character that is none")
	case len(s) > Most:
		return fmt.Errorf("the password is too long: %d letters without accents are the most", Most)
	case utf8.RuneCountInString(s) < Least:
		return fmt.Errorf("the password is too short: it takes at least %d characters, such as three words", Least)
	}
	return nil
}

// New makes the hash of a password. Whether that is a good one Check knows.
func New(s string) Hash {
	salt := make([]byte, saltTo)
	rand.Read(salt) // never fails: it ends the process instead
	h := Hash{memory: memory, time: passes, lanes: lanes, salt: salt}
	h.sum = argon2.IDKey([]byte(s), salt, h.time, h.memory, h.lanes, hashTo)
	b64 := base64.RawStdEncoding.EncodeToString
	h.text = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.lanes, b64(salt), b64(h.sum))
	return h
}

var shape = regexp.MustCompile(`^\$argon2id\$v=19\$m=([1-9][0-9]{0,7}),t=([1-9][0-9]{0,5}),p=([1-9][0-9]?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$`)

// Parse reads the text of a hash. The error does not repeat it.
func Parse(text string) (Hash, error) {
	bad := errors.New("it is no Argon2id hash")
	if len(text) > textMost {
		return Hash{}, bad
	}
	m := shape.FindStringSubmatch(text)
	if m == nil {
		return Hash{}, bad
	}
	number := func(s string) uint32 {
		n, _ := strconv.ParseUint(s, 10, 32) // shape has few digits
		return uint32(n)
	}
	h := Hash{text: text, memory: number(m[1]), time: number(m[2]), lanes: uint8(number(m[3]))}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(m[4]); err != nil {
		return Hash{}, bad
	}
	if h.sum, err = base64.RawStdEncoding.Strict().DecodeString(m[5]); err != nil {
		return Hash{}, bad
	}
	switch {
	case h.memory > memoryMost || h.lanes > lanesMost || uint64(h.memory)*uint64(h.time) > workMost:
		return Hash{}, fmt.Errorf("it costs more than a small board can pay; m=%d,t=%d,p=%d is enough", memory, passes, lanes)
	case h.memory < 8*uint32(h.lanes): // RFC 9106 section 3.1
		return Hash{}, bad
	}
	return h, nil
}

// String is the text of the hash.
func (h Hash) String() string { return h.text }

// None says whether it is the zero value.
func (h Hash) None() bool { return h.text == "" }

// Matches says whether s is the password. It takes as long whether it is or not,
// and the memory that the hash asks for.
func (h Hash) Matches(s string) bool {
	if h.None() || len(s) > Most {
		return false
	}
	sum := argon2.IDKey([]byte(s), h.salt, h.time, h.memory, h.lanes, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
