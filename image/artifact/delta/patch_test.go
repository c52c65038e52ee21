package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// deltaOf is a delta with what body says in its frame: numbers, which are
// unsigned varints, seek, and strings, which are bytes.
func deltaOf(t testing.TB, oldSize, newSize int64, body ...any) []byte {
	t.Helper()
	var plain []byte
	for _, x := range body {
		switch x := x.(type) {
		case seek:
			plain = binary.AppendVarint(plain, int64(x))
		case int:
			plain = binary.AppendUvarint(plain, uint64(x))
		case uint64:
			plain = binary.AppendUvarint(plain, x)
		case string:
			plain = append(plain, x...)
		}
	}
	return append(header(oldSize, newSize), frame(t, plain)...)
}

type seek int64

func frame(t testing.TB, plain []byte, how ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, how...)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(plain, nil)
}

// oldFile says when it is read outside of what it is said to have.
type oldFile struct {
	t testing.TB
	b []byte
}

func (o oldFile) ReadAt(b []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(b)) > int64(len(o.b)) {
		o.t.Errorf("%d bytes are read at %d of %d", len(b), at, len(o.b))
		return 0, io.EOF
	}
	return copy(b, o.b[at:]), nil
}

// atMost says when more is written than may be.
type atMost struct {
	bytes.Buffer
	t    testing.TB
	room int64
}

func (a *atMost) Write(b []byte) (int, error) {
	if a.room -= int64(len(b)); a.room < 0 {
		a.t.Errorf("%d bytes too many are written", -a.room)
	}
	return a.Buffer.Write(b)
}

const oldText = "The quick brown fox"

// fox makes "quick, The fox!" out of oldText.
func fox(t testing.TB) []byte {
	return deltaOf(t, int64(len(oldText)), 15,
		seek(4), 5, 2, 5, 0, ", ", // quick, and a comma
		seek(-9), 4, 0, 4, 0, // The
		seek(12), 3, 1, 0, 3, "\x00\x00\x00", "!") // fox, changed by nothing
}

