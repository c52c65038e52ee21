package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"
)

// stub is a PE32+ executable with one section and room for more.
func stub(sections int) []byte {
	le := binary.LittleEndian
	const peAt, opt = 0x80, 240
	b := make([]byte, 0x600)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], peAt)
	copy(b[peAt:], "PE\x00\x00")
	le.PutUint16(b[peAt+4:], 0x8664)
	le.PutUint16(b[peAt+6:], 1)
	le.PutUint16(b[peAt+20:], opt)
	o := b[peAt+24:]
	le.PutUint16(o, 0x20b)
	le.PutUint32(o[32:], 0x200)
	le.PutUint32(o[36:], 0x200)
	le.PutUint32(o[56:], 0x1300)
	le.PutUint32(o[60:], uint32(peAt+24+opt+sectionSize*sections))
	le.PutUint32(o[108:], 16)
	s := b[peAt+24+opt:]
	copy(s, ".text")
	le.PutUint32(s[8:], 0x1f0)
	le.PutUint32(s[12:], 0x1000)
	le.PutUint32(s[16:], 0x200)
	le.PutUint32(s[20:], 0x400)
	return b
}

func TestBuild(t *testing.T) {
	im := Image{Stub: stub(8), OSRelease: "ID=x\n", Cmdline: "ro quiet", Initrd: []byte(strings.Repeat("i", 1000)), Kernel: []byte(strings.Repeat("k", 700))}
	b, err := Build(im)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Build(im)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("built again it is something else, %v", err)
	}
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	end := uint32(0)
	var names []string
	for _, s := range f.Sections {
		names = append(names, s.Name)
		if s.VirtualAddress < end {
			t.Errorf("%s begins at %#x, before %#x", s.Name, s.VirtualAddress, end)
		}
		end = s.VirtualAddress + s.VirtualSize
	}
	if got := strings.Join(names, " "); got != ".text .osrel .cmdline .initrd .linux" {
		t.Errorf("sections %s: the kernel has to be the last", got)
	}
	if size := f.OptionalHeader.(*pe.OptionalHeader64).SizeOfImage; size < end {
		t.Errorf("the image has %#x bytes in memory, its sections end at %#x", size, end)
	}
	for name, want := range map[string]string{".osrel": im.OSRelease, ".cmdline": im.Cmdline, ".initrd": string(im.Initrd), ".linux": string(im.Kernel)} {
		s := f.Section(name)
		data, err := s.Data()
		if err != nil || string(data[:s.VirtualSize]) != want {
			t.Errorf("%s holds %d bytes, %v", name, s.VirtualSize, err)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	whole := Image{Stub: stub(8), Cmdline: "ro", Kernel: []byte("k")}
	for name, change := range map[string]func(*Image){
		"not a PE executable":    func(i *Image) { i.Stub = []byte("#!/bin/sh") },
		"a command line":         func(i *Image) { i.Cmdline = "" },
		"a kernel":               func(i *Image) { i.Kernel = nil },
		"no room for another":    func(i *Image) { i.Stub = stub(2) },
		"not a PE32+ executable": func(i *Image) { i.Stub = stub(8); i.Stub[0x80+24] = 0x0c; i.Stub[0x80+25] = 1 },
		"alignment 3":            func(i *Image) { i.Stub = stub(8); i.Stub[0x80+24+32], i.Stub[0x80+24+33] = 3, 0 },
	} {
		im := whole
		change(&im)
		if _, err := Build(im); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

func FuzzBuild(f *testing.F) {
	f.Add(stub(8))
	f.Add(stub(1))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := Build(Image{Stub: b, Cmdline: "c", Kernel: []byte("k")})
		if err == nil && len(out) <= len(b) {
			t.Error("nothing was added")
		}
	})
}
