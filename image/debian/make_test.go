package debian

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// entry is a file of a package that a test makes.
type entry struct {
	name, content, link string // link: a symbolic one
	dir                 bool
}

func someEntries() []entry {
	return []entry{
		{name: "./", dir: true},
		{name: "./boot/", dir: true},
		{name: "./boot/vmlinuz-6.12.1", content: "kernel"},
		{name: "./lib/fw/a.bin", link: "../other/b.bin"},
		{name: "./lib/fw/far.bin", link: "/usr/share/elsewhere"},
		{name: "./lib/fw/own.bin", content: "own"},
		{name: "./lib/fw/sub/deep.bin", content: "deep"},
		{name: "./lib/other/b.bin", content: "other"},
		{name: "./lib/alias", link: "fw"},
		{name: "./lib/through", link: "alias/sub/deep.bin"},
		{name: "./lib/circle", link: "circle"},
	}
}

func makeTar(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Linkname: e.link}
		switch {
		case e.dir:
			h.Typeflag = tar.TypeDir
		case e.link != "":
			h.Typeflag = tar.TypeSymlink
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t testing.TB, ext string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ext {
	case ".xz":
		w, err = xz.NewWriter(&out)
	case ".zst":
		w, err = zstd.NewWriter(&out)
	case ".gz":
		w = gzip.NewWriter(&out)
	default:
		return b
	}
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

// member is one of an ar archive.
func member(name string, b []byte) []byte {
	out := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(b))
	out = append(out, b...)
	if len(b)%2 == 1 {
		out = append(out, '\n')
	}
	return out
}

func makeAr(members ...[]byte) []byte {
	return append([]byte(arMagic), bytes.Join(members, nil)...)
}

// makeDeb is a package whose data.tar is compressed as ext says.
func makeDeb(t testing.TB, ext, control string, entries []entry) []byte {
	t.Helper()
	return makeAr(
		member("debian-binary", []byte("2.0\n")),
		member("control.tar.gz", compress(t, ".gz", makeTar(t, []entry{{name: "./control", content: control}}))),
		member("data.tar"+ext, compress(t, ext, makeTar(t, entries))))
}

func writeFile(t testing.TB, file string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
