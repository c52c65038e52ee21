package disk_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/truechimer/truechimer/image/disk"
)

// memory is a disk in memory that remembers how it was written.
type memory struct {
	bytes.Buffer
	writes int
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.writes++
	if off != int64(m.Len()) {
		return 0, fmt.Errorf("write at %d, want %d", off, m.Len())
	}
	return m.Write(p)
}

func image(t testing.TB, board string, boot disk.GUID) []byte {
	t.Helper()
	var m memory
	if err := disk.Write(&m, board, boot); err != nil {
		t.Fatal(err)
	}
	if m.writes != 1 {
		t.Errorf("%d writes, want 1", m.writes)
	}
	return m.Bytes()
}

func TestLayout(t *testing.T) {
	const mib = 1 << 20
	want := []struct {
		n           disk.Number
		start, size int64
	}{
		{1, 16 * mib, 256 * mib},
		{5, 272 * mib, 8 * mib},
		{2, 280 * mib, 512 * mib},
		{3, 792 * mib, 512 * mib},
		{4, 1304 * mib, 1024 * mib},
	}
	table := disk.Fixed("rpi", disk.BasicData)
	if len(table.Partitions) != len(want) {
		t.Fatalf("%d partitions, want %d", len(table.Partitions), len(want))
	}
	for _, w := range want {
		p, err := table.Partition(w.n)
		if err != nil {
			t.Fatal(err)
		}
		if p.Start != w.start || p.Size != w.size {
			t.Errorf("partition %d: %d bytes at %d, want %d at %d", w.n, p.Size, p.Start, w.size, w.start)
		}
		if p.Start%disk.Alignment != 0 || p.Size%disk.Alignment != 0 {
			t.Errorf("partition %d is not aligned to %d", w.n, disk.Alignment)
		}
	}
	if disk.DiskSize != 2332*mib {
		t.Errorf("DiskSize = %d, want %d", disk.DiskSize, 2332*mib)
	}
	if want := uint64(disk.DiskSize/512 - 1); table.Alternate != want {
		t.Errorf("Alternate = %d, want %d", table.Alternate, want)
	}
	if want := uint64(disk.DiskSize/512 - 34); table.LastUsable != want {
		t.Errorf("LastUsable = %d, want %d", table.LastUsable, want)
	}
	if _, err := table.Partition(6); err == nil {
		t.Error("partition 6 exists")
	}
}

func TestPartUUID(t *testing.T) {
	// The eight digits are the 32-bit FNV-1a hash of the board's name.
	for _, tt := range []struct {
		board string
		n     disk.Number
		want  string
	}{
		{"a", disk.Boot, "60c24cc1-f3f9-427a-8199-e40c292c0001"},
		{"a", disk.State, "60c24cc1-f3f9-427a-8199-e40c292c0005"},
		{"foobar", disk.Perm, "60c24cc1-f3f9-427a-8199-bf9cf9680004"},
	} {
		if got := disk.PartUUID(tt.board, tt.n); got != tt.want {
			t.Errorf("PartUUID(%q, %d) = %s, want %s", tt.board, tt.n, got, tt.want)
		}
	}
}

// TestGolden keeps the tables of released images from changing: a card in the
// field has the table of the image it was made from, forever.
func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		board string
		boot  disk.GUID
		want  string
	}{
		{"vm-arm64", disk.BasicData, "686e34d4a64c66fa573f7456dd29ac2611cc50cc32ed1b23496b321b1952e681"},
		{"vm-amd64", disk.EFISystem, "583fcf25e5aedceb36308d649b88ad19ad69c7030b7601b6d00f563faeebd074"},
		{"rpi", disk.BasicData, "517c9a0ad3dbcb455b33044864252cc9dccbcef3c2a7ac493ab7df42820df87d"},
	} {
		sum := sha256.Sum256(image(t, tt.board, tt.boot))
		if got := hex.EncodeToString(sum[:]); got != tt.want {
			t.Errorf("table of %s has SHA-256 %s, want %s", tt.board, got, tt.want)
		}
	}
}

func TestMBR(t *testing.T) {
	b := image(t, "a", disk.BasicData)
	if len(b) != 34*512 {
		t.Fatalf("%d bytes, want 34 sectors", len(b))
	}
	if !bytes.Equal(b[:440], make([]byte, 440)) {
		t.Error("the MBR has boot code")
	}
	if got := hex.EncodeToString(b[440:446]); got != "2c290ce40000" {
		t.Errorf("disk signature %s, want 2c290ce4 0000", got)
	}
	for i, want := range []string{
		"80feffff0cfeffff0080000000000800", // active FAT, 524288 sectors from 32768
		"00feffffeefeffff01000000ff7f0000", // guard, 32767 sectors from 1
		"00000000000000000000000000000000",
		"00000000000000000000000000000000",
	} {
		if got := hex.EncodeToString(b[446+16*i:][:16]); got != want {
			t.Errorf("MBR entry %d is %s, want %s", i+1, got, want)
		}
	}
}

