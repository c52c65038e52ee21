package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/uboot"
)

// qemuFor is the program that emulates a board.
func qemuFor(b boards.Board) string {
	if b.GOARCH == "amd64" {
		return "qemu-system-x86_64"
	}
	return "qemu-system-aarch64"
}

// cardSize is the size of the card the image is put on. The emulated Raspberry
// Pi takes powers of two only.
func cardSize(b boards.Board) int64 {
	if b.Name == boards.RaspberryPi.Name {
		return 4 << 30
	}
	return disk.DiskSize
}

// ensureQEMU finds QEMU, or installs it where that needs no questions.
func ensureQEMU(ctx context.Context, b boards.Board, log func(string, ...any)) error {
	program := qemuFor(b)
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	pkg := map[string]string{"qemu-system-aarch64": "qemu-system-arm", "qemu-system-x86_64": "qemu-system-x86"}[program]
	hint := "QEMU is missing; install it: sudo apt-get install --no-install-recommends " + pkg
	if os.Geteuid() != 0 {
		return errors.New(hint)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("QEMU is missing; install " + program)
	}
	log("installing QEMU")
	cmd := exec.CommandContext(ctx, "apt-get", "install", "-y", "--no-install-recommends", pkg)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	// Interrupted, not killed: packages must not be left half installed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s (apt-get: %w)\n%s", hint, err, out)
	}
	return nil
}

// firmware are the files that an emulated board has in its flash memory.
type firmware struct {
	uboot      string // U-Boot for QEMU's virt machine
	code, vars string // UEFI for PCs, and its variables as they are at first
}

// firmwareBelow is where the packages u-boot-qemu and ovmf have their files, below dir.
func firmwareBelow(dir string) firmware {
	return firmware{
		uboot: filepath.Join(dir, "usr/lib/u-boot/qemu_arm64/u-boot.bin"),
		code:  filepath.Join(dir, "usr/share/OVMF/OVMF_CODE_4M.fd"),
		vars:  filepath.Join(dir, "usr/share/OVMF/OVMF_VARS_4M.fd"),
	}
}

// findFirmware has a board's firmware for QEMU at hand: the pinned package's or,
// on a machine whose mirrors do not have that, what is installed.
func findFirmware(ctx context.Context, b boards.Board, log func(string, ...any)) (firmware, error) {
	name := map[boards.Loader]string{boards.LoaderUBoot: "u-boot-qemu", boards.LoaderUEFI: "ovmf"}[b.Loader]
	if name == "" {
		return firmware{}, nil
	}
	pin, err := debian.Pinned(debian.Want{Name: name, Arch: "all"})
	if err != nil {
		return firmware{}, err
	}
	store, err := debian.NewStore(nil, log)
	if err != nil {
		return firmware{}, err
	}
	dirs, err := store.Unpacked(ctx, pin)
	if err == nil {
		return firmwareBelow(dirs[pin]), nil
	}
	installed := firmwareBelow("/")
	for _, file := range map[boards.Loader][]string{boards.LoaderUBoot: {installed.uboot}, boards.LoaderUEFI: {installed.code, installed.vars}}[b.Loader] {
		if _, e := os.Stat(file); e != nil {
			return firmware{}, fmt.Errorf("%w; or install what QEMU needs for this board: sudo apt-get install %s", err, name)
		}
	}
	log("taking the %s that is installed: %v", name, err)
	return installed, nil
}

// boardArgs are the arguments that make QEMU the board.
func boardArgs(ctx context.Context, o machineOptions) ([]string, error) {
	switch o.Board.Name {
	case boards.VMArm64.Name:
		return virtArgs(ctx, o)
	case boards.VMAmd64.Name:
		return pcArgs(o)
	case boards.RaspberryPi.Name:
		return raspi3bArgs(o)
	}
	return nil, fmt.Errorf("board %s cannot be run here", o.Board.Name)
}

// flashSize is that of each of the virt machine's two flash memories, bytes.
const flashSize = 64 << 20

// virtMachine has no ACPI: with it and a boot loader there would be no GPIO
// controller for the pulse.
const virtMachine = "virt,acpi=off"

