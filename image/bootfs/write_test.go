package bootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLayout states what may never change: cards in the field depend on it.
func TestLayout(t *testing.T) {
	const mib = 1 << 20
	for name, v := range map[string][2]int64{
		"size":           {Size, 256 * mib},
		"FAT":            {FATOffset, 3969 * 512},
		"root directory": {RootDirOffset, 2 * mib},
		"data":           {DataOffset, 2*mib + 16<<10},
		"pointers":       {PointerOffset, 60 * mib},
		"slot a":         {SlotAOffset, 64 * mib},
		"slot b":         {SlotBOffset, 160 * mib},
		"slot":           {SlotSize, 96 * mib},
		"end of slot b":  {SlotBOffset + SlotSize, Size},
		"clusters":       {endCluster - firstCluster, 32510},
	} {
		if v[0] != v[1] {
			t.Errorf("%s: %d, must be %d", name, v[0], v[1])
		}
	}
	for _, o := range []int64{PointerOffset, SlotAOffset, SlotBOffset, SlotSize} {
		if o%(4*mib) != 0 {
			t.Errorf("offset %d is not a multiple of 4 MiB", o)
		}
	}
	for _, s := range []Slot{SlotA, SlotB} {
		// A page of the card belongs to one slot alone, in the FAT too.
		for _, e := range SlotExtents(s) {
			if e.Offset%4096 != 0 || e.Length%4096 != 0 {
				t.Errorf("slot %s: extent %v is not whole pages", s, e)
			}
		}
		first, _, _ := s.clusters()
		if first%256 != 0 {
			t.Errorf("slot %s begins with cluster %d inside a FAT sector", s, first)
		}
	}
	a, b := SlotExtents(SlotA), SlotExtents(SlotB)
	if a[0].Offset+a[0].Length != b[0].Offset || b[0].Offset+b[0].Length != RootDirOffset {
		t.Errorf("the slots' parts of the FAT: %v, %v", a[0], b[0])
	}
	if a[1] != (Extent{SlotAOffset, SlotSize}) || b[1] != (Extent{SlotBOffset, SlotSize}) {
		t.Errorf("the slots' data: %v, %v", a[1], b[1])
	}
	if SlotExtents("c") != nil {
		t.Error("there is a slot c")
	}
}

