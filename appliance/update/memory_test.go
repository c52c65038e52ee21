package update

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// packFile serves a pack from a file.
type packFile struct{ *os.File }

func (p packFile) Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(p.File, from, length)), nil
}

func (p packFile) Next()        {}
func (p packFile) Mirrors() int { return 1 }

// largeRelease is a release whose root has a size, and none of which is in memory.
func largeRelease(t testing.TB, size int64) (*artifact.Manifest, packFile) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "pack"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p := artifact.NewPacker(f)
	m := &artifact.Manifest{Format: artifact.Format, Board: "rpi", Arch: "arm64", Channel: "stable", Version: "2.0.0", Slots: map[string][]artifact.SlotFile{}}
	// Half of a chunk is noise, as in a real root file system.
	text := bytes.Repeat([]byte("the quick brown fox "), artifact.ChunkSize)
	var pieces []io.Reader
	for at := int64(0); at < size; at += artifact.ChunkSize {
		pieces = append(pieces, &noisy{seed: at, n: artifact.ChunkSize / 2}, bytes.NewReader(text[:artifact.ChunkSize/2]))
	}
	if m.Root, err = p.Add(io.MultiReader(pieces...)); err != nil {
		t.Fatal(err)
	}
	kernel, err := p.Add(&noisy{seed: -1, n: 20 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range []string{"a", "b"} {
		m.Slots[slot] = []artifact.SlotFile{{Path: "vmlinuz", Object: kernel}}
	}
	if err := p.Finish(m); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	return m, packFile{f}
}

// noisy reads as noise, a little at a time.
type noisy struct {
	seed int64
	n    int
	x    uint64
}

func (r *noisy) Read(b []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	b = b[:min(len(b), r.n)]
	for i := range b {
		if r.x == 0 {
			r.x = uint64(r.seed)*0x9e3779b97f4a7c15 + 0x1234567
		}
		r.x ^= r.x << 13 // xorshift64
		r.x ^= r.x >> 7
		r.x ^= r.x << 17
		b[i] = byte(r.x >> 32)
	}
	r.n -= len(b)
	return len(b), nil
}

// sampled is a device that looks at the heap now and then.
type sampled struct {
	Device
	n    int64
	most *uint64
}

func (s *sampled) look(n int) {
	if s.n += int64(n); s.n >= 8<<20 {
		s.n = 0
		*s.most = max(*s.most, heap())
	}
}

func (s *sampled) ReadAt(b []byte, off int64) (int, error) {
	s.look(len(b))
	return s.Device.ReadAt(b, off)
}
func (s *sampled) WriteAt(b []byte, off int64) (int, error) {
	s.look(len(b))
	return s.Device.WriteAt(b, off)
}

// heap is how much is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// onFile is a partition in a file.
func onFile(t testing.TB, size int64) Partition {
	t.Helper()
	p, err := OpenPartition(filepath.Join(t.TempDir(), "none"))
	if err == nil {
		t.Fatal("there was a file")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "partition"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	p.File = f
	return p
}

// TestMemory installs a release with a root file system of 60 MiB: what the engine
// holds of it at a time is a few chunks.
func TestMemory(t *testing.T) {
	const most = 16 << 20
	m, pack := largeRelease(t, 60<<20)
	var used uint64
	boot := &sampled{onFile(t, bootfs.Size), 0, &used}
	if err := bootfs.Write(boot, bootfs.Spec{Label: "TRUECHIMER", Time: built}); err != nil {
		t.Fatal(err)
	}
	e := &Engine{o: Options{
		System: System{Slot: bootfs.SlotA, Build: built}, Policy: DefaultPolicy(), Boot: boot, Files: pack, Clock: &world{},
		RootActive: onFile(t, 1<<20), RootInactive: &sampled{onFile(t, 512<<20), 0, &used},
	}}
	before := heap()
	used = 0
	s := newStaging(e, m, bootfs.SlotB)
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.writeSlot(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MiB of heap, at most, for %.1f MiB", float64(used-before)/(1<<20), float64(s.total)/(1<<20))
	if used < before || used-before > most {
		t.Errorf("%d bytes of heap before, %d while installing", before, used)
	}
	if st := e.Status(); st.Total != s.total || st.Done != s.total {
		t.Errorf("%+v", st)
	}
}

// flat is a partition in one piece of memory: what is measured is the engine.
type flat []byte

func (f flat) ReadAt(b []byte, off int64) (int, error)  { return copy(b, f[off:]), nil }
func (f flat) WriteAt(b []byte, off int64) (int, error) { return copy(f[off:], b), nil }
func (f flat) Sync() error                              { return nil }
func (f flat) Drop() error                              { return nil }

func memoryEngine(pack Files, root flat) *Engine {
	return &Engine{o: Options{
		System: System{Slot: bootfs.SlotA, Build: built}, Policy: DefaultPolicy(), Files: pack, Log: slog.New(slog.DiscardHandler),
		Boot: make(flat, 1<<20), RootActive: make(flat, 1<<20), RootInactive: root,
	}}
}

// BenchmarkStage fetches, writes and reads back a release of 80 MiB.
func BenchmarkStage(b *testing.B) {
	m, pack := largeRelease(b, 60<<20)
	_, end := m.Stage(bootfs.SlotB)
	root := make(flat, end)
	e := memoryEngine(pack, root)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		clear(root)
		s := newStaging(e, m, bootfs.SlotB)
		b.SetBytes(s.total)
		b.StartTimer()
		if err := s.run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadBack reads it back alone.
func BenchmarkReadBack(b *testing.B) {
	m, pack := largeRelease(b, 60<<20)
	_, end := m.Stage(bootfs.SlotB)
	s := newStaging(memoryEngine(pack, make(flat, end)), m, bootfs.SlotB)
	if err := s.run(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(s.total)
	b.ReportAllocs()
	for b.Loop() {
		if missing, err := s.look(b.Context()); err != nil || len(missing) > 0 {
			b.Fatal(len(missing), err)
		}
	}
}
