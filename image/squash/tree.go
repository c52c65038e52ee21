package squash

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// node is one inode of the tree.
type node struct {
	path, name string
	mode       fs.FileMode
	size       int64
	open       func() (io.ReadCloser, error)
	target     string
	children   []*node // of a directory, in the order of their names' bytes

	start  int64  // where a file's content begins, bytes from the start of the image
	number uint32 // inode number, from 1
	inode  int    // offset in the inode table, not counting block headers
}

// makeTree checks the entries and puts them into a tree.
func makeTree(entries []Entry) (*node, error) {
	root := &node{path: ".", mode: fs.ModeDir | 0o755}
	// By path, a directory comes before what it holds, and errors name the
	// same entry whatever the order was.
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	for i, e := range sorted {
		if err := check(e); err != nil {
			return nil, err
		}
		if i > 0 && e.Path == sorted[i-1].Path {
			return nil, fmt.Errorf("%s: path is given twice", e.Path)
		}
		if e.Path == "." {
			root.mode = e.Mode
		}
	}
	byPath := map[string]*node{".": root}
	for _, e := range sorted {
		if e.Path == "." {
			continue
		}
		n := &node{path: e.Path, name: path.Base(e.Path), mode: e.Mode, open: e.Open}
		switch e.Mode.Type() {
		case 0:
			n.size = e.Size
		case fs.ModeSymlink:
			n.target = e.Target
		}
		if err := attach(byPath, n); err != nil {
			return nil, err
		}
	}
	for _, n := range byPath { // in any order: each is on its own
		slices.SortFunc(n.children, func(a, b *node) int { return cmp.Compare(a.name, b.name) })
	}
	return root, nil
}

// attach hangs n into the tree and makes the parents that are missing.
func attach(byPath map[string]*node, n *node) error {
	for {
		byPath[n.path] = n
		dir := path.Dir(n.path)
		if parent := byPath[dir]; parent != nil {
			if !parent.mode.IsDir() {
				return fmt.Errorf("%s: %s is not a directory", n.path, dir)
			}
			parent.children = append(parent.children, n)
			return nil
		}
		n = &node{path: dir, name: path.Base(dir), mode: fs.ModeDir | 0o755, children: []*node{n}}
	}
}

func check(e Entry) error {
	if err := checkPath(e.Path); err != nil {
		return fmt.Errorf("path %q %w", e.Path, err)
	}
	if e.Path == "." && !e.Mode.IsDir() {
		return errors.New("path \".\" is the root and must be a directory")
	}
	switch e.Mode.Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		if e.Target == "" || len(e.Target) > maxTarget || strings.Contains(e.Target, "\x00") {
			return fmt.Errorf("%s: link target %.64q must be 1 to %d bytes and hold no zero byte", e.Path, e.Target, maxTarget)
		}
	case 0:
		if e.Size < 0 || e.Size > MaxFileSize {
			return fmt.Errorf("%s: size %d is not within 0 to %d bytes; squashfs files of 4 GiB and more are not supported", e.Path, e.Size, int64(MaxFileSize))
		}
		if e.Size > 0 && e.Open == nil {
			return fmt.Errorf("%s: %d bytes are announced but there is nothing to open", e.Path, e.Size)
		}
	default:
		return fmt.Errorf("%s: mode %v is none of regular file, directory, symbolic link", e.Path, e.Mode)
	}
	return nil
}

func checkPath(p string) error {
	if p == "." {
		return nil
	}
	for elem := range strings.SplitSeq(p, "/") {
		switch {
		case elem == "":
			return errors.New("has an empty element; paths are relative, with single slashes")
		case elem == "." || elem == "..":
			return fmt.Errorf("has the element %q", elem)
		case strings.Contains(elem, "\x00"):
			return errors.New("has a zero byte")
		case len(elem) > maxName:
			return fmt.Errorf("has an element of %d bytes; at most %d are possible", len(elem), maxName)
		}
	}
	return nil
}
