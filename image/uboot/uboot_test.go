package uboot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// readScript is a reader of legacy images that is as strict as U-Boot's source.
func readScript(b []byte) (string, error) {
	be := binary.BigEndian
	if len(b) < imageHeaderSize+8 || be.Uint32(b) != 0x27051956 {
		return "", fmt.Errorf("%d bytes, no magic", len(b))
	}
	h, data := bytes.Clone(b[:imageHeaderSize]), b[imageHeaderSize:]
	clear(h[4:8])
	switch {
	case crc32.ChecksumIEEE(h) != be.Uint32(b[4:]):
		return "", fmt.Errorf("the header's CRC is wrong")
	case be.Uint32(h[12:]) != uint32(len(data)):
		return "", fmt.Errorf("%d bytes of data, the header says %d", len(data), be.Uint32(h[12:]))
	case crc32.ChecksumIEEE(data) != be.Uint32(h[24:]):
		return "", fmt.Errorf("the data's CRC is wrong")
	case h[30] != 6:
		return "", fmt.Errorf("type %d is no script", h[30])
	case be.Uint32(h[8:]) != 0:
		return "", fmt.Errorf("it has a time stamp")
	}
	n := be.Uint32(data)
	if be.Uint32(data[4:]) != 0 || uint64(n) != uint64(len(data)-8) {
		return "", fmt.Errorf("one script of %d bytes in %d", n, len(data))
	}
	return string(data[8:]), nil
}

func TestScript(t *testing.T) {
	const commands = "echo one\nreset\n"
	got, err := readScript(Script(commands))
	if err != nil || got != commands {
		t.Errorf("read %q, %v", got, err)
	}
	if !bytes.Equal(Script(commands), Script(commands)) {
		t.Error("the same commands gave other bytes")
	}
}

func TestBootScript(t *testing.T) {
	s, err := readScript(BootScript())
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(s, "@"); i >= 0 {
		t.Errorf("a place was left open: %q", s[i:min(len(s), i+20)])
	}
	for _, want := range []string{
		"tc_at 89c00\n", "tc_at 8bc00\n", "tc_at 89c80\n", // the sectors at 275.5 MiB, 279.5 MiB and 64 KiB on
		"tc_record 6131424354\n", "tc_record 6231424354\n", // TCB1a, TCB1b
		"tc_record 6131544354\n", "tc_record 6231544354\n", "tc_record 2d31544354\n", // TCT1a, TCT1b, TCT1-
	} {
		if !strings.Contains(s, want) {
			t.Errorf("the script lacks %q", want)
		}
	}
	// What would ask the console for Ctrl-C, or is not in every U-Boot.
	for _, line := range strings.Split(s, "\n") {
		words := strings.Fields(line)
		for _, bad := range []string{"while", "until", "for", "setexpr", "askenv", "bootmenu", "usb", "dhcp"} {
			for _, w := range words {
				if w == bad && words[0] != "#" {
					t.Errorf("%q: uses %s", line, bad)
				}
			}
		}
	}
	if strings.Count(s, "\nsleep") != 1 || !strings.HasSuffix(s, "\nreset\n") {
		t.Error("the script does not end with a pause and a reset")
	}
}

// TestPlaces: the records lie in the state partition, apart from each other
// by more than a card's erase block, and the environment before any partition.
func TestPlaces(t *testing.T) {
	for _, at := range []int64{bootfs.CommittedSector1, bootfs.CommittedSector2, bootfs.TrySector} {
		if at < 0 || at+disk.SectorSize > disk.StateSize || at%disk.SectorSize != 0 {
			t.Errorf("%#x is not in the state partition", at)
		}
	}
	if bootfs.CommittedSector2-bootfs.CommittedSector1 < disk.Alignment {
		t.Error("the copies may lie in one erase block")
	}
	const loaderEnd, itbStart = 64*512 + 256<<10, 16384 * 512
	if b := Rock64(); b.EnvironmentAt < loaderEnd || b.EnvironmentAt+int64(b.EnvironmentSize) > itbStart {
		t.Errorf("the environment at %#x overlaps U-Boot", b.EnvironmentAt)
	}
}

// readEnvironment reads as U-Boot's himport_r does.
func readEnvironment(b []byte) (map[string]string, error) {
	if len(b) < 5 || binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		return nil, fmt.Errorf("%d bytes, wrong CRC", len(b))
	}
	vars := make(map[string]string)
	for list := string(b[4:]); list[0] != 0; {
		entry, rest, ended := strings.Cut(list, "\x00")
		name, value, ok := strings.Cut(entry, "=")
		if !ended || rest == "" || !ok {
			return nil, fmt.Errorf("%q: not an entry", entry)
		}
		var v strings.Builder
		for i := 0; i < len(value); i++ {
			if value[i] == '\\' && i+1 < len(value) {
				i++
			}
			v.WriteByte(value[i])
		}
		vars[name] = v.String()
		list = rest
	}
	return vars, nil
}

