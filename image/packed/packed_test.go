package packed_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/truechimer/truechimer/image/packed"
	"github.com/ulikunitz/xz"
)

// plain is half noise, half zeros.
func plain() []byte {
	b := make([]byte, 300_000)
	for r, i := rand.New(rand.NewPCG(1, 2)), 0; i < len(b)/2; i++ {
		b[i] = byte(r.Uint32())
	}
	return b
}

func xzOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := packed.Pack(&out, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstdOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(t testing.TB, content []byte, limit int64) ([]byte, *packed.Image, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := packed.Open(name, limit)
	if err != nil {
		return nil, nil, err
	}
	defer i.Close()
	b, err := io.ReadAll(i)
	return b, i, err
}

func TestRoundTrip(t *testing.T) {
	want := plain()
	x := xzOf(t, want)
	if !bytes.Equal(x, xzOf(t, want)) {
		t.Error("packed twice, the bytes differ")
	}
	if len(x) > len(want)*6/10 {
		t.Errorf("%d bytes are packed into %d", len(want), len(x))
	}
	for name, content := range map[string][]byte{"xz": x, "zstd": zstdOf(t, want), "plain": want, "empty": nil} {
		want := want
		if name == "empty" {
			want = nil
		}
		got, i, err := read(t, content, int64(len(want)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(want), err)
			continue
		}
		if i.Done() != i.Packed || i.Packed != int64(len(content)) || name == "plain" && i.Size != i.Packed || (name == "xz" || name == "zstd") && i.Size != 0 {
			t.Errorf("%s: read %d of %d bytes, size %d", name, i.Done(), i.Packed, i.Size)
		}
		if len(want) == 0 {
			continue
		}
		got, _, err = read(t, content, int64(len(want))-1)
		if !errors.Is(err, packed.ErrTooLarge) || len(got) != len(want)-1 {
			t.Errorf("%s: a byte too many: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestDamage(t *testing.T) {
	want := plain()
	for name, content := range map[string][]byte{"xz": xzOf(t, want), "zstd": zstdOf(t, want)} {
		for _, at := range []int{7, 30, len(content) / 2, len(content) - 12} {
			bad := bytes.Clone(content)
			bad[at] ^= 0x55
			if got, _, err := read(t, bad, 1<<20); err == nil && !bytes.Equal(got, want) {
				t.Errorf("%s, byte %d: not noticed", name, at)
			}
			if got, _, err := read(t, content[:at], 1<<20); !errors.Is(err, packed.ErrDamaged) {
				t.Errorf("%s, cut after %d bytes: %d bytes, %v", name, at, len(got), err)
			}
		}
	}
	// 12 bytes of stream header, then a block header whose dictionary is 4 GiB - 1.
	greedy := append([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46"), 2, 0, 0x21, 1, 40, 0, 0, 0, 0, 0, 0, 0)
	if _, _, err := read(t, greedy, 1<<20); !errors.Is(err, packed.ErrTooLarge) {
		t.Errorf("a dictionary of 4 GiB: %v", err)
	}
	if _, err := packed.Open(t.TempDir(), 1); err == nil {
		t.Error("a directory is an image")
	}
}

func FuzzOpen(f *testing.F) {
	small := plain()[:200]
	// With a small dictionary: making a large one for each input takes its time.
	var x bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 4096}.NewWriter(&x)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write(small); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(x.Bytes())
	f.Add(zstdOf(f, small))
	f.Fuzz(func(t *testing.T, content []byte) {
		const limit = 1 << 20
		got, _, err := read(t, content, limit)
		if len(got) > limit {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}
