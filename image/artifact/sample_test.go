package artifact_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/truechimer/truechimer/image/artifact"
)

// noise is what cannot be compressed, the same for the same seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// program is n bytes as compressible as a program.
func program(seed uint64, n int) []byte {
	words := noise(seed, 4<<10)
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, 0, n+16)
	for len(b) < n {
		at := r.IntN(len(words) - 16)
		b = append(b, words[at:at+4+r.IntN(12)]...)
	}
	return b[:n]
}

// pack packs objects. The manifest has nothing else.
func pack(t testing.TB, objects ...[]byte) (*artifact.Manifest, []byte) {
	t.Helper()
	var out bytes.Buffer
	p := artifact.NewPacker(&out)
	for _, o := range objects {
		if _, err := p.Add(bytes.NewReader(o)); err != nil {
			t.Fatal(err)
		}
	}
	m := new(artifact.Manifest)
	if err := p.Finish(m); err != nil {
		t.Fatal(err)
	}
	return m, out.Bytes()
}

// Objects of the release of sample.
const (
	root = iota
	kernel
	cmdlineA
	cmdlineB
	readme
)

var contents = [][]byte{
	root:     program(1, 3*artifact.ChunkSize+1000),
	kernel:   program(2, artifact.ChunkSize),
	cmdlineA: []byte("root=a\n"),
	cmdlineB: []byte("root=b\n"),
	readme:   {},
}

// packOnce is the pack of contents, which takes a while to make.
var packOnce struct {
	sync.Once
	m *artifact.Manifest
	b []byte
}

// sample is a whole release.
func sample(t testing.TB) (*artifact.Manifest, []byte) {
	t.Helper()
	packOnce.Do(func() { packOnce.m, packOnce.b = pack(t, contents...) })
	m, b := copied(t, packOnce.m), packOnce.b
	m.Format, m.Board, m.Arch, m.Channel, m.Version = artifact.Format, "rpi", "arm64", "stable", "1.2.3-rc.1"
	m.Epoch, m.MinFrom, m.MinEEPROM = 2, "1.0.0", 1700000000
	m.Notes = "Better.\n<b>Faster</b>, & more so."
	m.Root = root
	slot := func(cmdline int) []artifact.SlotFile {
		return []artifact.SlotFile{{"cmdline.txt", cmdline}, {"kernel8.img", kernel}, {"kernel.old", kernel}, {"overlays/README", readme}}
	}
	m.Slots = map[string][]artifact.SlotFile{"a": slot(cmdlineA), "b": slot(cmdlineB)}
	sum := artifact.Sum{1, 2, 3}
	m.Deltas = []artifact.Delta{{From: artifact.Sum{4}, FromSize: 1000, To: root, File: artifact.File{Name: artifact.DeltaName(sum), Size: 99}, Sum: sum}}
	return m, b
}

func encode(t testing.TB, m *artifact.Manifest) []byte {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// copied is a manifest that can be changed without the other one.
func copied(t testing.TB, m *artifact.Manifest) *artifact.Manifest {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	c := new(artifact.Manifest)
	if err := json.Unmarshal(b, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// fetch reads an object out of a pack, as a station does.
func fetch(t testing.TB, m *artifact.Manifest, pack io.ReaderAt, object int) []byte {
	t.Helper()
	var whole, plain []byte
	for at, c := range m.ObjectChunks(object) {
		if at != int64(len(whole)) {
			t.Fatalf("a chunk at %d, after %d bytes", at, len(whole))
		}
		packed := make([]byte, c.Packed)
		if _, err := pack.ReadAt(packed, c.Offset); err != nil {
			t.Fatal(err)
		}
		var err error
		if plain, err = artifact.Unpack(plain, packed, c); err != nil {
			t.Fatal(err)
		}
		whole = append(whole, plain...)
	}
	return whole
}
