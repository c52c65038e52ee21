package debian

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	const key = "/k.gpg"
	base, updates := source{URI: "http://a/debian", Suite: "bookworm", SignedBy: key}, source{URI: "http://a/debian", Suite: "bookworm-updates", SignedBy: key}
	security := source{URI: "http://a/debian-security", Suite: "bookworm-security", SignedBy: key}
	inline := "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc=\n -----END PGP PUBLIC KEY BLOCK-----"
	for name, c := range map[string]struct {
		list, sources string
		want          []source
		says          string
	}{
		"deb822": {"", "Types: deb deb-src\n# old\nURIs: http://a/debian/\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\n" +
			"types: deb\nuris: http://a/debian-security\nSuites: bookworm-security\nComponents: main contrib\nSigned-By: /k.gpg\n", []source{security, base, updates}, ""},
		"one line": {"# a comment\ndeb [ arch=amd64 signed-by=/k.gpg ] http://a/debian bookworm main # more\n\ndeb-src http://a/debian bookworm main\n" +
			"deb\t[signed-by=/k.gpg]\thttp://a/debian/\tbookworm-updates\tmain\n", "", []source{base, updates}, ""},
		"both say the same": {"deb [signed-by=/k.gpg] http://a/debian bookworm main\n", "Types: deb\nURIs: http://a/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n", []source{base}, ""},
		"aliases":           {"deb [signed-by=/k.gpg] http://a/debian stable main\ndeb [signed-by=/k.gpg] http://a/debian oldstable-updates main\n", "", []source{base, updates}, ""},
		"another release":   {"deb [signed-by=/k.gpg] http://a/debian trixie main\ndeb [signed-by=/k.gpg] http://a/debian sid-updates main\n", "", []source{base, updates}, ""},
		"stable of others":  {"deb http://a/chrome stable main\ndeb http://a/docker/debian bookworm stable\ndeb http://a/pg bookworm-pgdg main\ndeb http://a/debian trixie-backports main\ndeb http://a/ubuntu noble main\ndeb cdrom:[Debian]/ bookworm main\n", "", nil, ""},
		"disabled":          {"", "Enabled: no\nTypes: deb\nURIs: http://a/debian\nSuites: bookworm\nComponents: main\n", nil, ""},
		"source only":       {"", "Types: deb-src\nURIs: http://a/debian\nSuites: bookworm\nComponents: main\n", nil, ""},
		"key within":        {"", "Types: deb\nURIs: http://a/debian\nSuites: bookworm\nComponents: main\nSigned-By:" + inline + "\n", []source{{URI: "http://a/debian", Suite: "bookworm", SignedBy: inline}}, ""},
		"trusted":           {"deb [trusted=yes] file:/r bookworm main\ndeb [trusted=no] file:/q bookworm main\n", "", []source{{URI: "file:/q", Suite: "bookworm"}, {URI: "file:/r", Suite: "bookworm", Trusted: "yes"}}, ""},
		"open bracket":      {"deb [trusted=yes file:/r bookworm main\n", "", nil, "sources.list: line 1: [ is not closed"},
		"no suite":          {"deb http://a/debian\n", "", nil, "line 1: a source has"},
		"no field":          {"", "Types\n", nil, "debian.sources: line 1"},
		"nothing continued": {"", " Types: deb\n", nil, "continues nothing"},
		"twice":             {"", "Types: deb\nTypes: deb\n", nil, "twice"},
		"long line":         {"", "Types: " + strings.Repeat("x", maxControlLine), nil, "too long"},
		"huge":              {strings.Repeat("#", sourcesMax+1), "", nil, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			writeFile(t, filepath.Join(etc, "sources.list"), []byte(c.list))
			writeFile(t, filepath.Join(etc, "sources.list.d/debian.sources"), []byte(c.sources))
			writeFile(t, filepath.Join(etc, "sources.list.d/off.list.disabled"), []byte("deb http://off/debian bookworm main\n"))
			got, err := hostSources(etc)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	if got, err := hostSources(filepath.Join(t.TempDir(), "none")); got != nil || err != nil {
		t.Errorf("without a directory: %v, %v", got, err)
	}
}

// FuzzSources looks for what a sources file could smuggle into the one that is
// written from it.
func FuzzSources(f *testing.F) {
	f.Add("deb [signed-by=/k.gpg,/l.gpg trusted=yes] http://a/debian bookworm main\n")
	f.Add("Types: deb\nURIs: http://a/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n a\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func([]byte) ([]source, error){parseList, parseSources} {
			found, err := parse([]byte(text))
			if err != nil {
				continue
			}
			for _, s := range found {
				again, err := parseSources([]byte(s.text()))
				if err != nil || !slices.Equal(again, []source{s}) {
					t.Errorf("%+v is written as %q and read as %+v, %v", s, s.text(), again, err)
				}
			}
		}
	})
}

func FuzzOffers(f *testing.F) {
	f.Add("Package: ovmf\nVersion: 1\nArchitecture: all\nSize: 3\nSHA256: ab\nDescription: x\n y\n\nPackage: z\n")
	f.Fuzz(func(t *testing.T, text string) {
		offers, err := parseOffers(strings.NewReader(text))
		if err == nil && len(offers) > maxParagraphs {
			t.Errorf("%d offers", len(offers))
		}
		_ = fmt.Sprint(offers)
	})
}
