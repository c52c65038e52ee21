// Package kmod picks the kernel modules an image needs out of all that a kernel
// package has, writes the index by which the device finds them, and loads them
// there.
//
// A distribution's kernel comes with thousands of modules and, in the package,
// without the index that depmod would make on the machine. A station's root
// file system is read-only, so the index is made when the image is built, for
// the modules that are in it:
//
//	modules.dep    kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko ...
//	modules.alias  alias pci:v00001AF4d00001000sv*sd*bc*sc*i* virtio_pci
//	modules.load   names that are loaded at every boot, one a line
//
// The first two are in the form of depmod (modules.dep(5)), the third is ours.
package kmod

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxModule bounds a module's file, bytes; the largest of Debian's kernels,
// graphics drivers, have some 20 MiB.
const maxModule = 64 << 20

// Info is what a module says of itself in its .modinfo section.
type Info struct {
	Name    string
	Depends []string // names of modules that have to be loaded before it
	Before  []string // the same, but it can do without ("softdep pre")
	Aliases []string // patterns of the devices it drives
}

// ReadInfo reads the .modinfo section of an uncompressed module (an ELF
// object; the entries are key=value, each ended by a zero byte).
func ReadInfo(module []byte) (Info, error) {
	if len(module) > maxModule {
		return Info{}, fmt.Errorf("module of %d bytes, at most %d are expected", len(module), maxModule)
	}
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return Info{}, fmt.Errorf("module: %w", err)
	}
	s := f.Section(".modinfo")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Size > uint64(len(module)) {
		return Info{}, errors.New("module: no .modinfo section")
	}
	b, err := s.Data()
	if err != nil {
		return Info{}, fmt.Errorf("module: %w", err)
	}
	var in Info
	for entry := range bytes.SplitSeq(b, []byte{0}) {
		key, value, ok := strings.Cut(string(entry), "=")
		if !ok {
			continue
		}
		switch key {
		case "name":
			in.Name = value
		case "depends":
			for d := range strings.SplitSeq(value, ",") {
				if d != "" {
					in.Depends = append(in.Depends, Canonical(d))
				}
			}
		case "softdep":
			in.Before = append(in.Before, before(value)...)
		case "alias":
			in.Aliases = append(in.Aliases, value)
		}
	}
	if in.Name == "" {
		return Info{}, errors.New("module: it does not say its name")
	}
	in.Name = Canonical(in.Name)
	return in, nil
}

// before is the first part of a "pre: a b post: c".
func before(softdep string) (names []string) {
	pre := false
	for _, w := range strings.Fields(softdep) {
		switch w {
		case "pre:":
			pre = true
		case "post:":
			pre = false
		default:
			if pre {
				names = append(names, Canonical(w))
			}
		}
	}
	return names
}

// Canonical is a module's name as the kernel has it: file names may have
// hyphens where names have underscores.
func Canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

// NameOf is the module's name that a file's name stands for: the directory and
// all that follows the first ".ko" are left out. It is empty for other files.
func NameOf(file string) string {
	base, rest, ok := strings.Cut(path.Base(file), ".ko")
	if !ok || rest != "" && rest[0] != '.' {
		return ""
	}
	return Canonical(base)
}

// Module is a module of a kernel package.
type Module struct {
	Path string // relative to lib/modules/<release>, uncompressed: ends in .ko
	Info Info
	Data []byte
}

// Source is a kernel package's modules.
type Source interface {
	// Paths lists the module files, relative to lib/modules/<release>, as
	// they are named in the package (they may end in .ko.xz).
	Paths() []string
	// Read gives a module's uncompressed content.
	Read(path string) ([]byte, error)
	// BuiltIn lists what modules.builtin does: modules that are part of the kernel.
	BuiltIn() []string
}

// Pick reads the named modules and all they depend on, sorted by path. A name
// that is built in needs no module; one that does not exist is an error, since
// a board that names it expects a driver.
func Pick(s Source, names []string) ([]Module, error) {
	byName := make(map[string]string)
	for _, p := range s.Paths() {
		if n := NameOf(p); n != "" {
			byName[n] = p
		}
	}
	builtIn := make(map[string]bool)
	for _, p := range s.BuiltIn() {
		builtIn[NameOf(p)] = true
	}
	picked := make(map[string]bool)
	var list []Module
	var pick func(name, why string) error
	pick = func(name, why string) error {
		name = Canonical(name)
		if picked[name] || builtIn[name] {
			return nil
		}
		picked[name] = true
		p, ok := byName[name]
		if !ok {
			return fmt.Errorf("the kernel has no module %s%s", name, why)
		}
		b, err := s.Read(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		in, err := ReadInfo(b)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		dir, _ := path.Split(p)
		base, _, _ := strings.Cut(path.Base(p), ".ko")
		list = append(list, Module{Path: dir + base + ".ko", Info: in, Data: b})
		for _, d := range in.Depends {
			if err := pick(d, ", which "+name+" depends on"); err != nil {
				return err
			}
		}
		for _, d := range in.Before {
			if byName[d] == "" {
				continue // it can do without, and a softdep may name an alias
			}
			if err := pick(d, ""); err != nil {
				return err
			}
		}
		return nil
	}
	for _, n := range names {
		if err := pick(n, ""); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}
