package bootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func open(t testing.TB, r io.ReaderAt) *FS {
	t.Helper()
	f, err := Open(r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReadFile(t *testing.T) {
	f := open(t, mustWrite(t, pi()))
	for path, want := range map[string]string{
		"truechimer.toml":        string(content("truechimer.toml", 3000)),
		"/TRUECHIMER.toml":       string(content("truechimer.toml", 3000)),
		"/truech~1.tom":          string(content("truechimer.toml", 3000)),
		"/efi/boot/BOOTAA64.efi": string(content("EFI/BOOT/BOOTAA64.EFI", 20000)),
		"usercfg.txt":            "",
		"/a/empty":               "",
	} {
		got, err := f.ReadFile(path, 20000)
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	for path, want := range map[string]error{
		"/none":                     fs.ErrNotExist,
		"/none/none":                fs.ErrNotExist,
		"/config.txt/x":             fs.ErrNotExist,
		"/a/../config.txt":          fs.ErrNotExist,
		"/bootcode.bin":             ErrTooLarge,
		strings.Repeat("/a", 2000):  fs.ErrNotExist,
		"/truechimer.toml\x00":      fs.ErrNotExist,
		"/a/overlays/readme/readme": fs.ErrNotExist,
	} {
		if _, err := f.ReadFile(path, 20000); !errors.Is(err, want) {
			t.Errorf("%.40s: %v, want %v", path, err, want)
		}
	}
	for _, path := range []string{"/", "", "/a", "/EFI/BOOT"} {
		if _, err := f.ReadFile(path, 1); err == nil || !strings.Contains(err.Error(), "directory") {
			t.Errorf("%q: %v", path, err)
		}
		if _, err := f.Extents(path); err == nil {
			t.Errorf("%q has extents", path)
		}
	}
	if _, err := f.ReadDir("/config.txt"); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("%v", err)
	}
}

func TestReadDir(t *testing.T) {
	f := open(t, mustWrite(t, pi()))
	var names []string
	list, err := f.ReadDir("/")
	for _, e := range list {
		names = append(names, e.Name)
	}
	want := []string{"a", "b", "EFI", "bootcode.bin", "config.txt", "start4.elf", "truechimer.toml", "tryboot.txt", "usercfg.txt"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v", names, err)
	}
	list, err = f.ReadDir("/a/overlays/")
	if err != nil || len(list) != 351 || list[350].Name != "a-long-overlay-name-349.dtbo" || list[350].Size != 1349 {
		t.Errorf("overlays: %d, %v", len(list), err)
	}
	list, err = f.ReadDir("/b")
	if err != nil || len(list) != 1 || list[0].Name != RoomName || list[0].Size != SlotSize-ClusterSize {
		t.Errorf("/b: %+v, %v", list, err)
	}
}

// patch changes a few bytes of the disk.
func patch(m *memory, off int64, b ...byte) {
	if _, err := m.WriteAt(b, off); err != nil {
		panic(err) // memory does not fail
	}
}

func le16(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }

func TestOpenRefuses(t *testing.T) {
	good := mustWrite(t, Spec{Label: "X", Time: when})
	for name, c := range map[string]struct {
		off int64
		b   []byte
	}{
		"no signature":        {510, []byte{0, 0}},
		"sectors of 4096":     {11, le16(4096)},
		"sectors of 0":        {11, le16(0)},
		"clusters of 0":       {13, []byte{0}},
		"clusters of 3":       {13, []byte{3}},
		"no reserved sector":  {14, le16(0)},
		"no FAT":              {16, []byte{0}},
		"three FATs":          {16, []byte{3}},
		"FAT32":               {17, append(le16(0), 0, 0, 0, 0, 0)},
		"no root":             {17, le16(0)},
		"small FAT":           {22, le16(126)},
		"no FAT sectors":      {22, le16(0)},
		"too many clusters":   {32, []byte{0xff, 0xff, 0xff, 0x0f}},
		"largest number":      {32, []byte{0xff, 0xff, 0xff, 0xff}},
		"FAT12":               {19, le16(8000)},
		"smaller than itself": {19, le16(1)},
	} {
		m := &memory{}
		for page, b := range good.pages {
			patch(m, page*4096, b[:]...)
		}
		patch(m, c.off, c.b...)
		if f, err := Open(m); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := Open(bytes.NewReader(nil)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no disk: %v", err)
	}
	short := make([]byte, FATOffset+100)
	good.ReadAt(short, 0)
	if _, err := Open(bytes.NewReader(short)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a disk: %v", err)
	}
}

// TestDamagedChains damages the FAT and the directory under a file and a directory.
func TestDamagedChains(t *testing.T) {
	spec := Spec{Label: "X", Time: when, Root: []File{file("DIR/X", 1), file("FILE", 5*ClusterSize)}}
	// Clusters: 2 DIR, 3 to 7 FILE, 8 DIR/X. Entries of the root: label, two for
	// each slot, DIR, FILE.
	const firstEntry = RootDirOffset + 5*entrySize
	fat := func(c int) int64 { return FATOffset + 2*int64(c) }
	for name, c := range map[string]struct {
		off  int64
		b    []byte
		path string
	}{
		"file: back to the start": {fat(6), le16(3), "FILE"},
		"file: itself":            {fat(4), le16(4), "FILE"},
		"file: free cluster":      {fat(5), le16(0), "FILE"},
		"file: reserved cluster":  {fat(5), le16(1), "FILE"},
		"file: bad cluster":       {fat(5), le16(0xfff7), "FILE"},
		"file: beyond the disk":   {fat(5), le16(endCluster), "FILE"},
		"file: ends early":        {fat(6), le16(0xffff), "FILE"},
		"file: begins nowhere":    {firstEntry + entrySize + 26, le16(0), "FILE"},
		"file: begins beyond":     {firstEntry + entrySize + 26, le16(0xffff), "FILE"},
		"file: more than a disk":  {firstEntry + entrySize + 28, []byte{0xff, 0xff, 0xff, 0xff}, "FILE"},
		"dir: itself":             {fat(2), le16(2), "DIR/X"},
		"dir: in a circle":        {fat(2), append(le16(3), le16(2)...), "DIR/X"},
		"dir: free":               {fat(2), le16(0), "DIR/X"},
		"dir: begins nowhere":     {firstEntry + 26, le16(0), "DIR/X"},
		"dir: begins beyond":      {firstEntry + 26, le16(0xfff0), "DIR/X"},
		"dir: endless":            {firstEntry + 26, le16(clusterAt(SlotBOffset) + 1), "DIR/X"},
	} {
		m := mustWrite(t, spec)
		if _, err := open(t, m).ReadFile(c.path, 1<<20); err != nil {
			t.Fatal(err)
		}
		patch(m, c.off, c.b...)
		f := open(t, m)
		if b, err := f.ReadFile(c.path, 1<<40); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: read %d bytes, %v", name, len(b), err)
		}
		if e, err := f.Extents(c.path); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: extents %v, %v", name, e, err)
		}
	}
	// More clusters than the size needs are nobody's harm.
	m := mustWrite(t, spec)
	patch(m, fat(7), le16(4)...)
	if _, err := open(t, m).ReadFile("FILE", 1<<20); err != nil {
		t.Error(err)
	}
}

// TestLongNamesThatDoNotBelong: the short name stands.
func TestLongNamesThatDoNotBelong(t *testing.T) {
	short := pack("SHORT", "TXT")
	entry := stamp{}.entry(short, attrArchive, 5, 10)
	long := longEntries("a rather long name.txt", short.checksum())
	cut := func(b []byte, change func([]byte) []byte) []byte { return change(slices.Clone(b)) }
	slash := longEntries("a_rather long name.txt", short.checksum())
	slash[32+longPositions[1]] = '/'
	three := longEntries("a name that takes three entries.txt", short.checksum())
	for name, c := range map[string]struct {
		dir  []byte
		want string
	}{
		"three":          {three, "a name that takes three entries.txt"},
		"middle missing": {append(slices.Clone(three[:32]), three[64:]...), "SHORT.TXT"},
		"whole":          {long, "a rather long name.txt"},
		"none":           {nil, "SHORT.TXT"},
		"other checksum": {longEntries("a rather long name.txt", 1), "SHORT.TXT"},
		"first missing":  {long[:32], "SHORT.TXT"},
		"last missing":   {long[32:], "SHORT.TXT"},
		"wrong order":    {append(slices.Clone(long[32:]), long[:32]...), "SHORT.TXT"},
		"number 0":       {cut(long, func(b []byte) []byte { b[32] = 0x40; return b }), "SHORT.TXT"},
		"number 63":      {cut(long, func(b []byte) []byte { b[0] = 0x7f; return b }), "SHORT.TXT"},
		"deleted":        {cut(long, func(b []byte) []byte { b[32] = 0xe5; return b }), "SHORT.TXT"},
		"begun twice":    {append(slices.Clone(long[:32]), long...), "a rather long name.txt"},
		"a slash in it":  {slash, "SHORT.TXT"},
	} {
		list := parseDir(append(slices.Clone(c.dir), entry...), false)
		if len(list) != 1 || list[0].Name != c.want || list[0].Short != "SHORT.TXT" || list[0].Size != 10 {
			t.Errorf("%s: %+v", name, list)
		}
	}
	lower := slices.Clone(entry)
	lower[12] = 0x18
	if got := parseDir(lower, false)[0].Name; got != "short.txt" {
		t.Errorf("Windows' lower case bits: %q", got)
	}
	odd := stamp{}.entry(shortName([]byte("A/\x05\x01\\ \xe5  B ")), 0, 0, 0)
	if got := parseDir(odd, false)[0].Name; got != "A____ _. B" {
		t.Errorf("odd bytes: %q", got)
	}
}

// spliced is a disk that holds data in four places: the boot sector, the FAT's
// first two sectors, the root directory's first four, the rest from the first cluster on.
func spliced(data []byte) *memory {
	m := &memory{}
	for _, p := range []struct{ off, n int64 }{{0, 512}, {FATOffset, 1024}, {RootDirOffset, 2048}, {DataOffset, 1 << 20}} {
		n := min(int(p.n), len(data))
		patch(m, p.off, data[:n]...)
		data = data[n:]
	}
	return m
}

func FuzzOpen(f *testing.F) {
	seed := func(s Spec) []byte {
		m := mustWrite(f, s)
		var b []byte
		for _, p := range []Extent{{0, 512}, {FATOffset, 1024}, {RootDirOffset, 2048}, {DataOffset, 6 * ClusterSize}} {
			at := len(b)
			b = append(b, make([]byte, p.Length)...)
			m.ReadAt(b[at:], p.Offset)
		}
		return b
	}
	f.Add(seed(Spec{Label: "X", Time: when}))
	f.Add(seed(Spec{Label: "X", Time: when, Root: []File{file("dir/a long file name.txt", 9000), file("truechimer.toml", 100)}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys, err := Open(spliced(data))
		if err != nil {
			return
		}
		readEverything(t, fsys)
		fsys.ReadFile("truechimer.toml", 1<<16)
	})
}

// readEverything reads a hundred files and directories, and looks at what comes back.
func readEverything(t *testing.T, fsys *FS) {
	calls := 0
	var walk func(dir string, depth int)
	walk = func(dir string, depth int) {
		list, _ := fsys.ReadDir(dir)
		for _, e := range list {
			if calls++; calls > 100 {
				return
			}
			if strings.ContainsAny(e.Name+e.Short, "/\\\x00") {
				t.Fatalf("name %q, short name %q", e.Name, e.Short)
			}
			path := dir + "/" + e.Name
			if b, err := fsys.ReadFile(path, 1<<16); err == nil && len(b) > 1<<16 {
				t.Fatalf("%d bytes", len(b))
			}
			if ext, err := fsys.Extents(path); err == nil {
				for _, x := range ext {
					if x.Offset < fsys.data || x.Length < 1 || x.Offset+x.Length > fsys.data+int64(fsys.limit-2)*fsys.cluster {
						t.Fatalf("extent %v", x)
					}
				}
			}
			if e.Dir && depth < 3 {
				walk(path, depth+1)
			}
		}
	}
	walk("", 0)
}

// TestContent reads files from where they lie, whole and from within, also where
// they lie in pieces.
func TestContent(t *testing.T) {
	f := open(t, mustWrite(t, pi()))
	for path, size := range map[string]int{"truechimer.toml": 3000, "EFI/BOOT/BOOTAA64.EFI": 20000} {
		c, err := f.Content(path)
		if err != nil || c.Size() != int64(size) {
			t.Fatalf("%s: %v", path, err)
		}
		want := content(path, size)
		for _, runs := range [][]Extent{c.runs, {{c.runs[0].Offset, 700}, {c.runs[0].Offset + 700, 1}, {c.runs[0].Offset + 701, int64(size) - 701}}} {
			c.runs = runs
			got, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
			if err != nil || string(got) != string(want) {
				t.Errorf("%s in %d pieces: %d bytes, %v", path, len(runs), len(got), err)
			}
			b := make([]byte, 1000)
			if n, err := c.ReadAt(b, 600); n != len(b) || err != nil || string(b) != string(want[600:1600]) {
				t.Errorf("%s from within %d pieces: %d, %v", path, len(runs), n, err)
			}
			if n, err := c.ReadAt(b, int64(size)-10); n != 10 || err != io.EOF {
				t.Errorf("%s at the end: %d, %v", path, n, err)
			}
		}
		if _, err := c.ReadAt(make([]byte, 1), -1); err == nil {
			t.Error("read before the beginning")
		}
	}
	if c, err := f.Content("usercfg.txt"); err != nil || c.Size() != 0 {
		t.Errorf("empty: %v", err)
	}
	if _, err := f.Content("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}
