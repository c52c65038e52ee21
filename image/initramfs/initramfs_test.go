package initramfs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var files = []File{
	{"lib/modules/6.12/kernel/fs/ext4.ko", 0o644, []byte("module")},
	{"init", 0o755, []byte("#!program")},
	{"lib/modules/6.12/modules.dep", 0o644, nil},
}

func TestWriteIsReproducible(t *testing.T) {
	var b, again bytes.Buffer
	if err := Write(&b, files); err != nil {
		t.Fatal(err)
	}
	if err := Write(&again, []File{files[2], files[0], files[1]}); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("the order in which files are listed changes the bytes, %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, list := range map[string][]File{
		"is not a path":         {{"../init", 0o755, nil}},
		`"/init" is not a path`: {{"/init", 0o755, nil}},
		"comes twice":           {{"init", 0o755, nil}, {"init", 0o644, nil}},
		"lib comes twice":       {{"lib", 0o644, nil}, {"lib", 0o644, nil}},
		"not a plain file's":    {{"init", fs.ModeSetuid | 0o755, nil}},
	} {
		if err := Write(io.Discard, list); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	full := errors.New("no room")
	if err := Write(failing{full}, files); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestCpio unpacks the archive with cpio, whose form the kernel's is.
func TestCpio(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("cpio is missing; .ci/run installs it")
		}
		t.Skip("cpio is missing; install it to run this test")
	}
	var b bytes.Buffer
	if err := Write(&b, files); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-idm", "--quiet")
	cmd.Dir, cmd.Stdin = dir, z
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Path)
		if got, err := os.ReadFile(name); err != nil || string(got) != string(f.Data) {
			t.Errorf("%s: %q, %v", f.Path, got, err)
		}
		if st, err := os.Stat(name); err != nil || st.Mode() != f.Mode {
			t.Errorf("%s: %v, %v", f.Path, st.Mode(), err)
		}
	}
}
