package bootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

func openAny(t testing.TB, r io.ReaderAt) *FS {
	t.Helper()
	f, err := OpenAny(r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// stick is a FAT32 with clusters of one sector, two FATs, and its root directory
// in cluster 2.
type stick struct {
	memory
	clusters, perFAT uint32
}

const stickReserved = 2

func newStick(clusters uint32) *stick {
	s := &stick{clusters: clusters, perFAT: (clusters + firstCluster + 127) / 128}
	b := make([]byte, SectorSize)
	le := binary.LittleEndian
	copy(b[3:], "mkfs.fat")
	le.PutUint16(b[11:], SectorSize)
	b[13] = 1
	le.PutUint16(b[14:], stickReserved)
	b[16] = 2
	le.PutUint32(b[32:], stickReserved+2*s.perFAT+clusters)
	le.PutUint32(b[36:], s.perFAT)
	le.PutUint32(b[44:], 2)
	b[510], b[511] = 0x55, 0xaa
	s.put(0, b...)
	s.chain(2)
	return s
}

func (s *stick) put(off int64, b ...byte) { patch(&s.memory, off, b...) }

// link writes an entry of one of the FATs.
func (s *stick) link(fat, cluster, next uint32) {
	s.put(int64(stickReserved+fat*s.perFAT)*SectorSize+4*int64(cluster), le32(next)...)
}

// chain links clusters in the first FAT.
func (s *stick) chain(clusters ...uint32) {
	for i, c := range clusters {
		next := uint32(0xffffffff)
		if i+1 < len(clusters) {
			next = clusters[i+1] | 0xa0000000 // the upper bits mean nothing
		}
		s.link(0, c, next)
	}
}

func (s *stick) at(cluster uint32) int64 {
	return int64(stickReserved+2*s.perFAT+cluster-firstCluster) * SectorSize
}

// entry32 is a directory entry of FAT32.
func entry32(name string, attr byte, cluster uint32, size int64) []byte {
	e := stamp{}.entry(pack(name, ""), attr, int(cluster&0xffff), size)
	binary.LittleEndian.PutUint16(e[20:], uint16(cluster>>16))
	return e
}

// withFiles has FILE in clusters 3 to 7, and the directory DIR, which is in 8 and 9 and holds X.
func withFiles() *stick {
	s := newStick(126)
	s.put(s.at(2), slices.Concat(entry32("FILE", attrArchive, 3, 5*SectorSize), entry32("DIR", attrDir, 8, 0))...)
	s.put(s.at(3), content("file", 5*SectorSize)...)
	s.chain(3, 4, 5, 6, 7)
	s.chain(8, 9)
	filler := entry32("FILLER", attrArchive, 0, 0)
	s.put(s.at(8), slices.Concat(slices.Repeat(filler, SectorSize/entrySize), entry32("X", attrArchive, 10, 1))...)
	s.put(s.at(10), 'x')
	s.chain(10)
	return s
}

// TestFAT32ByHand reads what the other tests damage.
func TestFAT32ByHand(t *testing.T) {
	f := openAny(t, withFiles())
	if b, err := f.ReadFile("file", 1<<20); err != nil || string(b) != string(content("file", 5*SectorSize)) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if b, err := f.ReadFile("dir/x", 1<<20); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	if list, err := f.ReadDir("/DIR"); err != nil || len(list) != 17 {
		t.Errorf("%d entries, %v", len(list), err)
	}
	if _, err := f.ReadFile("file", 1000); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// TestCallsAtOnce: each call has its own block of the FAT.
func TestCallsAtOnce(t *testing.T) {
	f := openAny(t, withFiles())
	var wg sync.WaitGroup
	for _, path := range []string{"FILE", "DIR/X", "FILE", "DIR/X"} {
		wg.Go(func() {
			if _, err := f.ReadFile(path, 1<<20); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenAnyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		off  int64
		b    []byte
		want error
		text string
	}{
		"exFAT":                {3, []byte("EXFAT   "), ErrForeign, "exFAT"},
		"NTFS":                 {3, []byte("NTFS    "), ErrForeign, "NTFS"},
		"no signature":         {510, []byte{0, 0}, ErrForeign, "no signature"},
		"sectors of 4096":      {11, le16(4096), nil, "sectors of 4096 bytes, only those of 512"},
		"sectors of 0":         {11, le16(0), ErrCorrupt, "sectors of 0"},
		"sectors of 513":       {11, le16(513), ErrCorrupt, "sectors of 513"},
		"clusters of 0":        {13, []byte{0}, ErrCorrupt, "clusters of 0"},
		"clusters of 3":        {13, []byte{3}, ErrCorrupt, "clusters of 3"},
		"no reserved sector":   {14, le16(0), ErrCorrupt, "0 reserved"},
		"no FAT":               {16, []byte{0}, ErrCorrupt, "0 FATs"},
		"three FATs":           {16, []byte{3}, ErrCorrupt, "3 FATs"},
		"entries in the root":  {17, le16(512), ErrCorrupt, "not FAT16"},
		"a FAT of FAT16":       {22, le16(1), ErrCorrupt, "not FAT16"},
		"no sectors":           {32, le32(0), ErrCorrupt, "not FAT32"},
		"no cluster":           {32, le32(stickReserved + 2), ErrCorrupt, "0 clusters"},
		"more than the FAT":    {32, le32(stickReserved + 2 + 127), ErrCorrupt, "127 clusters and a FAT of 1 sectors"},
		"largest number":       {32, le32(0xffffffff), ErrCorrupt, "not FAT32"},
		"no FAT sectors":       {36, le32(0), ErrCorrupt, "a FAT of 0 sectors"},
		"a FAT as large as it": {36, le32(128), ErrCorrupt, "not FAT32"},
		"the largest FAT":      {36, le32(0xffffffff), ErrCorrupt, "a FAT of 4294967295 sectors"},
		"the third FAT":        {40, le16(0x82), ErrCorrupt, "FAT 2 of 2"},
		"another version":      {42, le16(1), ErrCorrupt, "version 0x1"},
		"root 0":               {44, le32(0), ErrCorrupt, "cluster 0x0"},
		"root 1":               {44, le32(1), ErrCorrupt, "cluster 0x1"},
		"root beyond":          {44, le32(128), ErrCorrupt, "cluster 0x80"},
		"root far beyond":      {44, le32(0xffffffff), ErrCorrupt, "cluster 0xffffffff"},
	} {
		s := withFiles()
		s.put(c.off, c.b...)
		f, err := OpenAny(s)
		if err == nil {
			t.Errorf("%s: %+v", name, f)
			continue
		}
		if !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
		for _, e := range []error{ErrCorrupt, ErrForeign} {
			if errors.Is(err, e) != (c.want == e) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	}
	// One cluster more than there can be, and a FAT that is large enough.
	s := newStick(fat32Clusters)
	openAny(t, s)
	s.put(32, le32(stickReserved+2*s.perFAT+fat32Clusters+1)...)
	if _, err := OpenAny(s); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if _, err := OpenAny(strings.NewReader("")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no disk: %v", err)
	}
}

// TestOnlyOpenAnyTakesFAT32: nothing that writes takes a stick for a card.
func TestOnlyOpenAnyTakesFAT32(t *testing.T) {
	s := withFiles()
	before := s.sum(t, Extent{0, 128 << 10})
	d := &faulty{medium: &s.memory, left: -1}
	_, open := Open(s)
	_, find := FindPointer(s, configTxt)
	_, repair := RepairPointer(d, configTxt, SlotA)
	for i, err := range []error{
		open, find, repair, SetPointer(d, configTxt, SlotB), CheckSlot(s, SlotA), VerifySlot(s, SlotA, nil),
		ReplaceFile(&s.memory, "FILE", nil, when),
	} {
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "not FAT16") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if s.sum(t, Extent{0, 128 << 10}) != before || len(d.cache) != 0 {
		t.Error("written to")
	}
}

// TestOpenAnyTakesFAT16: upper halves of cluster numbers are FAT32's alone.
func TestOpenAnyTakesFAT16(t *testing.T) {
	m := mustWrite(t, Spec{Label: "X", Time: when, Root: []File{file("FILE", 100)}})
	entry := int64(RootDirOffset + 5*entrySize)
	patch(m, entry+20, 0x34, 0x12)
	if b, err := openAny(t, m).ReadFile("FILE", 100); err != nil || string(b) != string(content("FILE", 100)) {
		t.Errorf("%q, %v", b, err)
	}
}

// TestActiveFAT: only with the flag is it not the first FAT that counts.
func TestActiveFAT(t *testing.T) {
	s := newStick(126)
	s.put(s.at(2), entry32("FILE", attrArchive, 3, 2*SectorSize)...)
	s.put(s.at(4), 'a')
	s.put(s.at(5), 'b')
	s.chain(3, 4)
	s.link(1, 2, fat32End)
	s.link(1, 3, 5)
	for flags, want := range map[int]byte{0x00: 'a', 0x01: 'a', 0x80: 'a', 0x81: 'b', 0xff00: 'a'} {
		s.put(40, le16(flags)...)
		if b, err := openAny(t, s).ReadFile("FILE", 1<<20); err != nil || b[SectorSize] != want {
			t.Errorf("flags %#x: %v", flags, err)
		}
	}
}

// TestDamagedChains32 damages the FAT and the directory under a file and a directory.
func TestDamagedChains32(t *testing.T) {
	const file, dir = 0, entrySize // offsets into the root directory
	link := func(c, next uint32) func(*stick) { return func(s *stick) { s.link(0, c, next) } }
	root := func(at int64, b ...byte) func(*stick) { return func(s *stick) { s.put(s.at(2)+at, b...) } }
	for name, c := range map[string]struct {
		damage func(*stick)
		path   string
	}{
		"file: back to the start":   {link(6, 3), "FILE"},
		"file: itself":              {link(4, 4), "FILE"},
		"file: free cluster":        {link(5, 0), "FILE"},
		"file: free, upper bits":    {link(5, 0xf0000000), "FILE"},
		"file: reserved cluster":    {link(5, 1), "FILE"},
		"file: bad cluster":         {link(5, 0x0ffffff7), "FILE"},
		"file: beyond the disk":     {link(5, 128), "FILE"},
		"file: far beyond":          {link(5, 0x0ffffff6), "FILE"},
		"file: ends early":          {link(6, fat32End), "FILE"},
		"file: begins nowhere":      {root(file+26, le16(0)...), "FILE"},
		"file: begins beyond":       {root(file+26, le16(128)...), "FILE"},
		"file: begins above 16 bit": {root(file+20, le16(1)...), "FILE"},
		"file: begins above 28 bit": {root(file+20, le16(0x1000)...), "FILE"},
		"file: more than the disk":  {root(file+28, le32(126*SectorSize+1)...), "FILE"},
		"file: 4 GiB":               {root(file+28, le32(0xffffffff)...), "FILE"},
		"dir: itself":               {link(8, 8), "DIR/X"},
		"dir: in a circle":          {link(9, 8), "DIR/X"},
		"dir: free":                 {link(8, 0), "DIR/X"},
		"dir: bad cluster":          {link(9, 0x0ffffff7), "DIR/X"},
		"dir: begins nowhere":       {root(dir+26, le16(0)...), "DIR/X"},
		"dir: begins beyond":        {root(dir+20, le16(0xffff)...), "DIR/X"},
		"root: itself":              {link(2, 2), "FILE"},
		"root: free":                {link(2, 0), "FILE"},
		"root: beyond":              {link(2, 128), "FILE"},
	} {
		s := withFiles()
		c.damage(s)
		f := openAny(t, s)
		if b, err := f.ReadFile(c.path, 1<<40); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: read %d bytes, %v", name, len(b), err)
		}
		if e, err := f.Extents(c.path); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: extents %v, %v", name, e, err)
		}
	}
	// More clusters than the size needs are nobody's harm.
	s := withFiles()
	s.link(0, 7, 4)
	if _, err := openAny(t, s).ReadFile("FILE", 1<<20); err != nil {
		t.Error(err)
	}
	// Of two files that share clusters each is read.
	s = withFiles()
	s.put(s.at(2)+2*entrySize, entry32("TWIN", attrArchive, 5, 3*SectorSize)...)
	f := openAny(t, s)
	a, errA := f.ReadFile("FILE", 1<<20)
	b, errB := f.ReadFile("TWIN", 1<<20)
	if errA != nil || errB != nil || string(a[2*SectorSize:]) != string(b) {
		t.Error(errA, errB)
	}
}

// TestShortStick: where the disk ends before its file system does, all that is
// before its end is read.
func TestShortStick(t *testing.T) {
	s := withFiles()
	for size, want := range map[int64]map[string]error{
		stickReserved * SectorSize: {"": io.ErrUnexpectedEOF}, // no FAT
		s.at(2):                    {"": io.ErrUnexpectedEOF}, // no root directory
		s.at(8):                    {"": nil, "FILE": nil, "DIR/X": io.ErrUnexpectedEOF},
		s.at(7) + 1:                {"": nil, "FILE": io.ErrUnexpectedEOF},
	} {
		f := openAny(t, io.NewSectionReader(s, 0, size))
		for path, want := range want {
			var err error
			if path == "" {
				_, err = f.ReadDir("/")
			} else {
				_, err = f.ReadFile(path, 1<<20)
			}
			if !errors.Is(err, want) {
				t.Errorf("%d bytes: %q: %v, want %v", size, path, err, want)
			}
		}
	}
}

// stepped is a stick on which each chain but the root directory's goes on step
// clusters later, without an end.
type stepped struct {
	*stick
	step  uint32
	reads int
}

func (s *stepped) ReadAt(b []byte, off int64) (int, error) {
	s.reads++
	n, err := s.stick.ReadAt(b, off)
	table := Extent{stickReserved * SectorSize, int64(s.perFAT) * SectorSize}
	if off < table.Offset || off >= table.Offset+table.Length {
		return n, err
	}
	for i := 0; i < len(b); i += 4 {
		if c := uint32(off-table.Offset+int64(i)) / 4; c > 2 {
			binary.LittleEndian.PutUint32(b[i:], c+s.step)
		}
	}
	return n, err
}

// allocated is how many bytes run takes, also those that it gives back.
func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestMemoryOfFAT32: it is that of the file that is sought, not that of the FAT.
func TestMemoryOfFAT32(t *testing.T) {
	s := newStick(fat32Clusters) // a FAT of 1 GiB
	s.put(s.at(2), entry32("FILE", attrArchive, 0x0ffffff0, 3*SectorSize)...)
	s.chain(0x0ffffff0, 0x00000fff, 0x07654321)
	s.put(s.at(0x07654321), 'z')
	got := allocated(func() {
		b, err := openAny(t, s).ReadFile("FILE", 1<<20)
		if err != nil || b[2*SectorSize] != 'z' {
			t.Error(err)
		}
	})
	if got > 64<<10 {
		t.Errorf("%d bytes", got)
	}
}

// TestPieces: a file may lie in 65,536 pieces.
func TestPieces(t *testing.T) {
	s := &stepped{stick: newStick(4 * maxPieces), step: 3}
	s.put(s.at(2), slices.Concat(
		entry32("MOST", attrArchive, 4, maxPieces*SectorSize),
		entry32("MORE", attrArchive, 4, maxPieces*SectorSize+1))...)
	s.chain(2)
	f := openAny(t, s)
	for _, c := range []struct {
		path string
		want string
	}{{"MOST", ""}, {"MORE", "locating MORE: it lies in more than 65536 pieces"}} {
		s.reads = 0
		var list []Extent
		var err error
		got := allocated(func() { list, err = f.Extents(c.path) })
		if c.want == "" && (err != nil || len(list) != maxPieces) || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %d pieces, %v", c.path, len(list), err)
		}
		if got > 10<<20 || s.reads > 3*maxPieces/1024+10 {
			t.Errorf("%s: %d bytes, %d reads", c.path, got, s.reads)
		}
	}
}

// TestLongDirectory: a directory of FAT32 ends where the specification lets it.
func TestLongDirectory(t *testing.T) {
	s := &stepped{stick: newStick(1 << 20), step: 1}
	s.put(s.at(2), entry32("DIR", attrDir, 4, 0)...)
	s.chain(2)
	if _, err := openAny(t, s).ReadDir("DIR"); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "a directory of more than") {
		t.Error(err)
	}
}

func FuzzOpenAny(f *testing.F) {
	seed := func(s *stick) []byte {
		b := make([]byte, s.at(12))
		s.ReadAt(b, 0)
		return b
	}
	f.Add(seed(newStick(126)))
	f.Add(seed(withFiles()))
	long := withFiles()
	short := pack("SHORT", "TXT")
	long.put(long.at(2)+2*entrySize, append(longEntries("a rather long name.txt", short.checksum()),
		stamp{}.entry(short, attrArchive, 11, 10)...)...)
	long.chain(11)
	long.put(40, le16(0x81)...)
	for c := range uint32(12) {
		var next [4]byte
		long.ReadAt(next[:], stickReserved*SectorSize+4*int64(c))
		long.link(1, c, binary.LittleEndian.Uint32(next[:]))
	}
	f.Add(seed(long))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &memory{}
		patch(m, 0, data...)
		if fsys, err := OpenAny(m); err == nil {
			readEverything(t, fsys)
		} else if fsys != nil {
			t.Fatal(fmt.Sprint(fsys, err))
		}
	})
}
