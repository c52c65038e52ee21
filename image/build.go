package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/squash"
)

// version is what images call themselves until releases are cut.
const version = "0.1.0-preview"

// sourceDate dates an image built outside a git checkout and without
// SOURCE_DATE_EPOCH. Stations believe no date before their image's.
const sourceDate = 1795392000 // 2026-11-23

type buildOptions struct {
	Board  string
	Dir    string // where the image file goes
	Config []byte // truechimer.toml; nil: the commented default
	Log    func(string, ...any)

	Date  time.Time // of everything in the image; zero: the sources' own
	Extra []string  // import paths of further programs
	Dev   bool      // with a debug shell for whoever holds Keys: never to be released
	Keys  []byte    // public keys, as in OpenSSH's authorized_keys
}

// build makes a board's image and returns its file name.
func build(ctx context.Context, o buildOptions) (file string, err error) {
	b, err := boards.ByName(o.Board)
	if err != nil {
		return "", err
	}
	if o.Config == nil {
		o.Config = config.DefaultFile()
	}
	start := time.Now()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(o.Dir, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)

	when := o.Date
	if when.IsZero() {
		if when, err = sourceTime(ctx); err != nil {
			return "", err
		}
	}
	if b.Preview {
		o.Log("%s is a preview: it builds and boots in an emulator, and has not been tried on a board", b.Name)
	}
	o.Log("compiling for %s", b.Title)
	if err := compile(ctx, b.GOARCH, version, tmp,
		"github.com/truechimer/truechimer/appliance",
		"github.com/truechimer/truechimer/image/earlyboot",
		"github.com/gokrazy/gokrazy/cmd/randomd"); err != nil {
		return "", err
	}
	modules := []string{b.Kernel}
	for _, m := range b.Firmware {
		modules = append(modules, m.Path)
	}
	dirs, err := moduleDirs(ctx, modules...)
	if err != nil {
		return "", err
	}
	added, err := addExtras(ctx, b, o, tmp)
	if err != nil {
		return "", err
	}
	root, err := rootEntries(ctx, b, tmp, dirs, modules, when)
	if err != nil {
		return "", err
	}
	root = withExtras(root, added)
	boot, err := bootSpec(b, dirs, o.Config, when)
	if err != nil {
		return "", err
	}

	o.Log("writing the disk")
	file = filepath.Join(o.Dir, o.fileName())
	part := filepath.Join(tmp, "disk.img")
	size, err := writeDisk(part, b, root, boot, when)
	if err != nil {
		return "", err
	}
	if err := os.Rename(part, file); err != nil {
		return "", err
	}
	o.Log("%s: %d MiB in %v", file, size>>20, time.Since(start).Round(100*time.Millisecond))
	return file, nil
}

// sourceTime dates the image: SOURCE_DATE_EPOCH, else the checkout's last
// commit, else sourceDate.
func sourceTime(ctx context.Context) (time.Time, error) {
	s := os.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		out, err := exec.CommandContext(ctx, "git", "-c", "log.showSignature=false", "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Unix(sourceDate, 0).UTC(), nil
		}
		s = strings.TrimSpace(string(out))
	}
	sec, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH or the last commit's date: %w; seconds since 1970 are expected", err)
	}
	return time.Unix(sec, 0).UTC(), nil
}

