package bootfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// memory is a disk of zeros that keeps the pages that were written.
type memory struct{ pages map[int64]*[4096]byte }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		page, at := (off+int64(n))/4096, (off+int64(n))%4096
		k := min(len(p)-n, int(4096-at))
		if b := m.pages[page]; b != nil {
			copy(p[n:n+k], b[at:])
		} else {
			clear(p[n : n+k])
		}
		n += k
	}
	return len(p), nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if m.pages == nil {
		m.pages = make(map[int64]*[4096]byte)
	}
	for n := 0; n < len(p); {
		page, at := (off+int64(n))/4096, (off+int64(n))%4096
		if m.pages[page] == nil {
			m.pages[page] = new([4096]byte)
		}
		n += copy(m.pages[page][at:], p[n:])
	}
	return len(p), nil
}

// sum identifies the bytes in extents, which are whole pages.
func (m *memory) sum(t testing.TB, extents ...Extent) string {
	t.Helper()
	h := sha256.New()
	for _, e := range extents {
		if e.Offset%4096 != 0 || e.Length%4096 != 0 {
			t.Fatalf("%v is not whole pages", e)
		}
		for page := e.Offset / 4096; page < (e.Offset+e.Length)/4096; page++ {
			if b := m.pages[page]; b != nil && *b != [4096]byte{} {
				fmt.Fprintln(h, page)
				h.Write(b[:])
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// content is a file's content that no other file has.
func content(path string, size int) []byte {
	b := bytes.Repeat([]byte(path+"\n"), size/(len(path)+1)+1)
	return b[:size]
}

func file(path string, size int) File { return text(path, string(content(path, size))) }

func text(path, s string) File {
	return File{Path: path, Size: int64(len(s)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s)), nil
	}}
}

var when = time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)

// pi is like the Raspberry Pi's boot file system, but smaller.
func pi() Spec {
	s := Spec{Label: "TRUECHIMER", VolumeID: 0x1badcafe, Time: when}
	s.Root = []File{
		text("config.txt", "os_prefix=a/\ninclude usercfg.txt\n"),
		text("tryboot.txt", "os_prefix=b/\ninclude usercfg.txt\n"),
		text("usercfg.txt", ""),
		file("truechimer.toml", 3000),
		file("bootcode.bin", 52476),
		file("start4.elf", 1<<20),
		file("EFI/BOOT/BOOTAA64.EFI", 20000),
	}
	s.A = []File{
		file("vmlinuz", 3<<20+1),
		file("cmdline.txt", 200),
		file("bcm2711-rpi-4-b.dtb", 56000),
		file("bcm2711-rpi-400.dtb", 8192),
		file("bcm2711-rpi-cm4.dtb", 8193),
		file("overlays/README", 100),
		file("empty", 0),
	}
	for i := range 350 {
		s.A = append(s.A, file(fmt.Sprintf("overlays/a-long-overlay-name-%03d.dtbo", i), 1000+i))
	}
	return s
}

func mustWrite(t testing.TB, s Spec) *memory {
	t.Helper()
	m := &memory{}
	if err := Write(m, s); err != nil {
		t.Fatal(err)
	}
	return m
}

// imageFile writes the file system into a file for other people's tools.
func imageFile(t testing.TB, s Spec) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "boot.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(f, s); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(Size); err != nil {
		t.Fatal(err)
	}
	return name
}

// tool runs one of dosfstools or mtools; CI installs them.
func tool(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	var path string
	for _, p := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} { // not in every user's PATH
		if found, err := exec.LookPath(p); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: install dosfstools and mtools", name)
		}
		t.Skipf("%s is missing: install dosfstools and mtools", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MTOOLSRC=/dev/null")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustTool(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := tool(t, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

func fsck(t testing.TB, image string) string {
	t.Helper()
	out := mustTool(t, "fsck.fat", "-n", "-v", image)
	// It names what it finds between its last heading and its summary.
	_, rest, ok := strings.Cut(out, "Checking for unused clusters.\n")
	if !ok || strings.Count(rest, "\n") != 1 || !strings.HasPrefix(rest, image+": ") {
		t.Fatalf("fsck.fat is not content:\n%s", out)
	}
	return out
}
