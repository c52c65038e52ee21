package update

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/powercut"
)

var built = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// kind is how a release does on the station.
type kind string

const (
	good   kind = "good"
	panics kind = "panics"  // restarts before anything of ours runs
	hangs  kind = "hangs"   // never says anything
	silent kind = "silent"  // has no page
	lost   kind = "lost"    // has no network
	blind  kind = "blind"   // cannot verify metadata
	liar   kind = "renamed" // calls itself another version
)

// release is one that was published.
type release struct {
	version  string
	epoch    int
	kind     kind
	root     []byte
	files    map[bootfs.Slot]map[string][]byte
	pack     []byte
	manifest []byte
	sum      artifact.Sum
	deltas   map[string][]byte // by their name
}

// newRelease makes a release whose root has chunks of the kind 256 KiB, of
// which two releases share all but two.
func newRelease(t testing.TB, version string, k kind, chunks int, change ...func(*artifact.Manifest)) *release {
	t.Helper()
	r := &release{version: version, kind: k, files: map[bootfs.Slot]map[string][]byte{}}
	r.root = noise("root", chunks*artifact.ChunkSize-100<<10)
	copy(r.root, "hsqs")
	binary.LittleEndian.PutUint64(r.root[40:], uint64(len(r.root)-17))
	copy(r.root[64:], version)
	copy(r.root[len(r.root)/2:], noise(version, 4000))
	kernel := noise("kernel", 300<<10)
	copy(kernel[10:], version)
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		r.files[slot] = map[string][]byte{
			"vmlinuz":         kernel,
			"cmdline.txt":     []byte("truechimer.slot=" + string(slot) + " " + version),
			"overlays/README": []byte("nothing"),
			"empty":           nil,
			"rpi.dtb":         noise("tree "+version, 30<<10),
		}
	}
	r.publish(t, change...)
	return r
}

// publish makes pack and manifest.
func (r *release) publish(t testing.TB, change ...func(*artifact.Manifest)) {
	t.Helper()
	var pack bytes.Buffer
	p := artifact.NewPacker(&pack)
	add := func(b []byte) int {
		i, err := p.Add(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	m := &artifact.Manifest{
		Format: artifact.Format, Board: "rpi", Arch: "arm64", Channel: "stable", Version: r.version,
		Notes: "What is new in " + r.version, Slots: map[string][]artifact.SlotFile{},
	}
	m.Root = add(r.root)
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		for _, path := range []string{"vmlinuz", "cmdline.txt", "overlays/README", "empty", "rpi.dtb"} {
			m.Slots[string(slot)] = append(m.Slots[string(slot)], artifact.SlotFile{Path: path, Object: add(r.files[slot][path])})
		}
	}
	if err := p.Finish(m); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(m)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.epoch, r.pack, r.manifest, r.sum = m.Epoch, pack.Bytes(), b, sha256.Sum256(b)
}

// noise does not compress much, and is the same each time.
func noise(seed string, n int) []byte {
	sum := sha256.Sum256([]byte(seed))
	b := make([]byte, n)
	rand.NewChaCha8(sum).Read(b)
	return b
}

func (r *release) list(slot bootfs.Slot) (files []bootfs.File) {
	for path, b := range r.files[slot] {
		files = append(files, memFile(path, b))
	}
	return files
}

// in is the release as a slot holds it.
func (r *release) in(slot bootfs.Slot) powercut.Release {
	return powercut.Release{Name: r.version, Files: r.files[slot], Root: r.root}
}

// publisher is a repository that has been verified: what is tested here begins
// behind the metadata.
type publisher struct {
	mu      sync.Mutex
	offers  *release
	floor   tuf.Floor
	err     error // instead of metadata
	asked   int
	trust   Trust  // what it was asked with last
	request int    // ranges asked for
	bytes   int64  // served
	served  func() // is called when a release's last piece has been served
	mirror  int
	mirrors []func(name string, b []byte) ([]byte, error) // what each makes of what it should serve
}

var errOffline = errors.New("no route to host")

func (p *publisher) offer(r *release) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offers = r
	p.floor.Timestamp++
	p.floor.Snapshot++
	p.floor.Targets++
}

func (p *publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *publisher) Refresh(ctx context.Context, t Trust) (Trusted, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.trust = t
	if err := errors.Join(ctx.Err(), p.err); err != nil {
		return nil, err
	}
	if t.Floor.Targets > p.floor.Targets {
		return nil, tuf.ErrRollback
	}
	return &state{p, p.offers, p.floor}, nil
}

// state is what the publisher said at some time.
type state struct {
	p     *publisher
	r     *release
	floor tuf.Floor
}

func (s *state) Floor() tuf.Floor   { return s.floor }
func (s *state) Expires() time.Time { return built.AddDate(0, 0, 14) }

func (s *state) Target(name string) (tuf.Target, error) {
	if s.r == nil || name != "stable/rpi/manifest.json" {
		return tuf.Target{}, fmt.Errorf("%s: %w", name, tuf.ErrNoTarget)
	}
	return tuf.Target{Name: name, Length: int64(len(s.r.manifest)), SHA256: s.r.sum[:]}, nil
}

func (s *state) Manifest(ctx context.Context, name string, limit int64) ([]byte, error) {
	if _, err := s.Target(name); err != nil {
		return nil, err
	}
	return s.r.manifest, ctx.Err()
}

func (p *publisher) Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.request++
	if err := errors.Join(ctx.Err(), p.err); err != nil {
		return nil, err
	}
	m, err := artifact.Parse(p.offers.manifest)
	if err != nil {
		return nil, err
	}
	file := p.offers.deltas[name]
	if m.Pack.Name == name {
		file = p.offers.pack
	}
	if file == nil {
		return nil, fs.ErrNotExist
	}
	if length > run8 || from < 0 || length < 1 || from+length > int64(len(file)) {
		return nil, fmt.Errorf("%d bytes at %d of %s", length, from, name)
	}
	b := bytes.Clone(file[from : from+length])
	if p.mirrors != nil {
		if b, err = p.mirrors[p.mirror](name, b); err != nil {
			return nil, err
		}
	}
	p.bytes += int64(len(b))
	if p.served != nil && m.Pack.Name == name && from+length == int64(len(file)) {
		p.served()
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(b), broken{len(b) < int(length)})), nil
}

// broken ends what is too short as fetch does.
type broken struct{ is bool }

func (b broken) Read([]byte) (int, error) {
	if b.is {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

func (p *publisher) Next() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mirror = (p.mirror + 1) % p.Mirrors()
}

func (p *publisher) Mirrors() int { return max(1, len(p.mirrors)) }