func TestEnvironment(t *testing.T) {
	want := map[string]string{"a": "1", "bootargs": `x="y z" \ end\`, "c": "d=e"}
	b, err := Environment(want, 64)
	if err != nil || len(b) != 64 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := readEnvironment(b)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %q, %v", got, err)
	}
	for _, tt := range []struct {
		vars map[string]string
		size int
		want string
	}{
		{map[string]string{"": "x"}, 64, "variable's name"},
		{map[string]string{"a=b": "x"}, 64, "variable's name"},
		{map[string]string{"a": ""}, 64, "at least one character"},
		{map[string]string{"a": "b\x00c"}, 64, "at least one character"},
		{map[string]string{"a": "b"}, 8, "9 bytes do not fit into 8"},
		{map[string]string{"a": "b"}, 0, "do not fit"},
	} {
		if _, err := Environment(tt.vars, tt.size); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q, %d: error %v, want %q", tt.vars, tt.size, err, tt.want)
		}
	}
	if _, err := Environment(map[string]string{"a": "b"}, 9); err != nil {
		t.Errorf("it fits exactly: %v", err)
	}
}

func TestBoardEnvironment(t *testing.T) {
	for name, b := range map[string]Board{"rock64": Rock64(), "virt": Virt()} {
		e, err := b.Environment()
		if err != nil || len(e) != b.EnvironmentSize {
			t.Fatalf("%s: %d bytes, %v", name, len(e), err)
		}
		vars, err := readEnvironment(e)
		if err != nil {
			t.Fatal(err)
		}
		if vars["bootdelay"] != "-2" || !strings.HasSuffix(vars["bootcmd"], "; reset") || vars["preboot"] != "" {
			t.Errorf("%s: %q", name, vars)
		}
	}
	vars, _ := readEnvironment(must(t, Rock64()))
	if want := "mmc dev 1; load mmc 1:1 ${scriptaddr} boot.scr && source ${scriptaddr}; sleep 30; reset"; vars["bootcmd"] != want {
		t.Errorf("bootcmd %q, want %q", vars["bootcmd"], want)
	}
}

func must(t *testing.T, b Board) []byte {
	t.Helper()
	e, err := b.Environment()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// kernelImage is an Image that needs size bytes of memory.
func kernelImage(size uint64) []byte {
	b := stub("", psciOff)
	binary.LittleEndian.PutUint64(b[16:], size)
	return b
}

func TestSlotFile(t *testing.T) {
	const room = 62 << 20 // from 0x02200000, where booti moves it, to 0x06000000
	noFlag := kernelImage(4096)
	noFlag[24] = 0
	for _, tt := range []struct {
		name   string
		slot   Slot
		want   string
		kernel []byte
	}{
		{name: "whole", slot: Slot{Bootargs: "x"}, kernel: kernelImage(room)},
		{name: "no kernel", slot: Slot{Bootargs: "x"}, want: "kernel: none given"},
		{name: "no command line", kernel: kernelImage(4096), want: "bootargs"},
		{name: "command line too long", slot: Slot{Bootargs: strings.Repeat("x", 4096)}, kernel: kernelImage(4096), want: "do not fit"},
		{name: "too large in memory", slot: Slot{Bootargs: "x"}, kernel: kernelImage(room + 1), want: "kernel: needs"},
		{name: "compressed", slot: Slot{Bootargs: "x"}, kernel: []byte("\x1f\x8b" + strings.Repeat("x", 100)), want: "not an uncompressed"},
		{name: "short", slot: Slot{Bootargs: "x"}, kernel: []byte("x"), want: "not an uncompressed"},
		{name: "absurd size", slot: Slot{Bootargs: "x"}, kernel: kernelImage(1 << 60), want: "says that it takes"},
		{name: "old kernel", slot: Slot{Bootargs: "x"}, kernel: noFlag, want: "start of memory"},
		{name: "empty initrd", slot: Slot{Bootargs: "x", Initrd: strings.NewReader("")}, kernel: kernelImage(4096), want: "initrd: needs 0"},
		{name: "huge tree", slot: Slot{Bootargs: "x", Tree: bytes.NewReader(make([]byte, maxTree+1))}, kernel: kernelImage(4096), want: "tree: needs"},
	} {
		if tt.kernel != nil {
			tt.slot.Kernel = bytes.NewReader(tt.kernel)
		}
		b, err := Rock64().SlotFile(tt.slot)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
			}
			continue
		}
		vars, rerr := readEnvironment(b)
		sum := crc32.ChecksumIEEE(tt.kernel)
		want := fmt.Sprintf("%x", binary.LittleEndian.Uint32(binary.BigEndian.AppendUint32(nil, sum)))
		if err != nil || rerr != nil || vars["kernel_size"] != "1000" || vars["kernel_sum"] != want || vars["initrd_size"] != "" {
			t.Errorf("%s: %v, %v, %q", tt.name, err, rerr, vars)
		}
	}
}

// FuzzKernel: whatever a kernel's header says, it is refused or fits.
func FuzzKernel(f *testing.F) {
	f.Add(kernelImage(4096)[:kernelHeaderSize])
	f.Add(kernelImage(62 << 20))
	f.Add(kernelImage(1 << 63))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, board := range []Board{Rock64(), Virt()} {
			file, err := board.SlotFile(Slot{Bootargs: "x", Kernel: bytes.NewReader(b)})
			if err != nil {
				continue
			}
			need, err := board.kernelNeeds(b[:kernelHeaderSize])
			if err != nil || board.kernel+need > board.ramdisk || board.kernel+uint64(len(b)) > board.ramdisk {
				t.Errorf("accepted, but it needs %d bytes (%v)", need, err)
			}
			if _, err := readEnvironment(file); err != nil || len(file) != slotFileSize {
				t.Errorf("%d bytes: %v", len(file), err)
			}
		}
	})
}
