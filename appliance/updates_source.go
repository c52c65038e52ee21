package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/squash"
)

const (
	// defaultChannel is what a station takes of hosts that only truechimer.toml names.
	defaultChannel = "stable"
	// ownRootName is an operator's own root metadata, on the FAT volume.
	ownRootName = "root.json"
)

// updateSource is where this station's updates come from, all things considered.
type updateSource struct {
	hosts   []string
	channel string
	epoch   int
	floor   tuf.Floor
	root    []byte // of the image; nil: it has none
	own     []byte // on the card, checked; nil: there is none that can be used
	ownErr  error  // why not, where there is one
	hold    string // why nothing is updated; empty: it is
}

// updateSource puts together what the image, the card and truechimer.toml say. kept
// says whether the updater has kept a file of that name, bundled that there is a
// bundle, which takes the place of a host.
func (p *platform) updateSource(conf config.Update, bundled bool, kept func(name string) bool) updateSource {
	o := updateSource{channel: defaultChannel}
	said, err := p.imageOrigin()
	if err == nil {
		o.root, err = p.imageRoot()
	}
	if said.Channel != "" {
		o.channel = said.Channel
	}
	if conf.Channel != "" {
		o.channel = conf.Channel
	}
	o.hosts, o.epoch, o.floor = said.URLs, said.Epoch, said.Floor
	if conf.URLs != nil {
		o.hosts = conf.URLs
	}
	if conf.Enabled {
		o.own, o.ownErr = p.readOwnRoot()
	}
	switch {
	case !conf.Enabled:
		o.hold = "Updates are switched off in truechimer.toml."
	case err != nil:
		o.hold = fmt.Sprintf("What this image says of updates is damaged (%v): write the card anew.", err)
	case len(o.hosts) == 0 && !bundled:
		o.hold = "There is no update host: neither this image nor truechimer.toml names one."
	case o.root == nil && o.own == nil && !kept("root.json"):
		o.hold = "There is an update host or a bundle, but no root.json by which to tell whose releases are the right ones."
	}
	return o
}

// imageOrigin is what the image says; the zero Origin where it says nothing.
func (p *platform) imageOrigin() (origin.Origin, error) {
	b, err := p.imageFile(origin.Path, origin.MaxSize)
	if b == nil || err != nil {
		return origin.Origin{}, err
	}
	o, err := origin.Parse(b)
	if err != nil {
		return origin.Origin{}, fmt.Errorf("%s: %w", origin.Path, err)
	}
	return o, nil
}

func (p *platform) imageRoot() ([]byte, error) {
	b, err := p.imageFile(origin.RootPath, origin.MaxRoot)
	if b == nil || err != nil {
		return nil, err
	}
	if err := origin.CheckRoot(b); err != nil {
		return nil, fmt.Errorf("%s: %w", origin.RootPath, err)
	}
	return b, nil
}

// imageFile reads a file of the root file system; nil where there is none. One
// that is longer than most is cut off behind one byte more, and refused by those
// who check it.
func (p *platform) imageFile(name string, most int64) ([]byte, error) {
	b, err := durable.ReadBounded(filepath.Join("/", p.root, name), most)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// readOwnRoot reads root.json on the card; nil where there is none.
func (p *platform) readOwnRoot() ([]byte, error) {
	fat, end, err := p.openCard()
	if err != nil {
		return nil, nil // which loadConfig has told
	}
	defer end()
	b, err := fat.ReadFile(ownRootName, origin.MaxRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := origin.CheckRoot(b); err != nil {
		return nil, err
	}
	return b, nil
}

// ownRoot tells what became of root.json on the card; anchor is whom the station
// trusts already, see update.Anchor. Empty: nothing to tell.
func (o updateSource) ownRoot(anchor string) string {
	if o.ownErr != nil {
		return fmt.Sprintf("The root.json on the card is not taken: %v.", o.ownErr)
	}
	if o.own == nil {
		return ""
	}
	sum := sha256.Sum256(o.own)
	switch digest := hex.EncodeToString(sum[:]); anchor {
	case digest:
		return ""
	case "":
		return fmt.Sprintf("The root.json on the card says from now on whose releases this station takes (its SHA-256 begins with %s).", digest[:16])
	default:
		return "The root.json on the card is not taken: this station has begun to trust others. Write the card anew for it to trust these, or delete the file."
	}
}

// versionIn is the version that a root file system says it is; empty: none.
func versionIn(root io.ReaderAt) string {
	const longest = 64
	items, err := squash.Read(root, 512<<20)
	if err != nil {
		return ""
	}
	for _, i := range items {
		if i.Path == "etc/truechimer/version" && i.Size <= longest {
			b, err := io.ReadAll(i.Content(root))
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(b))
		}
	}
	return ""
}

// eeprom is the date of a Raspberry Pi's boot loader, Unix seconds; 0: not
// known. The boot loader leaves it in the device tree, as a big-endian number.
func (p *platform) eeprom() int64 {
	b, err := os.ReadFile(filepath.Join("/", p.root, "proc/device-tree/chosen/bootloader/build-timestamp"))
	if err != nil || len(b) != 4 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(b))
}
