package debian

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // bytes
	arMax    = 16 // members; a package has three

	fileMax    = 512 << 20 // bytes of one file in a package
	packageMax = 4 << 30   // bytes of a package, unpacked; a kernel has 200 MB
	entriesMax = 200_000   // a kernel has 7000
	nameMax    = 1024      // bytes of a path
)

// Walk visits what a package installs, in the package's order. Names come
// without "./" at their beginning and "/" at their end. Directories, links and
// the like are headers only. It refuses names that lead out of the directory
// that they are meant for, and what exceeds its bounds: 512 MiB a file, 4 GiB a
// package. r is valid until visit returns.
func Walk(file string, visit func(h *tar.Header, r io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := walk(f, info.Size(), visit); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func walk(r io.ReaderAt, size int64, visit func(h *tar.Header, r io.Reader) error) error {
	name, data, err := dataMember(r, size)
	if err != nil {
		return err
	}
	// Buffered, since xz reads single bytes: each would be a call of the system.
	plain, err := decompressor(name, bufio.NewReaderSize(data, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer plain.Close()
	if err := walkTar(tar.NewReader(&limited{plain, packageMax}), visit); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// dataMember finds data.tar in a package, as deb(5) has it: an ar archive whose
// members are debian-binary, control.tar and data.tar, with others that begin
// with "_" between them.
func dataMember(r io.ReaderAt, size int64) (string, io.Reader, error) {
	head := make([]byte, arHeader)
	if _, err := r.ReadAt(head[:len(arMagic)], 0); err != nil || string(head[:len(arMagic)]) != arMagic {
		return "", nil, errors.New("no package of Debian: it is no ar archive")
	}
	at := int64(len(arMagic))
	for n := range arMax {
		if at+arHeader > size {
			return "", nil, errors.New("no data.tar in the package")
		}
		if _, err := r.ReadAt(head, at); err != nil {
			return "", nil, err
		}
		at += arHeader
		name := strings.TrimSuffix(strings.TrimRight(string(head[:16]), " "), "/")
		length, err := strconv.ParseUint(strings.TrimRight(string(head[48:58]), " "), 10, 63)
		if err != nil || string(head[58:]) != "`\n" || int64(length) > size-at {
			return "", nil, fmt.Errorf("member %d of the package is cut short or no member", n+1)
		}
		member := io.NewSectionReader(r, at, int64(length))
		switch {
		case n == 0:
			if err := checkFormat(name, member); err != nil {
				return "", nil, err
			}
		case name == "data.tar", name == "data.tar.xz", name == "data.tar.zst", name == "data.tar.gz":
			return name, member, nil
		case strings.HasPrefix(name, "data.tar"):
			return "", nil, fmt.Errorf("%s: only xz, zst and gz are understood", name)
		}
		at += int64(length) + int64(length)&1
	}
	return "", nil, fmt.Errorf("no data.tar among the first %d members of the package", arMax)
}

func checkFormat(name string, member *io.SectionReader) error {
	version := make([]byte, 2)
	if _, err := io.ReadFull(member, version); err != nil || name != "debian-binary" || string(version) != "2." {
		return errors.New("no package of Debian's format 2")
	}
	return nil
}

func walkTar(t *tar.Reader, visit func(h *tar.Header, r io.Reader) error) error {
	for range entriesMax {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Name, err = cleanName(h.Name); err != nil {
			return err
		}
		if h.Name == "." {
			continue
		}
		var content io.Reader = bytes.NewReader(nil)
		if h.Typeflag == tar.TypeReg {
			if h.Size > fileMax {
				return fmt.Errorf("%s: %w: more than %d bytes", h.Name, ErrTooLarge, fileMax)
			}
			content = t
		}
		if err := visit(h, content); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d files", ErrTooLarge, entriesMax)
}

// cleanName is a name within the package, "." for its root.
func cleanName(name string) (string, error) {
	short := strings.TrimSuffix(name, "/")
	if short != "." {
		short = strings.TrimPrefix(short, "./")
	}
	if len(short) > nameMax || path.IsAbs(short) || path.IsAbs(name) || short == "" || path.Clean(short) != short ||
		short == ".." || strings.HasPrefix(short, "../") || strings.ContainsRune(short, 0) {
		return "", fmt.Errorf("%.80q is no name within a package", name)
	}
	return short, nil
}

// limited fails where a reader has more than it may.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: the package unpacks to more than %d bytes", ErrTooLarge, packageMax)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
