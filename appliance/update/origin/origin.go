// Package origin says where an image's updates come from, and whom it trusts for
// them: two files that the publisher puts into the image and the station reads.
package origin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/update/tuf"
)

// The files of an image that say where its updates come from. One with neither
// updates from nowhere.
const (
	RootPath = "etc/truechimer/root.json"   // the root metadata that trust begins with
	Path     = "etc/truechimer/update.json" // an Origin
)

// MaxRoot and MaxSize bound those files, bytes.
const (
	MaxRoot = 128 << 10
	MaxSize = 16 << 10
)

// Origin is where an image's updates come from.
type Origin struct {
	URLs    []string  `json:"urls"`           // of the update hosts, as in truechimer.toml
	Channel string    `json:"channel"`        // likewise
	Epoch   int       `json:"epoch"`          // security epoch of the image's own release
	Floor   tuf.Floor `json:"floor,omitzero"` // of the metadata when the image was made
}

// Parse reads an Origin and checks it.
func Parse(b []byte) (Origin, error) {
	if len(b) > MaxSize {
		return Origin{}, fmt.Errorf("%d bytes, at most %d are read", len(b), MaxSize)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var o Origin
	if err := d.Decode(&o); err != nil {
		return Origin{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Origin{}, errors.New("something follows the object")
	}
	return o, o.Check()
}

// Check says whether a station would take it.
func (o Origin) Check() error {
	if len(o.URLs) > config.MaxUpdateHosts {
		return fmt.Errorf("%d update hosts, there may be %d", len(o.URLs), config.MaxUpdateHosts)
	}
	for _, u := range o.URLs {
		if err := config.CheckUpdateHost(u); err != nil {
			return err
		}
	}
	if err := config.CheckUpdateChannel(o.Channel); err != nil {
		return err
	}
	f := o.Floor
	if o.Epoch < 0 || min(f.Root, f.Timestamp, f.Snapshot, f.Targets) < 0 {
		return errors.New("a count is below 0")
	}
	return nil
}

// CheckRoot says whether a file is root metadata that trust can begin with: its
// own keys have signed it, as many as it demands (TUF 1.0, section 5.3.4). That
// it may have expired is no fault, for newer ones follow it.
func CheckRoot(b []byte) (err error) {
	if len(b) > MaxRoot {
		return fmt.Errorf("%d bytes, at most %d are read", len(b), MaxRoot)
	}
	defer func() {
		if v := recover(); v != nil { // what the library cannot bear is no root
			err = fmt.Errorf("it is no root metadata of TUF: %v", v)
		}
	}()
	root, err := metadata.Root().FromBytes(b)
	if err != nil {
		return fmt.Errorf("it is no root metadata of TUF: %w", err)
	}
	if err := root.VerifyDelegate(metadata.ROOT, root); err != nil {
		return fmt.Errorf("its own keys have not signed it: %w", err)
	}
	return nil
}
