package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/truechimer/truechimer/image/bootfs"
)

// Manifest is a release for one board and channel. A later version may add
// fields, which this one passes over; what this one must not pass over comes
// with another Format.
type Manifest struct {
	Format  int    `json:"format"`
	Board   string `json:"board"`
	Arch    string `json:"arch"` // as in GOARCH
	Channel string `json:"channel"`
	Version string `json:"version"` // semantic version 2.0.0 without v and without build metadata

	// Epoch counts the versions that a station must not go back behind: it never
	// takes a lower one than that it has committed. 0 to 1048576.
	Epoch int `json:"epoch"`
	// MinFrom is the oldest version that can update to this one; empty: any.
	MinFrom string `json:"min_from,omitempty"`
	// MinEEPROM is the oldest date of a Raspberry Pi's boot loader, seconds since
	// 1970; 0: any.
	MinEEPROM int64 `json:"min_eeprom,omitempty"`
	// Notes are for people: plain text of at most MaxNotes bytes.
	Notes string `json:"notes,omitempty"`
	// Rollout says which stations take it when; nil: all at once.
	Rollout *Rollout `json:"rollout,omitempty"`

	Pack    File     `json:"pack"`
	Chunks  []Chunk  `json:"chunks"` // in the pack's order
	Objects []Object `json:"objects"`

	// Root is the object that is the root file system.
	Root int `json:"root"`
	// Slots are the files of boot slot "a" and of "b".
	Slots map[string][]SlotFile `json:"slots"`

	Deltas []Delta `json:"deltas,omitempty"`
}

// File is a file of the repository.
type File struct {
	Name string `json:"name"` // PackName or DeltaName
	Size int64  `json:"size"` // bytes
}

// Chunk is a piece of an object, and a frame of the pack.
type Chunk struct {
	Offset    int64 `json:"offset"` // of the frame in the pack, bytes
	Packed    int   `json:"packed"` // length of the frame, bytes
	PackedSum Sum   `json:"packed_sum"`
	Size      int   `json:"size"` // of what is in it, bytes
	Sum       Sum   `json:"sum"`
}

// Object is the whole content of a file.
type Object struct {
	Sum    Sum   `json:"sum"`
	Size   int64 `json:"size"`   // bytes
	Chunks []int `json:"chunks"` // one behind the other they are the object; none: it is empty
}

// SlotFile is a file of a boot slot.
type SlotFile struct {
	Path   string `json:"path"` // relative to the slot's directory, with slashes
	Object int    `json:"object"`
}

// Delta makes an object out of one that a station may have; see the package
// delta.
type Delta struct {
	From     Sum   `json:"from"`      // of the object on the station
	FromSize int64 `json:"from_size"` // bytes
	To       int   `json:"to"`        // the object it makes
	File     File  `json:"file"`
	Sum      Sum   `json:"sum"` // of the delta's file
}

// Parse reads and checks a manifest. Beyond what encoding/json refuses it
// refuses names that stand twice in an object or are spelled in another case,
// null, and lists longer than any manifest's, before it takes memory for them.
// Errors are ErrFormat and ErrManifest.
func Parse(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrManifest, len(b), MaxManifest)
	}
	if err := strict(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	// A later format may have other fields of the same names.
	var f struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if f.Format > Format {
		return nil, fmt.Errorf("format %d: %w", f.Format, ErrFormat)
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return m, m.Check()
}

// Encode checks the manifest and writes it: the same bytes for the same
// manifest.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	if out.Len() > MaxManifest {
		return nil, fmt.Errorf("%w: %d bytes of JSON, at most %d are allowed", ErrManifest, out.Len(), MaxManifest)
	}
	return out.Bytes(), nil
}

// ObjectChunks gives the chunks of an object of a manifest that has been
// checked, in their order, each with where it begins in the object, bytes.
func (m *Manifest) ObjectChunks(object int) iter.Seq2[int64, Chunk] {
	return func(yield func(int64, Chunk) bool) {
		var at int64
		for _, i := range m.Objects[object].Chunks {
			c := m.Chunks[i]
			if !yield(at, c) {
				return
			}
			at += int64(c.Size)
		}
	}
}

// Staged says where an object lies in the root partition while an update is
// gathered there.
type Staged struct {
	Object int
	Offset int64 // bytes from the beginning of the partition
}

// Where objects are staged.
const (
	stageStart = 4 << 20 // an erase block: the root's last one has nothing else in it
	stageAlign = 4 << 10 // a page
)

// Stage says where each object that a slot takes is put in the root partition
// of a manifest that has been checked: the root file system at 0, where it is
// to stay; behind it, from a multiple of 4 MiB on, the objects of the slot's files
// in the files' order, each once and at a multiple of 4 KiB. end is where the last
// one ends.
func (m *Manifest) Stage(slot bootfs.Slot) (objects []Staged, end int64) {
	objects = []Staged{{m.Root, 0}}
	end = m.Objects[m.Root].Size
	seen := map[int]bool{m.Root: true}
	align := int64(stageStart)
	for _, f := range m.Slots[string(slot)] {
		if seen[f.Object] {
			continue
		}
		seen[f.Object] = true
		end = (end + align - 1) / align * align
		align = stageAlign
		objects = append(objects, Staged{f.Object, end})
		end += m.Objects[f.Object].Size
	}
	return objects, end
}
