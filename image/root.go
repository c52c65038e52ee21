package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/kmod"
	"github.com/truechimer/truechimer/image/squash"
)

// tree is the content of a root file system while it is listed.
type tree struct {
	list []squash.Entry
}

func (t *tree) dir(path string, mode fs.FileMode) {
	t.list = append(t.list, squash.Entry{Path: path, Mode: fs.ModeDir | mode})
}

func (t *tree) bytes(path string, b []byte) {
	t.list = append(t.list, squash.Entry{Path: path, Mode: 0o644, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}})
}

func (t *tree) text(path, content string) { t.bytes(path, []byte(content)) }

func (t *tree) link(path, target string) {
	t.list = append(t.list, squash.Entry{Path: path, Mode: fs.ModeSymlink | 0o777, Target: target})
}

func (t *tree) file(path, from string, mode fs.FileMode) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	t.list = append(t.list, squash.Entry{Path: path, Mode: mode, Size: st.Size(), Open: opener(from)})
	return nil
}

func opener(name string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(name) }
}

// programs are what runs on a station, by the path in its root; the values are
// the names that the compiler gives them.
var programs = map[string]string{"gokrazy/init": "earlyboot", "gokrazy/randomd": "randomd", "user/appliance": "appliance"}

// rootEntries lists what is in the root file system. bin holds the programs.
func rootEntries(ctx context.Context, p *parts, bin string) ([]squash.Entry, error) {
	b := p.board
	t := &tree{}
	// Mount points and what gokrazy's runtime expects to find.
	for _, dir := range []string{"bin", "dev", "mnt", "perm", "proc", "root", "run", "sys", "tmp"} {
		t.dir(dir, 0o755)
	}
	t.link("var", "/perm/var")
	t.link("etc/resolv.conf", "/tmp/resolv.conf")
	t.text("etc/hostname", "truechimer")
	t.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
	t.text("etc/truechimer/board", b.Name+"\n")
	t.text("etc/truechimer/version", p.version+"\n")
	t.text("etc/truechimer/build", p.when.Format(time.RFC3339)+"\n")
	var files []string
	for path, name := range programs {
		if err := t.file(path, filepath.Join(bin, name), 0o755); err != nil {
			return nil, err
		}
		files = append(files, filepath.Join(bin, name))
	}
	if b.Kernel.Initrd {
		files = append(files, filepath.Join(bin, "initrd"))
	}
	texts, err := licences(ctx, files, boardModules(b))
	if err != nil {
		return nil, err
	}
	more, err := vendoredLicences(ctx)
	if err != nil {
		return nil, err
	}
	maps.Copy(texts, more)
	for path, from := range texts {
		if err := t.file(path, from, 0o644); err != nil {
			return nil, err
		}
	}
	if err := packageLicences(t, p.from); err != nil {
		return nil, err
	}
	t.text("usr/share/licences/README", "The licences of everything in this image, by Go module, Debian package, and npm package.\n")
	if err := moduleEntries(t, b, p.kernel); err != nil {
		return nil, err
	}
	return t.list, radioEntries(t, b, p.from)
}

// moduleEntries are the kernel modules that the board needs, and their index.
func moduleEntries(t *tree, b boards.Board, k *kernel) error {
	modules, err := kmod.Pick(k, b.Kernel.Modules)
	if err != nil {
		return fmt.Errorf("%s: %w", b.Name, err)
	}
	dir := "lib/modules/" + k.release + "/"
	for _, m := range modules {
		t.bytes(dir+m.Path, m.Data)
	}
	for name, text := range kmod.Index(modules, b.Kernel.Load) {
		t.text(dir+name, text)
	}
	return nil
}

// radioEntries are the firmware for Wi-Fi and the rules of its countries.
func radioEntries(t *tree, b boards.Board, from *sources) error {
	for _, p := range b.Radio {
		dir := from.packages[p.Name]
		for _, pattern := range p.Files {
			names, err := fs.Glob(os.DirFS(dir), pattern)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", p.Name, pattern, err)
			}
			if len(names) == 0 {
				return fmt.Errorf("%s: no file matches %s", p.Name, pattern)
			}
			for _, n := range names {
				as := n
				if other := p.Rename[n]; other != "" {
					as = other
				}
				if err := t.copy(dir, n, as); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.RadioNames)) {
		t.link(name, b.RadioNames[name])
	}
	return nil
}

// copy takes a file or a symbolic link over under a name.
func (t *tree) copy(dir, name, as string) error {
	from := filepath.Join(dir, filepath.FromSlash(name))
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if st.Mode()&fs.ModeSymlink == 0 {
		return t.file(as, from, 0o644)
	}
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	t.link(as, target)
	return nil
}

// packageLicences are the copyright files of the Debian packages in the image.
func packageLicences(t *tree, from *sources) error {
	for name, dir := range from.packages {
		p := from.pins[name].Package
		text := filepath.Join(dir, "usr/share/doc", p, "copyright")
		if err := t.file(path.Join("usr/share/licences", p, "copyright"), text, 0o644); err != nil {
			return fmt.Errorf("package %s has no copyright file: it must not be shipped: %w", p, err)
		}
	}
	return nil
}

// title is how boot menus name a slot.
func title(p *parts, slot string) string {
	return "truechimer " + p.version + " (" + p.board.Name + "), slot " + strings.ToUpper(slot)
}
