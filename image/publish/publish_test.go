package publish

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

var day = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)

// people are the keys of a test's repository by name: root-1 to root-3,
// targets-1 to targets-3, online, and others that are made when asked for.
type people map[string]ed25519.PrivateKey

func (p people) key(name string) ed25519.PrivateKey {
	if p[name] == nil {
		_, p[name], _ = ed25519.GenerateKey(nil)
	}
	return p[name]
}

func (p people) public(t *testing.T, name string) *metadata.Key {
	t.Helper()
	key, err := metadata.KeyFromPublicKey(p.key(name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p people) id(t *testing.T, name string) string {
	t.Helper()
	id, err := p.public(t, name).ID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (p people) first(t *testing.T) Keys {
	keys := Keys{RoleOnline: {p.public(t, "online")}}
	for _, role := range []string{RoleRoot, RoleTargets} {
		for _, n := range []string{"-1", "-2", "-3"} {
			keys[role] = append(keys[role], p.public(t, role+n))
		}
	}
	return keys
}

// file is the public key of somebody.
func (p people) file(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+publicSuffix)
	if err := writePublic(path, p.key(name).Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	return path
}

// cutName splits root-1.
func cutName(name string) (role, number string, ok bool) { return strings.Cut(name, "-") }

// sign has people sign what is staged.
func sign(t *testing.T, r *Repository, p people, names ...string) {
	t.Helper()
	for _, name := range names {
		role, _, _ := cutName(name)
		if _, err := r.Sign(role, p.key(name)); err != nil {
			t.Fatalf("%s signs: %v", name, err)
		}
	}
}

// newRepository makes one that has no release yet.
func newRepository(t *testing.T) (*Repository, people) {
	t.Helper()
	p := people{}
	r := &Repository{Dir: t.TempDir(), Now: day, Log: t.Logf}
	if err := r.Init(p.first(t)); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "root-1", "root-3", "targets-2", "targets-3")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	return r, p
}

// bytesFile is a file of a release.
func bytesFile(path string, b []byte) bootfs.File {
	return bootfs.File{Path: path, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

// noise is content that does not compress, the same for the same seed.
func noise(seed uint64, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// release is a small one for the board rpi. Most of its root does not depend
// on the version.
func release(version string) (Release, map[string][]byte) {
	root := bytes.Join([][]byte{noise(1, 400_000), []byte(version), noise(2, 100_000)}, nil)
	root = append(root, make([]byte, (4096-len(root)%4096)%4096)...)
	all := map[string][]byte{"root": root}
	rel := Release{
		Contents: Contents{Board: "rpi", Arch: "arm64", Version: version, Date: day, Root: bytesFile("root", root), Slots: map[bootfs.Slot][]bootfs.File{}},
		Channel:  "stable",
	}
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		for _, f := range []struct {
			path string
			b    []byte
		}{{"vmlinuz", noise(3, 100_000)}, {"overlays/README", []byte("overlays\n")}, {"cmdline.txt", []byte("slot=" + string(slot) + "\n")}} {
			rel.Slots[slot] = append(rel.Slots[slot], bytesFile(f.path, f.b))
			all[string(slot)+"/"+f.path] = f.b
		}
	}
	return rel, all
}

// publish adds a release and publishes it.
func publish(t *testing.T, r *Repository, p people, version string) map[string][]byte {
	t.Helper()
	rel, files := release(version)
	if _, err := r.Add(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "targets-1", "targets-2")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	return files
}

// client reads a repository as a station does that has the first root, with
// go-tuf's steps and nothing of ours.
func client(t *testing.T, dir string, now time.Time) *trustedmetadata.TrustedMetadata {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "metadata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c, err := trustedmetadata.New(read("1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	c.RefTime = now
	for {
		b, err := os.ReadFile(filepath.Join(dir, "metadata", versioned(c.Root.Signed.Version+1, "root")))
		if err != nil {
			break
		}
		if _, err := c.UpdateRoot(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.UpdateTimestamp(read("timestamp.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateSnapshot(read(versioned(c.Timestamp.Signed.Meta["snapshot.json"].Version, "snapshot")), false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateTargets(read(versioned(c.Snapshot.Signed.Meta["targets.json"].Version, "targets"))); err != nil {
		t.Fatal(err)
	}
	return c
}

// target reads a manifest as a station does.
func target(t *testing.T, dir string, c *trustedmetadata.TrustedMetadata, name string) *artifact.Manifest {
	t.Helper()
	entry := c.Targets["targets"].Signed.Targets[name]
	if entry == nil {
		t.Fatalf("no target %s", name)
	}
	b, err := os.ReadFile(filepath.Join(dir, targetFile(name, entry.Hashes["sha256"])))
	if err != nil {
		t.Fatal(err)
	}
	if err := entry.VerifyLengthHashes(b); err != nil {
		t.Fatal(err)
	}
	m, err := artifact.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// unpackAll unpacks everything that a manifest names, by slot and path.
func unpackAll(t *testing.T, dir string, m *artifact.Manifest) map[string][]byte {
	t.Helper()
	pack, err := os.ReadFile(filepath.Join(dir, m.Pack.Name))
	if err != nil {
		t.Fatal(err)
	}
	object := func(i int) []byte {
		var out []byte
		for _, c := range m.ObjectChunks(i) {
			b, err := artifact.Unpack(nil, pack[c.Offset:c.Offset+int64(c.Packed)], c)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b...)
		}
		return out
	}
	all := map[string][]byte{"root": object(m.Root)}
	for slot, files := range m.Slots {
		for _, f := range files {
			all[slot+"/"+f.Path] = object(f.Object)
		}
	}
	return all
}

// From nothing to a release that a client verifies and unpacks to what went in.
func TestPublish(t *testing.T) {
	r, p := newRepository(t)
	want := publish(t, r, p, "1.0.0")
	c := client(t, r.Dir, day.Add(13*24*time.Hour))
	m := target(t, r.Dir, c, "stable/rpi/manifest.json")
	if m.Version != "1.0.0" || m.Arch != "arm64" {
		t.Errorf("%s for %s", m.Version, m.Arch)
	}
	got := unpackAll(t, r.Dir, m)
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s has %d bytes, want %d", name, len(got[name]), len(b))
		}
	}
	if left, err := os.ReadDir(filepath.Join(r.Dir, "staged")); err != nil || len(left) != 0 {
		t.Errorf("left in staged: %v, %v", left, err)
	}
}
