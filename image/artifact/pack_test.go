package artifact_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/truechimer/truechimer/image/artifact"
)

func TestPack(t *testing.T) {
	m, b := sample(t)
	if m.Pack.Name != artifact.PackName(sha256.Sum256(b)) || m.Pack.Size != int64(len(b)) {
		t.Errorf("the pack is %+v, not of %d bytes with SHA-256 %x", m.Pack, len(b), sha256.Sum256(b))
	}
	for i, want := range contents {
		if got := fetch(t, m, bytes.NewReader(b), i); !bytes.Equal(got, want) || m.Objects[i].Sum != sha256.Sum256(want) {
			t.Errorf("object %d: %d bytes of %d, or others", i, len(got), len(want))
		}
	}
	if len(b) > len(contents[root])*8/10 {
		t.Errorf("%d bytes of programs are packed into %d", len(contents[root]), len(b))
	}
}

// TestPackTwice: equal objects and equal chunks are stored once.
func TestPackTwice(t *testing.T) {
	one := program(1, 2*artifact.ChunkSize)
	m, _ := pack(t, one, one, append(bytes.Clone(one[:artifact.ChunkSize]), 1), one[artifact.ChunkSize:])
	if len(m.Objects) != 3 || len(m.Chunks) != 3 {
		t.Errorf("%d objects of %d chunks, not 3 of 3", len(m.Objects), len(m.Chunks))
	}
}

// TestPackSame: neither the machine nor what was packed before changes a frame.
func TestPackSame(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m1, b1 := pack(t, contents...)
	runtime.GOMAXPROCS(4)
	if _, b4 := pack(t, contents...); !bytes.Equal(b1, b4) {
		t.Error("the pack depends on GOMAXPROCS")
	}
	m, _ := pack(t, contents[kernel], noise(3, artifact.ChunkSize), contents[root])
	frames := map[artifact.Sum]artifact.Sum{}
	for _, c := range m.Chunks {
		frames[c.Sum] = c.PackedSum
	}
	for at, c := range m1.ObjectChunks(root) {
		if frames[c.Sum] != c.PackedSum {
			t.Errorf("the chunk at %d has another frame behind others", at)
		}
	}
}

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("no room")
	}
	return len(b), nil
}

func TestPackErrors(t *testing.T) {
	p := artifact.NewPacker(io.Discard)
	if _, err := p.Add(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader's error becomes %v", err)
	}
	if i, err := p.Add(strings.NewReader("x")); i != 0 || err != nil {
		t.Errorf("after an object that could not be read: %d, %v", i, err)
	}
	if err := p.Finish(new(artifact.Manifest)); err != nil {
		t.Error(err)
	}
	if _, err := p.Add(strings.NewReader("y")); err == nil {
		t.Error("a finished pack takes an object")
	}

	p = artifact.NewPacker(&full{artifact.ChunkSize * 3 / 2})
	if _, err := p.Add(bytes.NewReader(noise(1, 3*artifact.ChunkSize))); err == nil {
		t.Error("nobody says that the pack could not be written")
	}
	if err := p.Finish(new(artifact.Manifest)); err == nil {
		t.Error("a spoiled pack is finished")
	}
}

// frameOf makes a frame, and the chunk that says it has size bytes like plain.
func frameOf(t testing.TB, plain []byte, size int, how ...zstd.EOption) ([]byte, artifact.Chunk) {
	t.Helper()
	e, err := zstd.NewWriter(nil, how...)
	if err != nil {
		t.Fatal(err)
	}
	b := e.EncodeAll(plain, nil)
	return b, artifact.Chunk{Packed: len(b), PackedSum: sha256.Sum256(b), Size: size, Sum: sha256.Sum256(plain)}
}

