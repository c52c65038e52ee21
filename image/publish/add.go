package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// Contents is what a release is made of, for one board.
type Contents struct {
	Board   string
	Arch    string      // as in GOARCH
	Version string      // semantic, without v
	Date    time.Time   // of its sources
	Root    bootfs.File // the root file system; its path does not matter
	// Slots are the files of boot slots a and b. They differ: the command line
	// names the slot's own root.
	Slots map[bootfs.Slot][]bootfs.File
}

// Release is what is added to a channel.
type Release struct {
	Contents
	Channel string
	// See artifact.Manifest for these.
	Epoch     int
	MinFrom   string
	MinEEPROM int64
	Notes     string
}

// Added is what came of an addition.
type Added struct {
	Target   string // name of the target: CHANNEL/BOARD/manifest.json
	File     string // where the manifest lies, below the repository
	Manifest *artifact.Manifest
}

// manifestLast is the last element of every target's name.
const manifestLast = "manifest.json"

// targetName is the target of a channel's releases for a board.
func targetName(channel, board string) string { return path.Join(channel, board, manifestLast) }

// targetFile is where a target lies, below the repository: TUF with consistent
// snapshots puts its hash in front of the last element (TUF 5.7.3).
func targetFile(name string, hash []byte) string {
	dir, last := path.Split(name)
	return path.Join("targets", dir, hex.EncodeToString(hash)+"."+last)
}

// Add writes a release's files and stages targets metadata that names it,
// beside whatever is staged already. Signatures of what was staged are gone
// where that changes anything. Nothing that is published changes.
//
// It refuses a version that is not newer than the channel's, and an epoch that
// is lower: no station would take them.
func (r *Repository) Add(ctx context.Context, rel Release) (Added, error) {
	s, p, err := r.current()
	if err != nil {
		return Added{}, err
	}
	name := targetName(rel.Channel, rel.Board)
	if err := r.mayFollow(s, name, rel); err != nil {
		return Added{}, fmt.Errorf("%s: %w", name, err)
	}
	r.log("packing %s %s of %s", rel.Board, rel.Version, rel.Date.Format(time.DateOnly))
	m, err := r.pack(ctx, rel)
	if err != nil {
		return Added{}, fmt.Errorf("%s %s: %w", rel.Board, rel.Version, err)
	}
	return r.addManifest(s, p, name, m)
}

