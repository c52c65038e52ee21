package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/image/packed"
)

// Image is one board's image.
type Image struct {
	Board, Title string
	File         string // unpacked
	Components   []Component
}

// Release is everything that is published of one version.
type Release struct {
	Version string
	Date    time.Time
	Images  []Image
	// URL is the address of the directory the files will be in; empty: not
	// known yet, and Imager's list names files only.
	URL      string
	Website  string
	Packages []string // files of packages that images can be built anew from
	Log      func(string, ...any)
}

// imagerBoard is the board whose image Raspberry Pi Imager writes.
const imagerBoard = "rpi"

// made is a packed image.
type made struct {
	file                  string // name in the release's directory
	plainSize, packedSize int64
	plainSum, packedSum   string // SHA-256, hex
}

// Write writes a release into a directory, which must be empty or not there yet.
func (r Release) Write(ctx context.Context, dir string) error {
	base, err := checkBase(r.URL)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if have, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(have) > 0 {
		return fmt.Errorf("%s is not empty, and a release has nothing in it that is older: remove it, or write -o with another directory", dir)
	}
	put := func(name string, content []byte) error { return os.WriteFile(filepath.Join(dir, name), content, 0o644) }
	var list bytes.Buffer
	fmt.Fprintf(&list, "What is in the images of truechimer %s, and under which licence. The texts are in each image.\n", r.Version)
	for _, i := range r.Images {
		name := "truechimer-" + i.Board + "-" + r.Version
		m, err := r.pack(ctx, i, filepath.Join(dir, name+".img"+packed.Suffix))
		if err != nil {
			return fmt.Errorf("%s: %w", i.Board, err)
		}
		bom, err := SBOM(i.Board, r.Version, r.Date, m.plainSum, i.Components)
		if err != nil {
			return err
		}
		if err := errors.Join(put(m.file+".sha256", []byte(m.packedSum+"  "+m.file+"\n")), put(name+".cdx.json", bom)); err != nil {
			return err
		}
		list.WriteString(licenceList(i))
		if i.Board != imagerBoard {
			continue
		}
		if err := r.imager(m, i, base, put); err != nil {
			return err
		}
	}
	if err := put("licences.txt", list.Bytes()); err != nil {
		return err
	}
	if err := keepPackages(filepath.Join(dir, PackagesDir), r.Packages); err != nil {
		return err
	}
	sums, err := sumAll(dir)
	if err != nil {
		return err
	}
	return put("SHA256SUMS", sums)
}

func (r Release) imager(m made, i Image, base string, put func(string, []byte) error) error {
	list, err := imagerJSON(m, i.Title, r.Version, r.Date, base, r.Website)
	if err != nil {
		return err
	}
	drawn, err := icon()
	if err != nil {
		return err
	}
	if base == "" {
		r.Log("imager.json names files only: before publishing, write -url with the address of the directory the files will be in")
	}
	return errors.Join(put("imager.json", list), put(IconFile, drawn))
}

// pack packs an image and measures both sides of it.
func (r Release) pack(ctx context.Context, i Image, to string) (m made, err error) {
	in, err := os.Open(i.File)
	if err != nil {
		return m, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	start := time.Now()
	plain, small := &measure{sum: sha256.New()}, &measure{sum: sha256.New()}
	if err := packed.Pack(io.MultiWriter(out, small), io.TeeReader(until{ctx, in}, plain)); err != nil {
		return m, err
	}
	r.Log("%s: %.1f MB packed into %.1f MB in %v", i.Board, float64(plain.n)/1e6, float64(small.n)/1e6, time.Since(start).Round(time.Second))
	return made{filepath.Base(to), plain.n, small.n, plain.hex(), small.hex()}, out.Sync()
}

// until reads until a context ends.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

type measure struct {
	sum hash.Hash
	n   int64
}

func (m *measure) Write(b []byte) (int, error) {
	m.n += int64(len(b))
	return m.sum.Write(b)
}

func (m *measure) hex() string { return fmt.Sprintf("%x", m.sum.Sum(nil)) }

// licenceList is an image's part of licences.txt: a line for each text.
func licenceList(i Image) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s (%s)\n", i.Board, i.Title)
	for _, c := range i.Components {
		for _, t := range c.Texts {
			id := cmp.Or(t.SPDX, "see the text")
			if t.notice() {
				id = "notice"
			}
			fmt.Fprintf(&b, "  %s\t%s\t%s\t%s\n", c.Name, c.Version, id, t.Path)
		}
	}
	return b.String()
}

// PackagesDir is where a release keeps the packages that it was made of.
const PackagesDir = "packages"

// keepPackages copies packages beside a release, so that it can be built anew
// when nobody else has them any more.
func keepPackages(dir string, files []string) error {
	if len(files) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, from := range files {
		if err := keep(filepath.Join(dir, filepath.Base(from)), from); err != nil {
			return fmt.Errorf("keeping packages: %w", err)
		}
	}
	return nil
}

func keep(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// Two packages of one name would be one.
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// sumAll is what sha256sum says of all files in a directory, in the order of
// their names.
func sumAll(dir string) ([]byte, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.Close()
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%x  %s\n", sum.Sum(nil), filepath.ToSlash(rel))
	}
	return b.Bytes(), nil
}