// TestEachInItsPlace looks at every file, directory and FAT entry.
func TestEachInItsPlace(t *testing.T) {
	s := pi()
	s.Root = append(s.Root, text("loader/loader.conf", "default a.conf\n"))
	m := mustWrite(t, s)
	fsys, err := openFAT16(m)
	if err != nil {
		t.Fatal(err)
	}
	inside := func(path string, e, area Extent) {
		if e.Offset < area.Offset || e.Offset+e.Length > area.Offset+area.Length {
			t.Errorf("%s: %v is outside %v", path, e, area)
		}
	}
	general := Extent{DataOffset, PointerOffset - DataOffset}
	used := make(map[int64]string)
	var walk func(dir string, area Extent)
	walk = func(dir string, area Extent) {
		list, err := fsys.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			path, area := dir+"/"+e.Name, area
			switch path {
			case "/a":
				area = SlotExtents(SlotA)[1]
			case "/b":
				area = SlotExtents(SlotB)[1]
			case "/config.txt", "/tryboot.txt", "/loader/loader.conf":
				area = Extent{PointerOffset, 3 * ClusterSize}
			}
			size := e.Size
			if e.Dir {
				size = -1
				walk(path, area)
			}
			ext, err := fsys.chain(e.cluster, size)
			if e.Size == 0 && !e.Dir {
				ext, err = nil, nil
			}
			if err != nil || len(ext) > 1 {
				t.Fatalf("%s: lies in %v, %v", path, ext, err)
			}
			for _, x := range ext {
				inside(path, x, area)
				for o := x.Offset; o < x.Offset+x.Length; o += ClusterSize {
					if used[o] != "" {
						t.Fatalf("%s and %s share a cluster", path, used[o])
					}
					used[o] = path
				}
			}
			if !e.ModTime.Equal(when) {
				t.Errorf("%s: dated %v", path, e.ModTime)
			}
		}
	}
	walk("", general)
	for c := firstCluster; c < endCluster; c++ {
		if o := clusterOffset(c); (fsys.fat[c] != 0) != (used[o] != "") {
			t.Fatalf("cluster %d: FAT says %#x, it is used by %q", c, fsys.fat[c], used[o])
		} else if o >= SlotAOffset && used[o] == "" {
			t.Fatalf("cluster %d of a slot is free for a PC to use", c)
		}
	}
	for i, path := range []string{"config.txt", "tryboot.txt", "loader/loader.conf"} {
		got, err := fsys.Extents(path)
		if err != nil || len(got) != 1 || got[0].Offset != PointerOffset+int64(i)*ClusterSize || got[0].Length > SectorSize {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	// The slots' directories begin where the slots do.
	list, err := fsys.ReadDir("/")
	if err != nil || list[0].Name != "a" || clusterOffset(int(list[0].cluster)) != SlotAOffset ||
		list[1].Name != "b" || clusterOffset(int(list[1].cluster)) != SlotBOffset {
		t.Errorf("the root begins with %+v, %v", list[:2], err)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	all := Extent{0, Size}
	s := pi()
	want := mustWrite(t, s).sum(t, all)
	for range 3 {
		shuffle := func(f []File) { rand.Shuffle(len(f), func(i, j int) { f[i], f[j] = f[j], f[i] }) }
		shuffle(s.Root)
		shuffle(s.A)
		if got := mustWrite(t, s).sum(t, all); got != want {
			t.Fatal("the order of the files shows in the bytes")
		}
	}
	s.Time = when.In(time.FixedZone("far away", 9*3600))
	if got := mustWrite(t, s).sum(t, all); got != want {
		t.Error("the time zone shows in the bytes")
	}
	s.VolumeID++
	if got := mustWrite(t, s).sum(t, all); got == want {
		t.Error("the volume id does not show in the bytes")
	}
}

// guard fails on a write outside what may be written.
type guard struct {
	io.WriterAt
	t       *testing.T
	allowed []Extent
}

func (g guard) WriteAt(p []byte, off int64) (int, error) {
	for _, e := range g.allowed {
		if off >= e.Offset && off+int64(len(p)) <= e.Offset+e.Length {
			return g.WriterAt.WriteAt(p, off)
		}
	}
	g.t.Errorf("a write of %d bytes at %d is outside the slot", len(p), off)
	return 0, io.ErrShortWrite
}

func TestWriteSlotStaysInside(t *testing.T) {
	s := pi()
	s.B = []File{file("vmlinuz", 20<<20), file("old/thing", 1)}
	m := mustWrite(t, s)
	rest := []Extent{{0, SlotExtents(SlotB)[0].Offset}, {RootDirOffset, SlotBOffset - RootDirOffset}}
	before := m.sum(t, rest...)
	if err := WriteSlot(guard{m, t, SlotExtents(SlotB)}, SlotB, s.A, when); err != nil {
		t.Fatal(err)
	}
	if m.sum(t, rest...) != before {
		t.Error("bytes outside the slot changed")
	}
	s.B = s.A
	fresh := mustWrite(t, s)
	fsys, err := Open(m)
	if err != nil {
		t.Fatal(err)
	}
	room, err := fsys.Extents("/b/" + RoomName)
	if err != nil || len(room) != 1 {
		t.Fatal(room, err)
	}
	// What is in the room is what was there before.
	fat, used := SlotExtents(SlotB)[0], Extent{SlotBOffset, room[0].Offset - SlotBOffset}
	if m.sum(t, fat, used) != fresh.sum(t, fat, used) {
		t.Error("a slot written later differs from one written with the image")
	}
	for _, f := range s.A {
		got, err := fsys.ReadFile("/b/"+f.Path, 4<<20)
		if err != nil || !bytes.Equal(got, content(f.Path, int(f.Size))) {
			t.Fatalf("/b/%s: %d bytes, %v", f.Path, len(got), err)
		}
	}
	if err := WriteSlot(m, "c", nil, when); err == nil {
		t.Error("slot c was written")
	}
}

// TestNothingBehindTheEnd: the rest of a file's last cluster is zeros, so that
// equal files have equal clusters.
func TestNothingBehindTheEnd(t *testing.T) {
	const size = 3<<20 + 1
	m := mustWrite(t, Spec{Label: "X", Time: when, A: []File{file("vmlinuz", size)}})
	ext, err := open(t, m).Extents("/a/vmlinuz")
	if err != nil || len(ext) != 1 || ext[0].Length != size {
		t.Fatal(ext, err)
	}
	rest := make([]byte, ClusterSize-1)
	m.ReadAt(rest, ext[0].Offset+size)
	if !allZero(rest) {
		t.Errorf("% x ...", rest[:16])
	}
}

// TestSlotFilledToTheBrim: nothing is left for ROOM.BIN, and CheckFiles knows.
func TestSlotFilledToTheBrim(t *testing.T) {
	for _, c := range []struct {
		size int64
		ok   bool
	}{{SlotSize - ClusterSize, true}, {SlotSize - ClusterSize + 1, false}} {
		zeros := File{"vmlinuz", c.size, func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(zero{}, c.size)), nil
		}}
		m := &memory{}
		err := WriteSlot(m, SlotA, []File{zeros}, when)
		if c.ok != (err == nil) {
			t.Errorf("%d bytes: %v", c.size, err)
		}
		if err != nil && !strings.Contains(err.Error(), "slot a") {
			t.Errorf("%v", err)
		}
		zeros.Open = nil
		if checked := CheckFiles(SlotA, []File{zeros}); c.ok != (checked == nil) {
			t.Errorf("%d bytes, not opened: %v", c.size, checked)
		}
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWriteRefuses(t *testing.T) {
	broken := errors.New("broken")
	many := make([]File, 400)
	for i := range many {
		many[i] = file(fmt.Sprintf("F%d", i), 1)
	}
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"no label":          {func(s *Spec) { s.Label = "" }, "volume label"},
		"long label":        {func(s *Spec) { s.Label = "TWELVELETTER" }, "volume label"},
		"lower case label":  {func(s *Spec) { s.Label = "lower" }, "volume label"},
		"too early":         {func(s *Spec) { s.Time = time.Date(1979, 12, 31, 0, 0, 0, 0, time.UTC) }, "1980"},
		"too late":          {func(s *Spec) { s.Time = time.Date(2108, 1, 1, 0, 0, 0, 0, time.UTC) }, "1980 to 2107"},
		"big pointer":       {func(s *Spec) { s.Root = []File{file("config.txt", 513)} }, "one sector"},
		"empty pointer":     {func(s *Spec) { s.Root = []File{file("TRYBOOT.TXT", 0)} }, "one sector"},
		"root in slot":      {func(s *Spec) { s.Root = []File{file("A/vmlinuz", 1)} }, "belongs to the slot"},
		"file b":            {func(s *Spec) { s.Root = []File{file("b", 1)} }, "belongs to the slot"},
		"twice":             {func(s *Spec) { s.A = []File{file("x", 1), file("X", 1)} }, "two of that name"},
		"long twice":        {func(s *Spec) { s.A = []File{file("long name", 1), file("LONG NAME", 1)} }, "two of that name"},
		"file and dir":      {func(s *Spec) { s.A = []File{file("x", 1), file("X/y", 1)} }, "two of that name"},
		"room":              {func(s *Spec) { s.B = []File{file("room.bin", 1)} }, "ROOM.BIN"},
		"no name":           {func(s *Spec) { s.A = []File{file("x//y", 1)} }, "not a name"},
		"absolute":          {func(s *Spec) { s.A = []File{file("/x", 1)} }, "not a name"},
		"parent":            {func(s *Spec) { s.A = []File{file("../x", 1)} }, "not a name"},
		"colon":             {func(s *Spec) { s.A = []File{file("x:y", 1)} }, `no ':'`},
		"control":           {func(s *Spec) { s.A = []File{file("x\ny", 1)} }, "FAT has no"},
		"dot at the end":    {func(s *Spec) { s.A = []File{file("x.", 1)} }, "ends with a dot"},
		"not UTF-8":         {func(s *Spec) { s.A = []File{file("x\xff", 1)} }, "UTF-8"},
		"long name":         {func(s *Spec) { s.A = []File{file(strings.Repeat("ü", 256), 1)} }, "longer than 255"},
		"negative":          {func(s *Spec) { s.A = []File{{Path: "x", Size: -1}} }, "size"},
		"huge":              {func(s *Spec) { s.A = []File{{Path: "x", Size: 1 << 40}} }, "size"},
		"too big for room":  {func(s *Spec) { s.Root = []File{{Path: "x", Size: 59 << 20}} }, "the general area"},
		"too many in root":  {func(s *Spec) { s.Root = many }, "entries"},
		"nothing to open":   {func(s *Spec) { s.A = []File{{Path: "x", Size: 1}} }, "no content"},
		"shorter than said": {func(s *Spec) { s.A = []File{file("x", 5)}; s.A[0].Size = 6 }, "6 bytes it was said to have"},
		"longer than said":  {func(s *Spec) { s.A = []File{file("x", 5)}; s.A[0].Size = 4 }, "more than the 4 bytes"},
		"empty but is not":  {func(s *Spec) { s.A = []File{file("x", 5)}; s.A[0].Size = 0 }, "more than the 0 bytes"},
		"cannot open": {func(s *Spec) {
			s.A = []File{{"x", 1, func() (io.ReadCloser, error) { return nil, broken }}}
		}, "x: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Spec{Label: "X", Time: when}
			c.change(&s)
			err := Write(&memory{}, s)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// failing fails at the nth write.
type failing struct {
	memory
	left int
}

func (f *failing) WriteAt(p []byte, off int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return f.memory.WriteAt(p, off)
}

func TestWriteReportsEveryFailure(t *testing.T) {
	s := Spec{Label: "X", Time: when, Root: []File{file("d/x", 1)}, A: []File{file("e/y", 9000)}}
	for n := 0; ; n++ {
		err := Write(&failing{left: n}, s)
		if err == nil {
			if n != 9 { // a, a/e, y, b, d, x, boot sector, FAT, root
				t.Errorf("%d writes", n)
			}
			return
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Fatalf("failure of write %d: %v", n, err)
		}
	}
}

func TestAlias(t *testing.T) {
	names := []string{
		"config.txt", "VMLINUZ", "bcm2711-rpi-4-b.dtb", "bcm2711-rpi-400.dtb", "BCM271~1.DTB", "start4.elf", ".hidden",
		"a.b.c", "with space.txt", "Größe.dat", "noext", "longextension.text", "README", "+plus", "日本.txt", "日本語.txt",
	}
	want := map[string]string{
		"config.txt": "CONFIG.TXT", "VMLINUZ": "VMLINUZ", "bcm2711-rpi-4-b.dtb": "BCM271~2.DTB", "bcm2711-rpi-400.dtb": "BCM271~3.DTB",
		"BCM271~1.DTB": "BCM271~1.DTB", "start4.elf": "START4.ELF", ".hidden": "HIDDEN~1", "a.b.c": "AB~1.C",
		"with space.txt": "WITHSP~1.TXT", "Größe.dat": "GR__E~1.DAT", "noext": "NOEXT", "longextension.text": "LONGEX~1.TEX",
		"README": "README", "+plus": "_PLUS~1", "日本.txt": "__~1.TXT", "日本語.txt": "___~1.TXT",
	}
	var nodes []*node
	for _, n := range names {
		nodes = append(nodes, &node{name: n})
	}
	if err := alias(nodes); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if got := n.short.String(); got != want[n.name] {
			t.Errorf("%s: %s, want %s", n.name, got, want[n.name])
		}
		if n.long != (n.name != want[n.name]) {
			t.Errorf("%s: long name %v", n.name, n.long)
		}
	}
	// More than nine of a kind: the number takes room from the name.
	nodes = nil
	for i := range 12 {
		nodes = append(nodes, &node{name: fmt.Sprintf("overlay-number-%d.dtbo", i)})
	}
	if err := alias(nodes); err != nil || nodes[8].short.String() != "OVERLA~9.DTB" || nodes[11].short.String() != "OVERL~12.DTB" {
		t.Errorf("%v %v %v", nodes[8].short, nodes[11].short, err)
	}
}

// TestLongNameBytes is the example of the FAT specification's kind: a name that
// ends within, and one that fills, its last entry.
func TestLongNameBytes(t *testing.T) {
	got := longEntries("The quick brown.fox", 0x07)
	if len(got) != 64 || got[0] != 0x42 || got[32] != 0x01 || got[11] != 0x0f || got[13] != 0x07 {
		t.Fatalf("% x", got)
	}
	tail := []byte{'w', 0, 'n', 0, '.', 0, 'f', 0, 'o', 0}
	if !bytes.Equal(got[1:11], tail) || got[14] != 'x' || binary.LittleEndian.Uint16(got[16:]) != 0 || binary.LittleEndian.Uint16(got[18:]) != 0xffff {
		t.Errorf("% x", got[:32])
	}
	if got := longEntries("thirteen char", 0); len(got) != 32 || slices.Contains(got, 0xff) {
		t.Errorf("% x", got)
	}
}
