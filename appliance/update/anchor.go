package update

import (
	"github.com/truechimer/truechimer/appliance/update/tuf"
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
