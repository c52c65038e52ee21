package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/disk"
)

var verifyDate = time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)

// buildFor builds a small image for a test.
func buildFor(t *testing.T, o buildOptions) string {
	t.Helper()
	o.Board, o.Dir, o.Log, o.Date = boards.VMArm64.Name, t.TempDir(), t.Logf, verifyDate
	file, err := build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func inspectFile(t *testing.T, name string) *inspected {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	i, err := inspect(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestVerify(t *testing.T) {
	toml := []byte("[[server]]\naddress = \"192.0.2.1\"\n")
	file := buildFor(t, buildOptions{Config: toml})
	i := inspectFile(t, file)
	if !bytes.Equal(i.made.Config, toml) || !i.made.Date.Equal(verifyDate) || i.made.Version != version || i.made.Dev || i.made.Extra != nil {
		t.Errorf("the image says %+v, version %s", i.made, i.made.Version)
	}
	compressed := filepath.Join(t.TempDir(), "x.img.zst")
	compress(t, compressed, file)
	// Whatever the date of the verifier's own sources is.
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	report, err := verify(t.Context(), compressed, t.Logf)
	if err != nil || !strings.HasPrefix(report, "identical, sha256 ") {
		t.Fatalf("%q, %v", report, err)
	}

	patch(t, file, disk.RootAStart+i.root["usr/share/licences/go/LICENSE"].Offset, "x")
	_, err = verify(t.Context(), file, t.Logf)
	if !errors.Is(err, errDiffers) || !strings.Contains(err.Error(), "root a: /usr/share/licences/go/LICENSE has other bytes") ||
		strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("one changed byte: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{"empty": nil, "zeros": make([]byte, 1<<20), "text": []byte("hello")} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, err := verify(t.Context(), file, t.Logf); err == nil || report != "" {
			t.Errorf("%s: %q", name, report)
		}
	}
	if err := verifyCommand(t.Context(), nil); err == nil {
		t.Error("nothing to verify is fine")
	}
}

func TestHints(t *testing.T) {
	i := &inspected{made: buildOptions{Version: "9.9"}, toolchain: "go1.99"}
	if got := lines(i.otherSources("go1.26.0")); !strings.Contains(got, `version "9.9"`) || !strings.Contains(got, "GOTOOLCHAIN=go1.99") {
		t.Errorf("%s", got)
	}
	i = &inspected{made: buildOptions{Version: version}, toolchain: "go1.26.0"}
	if got := i.otherSources("go1.26.0"); got != nil {
		t.Errorf("%v", got)
	}
	if got := strings.Count(lines(make([]int, 100)), "\n"); got != maxLines+1 {
		t.Errorf("%d lines", got)
	}
}

// Each kind of difference is named for what it is.
func TestCompareImages(t *testing.T) {
	file := buildFor(t, buildOptions{})
	want := inspectFile(t, file)
	extents, err := want.fat.Extents("a/boot.env")
	if err != nil {
		t.Fatal(err)
	}
	toml, err := want.fat.Extents("truechimer.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at   int64
		text string
		want []string
	}{
		"nothing":      {0, "", nil},
		"table":        {512 + 40, "x", []string{"partition table: differs from byte 552 on, in no file"}},
		"gap":          {disk.BootStart + 600, "x", []string{"boot partition: differs from byte 600 on, in no file"}},
		"command line": {disk.BootStart + extents[0].Offset + 3, "x", []string{"boot partition: /a/boot.env has other bytes: "}},
		"config":       {disk.BootStart + toml[0].Offset, "x", []string{"boot partition: /truechimer.toml has other bytes: "}},
		"state":        {disk.StateStart + 5, "x", []string{"state partition: differs from byte 5 on, in no file"}},
		"hosts":        {disk.RootAStart + want.root["etc/hosts"].Offset, "x", []string{"root a: /etc/hosts has other bytes: "}},
	} {
		t.Run(name, func(t *testing.T) {
			have := *want
			have.file = &patched{want.file, c.at, c.text}
			got, err := compareImages(&have, want)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%q, %v; want %q", got, err, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("%q, want %q", got[i], c.want[i])
				}
			}
		})
	}
	t.Run("files", func(t *testing.T) {
		list := func(i *inspected) (map[string]content, error) {
			if i == want {
				return map[string]content{"both": saying("1"), "lost": saying(""), "kind": {kind: "a directory"}}, nil
			}
			return map[string]content{"both": saying("2"), "added": saying(""), "kind": saying("")}, nil
		}
		got, err := compareFiles(&inspected{}, want, list)
		if err != nil || !slices.Equal(got, []string{
			"/added is in the image, but not in the rebuilt one",
			"/both has other bytes: 1 in the image, 1 in the rebuilt one, the same up to byte 0",
			"/kind is a file in the image, a directory in the rebuilt one",
			"/lost is missing from the image",
		}) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func saying(s string) content {
	return content{"a file", int64(len(s)), func() (io.Reader, error) { return strings.NewReader(s), nil }}
}

// patched reads other bytes in one place.
type patched struct {
	io.ReaderAt
	at   int64
	text string
}

func (p *patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, off)
	for i := range p.text {
		if at := p.at + int64(i) - off; at >= 0 && at < int64(n) {
			b[at] = p.text[i]
		}
	}
	return n, err
}

func patch(t *testing.T, name string, at int64, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

func compress(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
