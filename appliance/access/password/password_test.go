package password

import (
	"strings"
	"testing"
)

// cheap is the beginning of a hash that costs next to nothing.
const cheap = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$"

func TestHash(t *testing.T) {
	const right = "correct horse battery"
	h := New(right)
	if !strings.HasPrefix(h.String(), "$argon2id$v=19$m=19456,t=2,p=1$") || h.None() {
		t.Errorf("%s", h)
	}
	again, err := Parse(h.String())
	if err != nil {
		t.Fatal(err)
	}
	if !again.Matches(right) {
		t.Error("the right password is not taken")
	}
	for _, s := range []string{"", "correct horse batter", right + " ", strings.ToUpper(right), right + strings.Repeat("x", Most)} {
		if again.Matches(s) {
			t.Errorf("%q is taken", s)
		}
	}
	if New(right).String() == h.String() {
		t.Error("two hashes of one password are the same: there is no salt")
	}
	if (Hash{}).Matches("") || !(Hash{}).None() {
		t.Error("nobody's hash takes a password")
	}
}

// TestVector: RFC 9106 has one for Argon2id with a secret and associated data,
// which this form lacks. This one was made by libargon2's own test program (its
// test.c: "password", "somesalt", 2^16 KiB, two passes, one lane).
func TestVector(t *testing.T) {
	h, err := Parse("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil {
		t.Fatal(err)
	}
	if !h.Matches("password") {
		t.Error("not what libargon2 makes of it")
	}
}

func TestParseRefuses(t *testing.T) {
	sum := strings.Repeat("A", 43)
	good := cheap + sum
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{
		"", "$", "password", "$2y$10$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + sum,
		"$argon2id$v=16$m=8,t=1,p=1$c29tZXNhbHQ$" + sum, "$argon2id$m=8,t=1,p=1$c29tZXNhbHQ$" + sum,
		strings.Replace(good, "m=8", "m=0", 1), strings.Replace(good, "m=8", "m=08", 1), strings.Replace(good, "m=8", "m=4294967304", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=2", 1), strings.Replace(good, "t=1", "t=-1", 1),
		strings.Replace(good, "m=8", "m=65537", 1), strings.Replace(good, "t=1", "t=999999", 1), strings.Replace(good, "p=1", "p=99", 1),
		strings.Replace(good, "c29tZXNhbHQ", "c2", 1), good + "\n", " " + good, good + "=", cheap + "A", cheap + strings.Repeat("A", 400),
		strings.Replace(good, "c29tZXNhbHQ", "c29tZXNhbHR", 1), // bits behind the last byte
	} {
		if h, err := Parse(c); err == nil {
			t.Errorf("%q became %+v", c, h)
		} else if len(c) > 9 && strings.Contains(err.Error(), c) {
			t.Errorf("the error repeats it: %v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	for s, ok := range map[string]bool{
		"ten chars.": true, "nine chr.": false, "": false, "äöüßéèêñçø": true, strings.Repeat("x", Most): true, strings.Repeat("x", Most+1): false,
		"ten chars.\x00": false, "ten chars.\xff": false, "          ": true,
	} {
		if err := Check(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzParse: whatever is accepted is bounded, and its text is what came in.
func FuzzParse(f *testing.F) {
	f.Add(cheap + strings.Repeat("A", 43))
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$" + strings.Repeat("A", 43))
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			return
		}
		if h.String() != s || h.memory > memoryMost || h.memory < 8 || h.time == 0 || h.lanes == 0 || h.lanes > lanesMost ||
			uint64(h.memory)*uint64(h.time) > workMost || len(h.salt) < 8 || len(h.sum) < 16 || len(h.sum) > 64 {
			t.Errorf("%q became %+v", s, h)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	h := New("correct horse battery")
	b.ReportAllocs()
	for b.Loop() {
		h.Matches("correct horse battery")
	}
}
