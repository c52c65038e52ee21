package squash_test

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/squash"
)

var stamp = time.Unix(1_700_000_000, 0)

func file(p string, mode fs.FileMode, data []byte) squash.Entry {
	return squash.Entry{Path: p, Mode: mode, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

func dir(p string, mode fs.FileMode) squash.Entry {
	return squash.Entry{Path: p, Mode: fs.ModeDir | mode}
}

func link(p, target string) squash.Entry {
	return squash.Entry{Path: p, Mode: fs.ModeSymlink, Target: target}
}

// noise is n bytes that differ from block to block.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func write(t testing.TB, entries []squash.Entry) []byte {
	t.Helper()
	var m memory
	size, err := squash.Write(&m, entries, stamp)
	if err != nil {
		t.Fatal(err)
	}
	if size != int64(len(m.b)) {
		t.Fatalf("Write says %d bytes and wrote %d", size, len(m.b))
	}
	return m.b
}

// small is a tree with every kind of entry, like a station's root.
func small() []squash.Entry {
	return []squash.Entry{
		file("gokrazy/init", 0o755, noise(1, 300_000)), // two blocks and a tail
		file("user/appliance", 0o755, noise(2, 262_144)),
		file("etc/hostname", 0o644, []byte("station\n")),
		file("etc/secret", 0o400, []byte("x")),
		{Path: "etc/empty", Mode: 0o644},
		dir("etc", 0o750),
		dir("perm", 0o755),
		dir("tmp", fs.ModeSticky|0o777),
		file("bin/su", fs.ModeSetuid|fs.ModeSetgid|0o711, []byte("su")),
		link("etc/resolv.conf", "/tmp/resolv.conf"),
		link("var", "/perm/var"),
		file("etc/ssl/ca-bundle.pem", 0o644, noise(3, 131_072)),
		file("etc-old", 0o600, []byte("sorts between etc and etc/ssl")),
		file("lib/modules/6.1/ä", 0o644, []byte("utf-8")),
	}
}

// compare checks that the image holds the entries and nothing else but their parents.
func compare(t *testing.T, image []byte, entries []squash.Entry) *reader {
	t.Helper()
	items, r, err := read(image)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]squash.Entry{".": dir(".", 0o755)}
	for _, e := range entries {
		want[e.Path] = e
	}
	for _, e := range entries {
		for p := path.Dir(e.Path); p != "."; p = path.Dir(p) {
			if _, ok := want[p]; !ok {
				want[p] = dir(p, 0o755)
			}
		}
	}
	if len(items) != len(want) {
		t.Errorf("%d inodes, want %d", len(items), len(want))
	}
	for p, e := range want {
		got, ok := items[p]
		if !ok {
			t.Errorf("%s is missing", p)
			continue
		}
		mode := e.Mode
		if mode.Type() == fs.ModeSymlink {
			mode |= 0o777
		}
		if got.mode != mode || got.target != e.Target || got.mtime != uint32(stamp.Unix()) {
			t.Errorf("%s: mode %v, target %q, mtime %d; want %v, %q, %d", p, got.mode, got.target, got.mtime, mode, e.Target, stamp.Unix())
		}
		var data []byte
		if e.Open != nil {
			src, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(src); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.data, data) {
			t.Errorf("%s: %d bytes of content differ from the %d expected", p, len(got.data), len(data))
		}
	}
	return r
}
