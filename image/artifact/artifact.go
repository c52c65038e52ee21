// Package artifact is what an update consists of: a manifest, which says what a
// release is made of and is all that is signed, and a pack, which has the bytes.
// The publisher and the station share it.
//
// # Pack
//
// Every file of a release is an object: the root file system, and the files of
// the boot slot. An object is cut into chunks of [ChunkSize] bytes, the last of
// them shorter, and each chunk is one zstd frame (RFC 8878) in the pack, the
// frames one behind the other. Equal chunks are in the pack once. The manifest
// has the SHA-256 of each frame and of what is in it: nothing is decompressed
// before it has been verified, and any chunk can be fetched alone.
//
// # Manifest
//
// It is JSON, see [Manifest]. A station trusts none of it before [Manifest.Check]
// has seen it, though it comes from signed metadata.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Limits of a manifest.
const (
	Format      = 1                 // of the manifests that this version reads and writes
	ChunkSize   = 256 << 10         // bytes of each chunk of an object but the last
	MaxManifest = 1 << 20           // bytes of JSON
	MaxNotes    = 4 << 10           // bytes of release notes
	MaxPacked   = ChunkSize + 1<<10 // bytes of a frame: what cannot be compressed gets a little longer
	MaxDeltas   = 16

	// MaxSlotFiles is more than a Raspberry Pi's kernel, device trees and
	// overlays, which are 385.
	MaxSlotFiles = 512

	maxItems = 4096 // of a list: chunks of two full slots and of a full root partition, and more
	maxPath  = 200  // bytes of a path in a slot
	maxWord  = 32   // bytes of a board's, an architecture's or a channel's name
	maxEpoch = 1 << 20
)

var (
	// ErrFormat says that a manifest is of a format that this version does not
	// know.
	ErrFormat = errors.New("made for a later version of the updater")
	// ErrManifest says that a manifest contradicts itself or what a station can
	// hold.
	ErrManifest = errors.New("not a manifest that can be installed")
	// ErrDamaged says that bytes are not the ones that the manifest names.
	ErrDamaged = errors.New("not what the manifest names: fetch it again")
)

// Sum is a SHA-256; its text is 64 lower case hex digits.
type Sum [sha256.Size]byte

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText is String.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes what MarshalText gives and nothing else.
func (s *Sum) UnmarshalText(b []byte) error {
	var sum Sum
	if n, err := hex.Decode(sum[:], b[:min(len(b), 2*len(sum))]); err != nil || n != len(sum) || sum.String() != string(b) {
		return fmt.Errorf("%.80q: not a SHA-256 in lower case hex digits", b)
	}
	*s = sum
	return nil
}

// PackName is the name of a pack with that SHA-256, below a repository's
// address.
func PackName(s Sum) string { return "files/" + s.String() + ".pack" }

// DeltaName is the name of a delta with that SHA-256, below a repository's
// address.
func DeltaName(s Sum) string { return "files/" + s.String() + ".delta" }
