package uboot

import "encoding/binary"

// Function numbers of PSCI (Arm DEN 0022), which the virt machine answers.
const (
	psciOff   = 0x84000008
	psciReset = 0x84000009
)

// stub is the smallest arm64 Image: it writes text to the virt machine's UART
// and calls PSCI. It stands for a kernel where only the boot loader matters.
func stub(text string, psci uint32) []byte {
	b := make([]byte, kernelHeaderSize)
	le := binary.LittleEndian
	le.PutUint32(b, 0x14000010) // b +64
	le.PutUint64(b[24:], 0xa)   // 4 KiB pages, anywhere in memory
	copy(b[56:], "ARM\x64")
	for _, code := range []uint32{
		0x10000141,                        // adr x1, text, 10 instructions on
		0xd2a12002,                        // movz x2, #0x0900, lsl #16
		0x38401423,                        // ldrb w3, [x1], #1
		0x34000063,                        // cbz w3, +12
		0xb9000043,                        // str w3, [x2]
		0x17fffffd,                        // b -12
		0x52800000 | (psci&0xffff)<<5,     // movz w0, #psci
		0x72a00000 | (psci>>16&0xffff)<<5, // movk w0, #psci, lsl #16
		0xd4000002,                        // hvc #0
		0x14000000,                        // b .
	} {
		b = le.AppendUint32(b, code)
	}
	b = append(b, text...)
	b = append(b, make([]byte, 4096-len(b))...)
	le.PutUint64(b[16:], uint64(len(b)))
	return b
}

// program is the smallest arm64 ELF program: it writes text to its standard
// output and restarts the machine. It stands for /init.
func program(text string) []byte {
	const (
		at     = 0x400000
		header = 64 + 56
	)
	le := binary.LittleEndian
	b := []byte("\x7fELF\x02\x01\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	b = le.AppendUint16(b, 2)   // executable
	b = le.AppendUint16(b, 183) // AArch64
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, at+header)
	b = le.AppendUint64(b, 64) // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 64, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	size := uint64(header + 4*15 + len(text))
	b = le.AppendUint32(b, 1) // load
	b = le.AppendUint32(b, 5) // read, execute
	for _, v := range []uint64{0, at, at, size, size, 0x1000} {
		b = le.AppendUint64(b, v)
	}
	for _, code := range []uint32{
		0xd2800020,                         // mov x0, #1
		0x100001c1,                         // adr x1, text, 14 instructions on
		0xd2800002 | uint32(len(text))<<5,  // mov x2, #len
		0xd2800808,                         // mov x8, #64: write
		0xd4000001,                         // svc #0
		0x52800000 | 0xdead<<5, 0x72bfdc20, // mov w0, #0xfee1dead, the rest below
		0xd2800001 | 0x1969<<5, 0xf2a50241, // mov x1, #0x28121969
		0xd2800002 | 0x4567<<5, 0xf2a02462, // mov x2, #0x01234567: restart
		0xd2800008 | 142<<5, // mov x8, #142: reboot
		0xd4000001,          // svc #0
		0x14000000, 0x14000000,
	} {
		b = le.AppendUint32(b, code)
	}
	return append(b, text...)
}
