package uboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
)

// Names of a slot's files, relative to its directory.
const (
	SlotFileName = "boot.env"
	KernelName   = "vmlinuz"
	InitrdName   = "initrd"
	TreeName     = "board.dtb"
)

const (
	// slotFileSize is that of every boot.env: more than a kernel's longest
	// command line (2048 bytes on arm64) and the rest.
	slotFileSize = 4096
	// maxInitrd keeps it out of the way of what else may lie in the memory of a
	// board: OP-TEE begins 36 MiB above a ROCK64's ramdisk_addr_r.
	maxInitrd = 32 << 20
	maxTree   = 512 << 10

	kernelHeaderSize = 64
)

// Slot is what a slot boots. Initrd and Tree may be nil.
type Slot struct {
	Bootargs string // the kernel's command line
	Kernel   io.Reader
	Initrd   io.Reader
	Tree     io.Reader // flattened device tree
}

// SlotFile is a slot's boot.env: the command line, and the size and CRC-32 of
// each file, in the form that env import -c takes, which has a checksum of its
// own. So a slot that was written in part, or has rotted, is noticed before it
// is started. It is an error if a file does not fit where the board loads it.
func (b Board) SlotFile(s Slot) ([]byte, error) {
	vars := map[string]string{"bootargs": s.Bootargs}
	for _, f := range []struct {
		name string
		r    io.Reader
		max  uint64
	}{
		{"kernel", s.Kernel, b.ramdisk - b.kernel},
		{"initrd", s.Initrd, maxInitrd},
		{"tree", s.Tree, maxTree},
	} {
		if f.r == nil {
			continue
		}
		head := &head{r: f.r}
		sum := crc32.NewIEEE()
		n, err := io.Copy(sum, head)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		need := uint64(n)
		if f.name == "kernel" {
			if need, err = b.kernelNeeds(head.b); err != nil {
				return nil, fmt.Errorf("kernel: %w", err)
			}
			need = max(need, uint64(n))
		}
		if n == 0 || need > f.max {
			return nil, fmt.Errorf("%s: needs %d bytes of memory, but 1 to %d is what the board's U-Boot leaves for it", f.name, need, f.max)
		}
		// crc32 stores its result big-endian, itest.l reads it little-endian.
		vars[f.name+"_size"] = fmt.Sprintf("%x", n)
		vars[f.name+"_sum"] = fmt.Sprintf("%x", bits.ReverseBytes32(sum.Sum32()))
	}
	if s.Kernel == nil {
		return nil, errors.New("kernel: none given")
	}
	return Environment(vars, slotFileSize)
}

// kernelNeeds is how much memory from kernel_addr_r on a kernel takes: booti
// moves it up to the next 2 MiB, and it clears memory behind its data (Linux,
// Documentation/arch/arm64/booting.rst).
func (b Board) kernelNeeds(header []byte) (uint64, error) {
	le := binary.LittleEndian
	if len(header) < kernelHeaderSize || string(header[56:60]) != "ARM\x64" {
		return 0, errors.New("not an uncompressed arm64 Image, the one form U-Boot starts here")
	}
	offset, size, flags := le.Uint64(header[8:]), le.Uint64(header[16:]), le.Uint64(header[24:])
	const anywhere = 1 << 3
	switch {
	case flags&anywhere == 0:
		return 0, errors.New("wants to lie at the start of memory; Linux 4.6 and newer do not")
	case size == 0 || size > 1<<30 || offset >= 2<<20:
		return 0, fmt.Errorf("says that it takes %d bytes from offset %d on", size, offset)
	}
	const align = 2 << 20
	start := (b.kernel-offset+align-1)/align*align + offset
	return start - b.kernel + size, nil
}

// head keeps the first bytes of what is read through it.
type head struct {
	r io.Reader
	b []byte
}

func (h *head) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.b = append(h.b, p[:min(n, kernelHeaderSize-len(h.b))]...)
	return n, err
}