// addManifest writes a manifest and stages targets metadata with it.
func (r *Repository) addManifest(s *state, p pending, name string, m *artifact.Manifest) (Added, error) {
	b, err := m.Encode()
	if err != nil {
		return Added{}, err
	}
	sum := sha256.Sum256(b)
	a := Added{name, targetFile(name, sum[:]), m}
	if err := r.write(r.path(a.File), b); err != nil {
		return a, err
	}
	entry := &metadata.TargetFiles{Length: int64(len(b)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	next := p.targets
	if next == nil {
		if next, err = r.nextTargets(s); err != nil {
			return a, err
		}
	}
	if have := next.Signed.Targets[name]; have != nil && have.Equal(*entry) && have.Length == entry.Length {
		r.log("%s is this release already", name)
		return a, nil
	}
	if n := len(next.Signatures); n > 0 {
		r.log("%d signatures of what was staged are gone: it is to be signed anew", n)
	}
	next.Signed.Targets[name] = entry
	r.date(&next.Signed)
	next.ClearSignatures()
	return a, stage(r, metadata.TARGETS, next)
}

// nextTargets is the next version of the published targets metadata, without
// signatures.
func (r *Repository) nextTargets(s *state) (*targetsMetadata, error) {
	b, err := s.targets().ToBytes(false)
	if err != nil {
		return nil, err
	}
	next, err := parse[metadata.TargetsType](metadata.TARGETS, b)
	if err != nil {
		return nil, err
	}
	next.ClearSignatures()
	next.Signed.Version++
	r.date(&next.Signed)
	return next, nil
}

// date says when metadata was made, and until when it is valid.
func (r *Repository) date(t *metadata.TargetsType) {
	t.Expires = r.now().AddDate(0, TargetsExpiry, 0)
	t.UnrecognizedFields = issued(r.now())
}

func issued(t time.Time) map[string]any {
	return map[string]any{issuedField: t.Format(time.RFC3339)}
}

// Withdraw stages targets metadata without a channel's release for a board:
// stations that do not have it yet will not get it. What it must be followed by
// is a version that is newer still.
func (r *Repository) Withdraw(board, channel string) error {
	s, p, err := r.current()
	if err != nil {
		return err
	}
	name := targetName(channel, board)
	next := p.targets
	if next == nil {
		if next, err = r.nextTargets(s); err != nil {
			return err
		}
	}
	if next.Signed.Targets[name] == nil {
		if p.targets != nil && s.targets().Signed.Targets[name] != nil {
			return nil // a call that was repeated
		}
		return fmt.Errorf("%s: the metadata has no target %s: %w", r.Dir, name, fs.ErrNotExist)
	}
	delete(next.Signed.Targets, name)
	r.date(&next.Signed)
	next.ClearSignatures()
	return stage(r, metadata.TARGETS, next)
}

// mayFollow says whether stations that have what is published in a target
// would take a release.
func (r *Repository) mayFollow(s *state, name string, rel Release) error {
	if strings.Contains(rel.Version, "+") || !semver.IsValid("v"+rel.Version) {
		return fmt.Errorf("version %q: write one such as 1.4.0", rel.Version)
	}
	if rel.MinFrom != "" && semver.Compare("v"+rel.MinFrom, "v"+rel.Version) >= 0 {
		return fmt.Errorf("version %s can be updated to from %s or newer: no station is both; lower -min-from", rel.Version, rel.MinFrom)
	}
	old, err := r.last(s, name)
	if err != nil || old == nil {
		return err
	}
	if semver.Compare("v"+rel.Version, "v"+old.Version) <= 0 {
		return fmt.Errorf("version %s is not newer than %s, which was released: no station that has it would take it; choose a higher version", rel.Version, old.Version)
	}
	if rel.Epoch < old.Epoch {
		return fmt.Errorf("epoch %d is below %d, which was released: no station that has it would take it", rel.Epoch, old.Epoch)
	}
	return nil
}

// last is what was released last in a target, which may have been withdrawn
// since; nil: nothing.
func (r *Repository) last(s *state, name string) (*artifact.Manifest, error) {
	t := s.targets()
	for {
		m, err := r.manifest(t, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
		if t, err = r.before(t); t == nil {
			return nil, err
		}
	}
}

// before is the version of targets metadata before another; nil: there is none
// any more.
func (r *Repository) before(t *targetsMetadata) (*targetsMetadata, error) {
	name := versioned(t.Signed.Version-1, metadata.TARGETS)
	b, err := readBounded(r.path("metadata", name), maxMetadata)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parse[metadata.TargetsType](name, b)
}

// manifest reads a target that metadata names; fs.ErrNotExist where it names
// none.
func (r *Repository) manifest(t *targetsMetadata, name string) (*artifact.Manifest, error) {
	entry := t.Signed.Targets[name]
	if entry == nil {
		return nil, fmt.Errorf("the metadata has no target %s: %w", name, fs.ErrNotExist)
	}
	file := targetFile(name, entry.Hashes["sha256"])
	b, err := readBounded(r.path(file), artifact.MaxManifest)
	if err != nil {
		// Not fs.ErrNotExist: the metadata says that it is there.
		return nil, fmt.Errorf("a manifest cannot be read: %v", err)
	}
	if err := entry.VerifyLengthHashes(b); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m, err := artifact.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if targetName(m.Channel, m.Board) != name {
		return nil, fmt.Errorf("%s is of channel %s and board %s", file, m.Channel, m.Board)
	}
	return m, nil
}

// pack writes a release's pack under its name and returns the manifest.
func (r *Repository) pack(ctx context.Context, rel Release) (*artifact.Manifest, error) {
	t, err := newTemp(r.path("files"), 0o644)
	if err != nil {
		return nil, err
	}
	defer t.drop()
	packer := artifact.NewPacker(t)
	add := func(f bootfs.File) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		in, err := f.Open()
		if err != nil {
			return 0, err
		}
		defer in.Close()
		object, err := packer.Add(&exactly{in, f.Size})
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f.Path, err)
		}
		return object, nil
	}
	m := &artifact.Manifest{
		Format: artifact.Format, Board: rel.Board, Arch: rel.Arch, Channel: rel.Channel, Version: rel.Version,
		Epoch: rel.Epoch, MinFrom: rel.MinFrom, MinEEPROM: rel.MinEEPROM, Notes: rel.Notes,
		Slots: map[string][]artifact.SlotFile{},
	}
	if m.Root, err = add(rel.Root); err != nil {
		return nil, err
	}
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		for _, f := range rel.Slots[slot] {
			object, err := add(f)
			if err != nil {
				return nil, fmt.Errorf("slot %s: %w", slot, err)
			}
			m.Slots[string(slot)] = append(m.Slots[string(slot)], artifact.SlotFile{Path: f.Path, Object: object})
		}
	}
	if err := packer.Finish(m); err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	name := r.path(m.Pack.Name)
	if st, err := os.Stat(name); err == nil && st.Size() == m.Pack.Size {
		return m, nil // the same bytes, by its name
	}
	if err := t.keep(name); err != nil {
		return nil, err
	}
	return m, r.changed(name)
}

// exactly reads as many bytes as were announced, or fails.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	e.left -= int64(n)
	if e.left < 0 {
		return 0, fmt.Errorf("at least %d bytes more than announced", -e.left)
	}
	if errors.Is(err, io.EOF) && e.left > 0 {
		return 0, fmt.Errorf("%d bytes fewer than announced: %w", e.left, io.ErrUnexpectedEOF)
	}
	return n, err
}
