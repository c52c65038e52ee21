package bootfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFsckIsContent(t *testing.T) {
	full := pi()
	full.B = full.A
	none := Spec{Label: "EMPTY", Time: when}
	for name, s := range map[string]Spec{"fresh": pi(), "both slots": full, "empty": none} {
		t.Run(name, func(t *testing.T) {
			out := fsck(t, imageFile(t, s))
			for _, want := range []string{
				"8192 bytes per cluster", "1 FATs, 16 bit entries", "512 root directory entries",
				"524288 sectors total", fmt.Sprintf("%d files, ", countFiles(s)), "/32510 clusters",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("fsck.fat does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

// countFiles counts as fsck.fat does: directories and the label too.
func countFiles(s Spec) int {
	seen := make(map[string]bool)
	add := func(prefix string, list []File) {
		for _, f := range list {
			for p := prefix + f.Path; p != "." && p != "/"; p = filepath.Dir(p) {
				seen[p] = true
			}
		}
	}
	add("/", s.Root)
	add("/a/", append([]File{{Path: RoomName}}, s.A...))
	add("/b/", append([]File{{Path: RoomName}}, s.B...))
	return len(seen) + 1
}

func TestMinfo(t *testing.T) {
	out := mustTool(t, "minfo", "-i", imageFile(t, pi()))
	for _, want := range []string{
		`cluster size: 16 sectors`, `reserved \(boot\) sectors: 3969`, `fats: 1\b`,
		`max available root directory slots: 512`, `media descriptor byte: 0xf8`, `sectors per fat: 127`,
		`big size: 524288 sectors`, `disk type="FAT16   "`, `disk label="TRUECHIMER "`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("minfo does not say %q:\n%s", want, out)
		}
	}
}

// TestEveryFileComesOut compares all files as mtools reads them.
func TestEveryFileComesOut(t *testing.T) {
	s := pi()
	image := imageFile(t, s)
	dir := t.TempDir()
	mustTool(t, "mcopy", "-s", "-n", "-m", "-i", image, "::/a", "::/EFI", "::/config.txt", "::/bootcode.bin", "::/truechimer.toml", dir)
	check := func(name string, size int64) {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(name, "a/")
		if want := content(path, int(size)); path != "config.txt" && !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, not the %d that were written", name, len(got), len(want))
		}
		if path == "config.txt" && string(got) != "os_prefix=a/\ninclude usercfg.txt\n" {
			t.Errorf("config.txt: %q", got)
		}
	}
	for _, f := range s.A {
		check("a/"+f.Path, f.Size)
	}
	for _, name := range []string{"config.txt", "bootcode.bin", "truechimer.toml", "EFI/BOOT/BOOTAA64.EFI"} {
		for _, f := range s.Root {
			if f.Path == name {
				check(name, f.Size)
			}
		}
	}
	st, err := os.Stat(filepath.Join(dir, "a", RoomName))
	if err != nil || st.Size() < 64<<20 {
		t.Errorf("room: %v, %v", st, err)
	}
}

// TestAPersonAddsFiles: what a PC writes is found, in pieces and under long and
// short names, and the slots are not touched by it.
func TestAPersonAddsFiles(t *testing.T) {
	image := imageFile(t, pi())
	slots := slotSums(t, image)
	dir := t.TempDir()
	local := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	put := func(name string, b []byte, dest string) {
		mustTool(t, "mcopy", "-o", "-i", image, local(name, b), "::/"+dest)
	}
	// Files with gaps between them make the next one lie in pieces.
	for i := range 20 {
		put(fmt.Sprint("gap", i), content("gap", 20000), fmt.Sprintf("gap number %d.dat", i))
	}
	for i := 0; i < 20; i += 2 {
		mustTool(t, "mdel", "-i", image, fmt.Sprintf("::/gap number %d.dat", i))
	}
	big := content("big", 1<<20)
	put("big", big, "Grüße an alle.bin")
	put("toml", []byte("# mine\n"), "TRUECHIMER.TOML")
	mustTool(t, "mmd", "-i", image, "::/my directory")
	put("deep", []byte("deep"), "my directory/deep.txt")

	fsck(t, image)
	if got := slotSums(t, image); got != slots {
		t.Error("a PC's writes reached a slot")
	}
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fsys, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/grüSSe an alle.bin":     "",
		"/Grüße an ALLE.bin":      string(big),
		"truechimer.toml":         "# mine\n",
		"/MY DIRECTORY/deep.txt":  "deep",
		"/MYDIRE~1/DEEP.TXT":      "deep",
		"/gap number 3.dat":       string(content("gap", 20000)),
		"/a/vmlinuz":              string(content("vmlinuz", 3<<20+1)),
		"/a/overlays/README":      string(content("overlays/README", 100)),
		"/gap number 2.dat":       "",
		"/my directory/none.txt":  "",
		"/truechimer.toml/inside": "",
	} {
		got, err := fsys.ReadFile(path, 4<<20)
		if want == "" {
			if err == nil {
				t.Errorf("%s: exists", path)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	pieces, err := fsys.Extents("/Grüße an alle.bin")
	if err != nil || len(pieces) < 5 {
		t.Errorf("the file was meant to lie in pieces: %v, %v", pieces, err)
	}
}

// TestFullDisk: when a PC fills the disk it is told so, and the slots stay.
func TestFullDisk(t *testing.T) {
	image := imageFile(t, pi())
	slots := slotSums(t, image)
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, bytes.Repeat([]byte{0xa5}, 70<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := tool(t, "mcopy", "-i", image, big, "::/big.bin")
	if err == nil || !strings.Contains(out, "Disk full") {
		t.Errorf("mcopy: %v\n%s", err, out)
	}
	// mcopy removes what did not fit: now fill it to the last cluster.
	free := regexp.MustCompile(`([\d ]+) bytes free`).FindStringSubmatch(mustTool(t, "mdir", "-i", image))
	if free == nil {
		t.Fatal("mdir says nothing of free bytes")
	}
	var n int64
	fmt.Sscan(strings.ReplaceAll(free[1], " ", ""), &n)
	if n < 55<<20 || n > PointerOffset+4<<20 {
		t.Errorf("%d bytes free for a person's files", n)
	}
	if err := os.Truncate(big, n); err != nil {
		t.Fatal(err)
	}
	mustTool(t, "mcopy", "-i", image, big, "::/big.bin")
	if err := os.Truncate(big, 1); err != nil {
		t.Fatal(err)
	}
	if out, err := tool(t, "mcopy", "-i", image, big, "::/more"); err == nil || !strings.Contains(out, "Disk full") {
		t.Errorf("one more file: %v\n%s", err, out)
	}
	fsck(t, image)
	if got := slotSums(t, image); got != slots {
		t.Error("filling the disk reached a slot")
	}
}

func slotSums(t *testing.T, image string) string {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	for _, e := range append(SlotExtents(SlotA), SlotExtents(SlotB)...) {
		if _, err := io.Copy(h, io.NewSectionReader(f, e.Offset, e.Length)); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestMdirLists(t *testing.T) {
	image := imageFile(t, pi())
	out := mustTool(t, "mdir", "-i", image, "::/b")
	if !strings.Contains(out, "ROOM     BIN  100655104 2026-11-23") {
		t.Errorf("/b:\n%s", out)
	}
	out = mustTool(t, "mdir", "-i", image, "::/")
	for _, want := range []string{"Volume in drive : is TRUECHIMER", "Volume Serial Number is 1BAD-CAFE", "truechimer.toml", "config.txt", "2026-11-23  12:34"} {
		if !strings.Contains(out, want) {
			t.Errorf("/ lacks %q:\n%s", want, out)
		}
	}
}