// writeDisk writes the image file. It ends with root a's data: nothing empty
// is flashed.
func writeDisk(name string, b boards.Board, root []squash.Entry, boot bootfs.Spec, when time.Time) (size int64, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if err := disk.Write(f, b.Name, disk.BasicData); err != nil {
		return 0, fmt.Errorf("partition table: %w", err)
	}
	if err := bootfs.Write(io.NewOffsetWriter(f, disk.BootStart), boot); err != nil {
		return 0, fmt.Errorf("boot file system: %w", err)
	}
	n, err := squash.Write(io.NewOffsetWriter(f, disk.RootAStart), root, when)
	if err != nil {
		return 0, fmt.Errorf("root file system: %w", err)
	}
	if n > disk.RootASize {
		return 0, fmt.Errorf("root file system: %d bytes do not fit into its partition of %d", n, disk.RootASize)
	}
	size = disk.RootAStart + n
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

// rootEntries lists what is in the root file system.
func rootEntries(ctx context.Context, b boards.Board, bin string, dirs map[string]string, modules []string, when time.Time) ([]squash.Entry, error) {
	var list []squash.Entry
	dir := func(path string, mode fs.FileMode) {
		list = append(list, squash.Entry{Path: path, Mode: fs.ModeDir | mode})
	}
	text := func(path, content string) {
		list = append(list, squash.Entry{Path: path, Mode: 0o644, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		}})
	}
	link := func(path, target string) {
		list = append(list, squash.Entry{Path: path, Mode: fs.ModeSymlink | 0o777, Target: target})
	}
	var err error
	file := func(path, from string, mode fs.FileMode) {
		st, e := os.Stat(from)
		if e != nil {
			err = errors.Join(err, e)
			return
		}
		list = append(list, squash.Entry{Path: path, Mode: mode, Size: st.Size(), Open: opener(from)})
	}

	// Mount points and what gokrazy's runtime expects to find.
	for _, p := range []string{"bin", "dev", "mnt", "perm", "proc", "root", "run", "sys", "tmp"} {
		dir(p, 0o755)
	}
	link("var", "/perm/var")
	link("etc/resolv.conf", "/tmp/resolv.conf")
	text("etc/hostname", "truechimer")
	text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
	text("etc/truechimer/board", b.Name+"\n")
	text("etc/truechimer/build", when.Format(time.RFC3339)+"\n")
	text("etc/truechimer/version", version+"\n")
	programs := map[string]string{"gokrazy/init": "earlyboot", "gokrazy/randomd": "randomd", "user/appliance": "appliance"}
	var files []string
	for path, name := range programs {
		file(path, filepath.Join(bin, name), 0o755)
		files = append(files, filepath.Join(bin, name))
	}
	texts, e := licences(ctx, files, modules)
	if e != nil {
		return nil, e
	}
	for path, from := range texts {
		file(path, from, 0o644)
	}
	text("usr/share/licences/README", "The licences of everything in this image, by Go module.\n")

	lib := filepath.Join(dirs[b.Kernel], "lib")
	e = filepath.WalkDir(lib, func(p string, d fs.DirEntry, e error) error {
		if e != nil || d.IsDir() {
			return e
		}
		rel, e := filepath.Rel(dirs[b.Kernel], p)
		if e != nil {
			return e
		}
		file(filepath.ToSlash(rel), p, 0o644)
		return nil
	})
	return list, errors.Join(err, e)
}

func opener(name string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(name) }
}

// bootSpec lists what is in the boot file system: firmware and a person's
// files in the root, everything that belongs to one bootable pair in its slot.
func bootSpec(b boards.Board, dirs map[string]string, config []byte, when time.Time) (bootfs.Spec, error) {
	id := sha256.Sum256([]byte("truechimer boot " + b.Name))
	s := bootfs.Spec{
		Label:    "TRUECHIMER",
		VolumeID: uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3]),
		Time:     when,
	}
	text := func(path, content string) bootfs.File {
		return bootfs.File{Path: path, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		}}
	}
	s.Root = append(s.Root, text("truechimer.toml", string(config)))
	if b.Config != "" {
		// One sector each; old and new content differ in the slot's letter alone.
		for name, slot := range map[string]string{"config.txt": "a", "tryboot.txt": "b"} {
			f := text(name, "os_prefix="+slot+"/\n"+b.Config)
			if err := bootfs.OneSector(f); err != nil {
				return s, err
			}
			s.Root = append(s.Root, f)
		}
		s.Root = append(s.Root, text("usercfg.txt", b.UserConfig))
	}
	for _, m := range b.Firmware {
		files, err := match(dirs[m.Path], m.Files)
		if err != nil {
			return s, err
		}
		s.Root = append(s.Root, files...)
	}
	patterns := append([]string{"vmlinuz"}, b.DTBs...)
	if b.Overlay {
		patterns = append(patterns, "overlays/*")
	}
	var err error
	if s.A, err = match(dirs[b.Kernel], patterns); err != nil {
		return s, err
	}
	s.A = append(s.A, text("cmdline.txt", cmdline(b, "a")+"\n"))
	if b.Overlay {
		// The Raspberry Pi's firmware looks for overlays below os_prefix only
		// where this file stands beside them.
		s.A = append(s.A, text("overlays/README", "These overlays belong to this slot's kernel.\n"))
	}
	return s, nil
}

// cmdline is the kernel command line of a slot.
func cmdline(b boards.Board, slot string) string {
	root := map[string]disk.Number{"a": disk.RootA, "b": disk.RootB}[slot]
	args := []string{
		// The roots are named relative to the boot partition: their numbers
		// follow it, whatever order they have on the disk.
		fmt.Sprintf("root=PARTUUID=%s/PARTNROFF=%d", disk.PartUUID(b.Name, disk.Boot), root-disk.Boot),
		"ro", "init=/gokrazy/init", "rootwait", "panic=10", "oops=panic", "truechimer.slot=" + slot,
	}
	if b.Console != "" {
		args = append([]string{"console=" + b.Console}, args...)
	}
	return strings.Join(append(args, b.Cmdline...), " ")
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
