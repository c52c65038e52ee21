package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/uboot"
	"github.com/truechimer/truechimer/image/uki"
)

// bootSpec lists what is in a fresh boot file system: firmware and a person's
// files in the root, everything that belongs to one bootable pair in slot a.
func bootSpec(p *parts, config []byte) (bootfs.Spec, error) {
	b := p.board
	id := sha256.Sum256([]byte("truechimer boot " + b.Name))
	s := bootfs.Spec{
		Label:    "TRUECHIMER",
		VolumeID: uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3]),
		Time:     p.when,
	}
	s.Root = append(s.Root, memory("truechimer.toml", config))
	for _, m := range b.Firmware {
		files, err := match(p.from.modules[m.Path], m.Files)
		if err != nil {
			return s, err
		}
		s.Root = append(s.Root, files...)
	}
	loader, err := loaderFiles(p)
	if err != nil {
		return s, err
	}
	s.Root = append(s.Root, loader...)
	s.A, err = slotFiles(p, "a", cmdline(b, "a"))
	return s, err
}

// loaderFiles are what the loader reads from the root of the boot file system.
// What says which slot boots is one sector each, and its two contents differ
// in the slot's letter alone.
func loaderFiles(p *parts) ([]bootfs.File, error) {
	b := p.board
	var list []bootfs.File
	switch b.Loader {
	case boards.LoaderPi:
		list = append(list, memory("usercfg.txt", []byte(b.UserConfig)))
	case boards.LoaderUBoot:
		list = append(list, memory(uboot.ScriptName, uboot.BootScript()))
	case boards.LoaderUEFI:
		menu, err := p.from.only(b.Menu)
		if err != nil {
			return nil, err
		}
		list = append(list, memory(menuName, menu),
			memory("loader/entries/a.conf", []byte(menuEntry(b, "a"))), memory("loader/entries/b.conf", []byte(menuEntry(b, "b"))))
	default:
		return nil, fmt.Errorf("%s: loader %q is not known", b.Name, b.Loader)
	}
	for slot, t := range bootctl.Pointers(b) {
		if err := t.Check(); err != nil {
			return nil, err
		}
		list = append(list, memory(t.Path, []byte(t.Content(slot))))
	}
	return list, nil
}

// menuEntry is a slot's entry (UAPI group, Boot Loader Specification). It never
// changes: all that does is in the slot.
func menuEntry(b boards.Board, slot string) string {
	return "title truechimer (" + b.Name + "), slot " + strings.ToUpper(slot) + "\nefi /" + slot + "/" + ukiName + "\n"
}

// Files of a slot, by what the loaders expect.
const (
	kernelName = "vmlinuz"   // Raspberry Pi
	ukiName    = "linux.efi" // systemd-boot
	// menuName is where UEFI firmware looks on a disk that it knows nothing of.
	menuName = "EFI/BOOT/BOOTX64.EFI"
)

// slotFiles are the files of one bootable pair: kernel, trees, overlays,
// initial file system and command line.
func slotFiles(p *parts, slot, cmdline string) ([]bootfs.File, error) {
	b := p.board
	switch b.Loader {
	case boards.LoaderUEFI:
		return ukiFiles(p, slot, cmdline)
	case boards.LoaderUBoot:
		return ubootFiles(b, p.kernel, p.initrd, cmdline)
	}
	patterns := append([]string{kernelName}, b.Kernel.DTBs...)
	if b.Kernel.Overlays {
		patterns = append(patterns, "overlays/*")
	}
	list, err := match(p.from.modules[b.Kernel.Module], patterns)
	if err != nil {
		return nil, err
	}
	list = append(list, memory("cmdline.txt", []byte(cmdline+"\n")))
	if b.Kernel.Overlays {
		// The Raspberry Pi's firmware looks for overlays below os_prefix only
		// where this file stands beside them.
		list = append(list, memory("overlays/README", []byte("These overlays belong to this slot's kernel.\n")))
	}
	return list, nil
}

func ukiFiles(p *parts, slot, cmdline string) ([]bootfs.File, error) {
	stub, err := p.from.only(p.board.Stub)
	if err != nil {
		return nil, err
	}
	code, err := os.ReadFile(p.kernel.image)
	if err != nil {
		return nil, err
	}
	program, err := uki.Build(uki.Image{
		Stub: stub, Cmdline: cmdline, Initrd: p.initrd, Kernel: code,
		OSRelease: fmt.Sprintf("ID=truechimer\nVERSION_ID=%s\nPRETTY_NAME=%q\n", p.version, title(p, slot)),
	})
	return []bootfs.File{memory(ukiName, program)}, err
}

// ubootBoards are what U-Boot's part of an image has to know of a board.
var ubootBoards = map[string]func() uboot.Board{boards.Rock64.Name: uboot.Rock64, boards.VMArm64.Name: uboot.Virt}

func ubootFiles(b boards.Board, k *kernel, initrd []byte, cmdline string) ([]bootfs.File, error) {
	f, err := os.Open(k.image)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	list := []bootfs.File{{Path: uboot.KernelName, Size: st.Size(), Open: opener(k.image)}}
	slot := uboot.Slot{Bootargs: cmdline, Kernel: f}
	if len(initrd) > 0 {
		slot.Initrd = bytes.NewReader(initrd)
		list = append(list, memory(uboot.InitrdName, initrd))
	}
	if b.DeviceTree != "" {
		tree, err := k.readTree(b.DeviceTree)
		if err != nil {
			return nil, err
		}
		if b.Name == boards.Rock64.Name {
			if tree, err = editedTree(tree, rock64Tree); err != nil {
				return nil, fmt.Errorf("%s: %w", b.DeviceTree, err)
			}
		}
		slot.Tree = bytes.NewReader(tree)
		list = append(list, memory(uboot.TreeName, tree))
	}
	text, err := ubootBoards[b.Name]().SlotFile(slot)
	if err != nil {
		return nil, fmt.Errorf("slot: %w", err)
	}
	return append(list, memory(uboot.SlotFileName, text)), nil
}

// cmdline is the kernel command line of a slot.
func cmdline(b boards.Board, slot string) string {
	root := map[string]disk.Number{"a": disk.RootA, "b": disk.RootB}[slot]
	var args []string
	for _, c := range b.Consoles {
		args = append(args, "console="+c)
	}
	args = append(args,
		// The roots are named relative to the boot partition: their numbers
		// follow it, whatever order they have on the disk.
		fmt.Sprintf("root=PARTUUID=%s/PARTNROFF=%d", disk.PartUUID(b.Name, disk.Boot), root-disk.Boot),
		"ro", "init=/gokrazy/init", "rootwait", "panic=10", "oops=panic",
		// A watchdog that runs since the firmware resets the board unless init
		// has opened it by then, seconds.
		"watchdog.open_timeout=60",
		"truechimer.slot="+slot)
	return strings.Join(append(args, b.Cmdline...), " ")
}

// memory is a file whose content is at hand.
func memory(path string, b []byte) bootfs.File {
	return bootfs.File{Path: path, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// match finds a module's files by patterns relative to its directory.
func match(dir string, patterns []string) ([]bootfs.File, error) {
	var list []bootfs.File
	for _, p := range patterns {
		names, err := fs.Glob(os.DirFS(dir), p)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", dir, p, err)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s: no file matches %s", dir, p)
		}
		for _, n := range names {
			from := filepath.Join(dir, filepath.FromSlash(n))
			st, err := os.Stat(from)
			if err != nil {
				return nil, err
			}
			list = append(list, bootfs.File{Path: n, Size: st.Size(), Open: opener(from)})
		}
	}
	return list, nil
}
