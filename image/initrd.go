package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/initramfs"
	"github.com/truechimer/truechimer/image/kmod"
)

// makeInitrd makes a slot's initial file system: a program that reaches the
// root, and the modules it needs for that. The kernels of distributions have
// little built in.
func makeInitrd(b boards.Board, k *kernel, program string) ([]byte, error) {
	code, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	files := []initramfs.File{{Path: "init", Mode: 0o755, Data: code}}
	modules, err := kmod.Pick(k, b.Kernel.Early)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Name, err)
	}
	dir := "lib/modules/" + k.release + "/"
	for _, m := range modules {
		files = append(files, initramfs.File{Path: dir + m.Path, Mode: 0o644, Data: m.Data})
	}
	for name, text := range kmod.Index(modules, b.Kernel.Load) {
		files = append(files, initramfs.File{Path: dir + name, Mode: 0o644, Data: []byte(text)})
	}
	var out bytes.Buffer
	if err := initramfs.Write(&out, files); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// readTree reads a device tree of the kernel's.
func (k *kernel) readTree(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(k.trees, filepath.FromSlash(name)))
}
