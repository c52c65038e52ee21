package squash_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/squash"
)

// unsquashfs finds the tool of squashfs-tools, which shares no code with ours.
func unsquashfs(t *testing.T) string {
	t.Helper()
	tool, err := exec.LookPath("unsquashfs")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("unsquashfs is missing: CI must install squashfs-tools")
		}
		t.Skip("unsquashfs is not installed (apt install squashfs-tools); CI runs this test")
	}
	return tool
}

// large is a tree that crosses every limit of the format's tables.
func large() []squash.Entry {
	entries := append(small(), file("big", 0o644, noise(9, 3<<20+17)), link("dangling", "no/such/file"))
	for i := range 1000 {
		entries = append(entries, file(fmt.Sprintf("thousand/%d", i), 0o644, noise(uint64(i), i)))
	}
	for i := range 5000 {
		entries = append(entries, link(fmt.Sprintf("long/%0100d", i), fmt.Sprint(i)))
	}
	for i := range 300 {
		entries = append(entries, dir(fmt.Sprintf("dirs/%d/empty", i), 0o711))
	}
	return entries
}

func TestUnsquashfs(t *testing.T) {
	tool := unsquashfs(t)
	for _, tt := range []struct {
		name    string
		entries []squash.Entry
	}{{"empty", nil}, {"small", small()}, {"large", large()}} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "image")
			f, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := squash.Write(f, tt.entries, stamp); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "root")
			if out, err := exec.Command(tool, "-no-progress", "-strict-errors", "-d", to, name).CombinedOutput(); err != nil {
				t.Fatalf("unsquashfs: %v\n%s", err, out)
			}
			compareExtracted(t, to, tt.entries)

			out, err := exec.Command(tool, "-llnumeric", name).Output()
			if err != nil {
				t.Fatalf("unsquashfs -llnumeric: %v", err)
			}
			for line := range strings.Lines(string(out)) {
				if fields := strings.Fields(line); len(fields) < 2 || fields[1] != "0/0" {
					t.Errorf("not owned by root: %q", line)
				}
			}
		})
	}
}

func compareExtracted(t *testing.T, root string, entries []squash.Entry) {
	t.Helper()
	for _, e := range entries {
		name := filepath.Join(root, filepath.FromSlash(e.Path))
		info, err := os.Lstat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if !info.ModTime().Equal(stamp) {
			t.Errorf("%s: modified %v, want %v", e.Path, info.ModTime(), stamp)
		}
		if info.Mode().Type() != e.Mode.Type() {
			t.Errorf("%s: mode %v, want %v", e.Path, info.Mode(), e.Mode)
		}
		if e.Mode.Type() == fs.ModeSymlink {
			if got, err := os.Readlink(name); err != nil || got != e.Target {
				t.Errorf("%s -> %q, want %q (%v)", e.Path, got, e.Target, err)
			}
			continue
		}
		if info.Mode().Perm() != e.Mode.Perm() {
			t.Errorf("%s: mode %v, want %v", e.Path, info.Mode(), e.Mode)
		}
		if e.Mode.IsRegular() {
			compareContent(t, name, e)
		}
	}
}

func compareContent(t *testing.T, name string, e squash.Entry) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
		return
	}
	var want []byte
	if e.Open != nil {
		src, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		if want, err = io.ReadAll(src); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes of content differ from the %d expected", e.Path, len(got), len(want))
	}
}
