package update

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// holding is what a slot holds, so that it can be told when the card no longer
// gives it back. It is kept on /perm, one file for each slot.
//
// A slot that an update wrote has the manifest that was written from, and can be
// repaired by it. A slot that came with the image has none: there the hashes of
// what the first scrub reads are remembered. Damage that was there before cannot
// be seen then, only what comes later.
type holding struct {
	Format  int    `json:"format"`  // 1
	Version string `json:"version"` // of the system; empty: not known
	// Manifest is the release's; nil: none, then the rest is there.
	Manifest json.RawMessage `json:"manifest,omitempty"`

	Root  int64          `json:"root,omitempty"`  // length of the root file system, bytes
	Files []heldFile     `json:"files,omitempty"` // of the boot slot
	Sums  []artifact.Sum `json:"sums,omitempty"`  // of the root's pieces, then of each file's, cut as chunks are

	manifest *artifact.Manifest
}

type heldFile struct {
	Path string `json:"path"` // below the slot's directory
	Size int64  `json:"size"` // bytes
}

const (
	holdingFormat = 1
	// maxHeldRoot is what a root partition has room for, and more than any slot.
	maxHeldRoot = 512 << 20
)

func holdingName(slot bootfs.Slot) string { return "slot-" + string(slot) + ".json" }

// keepHolding keeps what has been written to a slot and read back. That it is
// tried, committed or left again changes nothing about it.
func (e *Engine) keepHolding(slot bootfs.Slot, m *artifact.Manifest) error {
	b, err := m.Encode()
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return e.saveHolding(slot, holding{Version: m.Version, Manifest: b})
}

func (e *Engine) saveHolding(slot bootfs.Slot, h holding) error {
	h.Format = holdingFormat
	b, err := json.Marshal(h)
	if err == nil {
		err = e.o.Store.Save(holdingName(slot), seal(b))
	}
	if err != nil {
		return fmt.Errorf("%w: what slot %s holds: %w", errCard, slot, err)
	}
	return nil
}

// forgetHolding: the slot is about to be written.
func (e *Engine) forgetHolding(slot bootfs.Slot) error {
	if err := e.o.Store.Delete(holdingName(slot)); err != nil {
		return fmt.Errorf("%w: what slot %s holds: %w", errCard, slot, err)
	}
	if e.scrubs.Damage[slot] != "" {
		delete(e.scrubs.Damage, slot)
		e.keepScrubs()
	}
	return nil
}

// holding is what is known of a slot; nil: nothing.
func (e *Engine) holding(slot bootfs.Slot) *holding {
	b, err := e.o.Store.Load(holdingName(slot))
	if err == nil {
		var h *holding
		if h, err = parseHolding(b); err == nil {
			if slot == e.o.System.Slot && h.Version != e.o.System.Version {
				return nil // somebody else wrote it
			}
			return h
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		e.o.Log.Warn("what a slot holds is not known any more", "slot", slot, "error", err)
	}
	return nil
}

// seal puts a hash before what is kept: a bit that changes in it must not look
// like damage of what it is about.
func seal(b []byte) []byte {
	return append([]byte(artifact.Sum(sha256.Sum256(b)).String()+"\n"), b...)
}

// unseal is the way back.
func unseal(b []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(head) != artifact.Sum(sha256.Sum256(rest)).String() {
		return nil, errors.New("damaged")
	}
	return rest, nil
}

func parseHolding(b []byte) (*holding, error) {
	b, err := unseal(b)
	if err != nil {
		return nil, err
	}
	var h holding
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, err
	}
	if h.Format != holdingFormat {
		return nil, fmt.Errorf("format %d, not %d", h.Format, holdingFormat)
	}
	if h.Manifest != nil {
		h.manifest, err = artifact.Parse(h.Manifest)
		return &h, err
	}
	if h.Root < 0 || h.Root > maxHeldRoot || len(h.Files) > 2*artifact.MaxSlotFiles {
		return nil, fmt.Errorf("%d bytes and %d files", h.Root, len(h.Files))
	}
	n := pieceCount(h.Root)
	for _, f := range h.Files {
		if f.Size < 0 || f.Size > bootfs.SlotSize {
			return nil, fmt.Errorf("%q of %d bytes", f.Path, f.Size)
		}
		n += pieceCount(f.Size)
	}
	if n != int64(len(h.Sums)) {
		return nil, fmt.Errorf("%d hashes of %d pieces", len(h.Sums), n)
	}
	return &h, nil
}

func pieceCount(size int64) int64 { return (size + artifact.ChunkSize - 1) / artifact.ChunkSize }

// heldPart is the root file system or a file of the boot slot.
type heldPart struct {
	path string // empty: the root file system
	size int64
	sums []artifact.Sum // of its pieces
}

// parts lists all that a slot holds.
func (h *holding) parts(slot bootfs.Slot) (list []heldPart) {
	if h.manifest != nil {
		add := func(path string, object int) {
			p := heldPart{path: path, size: h.manifest.Objects[object].Size}
			for _, c := range h.manifest.ObjectChunks(object) {
				p.sums = append(p.sums, c.Sum)
			}
			list = append(list, p)
		}
		add("", h.manifest.Root)
		for _, f := range h.manifest.Slots[string(slot)] {
			add(f.Path, f.Object)
		}
		return list
	}
	sums := h.Sums
	add := func(path string, size int64) {
		n := pieceCount(size)
		list = append(list, heldPart{path, size, sums[:n]})
		sums = sums[n:]
	}
	add("", h.Root)
	for _, f := range h.Files {
		add(f.Path, f.Size)
	}
	return list
}
