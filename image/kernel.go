package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/kmod"
)

// kernel is a directory with a kernel's files: a Go module, or an unpacked
// Debian package. It is the kmod.Source of its modules.
type kernel struct {
	image   string // file: what the loader starts
	trees   string // directory with device trees
	dir     string // lib/modules/<release>
	release string
	paths   []string // of modules, relative to dir
	builtIn []string
}

// findKernel finds a board's kernel among the files of its sources.
func findKernel(k boards.Kernel, from *sources) (*kernel, error) {
	dir, image, trees := from.modules[k.Module], "vmlinuz", "."
	modules := "lib/modules"
	if k.Module == "" {
		dir, image, trees = from.packages[k.Package.Name], "boot/vmlinuz-*", "usr/lib/linux-image-*"
	}
	name := func(pattern string) (string, error) {
		list, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return "", err
		}
		if len(list) != 1 {
			return "", fmt.Errorf("kernel: %d files are %s in %s, one is expected", len(list), pattern, dir)
		}
		return filepath.Join(dir, filepath.FromSlash(list[0])), nil
	}
	out := &kernel{}
	var err error
	if out.image, err = name(image); err != nil {
		return nil, err
	}
	if out.dir, err = name(modules + "/*"); err != nil {
		return nil, err
	}
	out.release = filepath.Base(out.dir)
	if len(k.DTBs) > 0 || trees == "." {
		out.trees = dir
	} else if list, _ := fs.Glob(os.DirFS(dir), trees); len(list) == 1 { // none on PCs
		out.trees = filepath.Join(dir, filepath.FromSlash(list[0]))
	}
	return out, out.listModules()
}

func (k *kernel) listModules() error {
	err := filepath.WalkDir(k.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || kmod.NameOf(p) == "" {
			return err
		}
		rel, err := filepath.Rel(k.dir, p)
		k.paths = append(k.paths, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(k.dir, "modules.builtin"))
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	k.builtIn = strings.Fields(string(b))
	return nil
}

// Paths implements kmod.Source.
func (k *kernel) Paths() []string { return k.paths }

// BuiltIn implements kmod.Source.
func (k *kernel) BuiltIn() []string { return k.builtIn }

// Read implements kmod.Source.
func (k *kernel) Read(path string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(k.dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	_, b, err = debian.Decompress(path, b)
	return b, err
}

// sources are the directories with everything an image takes from elsewhere.
type sources struct {
	modules  map[string]string // Go module path to directory
	packages map[string]string // name in boards (may be a pattern) to directory
	pins     map[string]debian.Pin
	noRadio  error // nil: there is firmware for Wi-Fi, or the board has none
}

// boardModules are the Go modules whose files are in a board's image.
func boardModules(b boards.Board) []string {
	var list []string
	if b.Kernel.Module != "" {
		list = append(list, b.Kernel.Module)
	}
	for _, m := range b.Firmware {
		list = append(list, m.Path)
	}
	return list
}

// boardPackages are the Debian packages whose files are in a board's image.
func boardPackages(b boards.Board) []boards.Package {
	list := slices.Clone(b.Radio)
	for _, p := range []boards.Package{b.Kernel.Package, b.Stub, b.Menu} {
		if p.Name != "" {
			list = append(list, p)
		}
	}
	for _, blob := range b.Blobs {
		list = append(list, blob.Package)
	}
	return list
}

// findSources has everything at hand that a board's image takes from
// elsewhere, downloading what is missing. Firmware for Wi-Fi is the one thing
// that an image can do without: noRadio says why there is none.
func findSources(ctx context.Context, b boards.Board, store *debian.Store) (*sources, error) {
	s := &sources{packages: map[string]string{}, pins: map[string]debian.Pin{}}
	var err error
	if list := boardModules(b); len(list) > 0 {
		if s.modules, err = moduleDirs(ctx, list...); err != nil {
			return nil, err
		}
	}
	radio := b.Radio
	b.Radio = nil
	if err := s.unpack(ctx, boardPackages(b), store); err != nil {
		return nil, err
	}
	if s.noRadio = s.unpack(ctx, radio, store); ctx.Err() != nil {
		return nil, s.noRadio
	}
	return s, nil
}

// unpack adds packages.
func (s *sources) unpack(ctx context.Context, list []boards.Package, store *debian.Store) error {
	pins := make(map[string]debian.Pin)
	for _, p := range list {
		pin, err := debian.Pinned(debian.Want{Name: p.Name, Arch: p.Arch})
		if err != nil {
			return err
		}
		pins[p.Name] = pin
	}
	dirs, err := store.Unpacked(ctx, slices.Collect(maps.Values(pins))...)
	if err != nil {
		return err
	}
	for name, pin := range pins {
		s.pins[name], s.packages[name] = pin, dirs[pin]
	}
	return nil
}

// file finds one file of a package.
func (s *sources) file(p boards.Package, name string) (string, error) {
	dir := s.packages[p.Name]
	if dir == "" {
		return "", fmt.Errorf("package %s was not unpacked", p.Name)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	if err != nil {
		return "", fmt.Errorf("package %s: %s: %w", p.Name, name, err)
	}
	return path, nil
}

// only reads the one file that a package of the boards' data names.
func (s *sources) only(p boards.Package) ([]byte, error) {
	if len(p.Files) != 1 {
		return nil, fmt.Errorf("package %s: one file is expected, %d are named", p.Name, len(p.Files))
	}
	name, err := s.file(p, p.Files[0])
	if err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}
