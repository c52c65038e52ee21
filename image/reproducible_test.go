package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// Two builds in different places, by people with different habits, are the
// same bytes.
func TestBuildIsReproducible(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var sums [2][]byte
	var files [2]string
	for i := range sums {
		dir := filepath.Join(t.TempDir(), strings.Repeat("deeper/", i), "out")
		if i == 1 {
			t.Setenv("GOARM64", "v8.2")
			t.Setenv("GOFLAGS", "-trimpath=false")
			t.Setenv("CGO_ENABLED", "1")
			t.Setenv("TZ", "Asia/Kathmandu")
			t.Setenv("USER", "somebody")
		}
		file, err := build(t.Context(), buildOptions{Board: boards.VMArm64.Name, Dir: dir, Log: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%s holds %v", dir, left)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			t.Fatal(err)
		}
		sums[i], files[i] = h.Sum(nil), file
	}
	if !bytes.Equal(sums[0], sums[1]) {
		t.Errorf("two builds differ from byte %d on", firstDifference(t, files[0], files[1]))
	}

	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() <= disk.RootAStart || st.Size() > disk.RootAStart+disk.RootASize {
		t.Errorf("the image has %d bytes: it does not end with root a's data", st.Size())
	}
	fat, err := bootfs.Open(io.NewSectionReader(f, disk.BootStart, disk.BootSize))
	if err != nil {
		t.Fatal(err)
	}
	toml, err := fat.ReadFile("truechimer.toml", config.MaxSize)
	if err != nil || !bytes.Equal(toml, config.DefaultFile()) {
		t.Errorf("truechimer.toml is not the default file: %v", err)
	}
	for line := range strings.Lines(string(toml)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			t.Errorf("truechimer.toml sets something: %q", line)
		}
	}
	// The state of a fresh card is what the first boot takes it for.
	state := make([]byte, disk.StateSize)
	if _, err := f.ReadAt(state, disk.StateStart); err != nil || len(bytes.Trim(state, "\x00")) != 0 {
		t.Errorf("the state partition is not blank, %v", err)
	}
}

func firstDifference(t *testing.T, one, other string) int {
	t.Helper()
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