// streamed is a frame that does not say how much is in it.
func streamed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	e, err := zstd.NewWriter(&out, zstd.WithWindowSize(artifact.ChunkSize))
	if err != nil {
		t.Fatal(err)
	}
	for i := range plain { // two writes or more, and the size is unknown
		if _, err := e.Write(plain[i : i+1]); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			_, err = e.Write(plain[2:])
			break
		}
	}
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpackRefuses(t *testing.T) {
	plain := program(1, artifact.ChunkSize)
	good, chunk := frameOf(t, plain, len(plain))
	if _, err := artifact.Unpack(nil, good, chunk); err != nil {
		t.Fatal(err)
	}
	of := func(b []byte, change func(*artifact.Chunk)) func() ([]byte, artifact.Chunk) {
		c := chunk
		c.Packed, c.PackedSum = len(b), sha256.Sum256(b)
		if change != nil {
			change(&c)
		}
		return func() ([]byte, artifact.Chunk) { return b, c }
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	bomb := bytes.Repeat([]byte{0}, 16<<20)
	tiny, _ := frameOf(t, plain[:1], 1)
	for name, make := range map[string]func() ([]byte, artifact.Chunk){
		"one bit flipped":            func() ([]byte, artifact.Chunk) { return flipped, chunk },
		"cut short":                  func() ([]byte, artifact.Chunk) { return good[:len(good)-1], chunk },
		"one bit flipped and signed": of(flipped, nil),
		"cut short and signed":       of(good[:len(good)/2], nil),
		"empty":                      of(nil, nil),
		"another content":            of(good, func(c *artifact.Chunk) { c.Sum[0]++ }),
		"shorter than said":          of(good, func(c *artifact.Chunk) { c.Size++; c.Size %= artifact.ChunkSize }),
		"longer than said":           of(good, func(c *artifact.Chunk) { c.Size-- }),
		"no size":                    of(good, func(c *artifact.Chunk) { c.Size = 0 }),
		"size below zero":            of(good, func(c *artifact.Chunk) { c.Size = -1 }),
		"too large a size":           of(good, func(c *artifact.Chunk) { c.Size = artifact.ChunkSize + 1 }),
		"no zstd":                    of(plain, nil),
		"another frame behind it":    of(append(bytes.Clone(good), tiny...), nil),
		"many frames":                of(bytes.Repeat(good, 100), nil),
		"a skippable frame":          of([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), nil),
		"size unknown":               of(streamed(t, plain), nil),
		"size unknown, a bomb":       of(streamed(t, bomb), nil),
		"a bomb":                     func() ([]byte, artifact.Chunk) { return frameOf(t, bomb, artifact.ChunkSize) },
	} {
		t.Run(name, func(t *testing.T) {
			packed, c := make()
			dst := [1]byte{}
			before := allocated()
			got, err := artifact.Unpack(dst[:], packed, c)
			if taken := allocated() - before; taken > 1<<20 {
				t.Errorf("it takes %d bytes of memory", taken)
			}
			if !errors.Is(err, artifact.ErrDamaged) || got != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.TotalAlloc
}

// TestUnpackReuses: what is unpacked lies in the caller's memory.
func TestUnpackReuses(t *testing.T) {
	m, b := sample(t)
	c := m.Chunks[0]
	packed := b[c.Offset:][:c.Packed]
	dst := make([]byte, 10, artifact.ChunkSize)
	got, err := artifact.Unpack(dst, packed, c)
	if err != nil || &got[0] != &dst[0] {
		t.Errorf("it lies elsewhere, or %v", err)
	}
	if n := testing.AllocsPerRun(10, func() { _, err = artifact.Unpack(dst, packed, c) }); n > 2 || err != nil {
		t.Errorf("%v allocations, %v", n, err)
	}
}

// FuzzUnpack: whatever the frame, the result is what the manifest names or
// ErrDamaged.
func FuzzUnpack(f *testing.F) {
	plain := program(1, 300)
	good, _ := frameOf(f, plain, len(plain))
	f.Add(good, len(plain))
	f.Add(good[:len(good)-3], len(plain))
	f.Add(streamed(f, plain), len(plain))
	f.Add([]byte("\x28\xb5\x2f\xfd\xa0\xff\xff\xff\xff"), artifact.ChunkSize)
	f.Add([]byte("\x28\xb5\x2f\xfd\x20\x05\x2b\x00\x00x"), 5) // one byte repeated
	f.Fuzz(func(t *testing.T, packed []byte, size int) {
		c := artifact.Chunk{Packed: len(packed), PackedSum: sha256.Sum256(packed), Size: size, Sum: sha256.Sum256(plain)}
		got, err := artifact.Unpack(nil, packed, c)
		if err == nil && !bytes.Equal(got, plain) || err != nil && !errors.Is(err, artifact.ErrDamaged) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func BenchmarkUnpack(b *testing.B) {
	m, pack := pack(b, program(1, artifact.ChunkSize))
	dst := make([]byte, artifact.ChunkSize)
	b.SetBytes(artifact.ChunkSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := artifact.Unpack(dst, pack, m.Chunks[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	plain := program(1, 4*artifact.ChunkSize)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		pack(b, plain)
	}
}
