package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/debian"
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
	// Packages are directories with Debian packages, looked in before the
	// cache and the mirrors.
	Packages []string
	Log      func(string, ...any)

	Version string    // semantic, without v; empty: the sources' own
	Date    time.Time // of everything in the image; zero: the sources' own
	Release bool      // nothing may be missing
	// Trust and Update say where updates come from: the files of those names in
	// the image. Nil: from nowhere.
	Trust, Update []byte
	// Fast makes everything about updates happen in seconds: for tests, never to
	// be released.
	Fast  bool
	Extra []string // import paths of further programs
	Dev   bool     // with a debug shell for whoever holds Keys: never to be released
	Keys  []byte   // public keys, as in OpenSSH's authorized_keys
	// Modules are further kernel modules, loaded at every boot, and Radio further
	// files of Debian packages: for tests, of devices that no board has. The
	// image does not say that it has them, so verify takes it for another.
	Modules []string
	Radio   []boards.Package
	// Kernel is another than the board's: for tests, of updates of the kernel.
	Kernel *boards.Kernel
}

// edition is what tells programs apart that are compiled from the same sources.
type edition struct {
	version string
	fast    bool
}

func (o buildOptions) edition() edition { return edition{cmp.Or(o.Version, version), o.Fast} }

// parts are what the image and the releases of a board are put together from.
type parts struct {
	edition
	board  boards.Board
	when   time.Time
	from   *sources
	kernel *kernel
	initrd []byte
	root   []squash.Entry
}

// build makes a board's image and returns its file name.
func build(ctx context.Context, o buildOptions) (file string, err error) {
	start := time.Now()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(o.Dir, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	p, err := findParts(ctx, o, tmp)
	if err != nil {
		return "", err
	}
	if o.Config == nil {
		o.Config = config.DefaultFile()
	}
	boot, err := bootSpec(p, o.Config)
	if err != nil {
		return "", err
	}

	o.Log("writing the disk")
	file = filepath.Join(o.Dir, o.fileName())
	part := filepath.Join(tmp, "disk.img")
	size, err := writeDisk(part, p, boot)
	if err != nil {
		return "", err
	}
	if err := os.Rename(part, file); err != nil {
		return "", err
	}
	o.Log("%s: %d MiB in %v", file, size>>20, time.Since(start).Round(100*time.Millisecond))
	return file, nil
}

// findParts compiles and downloads what an image is made of. Files lie in tmp.
func findParts(ctx context.Context, o buildOptions, tmp string) (*parts, error) {
	b, err := boards.ByName(o.Board)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Kernel != nil {
		b.Kernel = *o.Kernel
	}
	b.Kernel.Modules = slices.Concat(b.Kernel.Modules, o.Modules)
	b.Kernel.Load = slices.Concat(b.Kernel.Load, o.Modules)
	b.Radio = slices.Concat(b.Radio, o.Radio)
	p := &parts{edition: o.edition(), when: o.Date}
	if p.when.IsZero() {
		if p.when, err = sourceTime(ctx); err != nil {
			return nil, err
		}
	}
	if b.Preview != "" {
		o.Log("%s is a preview: %s", b.Name, b.Preview)
	}
	o.Log("compiling for %s", b.Title)
	if err := compile(ctx, b.GOARCH, p.edition, tmp, packagesOf(b)...); err != nil {
		return nil, err
	}
	store, err := debian.NewStore(o.Packages, o.Log)
	if err != nil {
		return nil, err
	}
	if p.from, err = findSources(ctx, b, store); err != nil {
		return nil, err
	}
	if p.from.noRadio != nil {
		if o.Release {
			return nil, p.from.noRadio
		}
		// The station says so too, when it looks for a radio.
		o.Log("no Wi-Fi firmware in this image: %v", p.from.noRadio)
		b.Radio, b.RadioNames = nil, nil
	}
	p.board = b
	if p.kernel, err = findKernel(b.Kernel, p.from); err != nil {
		return nil, err
	}
	added, err := addExtras(ctx, b, o, tmp)
	if err != nil {
		return nil, err
	}
	if p.root, err = rootEntries(ctx, p, tmp); err != nil {
		return nil, err
	}
	p.root = withExtras(p.root, slices.Concat(updateEntries(o), added))
	if b.Kernel.Initrd {
		p.initrd, err = makeInitrd(b, p.kernel, filepath.Join(tmp, "initrd"))
	}
	return p, err
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
func writeDisk(name string, p *parts, boot bootfs.Spec) (size int64, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if err := disk.Write(f, p.board.Name, bootType(p.board)); err != nil {
		return 0, fmt.Errorf("partition table: %w", err)
	}
	if err := writeBlobs(f, p.board, p.from); err != nil {
		return 0, err
	}
	if err := bootfs.Write(io.NewOffsetWriter(f, disk.BootStart), boot); err != nil {
		return 0, fmt.Errorf("boot file system: %w", err)
	}
	n, err := p.writeRoot(io.NewOffsetWriter(f, disk.RootAStart))
	if err != nil {
		return 0, err
	}
	size = disk.RootAStart + n
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

// writeRoot writes the root file system from the beginning of w on.
func (p *parts) writeRoot(w io.WriterAt) (size int64, err error) {
	n, err := squash.Write(w, p.root, p.when)
	if err != nil {
		return 0, fmt.Errorf("root file system: %w", err)
	}
	if n > disk.RootASize {
		return 0, fmt.Errorf("root file system: %d bytes do not fit into its partition of %d", n, disk.RootASize)
	}
	return n, nil
}

// bootType is the type of the boot partition: what a PC opens as a drive,
// but where UEFI firmware boots, which looks for its own.
func bootType(b boards.Board) disk.GUID {
	if b.Loader == boards.LoaderUEFI {
		return disk.EFISystem
	}
	return disk.BasicData
}

// writeBlobs writes the boot loaders that lie outside of all partitions.
func writeBlobs(w io.WriterAt, b boards.Board, from *sources) error {
	for _, blob := range b.Blobs {
		name, err := from.file(blob.Package, blob.File)
		if err != nil {
			return err
		}
		code, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if int64(len(code)) > blob.Most || blob.Offset+blob.Most > disk.BootStart {
			return fmt.Errorf("%s: %d bytes do not fit into the %d at %d", blob.File, len(code), blob.Most, blob.Offset)
		}
		if _, err := w.WriteAt(code, blob.Offset); err != nil {
			return err
		}
	}
	if len(b.Blobs) == 0 || b.Loader != boards.LoaderUBoot {
		return nil
	}
	// U-Boot is on the card, and so is what keeps it from listening to the console.
	board := ubootBoards[b.Name]()
	env, err := board.Environment()
	if err != nil {
		return err
	}
	_, err = w.WriteAt(env, board.EnvironmentAt)
	return err
}

// packagesOf are the Go packages that are compiled for a board.
func packagesOf(b boards.Board) []string {
	const own = "github.com/truechimer/truechimer/"
	list := []string{own + "appliance", own + "image/earlyboot", "github.com/gokrazy/gokrazy/cmd/randomd"}
	if b.Kernel.Initrd {
		list = append(list, own+"image/earlyboot/initrd")
	}
	return list
}
