package artifact

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// Check says whether a station may act on a manifest: everything it names is
// there, lies inside what it belongs to and fits onto a card. It does not look
// at the pack. Errors are ErrFormat and ErrManifest.
func (m *Manifest) Check() error {
	if m.Format > Format {
		return fmt.Errorf("format %d: %w", m.Format, ErrFormat)
	}
	for _, check := range []func() error{m.checkRelease, m.checkPack, m.checkObjects, m.checkSlots, m.checkDeltas} {
		if err := check(); err != nil {
			return fmt.Errorf("%w: %w", ErrManifest, err)
		}
	}
	return nil
}

// checkRelease is about what the release is and whom it is for.
func (m *Manifest) checkRelease() error {
	if m.Format != Format {
		return fmt.Errorf("format %d, not %d", m.Format, Format)
	}
	for _, name := range []string{m.Board, m.Arch, m.Channel} {
		if !isWord(name) {
			return fmt.Errorf("board, arch or channel %.40q: 1 to %d of a-z, 0-9 and -, a letter first", name, maxWord)
		}
	}
	if !isVersion(m.Version) {
		return fmt.Errorf("version %.80q: no semantic version such as 1.2.3 or 1.2.3-preview", m.Version)
	}
	if m.MinFrom != "" && (!isVersion(m.MinFrom) || semver.Compare("v"+m.MinFrom, "v"+m.Version) > 0) {
		return fmt.Errorf("min_from %.80q: no semantic version up to %s", m.MinFrom, m.Version)
	}
	if m.Epoch < 0 || m.Epoch > maxEpoch {
		return fmt.Errorf("epoch %d: 0 to %d are allowed", m.Epoch, maxEpoch)
	}
	if m.MinEEPROM < 0 || m.MinEEPROM >= year10000 {
		return fmt.Errorf("min_eeprom %d: no time in seconds since 1970", m.MinEEPROM)
	}
	if len(m.Notes) > MaxNotes {
		return fmt.Errorf("notes of %d bytes, at most %d are allowed", len(m.Notes), MaxNotes)
	}
	if !utf8.ValidString(m.Notes) || strings.ContainsFunc(m.Notes, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return fmt.Errorf("notes: not plain text in UTF-8")
	}
	return m.Rollout.check()
}

// year10000 is the second after the last date that RFC 3339 can write.
const year10000 = 253402300800

// isWord says whether s can be part of a name of the repository.
func isWord(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}

// isVersion says whether s is a whole semantic version without what takes no
// part in its order, so that two versions are the same only if their texts are.
func isVersion(s string) bool {
	return len(s) <= 64 && semver.Canonical("v"+s) == "v"+s
}

// checkPack is about where the chunks lie. Between them a pack may have others,
// which are none of this manifest's.
func (m *Manifest) checkPack() error {
	if err := checkFile(m.Pack, "files/", ".pack", disk.RootASize+2*bootfs.SlotSize); err != nil {
		return err
	}
	if len(m.Chunks) > maxItems || len(m.Objects) > maxItems {
		return fmt.Errorf("%d chunks and %d objects, at most %d each are allowed", len(m.Chunks), len(m.Objects), maxItems)
	}
	var end int64
	sums, packed := map[Sum]bool{}, map[Sum]bool{}
	for i, c := range m.Chunks {
		switch {
		case c.Packed < 1 || c.Packed > MaxPacked || c.Size < 1 || c.Size > ChunkSize:
			return fmt.Errorf("chunk %d: %d bytes in %d", i, c.Size, c.Packed)
		case c.Offset < end || c.Offset > m.Pack.Size-int64(c.Packed):
			return fmt.Errorf("chunk %d: at %d, after %d and of a pack of %d bytes", i, c.Offset, end, m.Pack.Size)
		case sums[c.Sum] || packed[c.PackedSum]:
			return fmt.Errorf("chunk %d: stands twice", i)
		}
		sums[c.Sum], packed[c.PackedSum] = true, true
		end = c.Offset + int64(c.Packed)
	}
	return nil
}

// checkFile is about a file of the repository, whose name has its SHA-256.
func checkFile(f File, before, after string, limit int64) error {
	var sum Sum
	hex, ok := strings.CutPrefix(f.Name, before)
	hex, ok2 := strings.CutSuffix(hex, after)
	if !ok || !ok2 || sum.UnmarshalText([]byte(hex)) != nil {
		return fmt.Errorf("%.100q: not %sSHA-256%s", f.Name, before, after)
	}
	if f.Size < 1 || f.Size > limit {
		return fmt.Errorf("%s: %d bytes, 1 to %d are allowed", f.Name, f.Size, limit)
	}
	return nil
}

