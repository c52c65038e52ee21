package delta

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// golden is what bsdiff makes of oldText and goldenText.
func golden(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/fox.bsdiff")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const goldenText = "The quicker brown fox jumps"

func TestTranscode(t *testing.T) {
	b := golden(t)
	p, err := openBSDiff(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var d, out bytes.Buffer
	if err := p.transcode(&d, int64(len(oldText))); err != nil {
		t.Fatal(err)
	}
	if err := Patch(&out, strings.NewReader(oldText), int64(len(oldText)), &d, p.newSize); err != nil || out.String() != goldenText {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// unpacked is a patch of newSize bytes whose streams are given unpacked: Go has
// no bzip2 writer.
func unpacked(newSize int64, add, insert []byte, triples ...int64) *bsdiff {
	var t []byte
	for _, n := range triples {
		u := uint64(n)
		if n < 0 {
			u = 1<<63 | uint64(-n)
		}
		t = binary.LittleEndian.AppendUint64(t, u)
	}
	reader := func(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
	return &bsdiff{reader(t), reader(add), reader(insert), newSize}
}

// TestTranscodeSeeks: triples that make nothing move the next record.
func TestTranscodeSeeks(t *testing.T) {
	zeros := make([]byte, 100)
	p := unpacked(8, zeros, []byte("+"), 0, 0, 4, 0, 0, 12, 3, 0, -15, 0, 0, 0, 4, 1, 0)
	var d, out bytes.Buffer
	if err := p.transcode(&d, int64(len(oldText))); err != nil {
		t.Fatal(err)
	}
	if err := Patch(&out, strings.NewReader(oldText), int64(len(oldText)), &d, 8); err != nil || out.String() != "foxquic+" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestTranscodeRefuses(t *testing.T) {
	zeros := make([]byte, 100)
	for name, p := range map[string]*bsdiff{
		"no triple":           unpacked(5, zeros, zeros),
		"half a triple":       unpacked(5, zeros, zeros, 5),
		"less than none":      unpacked(5, zeros, zeros, -1, 6, 0),
		"less to insert":      unpacked(5, zeros, zeros, 6, -1, 0),
		"too much":            unpacked(5, zeros, zeros, 3, 3, 0),
		"behind the old file": unpacked(20, zeros, zeros, 20, 0, 0),
		"before the old file": unpacked(5, zeros, zeros, 0, 0, -1, 5, 0, 0),
		"far before it":       unpacked(5, zeros, zeros, 0, 0, -1<<62, 5, 0, 0),
		"nothing to add":      unpacked(5, nil, zeros, 5, 0, 0),
		"nothing to insert":   unpacked(5, zeros, nil, 0, 5, 0),
		"without end":         unpacked(5, zeros, zeros, make([]int64, 3*2000)...),
	} {
		if err := p.records(io.Discard, int64(len(oldText))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	good := golden(t)
	for name, b := range map[string][]byte{
		"nothing":       nil,
		"half a header": good[:31],
		"another magic": append([]byte("BSDIFF41"), good[8:]...),
		"no triples":    patchOf("", "", "", 1<<63|5),
		"too large":     patchOf("", "", "", MaxSize+1),
		"cut":           good[:len(good)/2],
	} {
		if _, err := openBSDiff(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// patchOf is a patch with streams that are not bzip2.
func patchOf(triples, add, insert string, newSize uint64) []byte {
	b := []byte(bsdiffMagic)
	for _, n := range []uint64{uint64(len(triples)), uint64(len(add)), newSize} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return append(b, triples+add+insert...)
}

// FuzzBSDiff: whatever the streams, what they become is a delta that can be
// applied, or an error.
func FuzzBSDiff(f *testing.F) {
	triple := []byte("\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x80")
	f.Add(triple, []byte("\x00\x00\x01\x02\x00"), []byte("x"), int64(6))
	f.Add(append(triple, triple...), make([]byte, 10), []byte("xy"), int64(12))
	f.Add(make([]byte, 100), []byte{}, []byte{}, int64(1))
	f.Add(golden(f), []byte{}, []byte{}, int64(0))
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, triples, add, insert []byte, newSize int64) {
		if p, err := openBSDiff(bytes.NewReader(triples), int64(len(triples))); err == nil && (p.newSize < 0 || p.newSize > MaxSize) {
			t.Errorf("a new file of %d bytes", p.newSize)
		}
		if newSize < 0 || newSize > 1<<20 {
			return
		}
		reader := func(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
		p := &bsdiff{reader(triples), reader(add), reader(insert), newSize}
		var records bytes.Buffer
		if err := p.records(&records, int64(len(oldText))); err != nil {
			return
		}
		d := bytes.NewReader(e.EncodeAll(records.Bytes(), header(int64(len(oldText)), newSize)))
		out := &atMost{t: t, room: newSize}
		if err := Patch(out, oldFile{t, []byte(oldText)}, int64(len(oldText)), d, newSize); err != nil || out.room != 0 {
			t.Errorf("%d bytes are missing, %v", out.room, err)
		}
	})
}

// release is like a delta to the next release of a root file system of so many
// bytes: the old file, the delta and the size of the new one.
func release(t testing.TB, size int) (old, d []byte, newSize int64) {
	t.Helper()
	const piece, insert = 256 << 10, 100
	old = make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(old); i += 8 {
		binary.LittleEndian.PutUint64(old[i:], r.Uint64())
	}
	add := make([]byte, len(old))
	for at := 0; at < len(add); at += 20 + r.IntN(80) {
		add[at] = byte(r.Uint32())
	}
	var inserts []byte
	var triples []int64
	for range len(old) / piece {
		triples = append(triples, piece, insert, 0)
		inserts = append(inserts, old[:insert]...)
	}
	newSize = int64(len(old) + len(inserts))
	var out bytes.Buffer
	if err := unpacked(newSize, add, inserts, triples...).transcode(&out, int64(len(old))); err != nil {
		t.Fatal(err)
	}
	return old, out.Bytes(), newSize
}

// TestPatchMemory: a station has 8 MB for it.
func TestPatchMemory(t *testing.T) {
	old, d, newSize := release(t, 16<<20) // three windows and more
	before := allocated()
	if err := Patch(io.Discard, bytes.NewReader(old), int64(len(old)), bytes.NewReader(d), newSize); err != nil {
		t.Error(err)
	}
	if taken := allocated() - before; taken > 8_000_000 {
		t.Errorf("it takes %d bytes of memory for a delta of %d", taken, len(d))
	}
}

func BenchmarkPatch(b *testing.B) {
	old, d, newSize := release(b, 60<<20)
	b.SetBytes(newSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := Patch(io.Discard, bytes.NewReader(old), int64(len(old)), bytes.NewReader(d), newSize); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(d)), "delta-bytes")
}