func TestPatch(t *testing.T) {
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader, "end with data": iotest.DataErrReader,
	} {
		var out bytes.Buffer
		if err := Patch(&out, strings.NewReader(oldText), int64(len(oldText)), wrap(bytes.NewReader(fox(t))), 15); err != nil || out.String() != "quick, The fox!" {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
	var out bytes.Buffer
	if err := Patch(&out, strings.NewReader(""), 0, bytes.NewReader(deltaOf(t, 0, 0)), 0); err != nil || out.Len() != 0 {
		t.Errorf("nothing of nothing: %q, %v", out.String(), err)
	}
}

// TestPatchLong: records and runs longer than any buffer.
func TestPatchLong(t *testing.T) {
	old := make([]byte, 300<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range old {
		old[i] = byte(r.Uint32())
	}
	const same, changed, insert = 100_001, 99_999, 123_456
	more := strings.Repeat("\x03", changed)
	want := bytes.Clone(old[7 : 7+same+changed])
	for i := range changed {
		want[same+i] += 3
	}
	want = append(want, bytes.Repeat([]byte("i"), insert)...)
	d := deltaOf(t, int64(len(old)), int64(len(want)), seek(7), same+changed, insert, same, changed, more, strings.Repeat("i", insert))
	var out bytes.Buffer
	if err := Patch(&out, bytes.NewReader(old), int64(len(old)), bytes.NewReader(d), int64(len(want))); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes of %d, or others: %v", out.Len(), len(want), err)
	}
}

func TestPatchRefuses(t *testing.T) {
	const oldSize, newSize = int64(len(oldText)), int64(15)
	of := func(body ...any) []byte { return deltaOf(t, oldSize, newSize, body...) }
	raw := func(f []byte) []byte { return append(header(oldSize, newSize), f...) }
	good := fox(t)
	huge := uint64(1) << 63
	for name, b := range map[string][]byte{
		"nothing":                 nil,
		"half a header":           good[:20],
		"a header alone":          good[:headerSize],
		"cut":                     good[:len(good)-3],
		"another magic":           append([]byte("TCDELTA2"), good[8:]...),
		"another old size":        append(header(oldSize+1, newSize), good[headerSize:]...),
		"another new size":        append(header(oldSize, newSize+1), good[headerSize:]...),
		"no zstd":                 raw([]byte("nothing that zstd would write")),
		"too large a window":      raw(frame(t, make([]byte, 16<<20), zstd.WithWindowSize(8<<20), zstd.WithSingleSegment(false))),
		"more behind it":          of(seek(0), 15, 0, 15, 0, "x"),
		"another frame behind it": append(of(seek(0), 15, 0, 15, 0), frame(t, []byte("x"))...),
		"garbage behind it":       append(of(seek(0), 15, 0, 15, 0), "garbage"...),
		"ends early":              of(seek(0), 14, 0, 14, 0),
		"an endless number":       of(strings.Repeat("\xff", 100)),
		"an empty record":         of(seek(0), 0, 0),
		"too long a record":       of(seek(0), 16, 0, 16, 0),
		"too much to insert":      of(seek(0), 14, 2, 14, 0, "xx"),
		"a huge record":           of(seek(0), huge, 0),
		"a huge insert":           of(seek(0), 0, huge),
		"a sum that overflows":    of(seek(0), huge, huge),
		"before the old file":     of(seek(-1), 15, 0, 15, 0),
		"far before it":           of(seek(-1<<63), 15, 0, 15, 0),
		"behind it":               of(seek(5), 15, 0, 15, 0),
		"far behind it":           of(seek(1<<62), 0, 15, strings.Repeat("x", 15)),
		"an empty run":            of(seek(0), 15, 0, 0, 0),
		"too long a run":          of(seek(0), 14, 1, 15, 0, "x"),
		"too many changed":        of(seek(0), 14, 1, 13, 2, "xxx"),
		"a huge run":              of(seek(0), 15, 0, huge, 0),
		"cut in a run":            of(seek(0), 15, 0, 10, 5, "x"),
		"cut in an insert":        of(seek(0), 0, 15, "x"),
		"no run":                  of(seek(0), 15, 0),
	} {
		t.Run(name, func(t *testing.T) {
			out := &atMost{t: t, room: newSize}
			if err := Patch(out, oldFile{t, []byte(oldText)}, oldSize, bytes.NewReader(b), newSize); !errors.Is(err, ErrDamaged) {
				t.Errorf("%q, error %v", out.String(), err)
			}
		})
	}
	for _, sizes := range [][2]int64{{-1, newSize}, {oldSize, -1}, {MaxSize + 1, newSize}, {oldSize, MaxSize + 1}} {
		b := append(header(sizes[0], sizes[1]), good[headerSize:]...)
		if err := Patch(io.Discard, oldFile{t, nil}, sizes[0], bytes.NewReader(b), sizes[1]); err == nil {
			t.Errorf("sizes %d are accepted", sizes)
		}
	}
}

// TestPatchRecords: a delta cannot let a station read the old file once for
// each byte.
func TestPatchRecords(t *testing.T) {
	const size = 64 << 10
	record := []any{seek(0), 1, 0, 1, 0}
	var body []any
	for range size {
		body = append(body, record...)
	}
	d := deltaOf(t, size, size, body...)
	err := Patch(io.Discard, bytes.NewReader(make([]byte, size)), size, bytes.NewReader(d), size)
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "too many records") {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error)         { return 0, f.err }
func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// TestPatchErrors: what others do wrong is not held against the delta.
func TestPatchErrors(t *testing.T) {
	broken := errors.New("broken")
	good := fox(t)
	old := strings.NewReader(oldText)
	for at := range len(good) {
		in := io.MultiReader(bytes.NewReader(good[:at]), iotest.ErrReader(broken))
		if err := Patch(io.Discard, old, old.Size(), in, 15); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
			t.Errorf("the delta fails at %d: %v", at, err)
		}
	}
	if err := Patch(failing{broken}, old, old.Size(), bytes.NewReader(good), 15); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("writing fails: %v", err)
	}
	if err := Patch(io.Discard, failing{broken}, old.Size(), bytes.NewReader(good), 15); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("the old file fails: %v", err)
	}
}

// FuzzPatch: whatever is in the frame, nothing outside the old file is read,
// never more than the new size is written, and success means all of it was.
func FuzzPatch(f *testing.F) {
	good := fox(f)
	z, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	plain, err := z.DecodeAll(good[headerSize:], nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain, true, int64(15))
	f.Add(good[headerSize:], false, int64(15))
	f.Add([]byte("\x00\x0f\x00\x0f\x00"), true, int64(15))
	f.Add([]byte("\x01\x00\x03xyz"), true, int64(3))
	f.Add([]byte{}, true, int64(0))
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, pack bool, newSize int64) {
		if pack {
			body = e.EncodeAll(body, nil)
		}
		out := &atMost{t: t, room: newSize}
		err := Patch(out, oldFile{t, []byte(oldText)}, int64(len(oldText)), bytes.NewReader(append(header(int64(len(oldText)), newSize), body...)), newSize)
		if err == nil && out.room != 0 {
			t.Errorf("%d bytes are missing", out.room)
		}
		if err != nil && newSize >= 0 && newSize <= MaxSize && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.TotalAlloc
}
