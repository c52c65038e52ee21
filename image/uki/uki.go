// Package uki joins a kernel, its initial file system and its command line to
// one program that UEFI firmware starts (a unified kernel image, UAPI group
// specification "Unified Kernel Image").
//
// The program is systemd's stub, a PE executable that looks for sections of
// its own file by name and boots what they hold. So all that belongs to one
// slot is one file in the slot, and the command line cannot be parted from the
// kernel it was made for.
package uki

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Section names, and the order in which the stub wants them: the kernel last.
const (
	osrelSection   = ".osrel"
	cmdlineSection = ".cmdline"
	initrdSection  = ".initrd"
	linuxSection   = ".linux"
)

// Image is what a program holds.
type Image struct {
	Stub      []byte // systemd-boot's linux<arch>.efi.stub
	OSRelease string // os-release(5); the boot menu takes its title from it
	Cmdline   string // one line
	Initrd    []byte
	Kernel    []byte
}

// Offsets and flags of the PE format (Microsoft's PE Format).
const (
	peOffset     = 0x3c
	peSignature  = "PE\x00\x00"
	coffSize     = 20
	sectionSize  = 40
	optPlus      = 0x20b // PE32+
	flagsData    = 0x40000040
	maxStub      = 16 << 20
	maxFile      = 256 << 20
	optAlignment = 32 // SectionAlignment, from the start of the optional header
	optFileAlign = 36
	optSizeImage = 56
	optSizeHead  = 60
	optInitData  = 8
	optChecksum  = 64
	optLeast     = 112
)

// Build makes the program. The same Image gives the same bytes.
func Build(im Image) ([]byte, error) {
	h, err := parse(im.Stub)
	if err != nil {
		return nil, fmt.Errorf("stub: %w", err)
	}
	if len(im.Kernel) == 0 || im.Cmdline == "" {
		return nil, errors.New("unified kernel image: a kernel and a command line are needed")
	}
	out := append([]byte{}, im.Stub...)
	for _, s := range []struct {
		name string
		data []byte
	}{
		{osrelSection, []byte(im.OSRelease)},
		{cmdlineSection, []byte(im.Cmdline)},
		{initrdSection, im.Initrd},
		{linuxSection, im.Kernel},
	} {
		if len(s.data) == 0 {
			continue
		}
		if out, err = h.add(out, s.name, s.data); err != nil {
			return nil, fmt.Errorf("unified kernel image: section %s: %w", s.name, err)
		}
	}
	return out, nil
}

// header says where the parts of a PE's headers lie.
type header struct {
	count    int // offset of the number of sections
	optional int
	sections int // offset of the section table
	room     int // end of what the headers may use
}

func parse(b []byte) (header, error) {
	le := binary.LittleEndian
	if len(b) > maxStub || len(b) < peOffset+4 || string(b[:2]) != "MZ" {
		return header{}, errors.New("not a PE executable")
	}
	pe := int64(le.Uint32(b[peOffset:]))
	if pe+4+coffSize > int64(len(b)) || string(b[pe:pe+4]) != peSignature {
		return header{}, errors.New("not a PE executable")
	}
	coff := int(pe) + 4
	h := header{count: coff + 2, optional: coff + coffSize}
	size := int(le.Uint16(b[coff+16:]))
	if size < optLeast || h.optional+size > len(b) || le.Uint16(b[h.optional:]) != optPlus {
		return header{}, errors.New("not a PE32+ executable")
	}
	h.sections = h.optional + size
	h.room = int(le.Uint32(b[h.optional+optSizeHead:]))
	n := int(le.Uint16(b[h.count:]))
	if h.room > len(b) || h.sections+n*sectionSize > h.room {
		return header{}, errors.New("its headers contradict each other")
	}
	for _, at := range []int{optAlignment, optFileAlign} {
		if a := le.Uint32(b[h.optional+at:]); a == 0 || a&(a-1) != 0 || a > 1<<16 {
			return header{}, fmt.Errorf("alignment %d", a)
		}
	}
	return h, nil
}

// add appends a section behind all others, in the file and in memory.
func (h header) add(b []byte, name string, data []byte) ([]byte, error) {
	le := binary.LittleEndian
	n := int(le.Uint16(b[h.count:]))
	at := h.sections + n*sectionSize
	if at+sectionSize > h.room {
		return nil, errors.New("the stub has no room for another section")
	}
	opt := b[h.optional:]
	align, fileAlign := le.Uint32(opt[optAlignment:]), le.Uint32(opt[optFileAlign:])
	memory := roundUp(le.Uint32(opt[optSizeImage:]), align)
	offset := roundUp(uint32(len(b)), fileAlign)
	raw := roundUp(uint32(len(data)), fileAlign)
	if int64(offset)+int64(raw) > maxFile {
		return nil, fmt.Errorf("the program would be larger than %d bytes", maxFile)
	}
	le.PutUint16(b[h.count:], uint16(n+1))
	le.PutUint32(opt[optSizeImage:], roundUp(memory+uint32(len(data)), align))
	le.PutUint32(opt[optInitData:], le.Uint32(opt[optInitData:])+raw)
	le.PutUint32(opt[optChecksum:], 0) // UEFI does not look at it
	s := b[at : at+sectionSize]
	clear(s)
	copy(s[:8], name)
	le.PutUint32(s[8:], uint32(len(data)))
	le.PutUint32(s[12:], memory)
	le.PutUint32(s[16:], raw)
	le.PutUint32(s[20:], offset)
	le.PutUint32(s[36:], flagsData)
	b = append(b, make([]byte, int(offset)-len(b))...)
	b = append(b, data...)
	return append(b, make([]byte, int(raw)-len(data))...), nil
}

func roundUp(n, to uint32) uint32 { return (n + to - 1) &^ (to - 1) }
