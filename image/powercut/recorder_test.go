package powercut

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// look is the first n sectors, a letter each; . is zeros, ? a torn sector.
func look(d *Disk, n int) string {
	var s strings.Builder
	for i := range n {
		b := make([]byte, sectorSize)
		d.ReadAt(b, int64(i)*sectorSize)
		switch {
		case bytes.Count(b, b[:1]) < sectorSize:
			s.WriteByte('?')
		case b[0] == 0:
			s.WriteByte('.')
		default:
			s.WriteByte(b[0])
		}
	}
	return s.String()
}

func put(t *testing.T, r *Recorder, s string, at int64) {
	t.Helper()
	var b []byte
	for i := range len(s) {
		b = append(b, bytes.Repeat([]byte(s[i:i+1]), sectorSize)...)
	}
	if _, err := r.WriteAt(b, at*sectorSize); err != nil {
		t.Fatal(err)
	}
}

// TestStates: the states of a small recording, all of them, are those a card
// may be in, and no others.
func TestStates(t *testing.T) {
	start := NewDisk(1 << 20)
	start.WriteAt(bytes.Repeat([]byte("o"), 3*sectorSize), 0)
	r := NewRecorder(start)
	put(t, r, "xy", 0)
	r.Mark()
	put(t, r, "z", 2)
	r.Sync()
	r.Mark()
	put(t, r, "w", 0)
	if got := look(r.Disk, 4); got != "wyz." {
		t.Errorf("the running system sees %s", got)
	}
	seen := make(map[string][]string)
	count := 0
	n := r.States(300, func(s State) {
		count++
		l := look(s.Disk, 4)
		if m := fmt.Sprint(s.Min, s.Max); !slices.Contains(seen[l], m) {
			seen[l] = append(seen[l], m)
		}
	})
	if n != count {
		t.Errorf("%d states, %d shown", n, count)
	}
	want := []string{
		"ooo.", "?oo.", "xoo.", "x?o.", "xyo.", "xy?.", "xyz.", // in order
		"ooz.", "oo?.", "?oz.", "xoz.", "x?z.", // out of order; the last only torn and reordered
		"?yz.", "wyz.", // after the flush
	}
	for _, w := range want {
		if seen[w] == nil && w != "x?z." {
			t.Errorf("%s is missing", w)
		}
	}
	for s := range seen {
		if !slices.Contains(want, s) {
			t.Errorf("%s cannot be", s)
		}
	}
	for l, m := range map[string]string{"xoo.": "0 1", "wyz.": "2 2", "?yz.": "2 2"} {
		if got := fmt.Sprint(seen[l]); !strings.Contains(got, m) {
			t.Errorf("%s: marks %s, want %s", l, got, m)
		}
	}
	if got := fmt.Sprint(seen["ooz."]); got != "[1 1]" {
		t.Errorf("the second write alone: marks %s", got)
	}
}

// TestStatesRepeat: the same recording gives the same states.
func TestStatesRepeat(t *testing.T) {
	r := NewRecorder(NewDisk(1 << 20))
	for i := range 20 {
		put(t, r, "abcdefghijklmnopqrstuvwxyz"[i:i+5], int64(i*3))
	}
	var runs [2][]string
	for i := range runs {
		n := r.States(100, func(s State) { runs[i] = append(runs[i], s.How+look(s.Disk, 70)) })
		if n < 200 {
			t.Errorf("%d states", n)
		}
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Error("two runs differ")
	}
}

// TestOneByte: of a write that changes one byte a card keeps the old sector or the new.
func TestOneByte(t *testing.T) {
	start := NewDisk(1 << 20)
	start.WriteAt(bytes.Repeat([]byte("o"), sectorSize), 0)
	r := NewRecorder(start)
	b := bytes.Repeat([]byte("o"), sectorSize)
	b[300] = 'n'
	r.WriteAt(b, 0)
	seen := make(map[string]int)
	r.States(10, func(s State) {
		b := make([]byte, sectorSize)
		s.ReadAt(b, 0)
		seen[string(b)]++
	})
	if len(seen) != 2 || seen[string(b)] < 2 {
		t.Errorf("%d different sectors, the new one %d times", len(seen), seen[string(b)])
	}
}

func TestDisk(t *testing.T) {
	d := NewDisk(10000)
	if _, err := d.WriteAt([]byte("ab"), 9999); err == nil {
		t.Error("written behind the end")
	}
	if _, err := d.WriteAt([]byte("ab"), 4095); err != nil {
		t.Fatal(err)
	}
	over := Over(d)
	over.WriteAt([]byte("x"), 4096)
	over.WriteAt(make([]byte, 3), 8000)
	b := make([]byte, 4)
	if n, err := over.ReadAt(b, 4094); n != 4 || err != nil || string(b) != "\x00ax\x00" {
		t.Errorf("%q, %v", b, err)
	}
	if d.ReadAt(b, 4094); string(b) != "\x00ab\x00" {
		t.Errorf("the disk below changed: %q", b)
	}
	if n, err := over.ReadAt(b, 9998); n != 2 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	if len(over.pages) != 1 {
		t.Errorf("zeros over zeros took %d pages", len(over.pages)-1)
	}
	saved := NewDisk(10000)
	if err := over.Save(saved); err != nil {
		t.Fatal(err)
	}
	if saved.ReadAt(b, 4094); string(b) != "\x00ax\x00" {
		t.Errorf("saved %q", b)
	}
	part := Part{d, 4096, 100}
	if _, err := part.WriteAt(make([]byte, 2), 99); err == nil {
		t.Error("written behind the partition")
	}
	if _, err := part.ReadAt(b, -1); err == nil {
		t.Error("read before the partition")
	}
}
