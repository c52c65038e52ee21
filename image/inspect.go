package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/packed"
	"github.com/truechimer/truechimer/image/squash"
)

// maxNote bounds the small files of a root that say what the image is, bytes.
const maxNote = 64 << 10

// inspected is an image file as it describes itself.
type inspected struct {
	file io.ReaderAt
	size int64
	fat  *bootfs.FS
	root map[string]squash.Item

	// made is what it was built from; Dir and Log are not set. No version: older
	// than images that say so.
	made      buildOptions
	toolchain string // of Go, as "go1.26.0"
}

// inspect reads what an image says of itself. It is trusted no further than
// that: a rebuild shows whether it is so.
func inspect(file io.ReaderAt, size int64) (*inspected, error) {
	i := &inspected{file: file, size: size, root: map[string]squash.Item{}}
	table, err := disk.Read(file)
	if err != nil {
		return nil, fmt.Errorf("this is no station's image: %w", err)
	}
	items, err := squash.Read(i.rootImage(), size-disk.RootAStart)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		i.root[item.Path] = item
	}
	if err := i.readNotes(); err != nil {
		return nil, err
	}
	if err := table.Check(i.made.Board); err != nil {
		return nil, err
	}
	if i.fat, err = bootfs.Open(i.boot()); err != nil {
		return nil, err
	}
	if i.made.Config, err = i.fat.ReadFile(config.FileName, config.MaxSize); err != nil {
		return nil, err
	}
	return i, i.readPrograms()
}

func (i *inspected) boot() *io.SectionReader {
	return io.NewSectionReader(i.file, disk.BootStart, disk.BootSize)
}

func (i *inspected) rootImage() *io.SectionReader {
	return io.NewSectionReader(i.file, disk.RootAStart, max(0, i.size-disk.RootAStart))
}

// note reads a small file of the root.
func (i *inspected) note(path string) (string, error) {
	item, ok := i.root[path]
	if !ok || !item.Mode.IsRegular() {
		return "", fmt.Errorf("/%s: %w", path, fs.ErrNotExist)
	}
	if item.Size > maxNote {
		return "", fmt.Errorf("/%s has %d bytes, at most %d are expected", path, item.Size, maxNote)
	}
	b, err := io.ReadAll(item.Content(i.rootImage()))
	return string(b), err
}

func (i *inspected) readNotes() error {
	board, err := i.note("etc/truechimer/board")
	if err != nil {
		return err
	}
	i.made.Board = strings.TrimSpace(board)
	if _, err := boards.ByName(i.made.Board); err != nil {
		return err
	}
	date, err := i.note("etc/truechimer/build")
	if err != nil {
		return err
	}
	if i.made.Date, err = time.Parse(time.RFC3339, strings.TrimSpace(date)); err != nil {
		return fmt.Errorf("/etc/truechimer/build: %w", err)
	}
	for path, take := range map[string]func(text string){
		"etc/truechimer/version":         func(text string) { i.made.Version = strings.TrimSpace(text) },
		"etc/truechimer/dev":             func(string) { i.made.Dev = true },
		"etc/breakglass.authorized_keys": func(text string) { i.made.Keys = []byte(text) },
		origin.RootPath:                  func(text string) { i.made.Trust = []byte(text) },
		origin.Path:                      func(text string) { i.made.Update = []byte(text) },
		fastPath:                         func(string) { i.made.Fast = true },
	} {
		text, err := i.note(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		take(text)
	}
	return nil
}

// readPrograms finds out which toolchain made the appliance, and which
// programs a builder added.
func (i *inspected) readPrograms() error {
	info, err := i.program("user/appliance")
	if err != nil {
		return err
	}
	i.toolchain = info.GoVersion
	list, err := i.note("etc/truechimer/extra")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, path := range strings.Fields(list) {
		info, err := i.program(strings.TrimPrefix(path, "/"))
		if err != nil {
			return err
		}
		if info.Path != shellStarter {
			i.made.Extra = append(i.made.Extra, info.Path)
		}
	}
	return nil
}

// program reads what the linker wrote into a program of the root.
func (i *inspected) program(path string) (*buildinfo.BuildInfo, error) {
	item, ok := i.root[path]
	if !ok {
		return nil, fmt.Errorf("/%s: %w", path, fs.ErrNotExist)
	}
	info, err := buildinfo.Read(item.Content(i.rootImage()))
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", path, err)
	}
	return info, nil
}

// unpack opens an image file for reading at any place, unpacked into dir
// where it is compressed.
func unpack(ctx context.Context, name, dir string) (file *os.File, size int64, err error) {
	in, err := packed.Open(name, disk.DiskSize)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	if in.Size != 0 {
		if in.Size > disk.DiskSize {
			return nil, 0, fmt.Errorf("%s: %w", name, packed.ErrTooLarge)
		}
		file, err = os.Open(name)
		return file, in.Size, err
	}
	out, err := os.Create(filepath.Join(dir, "unpacked.img"))
	if err != nil {
		return nil, 0, err
	}
	if size, err = copySparse(ctx, out, in); err != nil {
		return nil, 0, errors.Join(err, out.Close())
	}
	return out, size, nil
}

// copySparse copies, leaving holes where nothing but zeros would be written.
func copySparse(ctx context.Context, out *os.File, in io.Reader) (size int64, err error) {
	buf := make([]byte, 1<<20)
	zeros := make([]byte, len(buf))
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := io.ReadFull(in, buf)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := out.WriteAt(buf[:n], size); err != nil {
				return 0, err
			}
		}
		size += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return size, out.Truncate(size)
		}
		if err != nil {
			return 0, err
		}
	}
}
