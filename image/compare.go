package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// content is one file of either file system, for comparing.
type content struct {
	kind string // mode and link target; in the boot file system whether it is a directory
	size int64
	open func() (io.Reader, error)
}

// compareImages says where two images differ: by partition, and in a partition
// by file. Nothing is said of equal ones.
func compareImages(have, want *inspected) ([]string, error) {
	var found []string
	for _, p := range []struct {
		name        string
		start, size int64
		list        func(*inspected) (map[string]content, error)
	}{
		{"partition table", 0, disk.BootStart, nil},
		{"boot partition", disk.BootStart, disk.BootSize, bootFiles},
		{"state partition", disk.StateStart, disk.StateSize, nil},
		{"root a", disk.RootAStart, disk.DiskSize, rootFiles},
	} {
		same, at, err := sameBytes(section(have, p.start, p.size), section(want, p.start, p.size))
		if err != nil {
			return nil, err
		}
		if same {
			continue
		}
		var files []string
		if p.list != nil {
			if files, err = compareFiles(have, want, p.list); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
		if len(files) == 0 {
			found = append(found, fmt.Sprintf("%s: differs from byte %d on, in no file", p.name, at))
		}
		for _, f := range files {
			found = append(found, p.name+": "+f)
		}
	}
	return found, nil
}

func section(i *inspected, start, size int64) io.Reader {
	return io.NewSectionReader(i.file, start, min(size, max(0, i.size-start)))
}

// sameBytes says whether two readers yield the same, and if not, from which
// byte on they differ.
func sameBytes(a, b io.Reader) (same bool, at int64, err error) {
	const chunk = 1 << 20
	x, y := make([]byte, chunk), make([]byte, chunk)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, at, err
			}
		}
		if !bytes.Equal(x[:n], y[:m]) {
			i := 0
			for i < min(n, m) && x[i] == y[i] {
				i++
			}
			return false, at + int64(i), nil
		}
		if n < chunk {
			return true, 0, nil
		}
		at += chunk
	}
}

// compareFiles says which files differ, in the order of their names.
func compareFiles(have, want *inspected, list func(*inspected) (map[string]content, error)) ([]string, error) {
	a, err := list(have)
	if err != nil {
		return nil, err
	}
	b, err := list(want)
	if err != nil {
		return nil, err
	}
	var found []string
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		x, inA := a[path]
		y, inB := b[path]
		switch {
		case !inB:
			found = append(found, fmt.Sprintf("/%s is in the image, but not in the rebuilt one", path))
		case !inA:
			found = append(found, fmt.Sprintf("/%s is missing from the image", path))
		case x.kind != y.kind:
			found = append(found, fmt.Sprintf("/%s is %s in the image, %s in the rebuilt one", path, x.kind, y.kind))
		default:
			same, at, err := x.same(y)
			if err != nil {
				return nil, fmt.Errorf("/%s: %w", path, err)
			}
			if !same {
				found = append(found, fmt.Sprintf("/%s has other bytes: %d in the image, %d in the rebuilt one, the same up to byte %d", path, x.size, y.size, at))
			}
		}
	}
	return found, nil
}

func (c content) same(d content) (same bool, at int64, err error) {
	a, err := c.open()
	if err != nil {
		return false, 0, err
	}
	b, err := d.open()
	if err != nil {
		return false, 0, err
	}
	return sameBytes(a, b)
}

func rootFiles(i *inspected) (map[string]content, error) {
	files := make(map[string]content)
	for path, item := range i.root {
		kind := item.Mode.String()
		if item.Mode.Type() == fs.ModeSymlink {
			kind = "a link to " + item.Target
		}
		files[path] = content{kind, item.Size, func() (io.Reader, error) { return item.Content(i.rootImage()), nil }}
	}
	return files, nil
}

// bootFiles lists the boot file system, which need not be one of ours in good order.
func bootFiles(i *inspected) (map[string]content, error) {
	const most, deepest = 1 << 14, 16 // files; directories within each other
	files := make(map[string]content)
	var walk func(dir string, depth int) error
	walk = func(dir string, depth int) error {
		entries, err := i.fat.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := e.Name
			if dir != "" {
				path = dir + "/" + path
			}
			if len(files) == most || depth > deepest {
				return fmt.Errorf("%w: more than %d files, or %d directories within each other", bootfs.ErrCorrupt, most, deepest)
			}
			kind := "a file of " + e.ModTime.Format("2006-01-02 15:04:05")
			if e.Dir {
				kind = "a directory"
			}
			files[path] = content{kind, e.Size, func() (io.Reader, error) { return i.bootFile(path, e.Dir) }}
			if e.Dir {
				if err := walk(path, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return files, walk("", 0)
}

func (i *inspected) bootFile(path string, dir bool) (io.Reader, error) {
	if dir {
		return bytes.NewReader(nil), nil
	}
	extents, err := i.fat.Extents(path)
	if err != nil {
		return nil, err
	}
	var parts []io.Reader
	for _, e := range extents {
		parts = append(parts, io.NewSectionReader(i.boot(), e.Offset, e.Length))
	}
	return io.MultiReader(parts...), nil
}
