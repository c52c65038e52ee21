package debian

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"
)

const (
	extractMax = 1 << 30 // bytes of all that one call extracts
	linksMax   = 8       // links that lead to a file
)

// Extract returns the files of a package whose paths match a pattern: one of
// path.Match, or one that ends with "/**" for everything below a directory. A
// link stands for the file of the same package that it leads to; where it leads
// elsewhere, it is an error if it was named without a wildcard, and left out
// otherwise. A pattern that matches no file is an error.
func Extract(file string, patterns ...string) (map[string][]byte, error) {
	for _, p := range patterns {
		if _, err := matchPath(p, "x"); err != nil {
			return nil, fmt.Errorf("%q: %w", p, err)
		}
	}
	e := &extraction{files: make(map[string][]byte), links: make(map[string]string)}
	err := Walk(file, func(h *tar.Header, r io.Reader) error {
		target, isLink := linkTarget(h)
		if isLink {
			if len(e.links) == entriesMax {
				return ErrTooLarge
			}
			e.links[h.Name] = target
			return nil
		}
		if h.Typeflag != tar.TypeReg || !matchesAny(patterns, h.Name) {
			return nil
		}
		return e.take(h, r)
	})
	if err != nil {
		return nil, err
	}
	if err := e.follow(file, patterns); err != nil {
		return nil, err
	}
	for _, p := range patterns {
		if !e.has(p) {
			if to, ok := e.links[p]; ok {
				return nil, fmt.Errorf("%s: %s is a link to %s, which the package does not have", file, p, to)
			}
			return nil, fmt.Errorf("%s: no file of the package is %s", file, p)
		}
	}
	return e.files, nil
}

type extraction struct {
	files map[string][]byte
	links map[string]string // where every link of the package leads, as a path within it
	size  int64
}

// take reads one file.
func (e *extraction) take(h *tar.Header, r io.Reader) error {
	if _, ok := e.files[h.Name]; ok {
		return fmt.Errorf("%s is in the package twice", h.Name)
	}
	if e.size += h.Size; e.size > extractMax {
		return fmt.Errorf("%s: %w: more than %d bytes in all", h.Name, ErrTooLarge, extractMax)
	}
	b, err := io.ReadAll(r)
	e.files[h.Name] = b
	return err
}

// follow puts files in the places of links that match; a second walk reads
// those that the first had no reason to.
func (e *extraction) follow(file string, patterns []string) error {
	wanted := make(map[string]string) // link -> file
	missing := make(map[string]bool)
	for link := range e.links {
		if !matchesAny(patterns, link) {
			continue
		}
		wanted[link] = e.resolve(link)
		if _, ok := e.files[wanted[link]]; !ok {
			missing[wanted[link]] = true
		}
	}
	extra := &extraction{files: make(map[string][]byte), size: e.size}
	if len(missing) > 0 {
		err := Walk(file, func(h *tar.Header, r io.Reader) error {
			if h.Typeflag != tar.TypeReg || !missing[h.Name] {
				return nil
			}
			return extra.take(h, r)
		})
		if err != nil {
			return err
		}
	}
	for link, to := range wanted {
		b, ok := e.files[to]
		if !ok {
			b, ok = extra.files[to]
		}
		if ok {
			extra.files[link] = b
		}
	}
	for link := range wanted {
		if b, ok := extra.files[link]; ok {
			e.files[link] = b
		}
	}
	return nil
}

// resolve follows links to what is no link; directories that are links are
// followed too.
func (e *extraction) resolve(name string) string {
	for range linksMax {
		next := e.step(name)
		if next == name {
			break
		}
		name = next
	}
	return name
}

// step replaces the first part of a path that is a link.
func (e *extraction) step(name string) string {
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if to, ok := e.links[name[:i]]; ok {
			return strings.TrimPrefix(path.Join("/", to, name[i:]), "/")
		}
	}
	return name
}

func (e *extraction) has(pattern string) bool {
	for name := range e.files {
		if ok, _ := matchPath(pattern, name); ok {
			return true
		}
	}
	return false
}

// linkTarget is where a link leads, as a path from the package's root. What
// leads out of the root stays at it, as for the kernel.
func linkTarget(h *tar.Header) (string, bool) {
	switch {
	case h.Typeflag == tar.TypeLink, h.Typeflag == tar.TypeSymlink && path.IsAbs(h.Linkname):
		return strings.TrimPrefix(path.Join("/", h.Linkname), "/"), true
	case h.Typeflag == tar.TypeSymlink:
		return strings.TrimPrefix(path.Join("/", path.Dir(h.Name), h.Linkname), "/"), true
	}
	return "", false
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, _ := matchPath(p, name); ok {
			return true
		}
	}
	return false
}

// matchPath is path.Match, with "dir/**" for everything below dir.
func matchPath(pattern, name string) (bool, error) {
	dir, below := strings.CutSuffix(pattern, "/**")
	if !below {
		return path.Match(pattern, name)
	}
	depth := strings.Count(dir, "/") + 1
	if parts := strings.Split(name, "/"); len(parts) > depth {
		return path.Match(dir, strings.Join(parts[:depth], "/"))
	}
	_, err := path.Match(dir, "")
	return false, err
}
