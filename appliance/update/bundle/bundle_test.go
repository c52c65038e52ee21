package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
)

func file(name, content string) File {
	return File{name, int64(len(content)), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func write(t testing.TB, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func good(t testing.TB) []byte {
	return write(t, file("metadata/1.root.json", "root"), file("metadata/timestamp.json", ""), file("files/abc.pack", strings.Repeat("0123456789", 200)))
}

func TestBundle(t *testing.T) {
	b, err := Open(bytes.NewReader(good(t)), int64(len(good(t))))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, want := range map[string]string{"metadata/1.root.json": "root", "metadata/timestamp.json": ""} {
		if got, err := b.Get(ctx, name, 4); err != nil || string(got) != want || !b.Has(name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := b.Get(ctx, "metadata/1.root.json", 3); err == nil {
		t.Error("more than the limit was read")
	}
	for _, name := range []string{"metadata/2.root.json", "metadata", "", "./metadata/1.root.json"} {
		_, err := b.Get(ctx, name, 100)
		if _, e := b.Range(ctx, name, 0, 1); !errors.Is(err, fs.ErrNotExist) || !errors.Is(e, fs.ErrNotExist) || b.Has(name) {
			t.Errorf("%q: %v, %v", name, err, e)
		}
	}
	r, err := b.Range(ctx, "files/abc.pack", 1003, 5)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "34567" {
		t.Errorf("%q, %v", got, err)
	}
	for _, x := range [][2]int64{{-1, 1}, {0, 2001}, {2000, 1}, {2001, 0}, {1, -1}, {1 << 62, 1 << 62}} {
		if _, err := b.Range(ctx, "files/abc.pack", x[0], x[1]); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes at %d: %v", x[1], x[0], err)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Get(over, "metadata/1.root.json", 4); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := b.Range(over, "files/abc.pack", 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestHostile: nothing but what Write writes is a bundle.
func TestHostile(t *testing.T) {
	make := func(headers ...*tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			w.Write(bytes.Repeat([]byte("x"), int(h.Size)))
		}
		w.Close()
		return b.Bytes()
	}
	whole := good(t)
	many := []File{}
	for i := range MaxFiles {
		many = append(many, file(fmt.Sprint(i), ""))
	}
	most := write(t, many...)
	if _, err := Open(bytes.NewReader(most), int64(len(most))); err != nil {
		t.Error(err)
	}
	one := write(t, file("one", ""))
	damaged := bytes.Clone(whole)
	damaged[3] ^= 1
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"zeros":             bytes.Repeat([]byte{0}, 4096),
		"text":              bytes.Repeat([]byte("no tar"), 1000),
		"cut in a header":   whole[:700],
		"cut in a file":     whole[:4*blockSize+100],
		"cut at its end":    whole[:len(whole)-2*blockSize],
		"checksum":          damaged,
		"directory":         make(&tar.Header{Name: "files/", Typeflag: tar.TypeDir, Format: tar.FormatUSTAR}),
		"link":              make(&tar.Header{Name: "files/x", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink, Format: tar.FormatUSTAR}),
		"upwards":           make(&tar.Header{Name: "../x", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}),
		"absolute":          make(&tar.Header{Name: "/x", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}),
		"not clean":         make(&tar.Header{Name: "a//x", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}),
		"PAX":               make(&tar.Header{Name: strings.Repeat("x", 300), Typeflag: tar.TypeReg, Format: tar.FormatPAX}),
		"GNU":               make(&tar.Header{Name: strings.Repeat("x", 300), Typeflag: tar.TypeReg, Format: tar.FormatGNU}),
		"twice":             write(t, file("x", "1"), file("x", "2")),
		"one file too many": append(bytes.Clone(most[:len(most)-2*blockSize]), one...),
	} {
		if _, err := Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Write(io.Discard, append(many, file("one", ""))); err == nil {
		t.Error("a bundle was written that cannot be opened")
	}
	short := file("x", "1")
	short.Size = 2
	if err := Write(io.Discard, []File{short}); err == nil {
		t.Error("a file that is too short was written")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(good(f))
	f.Add(write(f, file("x", "1"), file("x", "2")))
	f.Add(good(f)[:900])
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Open(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		for name, s := range b.files {
			got, err := b.Get(t.Context(), name, int64(len(text)))
			if err != nil || int64(len(got)) != s.length {
				t.Errorf("%q: %d of %d bytes, %v", name, len(got), s.length, err)
			}
		}
	})
}
