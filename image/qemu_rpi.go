package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/pifirmware"
)

// Longest files that are taken from a card for QEMU, in bytes.
const (
	kernelLimit  = 128 << 20 // also when uncompressed
	treeLimit    = 1 << 20
	initrdLimit  = 64 << 20
	cmdlineLimit = 4096
)

// rpiBoot reads from an image's boot file system what a Raspberry Pi 3B's
// firmware would start, which QEMU's raspi3b machine does not have: with
// tryboot, from tryboot.txt. It leaves the files in dir, the kernel
// uncompressed as QEMU wants it, and returns their names; initrd is empty where
// there is none. Overlays are not applied.
func rpiBoot(image, dir string, tryboot bool) (kernel, dtb, initrd, cmdline string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", image, err)
		}
	}()
	f, err := os.Open(image)
	if err != nil {
		return "", "", "", "", err
	}
	defer f.Close()
	fat, err := bootfs.Open(io.NewSectionReader(f, disk.BootStart, disk.BootSize))
	if err != nil {
		return "", "", "", "", err
	}
	plan, err := pifirmware.Boot(fat, pifirmware.Pi3B, tryboot)
	if err != nil {
		return "", "", "", "", fmt.Errorf("a Raspberry Pi %s would not boot: %w", pifirmware.Pi3B.Name, err)
	}
	if !plan.ARM64 {
		return "", "", "", "", errors.New("config.txt does not ask for 64 bits: write arm_64bit=1")
	}
	kernel, dtb = filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "board.dtb")
	k, err := fat.ReadFile(plan.Kernel, kernelLimit)
	if err != nil {
		return "", "", "", "", err
	}
	if k, err = plainKernel(k, kernelLimit); err != nil {
		return "", "", "", "", fmt.Errorf("%s: %w", plan.Kernel, err)
	}
	t, err := fat.ReadFile(plan.DTB, treeLimit)
	if err != nil {
		return "", "", "", "", err
	}
	var c, ramfs []byte
	if plan.Cmdline != "" {
		if c, err = fat.ReadFile(plan.Cmdline, cmdlineLimit); err != nil {
			return "", "", "", "", err
		}
	}
	for _, name := range plan.Initramfs {
		b, err := fat.ReadFile(name, initrdLimit-int64(len(ramfs)))
		if err != nil {
			return "", "", "", "", err
		}
		ramfs = append(ramfs, b...)
	}
	if ramfs != nil {
		initrd = filepath.Join(dir, "initrd")
		err = os.WriteFile(initrd, ramfs, 0o600)
	}
	if err = errors.Join(err, os.WriteFile(kernel, k, 0o600), os.WriteFile(dtb, t, 0o600)); err != nil {
		return "", "", "", "", err
	}
	return kernel, dtb, initrd, plan.CommandLine(c), nil
}

// plainKernel uncompresses a kernel if it is compressed, as the firmware does,
// which knows it by its first bytes (config_txt/boot.adoc, "arm_64bit").
func plainKernel(b []byte, limit int64) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(plain)) > limit {
		return nil, fmt.Errorf("more than %d bytes when uncompressed", limit)
	}
	return plain, nil
}
