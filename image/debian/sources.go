package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MirrorVariable is the environment variable that names a mirror of Debian where
// apt's own sources have none: the base that holds dists and pool. The base of
// the security archive is the same with "-security" appended.
const MirrorVariable = "TRUECHIMER_DEBIAN_MIRROR"

const (
	release    = "bookworm" // its 6.12 kernels are those that images boot
	components = "main non-free-firmware"
	sourcesMax = 1 << 20 // bytes of one sources file
	uriMax     = 1024
)

// source is one archive to take packages from.
type source struct {
	URI, Suite string
	SignedBy   string // as in deb822: a file, fingerprints or a key; may have lines
	Trusted    string // "yes" where the machine's owner said so
}

// hostSources reads apt's sources below dir, in both of sources.list(5)'s forms,
// and keeps what is of Debian's release.
func hostSources(dir string) ([]source, error) {
	files := []string{filepath.Join(dir, "sources.list")}
	entries, err := os.ReadDir(filepath.Join(dir, "sources.list.d"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		files = append(files, filepath.Join(dir, "sources.list.d", e.Name()))
	}
	var all []source
	for _, file := range files {
		parse := parseList
		switch filepath.Ext(file) {
		case ".sources":
			parse = parseSources
		case ".list":
		default:
			continue // as apt does
		}
		b, err := readBounded(file, sourcesMax)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, found...)
	}
	return slices.Compact(slices.SortedFunc(slices.Values(all), func(a, b source) int {
		return strings.Compare(a.text(), b.text())
	})), nil
}

// mirrorSources are the sources of a mirror that a person named.
func mirrorSources(base, keyring string) ([]source, error) {
	base = strings.TrimRight(base, "/")
	if !plainURI(base) {
		return nil, fmt.Errorf("%s: %.80q is no address of a mirror", MirrorVariable, base)
	}
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("the keys of Debian are missing: %w; install debian-archive-keyring", err)
	}
	return []source{
		{URI: base, Suite: release, SignedBy: keyring},
		{URI: base, Suite: release + "-updates", SignedBy: keyring},
		{URI: base + "-security", Suite: release + "-security", SignedBy: keyring},
	}, nil
}

// parseSources reads the form of deb822.
func parseSources(b []byte) ([]source, error) {
	all, err := paragraphs(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var found []source
	for _, p := range all {
		enabled := strings.ToLower(strings.TrimSpace(p["enabled"]))
		if enabled == "no" || enabled == "false" || enabled == "0" || !slices.Contains(strings.Fields(p["types"]), "deb") {
			continue
		}
		found = append(found, ours(source{SignedBy: p["signed-by"], Trusted: p["trusted"]},
			strings.Fields(p["uris"]), strings.Fields(p["suites"]), strings.Fields(p["components"]))...)
	}
	return found, nil
}

// parseList reads the form of one line each: deb [options] uri suite components.
func parseList(b []byte) ([]source, error) {
	var found []source
	for n, line := range strings.Split(string(b), "\n") {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
			continue // a blank line, deb-src
		}
		var s source
		rest = strings.TrimSpace(rest)
		if options, ok := strings.CutPrefix(rest, "["); ok {
			options, rest, ok = strings.Cut(options, "]")
			if !ok {
				return nil, fmt.Errorf("line %d: [ is not closed", n+1)
			}
			for _, option := range strings.Fields(options) {
				key, value, _ := strings.Cut(option, "=")
				switch strings.ToLower(key) {
				case "signed-by":
					s.SignedBy = strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == ',' }), " ")
				case "trusted":
					s.Trusted = value
				}
			}
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return nil, fmt.Errorf("line %d: a source has an address and a suite", n+1)
		}
		found = append(found, ours(s, fields[:1], fields[1:2], fields[2:])...)
	}
	return found, nil
}

// ours keeps what is Debian's release, under the name that stays its own: what
// "stable" means changes with every release.
func ours(s source, uris, suites, components []string) []source {
	if !slices.Contains(components, "main") {
		return nil // other archives use a release's name too
	}
	if strings.ContainsFunc(s.SignedBy, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
		return nil // nothing that apt could read
	}
	if s.Trusted != "yes" {
		s.Trusted = ""
	}
	var found []source
	for _, uri := range uris {
		for _, suite := range suites {
			name, part, _ := strings.Cut(suite, "-")
			switch name {
			case release:
			case "stable", "oldstable", "oldoldstable", "testing", "unstable", "sid", "trixie", "forky":
				// A mirror of Debian has all of its releases.
				if !strings.Contains(uri, "debian") {
					continue // many archives of others have a "stable"
				}
			default:
				continue
			}
			if !slices.Contains([]string{"", "updates", "security"}, part) || !plainURI(uri) {
				continue
			}
			s.URI, s.Suite = strings.TrimRight(uri, "/"), release
			if part != "" {
				s.Suite += "-" + part
			}
			found = append(found, s)
		}
	}
	return found
}

// plainURI says whether an address can be written into a sources file. Discs are
// left out: they ask for somebody to put them in.
func plainURI(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, ":")
	return ok && scheme != "" && rest != "" && scheme != "cdrom" && len(uri) <= uriMax &&
		!strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' })
}

// text is the source in deb822, for both architectures of images.
func (s source) text() string {
	text := "Types: deb\nURIs: " + s.URI + "/\nSuites: " + s.Suite +
		"\nComponents: " + components + "\nArchitectures: amd64 arm64\n"
	if s.SignedBy != "" {
		text += "Signed-By: " + s.SignedBy + "\n"
	}
	if s.Trusted != "" {
		text += "Trusted: " + s.Trusted + "\n"
	}
	return text
}