// virtArgs are those of QEMU's virt machine, which U-Boot starts. Its device
// tree is QEMU's own with a pulse line.
func virtArgs(ctx context.Context, o machineOptions) ([]string, error) {
	machine := []string{"-cpu", "cortex-a53", "-smp", "2", "-m", "512"}
	plain, tree := filepath.Join(o.Dir, "virt.dtb"), filepath.Join(o.Dir, "machine.dtb")
	program := qemuFor(o.Board)
	dump := exec.CommandContext(ctx, program, append([]string{"-M", virtMachine + ",dumpdtb=" + plain, "-display", "none", "-nic", "none", "-accel", "tcg"}, machine...)...)
	if out, err := dump.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, out)
	}
	b, err := os.ReadFile(plain)
	if err != nil {
		return nil, err
	}
	if err := editTree(b, tree, virtTree); err != nil {
		return nil, err
	}
	env, err := uboot.Virt().Environment()
	if err != nil {
		return nil, err
	}
	flash := filepath.Join(o.Dir, "flash")
	if err := os.WriteFile(flash, env, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(flash, flashSize); err != nil {
		return nil, err
	}
	return append(machine, "-M", virtMachine, "-dtb", tree, "-bios", o.Firmware.uboot,
		"-drive", "if=pflash,unit=1,format=raw,file="+optionValue(flash),
		"-drive", "file="+optionValue(o.Image)+",format=raw,if=none,id=d0", "-device", "virtio-blk-pci,drive=d0",
		"-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci",
		"-device", "pci-serial,chardev=gps",
		"-device", "i6300esb", "-action", "watchdog=reset"), nil
}

// pcArgs are those of a PC with UEFI. The variables that its firmware keeps
// live in o.Dir, as long as that does.
func pcArgs(o machineOptions) ([]string, error) {
	vars := filepath.Join(o.Dir, "vars.fd")
	if _, err := os.Stat(vars); errors.Is(err, os.ErrNotExist) {
		b, err := os.ReadFile(o.Firmware.vars)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(vars, b, 0o600); err != nil {
			return nil, err
		}
	}
	// No devices but those named: a DVD drive alone costs seconds.
	args := []string{"-M", "q35", "-nodefaults", "-cpu", "max", "-smp", "2", "-m", "512",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + optionValue(o.Firmware.code),
		"-drive", "if=pflash,unit=1,format=raw,file=" + optionValue(vars),
		"-drive", "file=" + optionValue(o.Image) + ",format=raw,if=none,id=d0", "-device", "virtio-blk-pci,drive=d0,bootindex=0",
		"-device", "virtio-rng-pci",
		"-device", "isa-serial,chardev=gps",
		"-device", "i6300esb", "-action", "watchdog=reset"}
	if o.HTTP != "" {
		args = append(args, "-device", cmp.Or(o.NIC, "virtio-net-pci")+",netdev=n0,romfile=")
	}
	if o.Display {
		args = append(args, "-device", "VGA")
	}
	return args, nil
}

// raspi3bArgs are those of the emulated Raspberry Pi 3B. QEMU has no firmware
// for it: the model of it says what would boot.
func raspi3bArgs(o machineOptions) ([]string, error) {
	kernel, tree, initrd, cmdline, err := rpiBoot(o.Image, o.Dir, o.Tryboot)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(tree)
	if err != nil {
		return nil, err
	}
	edited := filepath.Join(o.Dir, "machine.dtb")
	if err := editTree(b, edited, raspi3bTree); err != nil {
		return nil, err
	}
	args := []string{"-M", "raspi3b", "-kernel", kernel, "-dtb", edited,
		// The emulated USB controller has no fast interrupts; the console is
		// added to see the boot: on the board that UART is the receiver's.
		"-append", "console=ttyAMA0,115200 dwc_otg.fiq_enable=0 dwc_otg.fiq_fsm_enable=0 " + cmdline,
		"-drive", "file=" + optionValue(o.Image) + ",format=raw,if=sd",
		"-device", "usb-net,netdev=n0", "-device", "usb-serial,chardev=gps"}
	if initrd != "" {
		args = append(args, "-initrd", initrd)
	}
	return args, nil
}