// TestGokrazy reads the table the way gokrazy's runtime does: the GUIDs of the
// first four entries, the first of which must be partition 1.
func TestGokrazy(t *testing.T) {
	b := image(t, "rpi", disk.BasicData)
	for i := range 4 {
		g := disk.GUID(b[2*512+128*i+16:][:16])
		if want := disk.PartUUID("rpi", disk.Number(i+1)); g.String() != want {
			t.Errorf("entry %d has GUID %s, want %s", i+1, g, want)
		}
	}
}

func TestReadBack(t *testing.T) {
	for _, boot := range []disk.GUID{disk.BasicData, disk.EFISystem} {
		got, err := disk.Read(bytes.NewReader(image(t, "vm-arm64", boot)))
		if err != nil {
			t.Fatal(err)
		}
		if want := disk.Fixed("vm-arm64", boot); !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, want %+v", got, want)
		}
		if err := got.Check("vm-arm64"); err != nil {
			t.Error(err)
		}
		if err := got.Check("rpi"); err == nil || !strings.Contains(err.Error(), "not made from an image for rpi") {
			t.Errorf("a table for vm-arm64 passes for rpi: %v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*disk.Table)
		want   string // empty: accepted
	}{
		{"moved backup", func(t *disk.Table) { t.Alternate, t.LastUsable = 1e8, 1e8-33 }, ""},
		{"added partition", func(t *disk.Table) { t.Partitions = append(t.Partitions, disk.Partition{Number: 6}) }, ""},
		{"other boot type", func(t *disk.Table) { t.Partitions[0].Type = disk.EFISystem }, ""},
		{"perm removed", func(t *disk.Table) { t.Partitions = slices.Delete(t.Partitions, 3, 4) }, "partition 4 is not in the table"},
		{"perm grown", func(t *disk.Table) { t.Partitions[3].Size *= 2 }, "moved or resized"},
		{"root moved", func(t *disk.Table) { t.Partitions[1].Start += disk.Alignment }, "moved or resized"},
		{"other GUID", func(t *disk.Table) { t.Partitions[4].GUID = disk.LinuxData }, "not made from"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := disk.Fixed("rpi", disk.BasicData)
			tt.change(&table)
			err := table.Check("rpi")
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestOtherReader compares with an independent reader of GPTs.
func TestOtherReader(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, image(t, "rpi", disk.BasicData), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, disk.DiskSize); err != nil { // sparse
		t.Fatal(err)
	}
	f, err := file.OpenFromPath(name, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, 512, 512)
	if err != nil {
		t.Fatal(err)
	}
	if table.RecoveredFromBackup {
		t.Error("the primary table was not accepted")
	}
	for _, want := range disk.Fixed("rpi", disk.BasicData).Partitions {
		got := table.Partitions[want.Number-1]
		if got.Name != want.Name || !strings.EqualFold(got.GUID, want.GUID.String()) ||
			!strings.EqualFold(string(got.Type), want.Type.String()) ||
			got.GetStart() != want.Start || got.GetSize() != want.Size {
			t.Errorf("partition %d: read %+v, want %+v", want.Number, got, want)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	if err := disk.Write(&memory{}, "", disk.BasicData); err == nil {
		t.Error("a board without a name is accepted")
	}
	if err := disk.Write(&memory{}, "rpi", disk.LinuxData); err == nil {
		t.Error("a boot partition of type LinuxData is accepted")
	}
	full := errors.New("no room")
	if err := disk.Write(failing{full}, "rpi", disk.BasicData); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) WriteAt([]byte, int64) (int, error) { return 0, f.err }

// sign puts the CRCs right again after b was changed.
func sign(b []byte) {
	h := b[512:604]
	le := binary.LittleEndian
	n := min(le.Uint32(h[80:])*128, 128*128)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(b[1024:][:n]))
	le.PutUint32(h[16:], 0)
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h))
}

func TestReadErrors(t *testing.T) {
	le := binary.LittleEndian
	for _, tt := range []struct {
		name   string
		change func([]byte)
		signed bool
		want   string
	}{
		{"no MBR", func(b []byte) { b[511] = 0 }, true, "sector 0 is no MBR"},
		{"plain MBR", func(b []byte) { b[466] = 0x83 }, true, "no entry of type 0xee"},
		{"guard not at 1", func(b []byte) { b[470] = 2 }, true, "no entry of type 0xee"},
		{"no signature", func(b []byte) { b[512] = 'e' }, true, "sector 1 starts with"},
		{"revision", func(b []byte) { b[522] = 2 }, true, "revision 0x20000"},
		{"header too small", func(b []byte) { b[524] = 91 }, true, "header size 91"},
		{"header too large", func(b []byte) { le.PutUint32(b[524:], 513) }, true, "header size 513"},
		{"header changed", func(b []byte) { b[568]++ }, false, "header CRC"},
		{"entries changed", func(b []byte) { b[1024+32]++ }, false, "CRC of the entries"},
		{"last entry changed", func(b []byte) { b[34*512-1]++ }, false, "CRC of the entries"},
		{"not its place", func(b []byte) { b[536] = 2 }, true, "says it lies at 2"},
		{"first usable in the entries", func(b []byte) { le.PutUint64(b[552:], 33) }, true, "usable sectors"},
		{"last usable before first", func(b []byte) { le.PutUint64(b[560:], 34) }, true, "usable sectors"},
		{"last usable too large", func(b []byte) { le.PutUint64(b[560:], 1<<54) }, true, "usable sectors"},
		{"no entries", func(b []byte) { le.PutUint32(b[592:], 0) }, true, "not supported"},
		{"many entries", func(b []byte) { le.PutUint32(b[592:], 1<<31) }, true, "not supported"},
		{"large entries", func(b []byte) { le.PutUint32(b[596:], 256) }, true, "not supported"},
		{"entries elsewhere", func(b []byte) { le.PutUint64(b[584:], 1<<62) }, true, "not supported"},
		{"before the usable", func(b []byte) { le.PutUint64(b[1024+32:], 40) }, true, "partition 1: sectors 40"},
		{"after the usable", func(b []byte) { le.PutUint64(b[1024+40:], 1<<63) }, true, "partition 1: sectors"},
		{"ends before it starts", func(b []byte) { le.PutUint64(b[1024+40:], 32767) }, true, "partition 1: sectors"},
		{"overlap", func(b []byte) { le.PutUint64(b[1024+40:], 557056) }, true, "partitions 1 and 5 overlap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := image(t, "rpi", disk.BasicData)
			tt.change(b)
			if tt.signed {
				sign(b)
			}
			_, err := disk.Read(bytes.NewReader(b))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	short := image(t, "rpi", disk.BasicData)[:34*512-1]
	if _, err := disk.Read(bytes.NewReader(short)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short disk: %v", err)
	}
	if _, err := disk.Read(bytes.NewReader(make([]byte, 34*512))); !errors.Is(err, disk.ErrNoTable) {
		t.Errorf("empty disk: %v", err)
	}
}

// TestEveryByte: no changed byte of header or entries goes unnoticed.
func TestEveryByte(t *testing.T) {
	b := image(t, "rpi", disk.BasicData)
	for i := 512; i < len(b); i++ {
		if i >= 604 && i < 1024 {
			continue // after the header, in its sector: no part of the table
		}
		b[i] ^= 1 << (i % 8)
		if _, err := disk.Read(bytes.NewReader(b)); err == nil {
			t.Errorf("byte %d changed and the table is accepted", i)
		}
		b[i] ^= 1 << (i % 8)
	}
}

func TestGUID(t *testing.T) {
	for _, s := range []string{"", "60c24cc1", "60c24cc1-f3f9-427a-8199-0000000000011", "60c24cc1xf3f9-427a-8199-000000000001", "g0c24cc1-f3f9-427a-8199-000000000001"} {
		if g, err := disk.ParseGUID(s); err == nil {
			t.Errorf("ParseGUID(%q) = %s", s, g)
		}
	}
	g, err := disk.ParseGUID("00112233-4455-6677-8899-AABBCCDDEEFF")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(g[:]); got != "33221100554477668899aabbccddeeff" {
		t.Errorf("on the disk %s", got)
	}
	if got := g.String(); got != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("String() = %s", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(image(f, "rpi", disk.BasicData)[:1024+5*128])
	f.Add(image(f, "vm-amd64", disk.EFISystem)[:1024+2*128])
	f.Add([]byte("EFI PART"))
	f.Fuzz(func(t *testing.T, b []byte) {
		disk.Read(bytes.NewReader(b)) // short disks and wrong CRCs: must not panic
		full := make([]byte, 34*512)
		copy(full, b)
		sign(full) // or nothing behind the CRCs is ever reached
		table, err := disk.Read(bytes.NewReader(full))
		if err != nil {
			return
		}
		for _, p := range table.Partitions {
			if p.Number < 1 || p.Number > 128 || p.Start < 34*512 || p.Size <= 0 || p.Start+p.Size <= 0 || p.Start%512 != 0 {
				t.Errorf("accepted %+v", p)
			}
			if len(p.Name) > 36*3 {
				t.Errorf("name of %d bytes", len(p.Name))
			}
		}
	})
}
