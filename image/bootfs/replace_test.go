package bootfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

var later = when.Add(1000 * time.Hour)

func replaceIn(t *testing.T, name, file string, content []byte) error {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return ReplaceFile(f, file, content, later)
}

func TestReplaceFile(t *testing.T) {
	spec := pi()
	name := imageFile(t, spec)
	before := slotSums(t, name)
	sums := map[int][32]byte{}
	// Longer, shorter, none, one again; then the first once more.
	for i, size := range []int{60_000, 10, 0, ClusterSize, 60_000} {
		content := bytes.Repeat([]byte("# a line of a person's\n"), size/23+1)[:size]
		if err := replaceIn(t, name, "truechimer.toml", content); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		v := open(t, f)
		got, err := v.ReadFile("truechimer.toml", 1<<20)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		for _, want := range spec.Root {
			if want.Path != "truechimer.toml" {
				same(t, v, want.Path, want)
			}
		}
		entries, err := v.ReadDir("/")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name == "truechimer.toml" && !e.ModTime.Equal(later.Truncate(2*time.Second)) {
				t.Errorf("it is of %v", e.ModTime)
			}
		}
		fsck(t, name)
		all, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(all[FATOffset:DataOffset])
	}
	if sums[0] != sums[4] {
		t.Error("the same content lies elsewhere")
	}
	if slotSums(t, name) != before {
		t.Error("a slot has changed")
	}
}

// same checks that a file has the content it was written with.
func same(t *testing.T, v *FS, path string, want File) {
	t.Helper()
	r, err := want.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if got, err := v.ReadFile(path, 1<<30); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s has changed: %d bytes, want %d, %v", path, len(got), b.Len(), err)
	}
}

func TestReplaceFileRefuses(t *testing.T) {
	name := imageFile(t, pi())
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceIn(t, name, "gone.toml", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := replaceIn(t, name, "a/cmdline.txt", nil); err == nil || !strings.Contains(err.Error(), "root directory") {
		t.Errorf("a slot's file: %v", err)
	}
	if err := replaceIn(t, name, "a", nil); err == nil {
		t.Error("a directory is replaced")
	}
	if err := replaceIn(t, name, "config.txt", []byte("x")); err == nil {
		t.Error("a pointer file is moved out of its place")
	}
	if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
		t.Errorf("what was refused has changed something, %v", err)
	}
	// More than there is room for: the FAT and the directory stay.
	if err := replaceIn(t, name, "truechimer.toml", make([]byte, PointerOffset)); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("too much: %v", err)
	}
	fsck(t, name)
	if err := ReplaceFile(&memory{}, "x", nil, later); err == nil {
		t.Error("no file system is one")
	}
}
