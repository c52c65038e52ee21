package debian

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWalkReadsEveryCompression(t *testing.T) {
	for _, ext := range []string{"", ".xz", ".zst", ".gz"} {
		t.Run("data.tar"+ext, func(t *testing.T) {
			file := writeFile(t, filepath.Join(t.TempDir(), "x.deb"), makeDeb(t, ext, "odd", someEntries()))
			var names []string
			err := Walk(file, func(h *tar.Header, r io.Reader) error {
				b, err := io.ReadAll(r)
				if h.Typeflag != tar.TypeReg && len(b) > 0 {
					t.Errorf("%s has content", h.Name)
				}
				names = append(names, h.Name+"="+string(b))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"boot=", "boot/vmlinuz-6.12.1=kernel", "lib/fw/a.bin=", "lib/fw/far.bin=", "lib/fw/own.bin=own",
				"lib/fw/sub/deep.bin=deep", "lib/other/b.bin=other", "lib/alias=", "lib/through=", "lib/circle="}
			if !slices.Equal(names, want) {
				t.Errorf("got %q", names)
			}
		})
	}
}

func TestWalkRefuses(t *testing.T) {
	good := makeDeb(t, ".xz", "c", someEntries())
	binary := member("debian-binary", []byte("2.0\n"))
	named := func(names ...string) []byte {
		var entries []entry
		for _, n := range names {
			entries = append(entries, entry{name: n, content: "x"})
		}
		return makeDeb(t, "", "c", entries)
	}
	var large bytes.Buffer
	w := tar.NewWriter(&large)
	if err := w.WriteHeader(&tar.Header{Name: "large", Size: fileMax + 1}); err != nil {
		t.Fatal(err)
	}
	var flood [][]byte
	for range arMax + 1 {
		flood = append(flood, member("_x", nil))
	}
	for name, c := range map[string]struct {
		deb  []byte
		says string
	}{
		"nothing":         {nil, "no ar archive"},
		"text":            {[]byte("404 not found, try again"), "no ar archive"},
		"no data":         {makeAr(binary), "no data.tar"},
		"other format":    {makeAr(member("debian-binary", []byte("3.0\n"))), "format 2"},
		"not a package":   {makeAr(member("x.o", nil)), "format 2"},
		"bzip2":           {makeAr(binary, member("data.tar.bz2", nil)), "only xz"},
		"many members":    {makeAr(append([][]byte{binary}, flood...)...), "first 16 members"},
		"negative size":   {makeAr(binary, bytes.Replace(member("_x", nil), []byte("0         `"), []byte("-1        `"), 1)), "cut short"},
		"cut":             {good[:len(good)-40], "cut short"},
		"damaged":         {slices.Concat(good[:len(good)-40], make([]byte, 40)), "data.tar.xz"},
		"wrong extension": {makeAr(binary, member("data.tar.zst", []byte("plain text of some length"))), "data.tar.zst"},
		"parent":          {named("./a/../../etc/passwd"), "no name within"},
		"parent first":    {named("../x"), "no name within"},
		"only parent":     {named(".."), "no name within"},
		"absolute":        {named("/etc/passwd"), "no name within"},
		"absolute twice":  {named(".//etc/passwd"), "no name within"},
		"long name":       {named(strings.Repeat("x", nameMax+1)), "no name within"},
		"large file":      {makeAr(binary, member("data.tar", large.Bytes())), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			err := walk(bytes.NewReader(c.deb), int64(len(c.deb)), func(h *tar.Header, r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestExtract(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "x.deb"), makeDeb(t, ".zst", "c", someEntries()))
	for name, c := range map[string]struct {
		patterns []string
		want     map[string]string
		says     string
	}{
		"by name":          {[]string{"boot/vmlinuz-6.12.1"}, map[string]string{"boot/vmlinuz-6.12.1": "kernel"}, ""},
		"by pattern":       {[]string{"b*/vmlinuz-*"}, map[string]string{"boot/vmlinuz-6.12.1": "kernel"}, ""},
		"a * has no slash": {[]string{"*/own.bin"}, nil, "no file of the package is */own.bin"},
		"below":            {[]string{"lib/fw/**"}, map[string]string{"lib/fw/a.bin": "other", "lib/fw/own.bin": "own", "lib/fw/sub/deep.bin": "deep"}, ""},
		"below a pattern":  {[]string{"*/fw/**"}, map[string]string{"lib/fw/a.bin": "other", "lib/fw/own.bin": "own", "lib/fw/sub/deep.bin": "deep"}, ""},
		"link":             {[]string{"lib/fw/a.bin"}, map[string]string{"lib/fw/a.bin": "other"}, ""},
		"link of links":    {[]string{"lib/through"}, map[string]string{"lib/through": "deep"}, ""},
		"link elsewhere":   {[]string{"lib/fw/far.bin"}, nil, "a link to usr/share/elsewhere"},
		"circle":           {[]string{"lib/circle"}, nil, "a link to lib/circle"},
		"one of two":       {[]string{"boot/*", "etc/*"}, nil, "no file of the package is etc/*"},
		"bad pattern":      {[]string{"[/**"}, nil, "syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Extract(file, c.patterns...)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !maps.EqualFunc(got, c.want, func(b []byte, s string) bool { return string(b) == s }) {
				t.Errorf("got %q", got)
			}
		})
	}
	twice := writeFile(t, filepath.Join(t.TempDir(), "x.deb"), makeDeb(t, "", "c", []entry{{name: "./a", content: "1"}, {name: "a", content: "2"}}))
	if _, err := Extract(twice, "a"); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a file that is there twice: %v", err)
	}
}

func TestDecompress(t *testing.T) {
	for _, ext := range []string{"", ".xz", ".zst", ".gz"} {
		name, b, err := Decompress("kernel/pps-gpio.ko"+ext, compress(t, ext, []byte("module")))
		if name != "kernel/pps-gpio.ko" || string(b) != "module" || err != nil {
			t.Errorf("%q: %q, %q, %v", ext, name, b, err)
		}
		if _, _, err := Decompress("x.ko"+ext, []byte("no such thing, whatever it is")); (err == nil) != (ext == "") {
			t.Errorf("%q: damage gives %v", ext, err)
		}
		if _, _, err := decompress("x.ko"+ext, compress(t, ext, make([]byte, 1001)), 1000); errors.Is(err, ErrTooLarge) == (ext == "") {
			t.Errorf("%q: a large one gives %v", ext, err)
		}
	}
}

func FuzzWalk(f *testing.F) {
	for _, ext := range []string{"", ".zst", ".gz"} {
		f.Add(makeDeb(f, ext, "c", someEntries()))
	}
	f.Add(makeAr(member("debian-binary", []byte("2.0\n"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = walk(bytes.NewReader(b), int64(len(b)), func(h *tar.Header, r io.Reader) error {
			if !filepath.IsLocal(h.Name) {
				t.Errorf("%q leads out", h.Name)
			}
			_, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			return err
		})
	})
}
