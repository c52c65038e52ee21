package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// a deb as the mirrors would have it, and the pin that names it.
func packed(t *testing.T, entries []entry) (content string, p Pin) {
	t.Helper()
	b := makeDeb(t, ".xz", "", entries)
	p = tiny()
	p.SHA256, p.Size = sum(b), int64(len(b))
	return string(b), p
}

func TestUnpacked(t *testing.T) {
	content, p := packed(t, []entry{
		{name: "./boot/", dir: true}, {name: "./boot/vmlinuz", content: "kernel"}, {name: "./lib/fw/a.bin", link: "../other/b.bin"}, {name: "./lib/other/b.bin", content: "other"},
	})
	apt := &fakeApt{offers: offerOf(p), files: map[string]string{p.File(): content}}
	s := newStore(t, apt)
	for range 2 {
		dirs, err := s.Unpacked(t.Context(), p, p)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"boot/vmlinuz": "kernel", "lib/fw/a.bin": "other", "lib/other/b.bin": "other"} {
			if got, err := os.ReadFile(filepath.Join(dirs[p], name)); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
	downloads := 0
	for _, c := range apt.calls {
		if strings.HasPrefix(c, "apt-get download") {
			downloads++
		}
	}
	if downloads != 1 {
		t.Errorf("downloaded %d times: %q", downloads, apt.calls)
	}
}

// What cannot be unpacked whole leaves nothing that looks complete.
func TestUnpackedLeavesNothing(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]entry{
		"twice":             {{name: "./a", content: "1"}, {name: "./a", content: "2"}},
		"a link in the way": {{name: "./a", link: outside}, {name: "./a/b", content: "2"}},
		"twice as a link":   {{name: "./a", content: "1"}, {name: "./a", link: "b"}},
	} {
		content, p := packed(t, entries)
		s := newStore(t, &fakeApt{offers: offerOf(p), files: map[string]string{p.File(): content}})
		if dirs, err := s.Unpacked(t.Context(), p); err == nil {
			t.Errorf("%s: %v", name, dirs)
		}
		left, err := filepath.Glob(filepath.Join(s.Cache, "unpacked", "*"))
		if err != nil || len(left) != 0 {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("it wrote through a link: %v, %v", left, err)
	}
}