// checkObjects is about what the objects consist of.
func (m *Manifest) checkObjects() error {
	sums := map[Sum]bool{}
	for i, o := range m.Objects {
		if sums[o.Sum] {
			return fmt.Errorf("object %d: stands twice", i)
		}
		sums[o.Sum] = true
		if o.Size > disk.RootASize {
			return fmt.Errorf("object %d: %d bytes, at most %d are allowed", i, o.Size, disk.RootASize)
		}
		var size int64
		for j, k := range o.Chunks {
			if k < 0 || k >= len(m.Chunks) {
				return fmt.Errorf("object %d: chunk %d of %d", i, k, len(m.Chunks))
			}
			c := m.Chunks[k]
			if c.Size != ChunkSize && j != len(o.Chunks)-1 {
				return fmt.Errorf("object %d: a chunk of %d bytes that is not its last", i, c.Size)
			}
			size += int64(c.Size)
			if len(o.Chunks) == 1 && c.Sum != o.Sum {
				return fmt.Errorf("object %d: it is one chunk with another SHA-256", i)
			}
		}
		if size != o.Size {
			return fmt.Errorf("object %d: %d bytes in chunks of %d bytes", i, o.Size, size)
		}
		if size == 0 && o.Sum != sha256.Sum256(nil) {
			return fmt.Errorf("object %d: empty, but with another SHA-256", i)
		}
	}
	if m.Root < 0 || m.Root >= len(m.Objects) || m.Objects[m.Root].Size == 0 {
		return fmt.Errorf("root: there is no object %d with content", m.Root)
	}
	return nil
}

// checkSlots is about the files of the boot slots, and whether a station can
// hold them.
func (m *Manifest) checkSlots() error {
	slots := []bootfs.Slot{bootfs.SlotA, bootfs.SlotB}
	if len(m.Slots) != len(slots) {
		return fmt.Errorf("%d slots: a and b are expected", len(m.Slots))
	}
	for _, slot := range slots {
		list := m.Slots[string(slot)]
		if len(list) == 0 || len(list) > MaxSlotFiles {
			return fmt.Errorf("slot %s: %d files, 1 to %d are allowed", slot, len(list), MaxSlotFiles)
		}
		var files []bootfs.File
		for _, f := range list {
			if len(f.Path) > maxPath || !fs.ValidPath(f.Path) {
				return fmt.Errorf("slot %s: %.250q: no relative path of at most %d bytes", slot, f.Path, maxPath)
			}
			if f.Object < 0 || f.Object >= len(m.Objects) {
				return fmt.Errorf("slot %s: %s: object %d of %d", slot, f.Path, f.Object, len(m.Objects))
			}
			files = append(files, bootfs.File{Path: f.Path, Size: m.Objects[f.Object].Size})
		}
		if err := bootfs.CheckFiles(slot, files); err != nil {
			return err
		}
		if _, end := m.Stage(slot); end > disk.RootASize {
			return fmt.Errorf("slot %s: its files and the root file system take %d bytes, a root partition has %d", slot, end, disk.RootASize)
		}
	}
	return nil
}

// checkDeltas is about what the deltas are made from and for.
func (m *Manifest) checkDeltas() error {
	if len(m.Deltas) > MaxDeltas {
		return fmt.Errorf("%d deltas, at most %d are allowed", len(m.Deltas), MaxDeltas)
	}
	type way struct {
		from Sum
		to   int
	}
	ways, names := map[way]bool{}, map[string]bool{}
	for i, d := range m.Deltas {
		if d.To < 0 || d.To >= len(m.Objects) {
			return fmt.Errorf("delta %d: to object %d of %d", i, d.To, len(m.Objects))
		}
		if err := checkFile(d.File, "files/", ".delta", disk.RootASize); err != nil {
			return err
		}
		switch {
		case d.File.Name != DeltaName(d.Sum):
			return fmt.Errorf("delta %d: %s is not named after its SHA-256 %s", i, d.File.Name, d.Sum)
		case d.FromSize < 1 || d.FromSize > disk.RootASize:
			return fmt.Errorf("delta %d: from %d bytes, 1 to %d are allowed", i, d.FromSize, disk.RootASize)
		case d.From == m.Objects[d.To].Sum:
			return fmt.Errorf("delta %d: from what it makes", i)
		case ways[way{d.From, d.To}] || names[d.File.Name]:
			return fmt.Errorf("delta %d: stands twice", i)
		}
		ways[way{d.From, d.To}], names[d.File.Name] = true, true
	}
	return nil
}
