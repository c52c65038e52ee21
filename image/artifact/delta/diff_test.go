package delta

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// needBSDiff skips where Debian's bsdiff is missing; CI installs it.
func needBSDiff(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("bsdiff"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("bsdiff is missing")
	}
	t.Skip("bsdiff is missing; install bsdiff to run this test")
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// programs are two like a release and the next: of 4 KiB functions, one of
// which is new and moves all that is behind it, and whose every reference to
// something behind it changes.
func programs(size int) (old, fresh []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	const function, moved = 4 << 10, 64
	for len(old) < size {
		body := make([]byte, function)
		for i := range body {
			body[i] = byte(r.Uint32() >> (r.Uint32() % 8))
		}
		changed := bytes.Clone(body)
		for at := 0; at+4 <= function; at += 64 {
			changed[at] += moved
		}
		old = append(old, body...)
		if len(fresh) == size/2/function*function {
			fresh = append(fresh, body[:moved]...)
		}
		fresh = append(fresh, changed...)
	}
	return old, fresh
}

func diff(t testing.TB, old, fresh []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Diff(context.Background(), &out, write(t, "old", old), write(t, "new", fresh)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDiff(t *testing.T) {
	needBSDiff(t)
	old, fresh := programs(256 << 10)
	for name, c := range map[string]struct {
		old, fresh []byte
		limit      int
	}{
		"a release and the next": {old, fresh, 10 << 10},
		"back":                   {fresh, old, 10 << 10},
		"the same":               {old, old, 100},
		"nothing in common":      {old[:1000], fresh[100_000:101_000], 1200},
		"of one byte":            {[]byte("x"), fresh[:100], 200},
		"to one byte":            {old, []byte("x"), 100},
	} {
		t.Run(name, func(t *testing.T) {
			d := diff(t, c.old, c.fresh)
			if len(d) > c.limit {
				t.Errorf("a delta of %d bytes", len(d))
			}
			var out bytes.Buffer
			if err := Patch(&out, bytes.NewReader(c.old), int64(len(c.old)), bytes.NewReader(d), int64(len(c.fresh))); err != nil || !bytes.Equal(out.Bytes(), c.fresh) {
				t.Errorf("%d bytes of %d, or others: %v", out.Len(), len(c.fresh), err)
			}
			if again := diff(t, c.old, c.fresh); !bytes.Equal(again, d) {
				t.Error("made again, the delta is another one")
			}
		})
	}
}

func TestDiffErrors(t *testing.T) {
	t.Run("no such file", func(t *testing.T) {
		needBSDiff(t)
		old := write(t, "old", []byte("x"))
		for _, names := range [][2]string{{old, old + "?"}, {old + "?", old}} {
			if err := Diff(context.Background(), io.Discard, names[0], names[1]); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("error %v", err)
			}
		}
	})
	t.Run("empty", func(t *testing.T) {
		needBSDiff(t)
		empty, full := write(t, "empty", nil), write(t, "full", []byte("x"))
		for _, names := range [][2]string{{empty, full}, {full, empty}} {
			if err := Diff(context.Background(), io.Discard, names[0], names[1]); err == nil || !strings.Contains(err.Error(), "empty") {
				t.Errorf("error %v", err)
			}
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		needBSDiff(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		old := write(t, "old", []byte("x"))
		if err := Diff(ctx, io.Discard, old, old); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	for name, c := range map[string]struct{ script, say string }{
		"no tool":          {"", "apt-get install bsdiff"},
		"it fails":         {"echo no memory >&2; exit 1", "no memory"},
		"it writes rot":    {"echo rot > $3", "header"},
		"it writes less":   {"printf 'BSDIFF40%b' '\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\01\\0\\0\\0\\0\\0\\0\\0' > $3", "triples"},
		"it writes others": {"printf 'BSDIFF40%b' '\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0' > $3", "does not begin"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			if c.script != "" {
				if err := os.WriteFile(filepath.Join(bin, "bsdiff"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", bin)
			var out bytes.Buffer
			old := write(t, "old", []byte("x"))
			if err := Diff(context.Background(), &out, old, old); err == nil || !strings.Contains(err.Error(), c.say) || out.Len() != 0 {
				t.Errorf("%d bytes, error %v", out.Len(), err)
			}
		})
	}
}

// TestComparer: a delta that makes something else is found out.
func TestComparer(t *testing.T) {
	c := &comparer{want: strings.NewReader("abcdef")}
	if n, err := c.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := c.Write([]byte("dex")); err == nil {
		t.Error("another byte is accepted")
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a byte behind the end is accepted")
	}
}
