package update

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// Anchor is whose root metadata a station has begun to trust: "" nobody's yet,
// "image" the image's, else the SHA-256, in hex, of the one that its operator put
// on the card. What cannot be read of it counts as nothing.
func Anchor(state *bootfs.State, store tuf.Store) string {
	m := memory{state: state, store: store}
	_ = m.load() // an Engine's Run tells what is lost
	return m.now.Anchor
}

// anchor is whose root metadata the station trusts, or would as the first.
func (e *Engine) anchor() string {
	switch {
	case e.mem.now.Anchor != "":
		return e.mem.now.Anchor
	case e.o.OwnRoot != nil:
		return artifact.Sum(sha256.Sum256(e.o.OwnRoot)).String()
	}
	return anchorImage
}

// initial is the root metadata to begin with. The operator's takes the place of
// the image's, until the station has believed one of them.
func (e *Engine) initial() []byte {
	anchor := e.anchor()
	switch {
	case anchor == anchorImage:
		return e.o.Root
	case e.o.OwnRoot != nil && artifact.Sum(sha256.Sum256(e.o.OwnRoot)).String() == anchor:
		return e.o.OwnRoot
	}
	return nil // what the store kept, or nothing
}

// floor is what metadata must not be below. The image's versions are its own
// publisher's: an operator counts from 1.
func (e *Engine) floor() tuf.Floor {
	image := e.o.System.Floor
	if e.anchor() != anchorImage {
		image = tuf.Floor{Issued: image.Issued}
	}
	return highestMetadata(e.mem.now.Floors.Metadata, image)
}

// beganName is the file on /perm that says whose root metadata what is kept there
// goes back to. None of TUF's roles is called so.
const beganName = "began.json"

// begin sees to it that what is kept goes back to the root metadata that is to be
// trusted, as long as nobody is: roots that follow one are kept before all that is
// behind them has been verified, and would go before another one that an operator
// puts on the card meanwhile.
func (e *Engine) begin() error {
	if e.mem.now.Anchor != "" || e.initial() == nil {
		return nil
	}
	want, err := json.Marshal(e.anchor())
	if err != nil {
		return err
	}
	if had, err := e.o.Store.Load(beganName); err == nil && bytes.Equal(had, want) {
		return nil
	}
	if err := tuf.Forget(e.o.Store); err != nil {
		return err
	}
	return e.o.Store.Save(beganName, want)
}
