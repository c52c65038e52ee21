package bootfs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSticks reads what other people's tools formatted and wrote, with files in
// pieces, long names and deep directories.
func TestSticks(t *testing.T) {
	for _, c := range []struct {
		bits, perCluster string
		size             int64
	}{
		// mtools takes none of fewer than 65,525 clusters for FAT32.
		{"32", "1", 66 << 20},
		{"32", "8", 300 << 20},
		{"32", "64", 3 << 30},
		{"32", "128", 5 << 30},
		{"16", "4", 32 << 20},
	} {
		t.Run("FAT"+c.bits+" "+c.perCluster, func(t *testing.T) {
			dir := t.TempDir()
			image := filepath.Join(dir, "stick.img")
			local := func(name string, b []byte) string {
				p := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, b, 0o644); err != nil {
					t.Fatal(err)
				}
				return p
			}
			local("stick.img", nil)
			if err := os.Truncate(image, c.size); err != nil {
				t.Fatal(err)
			}
			mustTool(t, "mkfs.fat", "-F", c.bits, "-s", c.perCluster, "-n", "MY STICK", image)
			// from lets mtools look for room from a cluster on, or anywhere.
			from := func(cluster uint32) {
				if c.bits == "32" {
					pokeFile(t, image, SectorSize+492, le32(cluster))
				}
			}
			want := map[string][]byte{}
			var gaps, deleted []string
			for i := range 12 {
				name := fmt.Sprintf("gap number %d.dat", i)
				gaps = append(gaps, local(name, content(name, 40000)))
				if i%2 == 0 {
					deleted = append(deleted, "::/"+name)
				} else {
					want["/"+name] = content(name, 40000)
				}
			}
			mustTool(t, "mcopy", append(append([]string{"-i", image}, gaps...), "::/")...)
			mustTool(t, "mdel", append([]string{"-i", image}, deleted...)...)
			from(0xffffffff)
			big := content("big", 700_001)
			want["/Grüße an alle.bin"] = big
			mustTool(t, "mcopy", "-i", image, local("big", big), "::/Grüße an alle.bin")
			for i := range 200 { // a directory of more than one cluster
				name := fmt.Sprintf("tree/in a directory/deeper/file with a long name %03d.txt", i)
				want["/"+name] = content(name, i)
				local(name, want["/"+name])
			}
			mustTool(t, "mcopy", "-s", "-i", image, filepath.Join(dir, "tree"), "::/")
			if c.perCluster == "1" {
				from(100_000)
				want["/far.bin"] = content("far", 5000)
				mustTool(t, "mcopy", "-i", image, local("far", want["/far.bin"]), "::/far.bin")
			}

			r, err := os.Open(image)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			f := openAny(t, r)
			if (f.rootCluster != 0) != (c.bits == "32") || fmt.Sprint(f.cluster/SectorSize) != c.perCluster {
				t.Errorf("root cluster %d, clusters of %d bytes", f.rootCluster, f.cluster)
			}
			for path, b := range want {
				if got, err := f.ReadFile(strings.ToUpper(path), 1<<20); err != nil || !bytes.Equal(got, b) {
					t.Errorf("%s: %d bytes, %v", path, len(got), err)
				}
			}
			found := 0
			for path := range walkAll(t, f, "") {
				if found++; want[path] == nil {
					t.Errorf("%s: not known", path)
				}
			}
			if found != len(want) {
				t.Errorf("%d files, want %d", found, len(want))
			}
			if list, err := f.Extents("Grüße an alle.bin"); err != nil || len(list) < 5 {
				t.Errorf("the file was meant to lie in pieces: %v, %v", list, err)
			}
			if c.perCluster == "1" {
				if e, err := f.file("far.bin"); err != nil || e.cluster < 100_000 {
					t.Errorf("the file was meant to lie far away: %v, %v", e.cluster, err)
				}
			}
			whole, err := f.Content("Grüße an alle.bin")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(io.NewSectionReader(whole, 0, whole.Size())); err != nil || !bytes.Equal(got, big) {
				t.Errorf("content: %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestSmallSticks: mkfs.fat makes FAT32 of few clusters, which Linux takes.
func TestSmallSticks(t *testing.T) {
	for _, perCluster := range []string{"1", "8", "64"} {
		image := filepath.Join(t.TempDir(), "stick.img")
		if err := os.WriteFile(image, make([]byte, 4<<20), 0o644); err != nil {
			t.Fatal(err)
		}
		mustTool(t, "mkfs.fat", "-F", "32", "-s", perCluster, "-n", "SMALL", image)
		r, err := os.Open(image)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if list, err := openAny(t, r).ReadDir("/"); err != nil || len(list) != 0 {
			t.Errorf("%s sectors per cluster: %v, %v", perCluster, list, err)
		}
	}
}

// walkAll yields the files below dir.
func walkAll(t *testing.T, f *FS, dir string) map[string]Entry {
	all := make(map[string]Entry)
	list, err := f.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range list {
		path := dir + "/" + e.Name
		if !e.Dir {
			all[path] = e
			continue
		}
		for p, e := range walkAll(t, f, path) {
			all[p] = e
		}
	}
	return all
}

func pokeFile(t *testing.T, name string, off int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}
