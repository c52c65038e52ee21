package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/truechimer/truechimer/appliance/durable"
)

// Dir is the directory on the station's own partition that the last good
// configuration is kept in.
const Dir = "/perm/truechimer"

// The file in it: a first line that names its form, what was taken from where,
// a line that ends this, and the truechimer.toml in force. All in one file, so
// that a power cut cannot part them. It holds passwords: its mode is 0600.
const (
	KeptName = "config.toml" // in Dir
	keptHead = "# truechimer: the configuration in force, form 1"
	keptBody = "# what follows is truechimer.toml as it was taken"
)

// pageName is what the kept file calls a truechimer.toml that was made on the
// station's page.
const pageName = "page"

// headMax bounds what is before the body, bytes: a dozen hashes and a few
// values. Parse bounds the rest.
const headMax = 8 << 10

// kept is what was taken, and from where.
type kept struct {
	// taken is the SHA-256 of each file as it was last seen, by its name.
	taken map[string]string
	given given
	// body is the truechimer.toml in force, nil: none was ever taken.
	body []byte
	own  Config // what body says
}

// keptFile is the first part of the file as TOML.
type keptFile struct {
	Taken map[string]string `toml:"taken" comment:"The SHA-256 of what was taken. What has another one is taken anew."`
	Card  *keptGiven        `toml:"card,omitempty" comment:"What the card was customised with. truechimer.toml below hides what it gives itself."`
}

type keptGiven struct {
	Hostname string `toml:"hostname,omitempty"`
	Timezone string `toml:"timezone,omitempty"`
	SSID     string `toml:"ssid,omitempty"`
	SSIDHex  string `toml:"ssid_hex,omitempty"` // where it is no text
	Password string `toml:"password,omitempty"`
	Country  string `toml:"country,omitempty"`
	Hidden   bool   `toml:"hidden,omitempty"`
}

// readKept reads the file. Whatever of it is damaged is as if it had never
// been taken, and the error says so.
func readKept(dir string) (kept, error) {
	k := kept{taken: map[string]string{}, own: Default()}
	if dir == "" {
		return k, nil
	}
	path := filepath.Join(dir, KeptName)
	text, err := durable.ReadBounded(path, MaxSize+headMax)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("the last good configuration: %w", err)
	}
	return parseKept(path, text)
}

func parseKept(path string, text []byte) (kept, error) {
	none := kept{taken: map[string]string{}, own: Default()}
	damaged := fmt.Errorf("the last good configuration %s is damaged, or of a form that this release does not know; put %s on the card's FAT volume again", path, FileName)
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	head, body, whole := bytes.Cut(rest, []byte("\n"+keptBody+"\n"))
	if string(first) != keptHead || !whole || len(text)-len(body) > headMax {
		return none, damaged
	}
	var f keptFile
	if toml.Unmarshal(head, &f) != nil { // its error may show a password
		return none, damaged
	}
	k := kept{taken: map[string]string{}, own: Default()}
	for name, sum := range f.Taken {
		if len(name) <= maxName && len(sum) == hex.EncodedLen(32) {
			k.taken[name] = sum
		}
	}
	if f.Card != nil {
		k.given = f.Card.given().checked()
	}
	if k.taken[FileName] == "" && k.taken[smbiosName] == "" && k.taken[pageName] == "" {
		return k, nil
	}
	// The lines of the head stay, empty, so that errors count them.
	above := bytes.Repeat([]byte{'\n'}, bytes.Count(text[:len(text)-len(body)], []byte{'\n'}))
	own, err := parse(path, append(above, body...), MaxSize+len(above))
	if err != nil {
		delete(k.taken, FileName)
		delete(k.taken, smbiosName)
		delete(k.taken, pageName)
		return k, err
	}
	k.body, k.own = body, own
	return k, nil
}

func (g *keptGiven) given() given {
	out := given{hostname: g.Hostname, timezone: g.Timezone}
	if ssid := g.SSID + unhex(g.SSIDHex); ssid != "" {
		out.wifi = &Wifi{SSID: ssid, Password: NewSecret(g.Password), Country: g.Country, Hidden: g.Hidden}
	}
	return out
}

// text is the whole file.
func (k kept) text() ([]byte, error) {
	f := keptFile{Taken: k.taken}
	if !k.given.nothing() {
		f.Card = &keptGiven{Hostname: k.given.hostname, Timezone: k.given.timezone}
		if w := k.given.wifi; w != nil {
			f.Card.SSID, f.Card.Password, f.Card.Country, f.Card.Hidden = w.SSID, w.Password.Reveal(), w.Country, w.Hidden
			if !utf8.ValidString(w.SSID) || strings.ContainsFunc(w.SSID, func(r rune) bool { return r < ' ' }) {
				f.Card.SSID, f.Card.SSIDHex = "", hex.EncodeToString([]byte(w.SSID))
			}
		}
	}
	head, err := toml.Marshal(f)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n%s\n%s\n", keptHead, head, keptBody)
	b.Write(bytes.TrimPrefix(k.body, []byte("\xef\xbb\xbf")))
	return b.Bytes(), nil
}

// write writes the file anew, so that a power cut leaves the old one or the
// new one and nothing in between.
func (k kept) write(dir string) error {
	text, err := k.text()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, KeptName), text)
}
