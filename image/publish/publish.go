// Package publish makes what stations update from: a directory for any static
// web server, with the metadata of The Update Framework (TUF, specification
// 1.0) and the files of each release.
//
//	metadata/N.root.json, timestamp.json, N.snapshot.json, N.targets.json
//	targets/CHANNEL/BOARD/SHA256.manifest.json   a release, see package artifact
//	files/SHA256.pack                            what it is made of
//	staged/root.json, targets.json               what awaits signatures: not for the server
//
// Two of three root keys decide whose keys count, and for what; two of three
// targets keys decide what a release is. Both lie with different people, away
// from every server. One online key signs snapshot and timestamp: it can say
// what is newest among what has been released, and nothing else.
//
// So a release takes several steps, and several people. [Repository.Add] writes
// what is new under names that nothing refers to yet and stages targets
// metadata; [Repository.Sign] adds one person's signature to what is staged;
// [Repository.Release] publishes what has enough of them. timestamp.json is
// written last: until then clients see what they saw before. A step that was
// interrupted can be repeated. One command at a time may write.
//
// All metadata is go-tuf's, signed and verified by it.
package publish

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/durable"
)

// How long metadata is valid, and how many keys have to sign it.
const (
	RootExpiry    = 24 // months
	TargetsExpiry = 12 // months
	OnlineExpiry  = 14 * 24 * time.Hour

	rootThreshold    = 2
	targetsThreshold = 2
)

// maxMetadata bounds a file of metadata, bytes: what stations accept.
const maxMetadata = 1 << 20

// issuedField is the name of our own field in root and targets metadata: when
// it was made, RFC 3339. A station's clock is not before it.
const issuedField = "issued"

var (
	// ErrThreshold says that more people have to sign.
	ErrThreshold = errors.New("not enough signatures yet")
	// ErrNotPublished says that there is no repository, or that its first release
	// is not complete.
	ErrNotPublished = errors.New("nothing is published here yet")
	// ErrPublished says that a repository is there already.
	ErrPublished = errors.New("there is a repository already")
	// ErrWrongKey says that a key has no say in a role.
	ErrWrongKey = errors.New("this key has no say in it")
	// ErrFuture says that metadata was made by somebody whose clock is ahead.
	ErrFuture = errors.New("made in the future")
	// ErrStale says that what is staged was made for an earlier state.
	ErrStale = errors.New("made before what is published now")
)

// Repository is a directory that is published.
type Repository struct {
	Dir string
	// Now dates what is made, and is what expiry is judged by.
	Now time.Time
	Log func(string, ...any)
	// wrote is told of each change to the directory, for tests: its error
	// interrupts.
	wrote func(path string) error
}

// The roles that a person names.
const (
	RoleRoot    = metadata.ROOT
	RoleTargets = metadata.TARGETS
	RoleOnline  = "online" // snapshot and timestamp
)

func (r *Repository) path(elem ...string) string {
	return filepath.Join(append([]string{r.Dir}, elem...)...)
}

func (r *Repository) staged(role string) string { return r.path("staged", role+".json") }

// now is in whole seconds, which is what TUF has.
func (r *Repository) now() time.Time { return r.Now.UTC().Truncate(time.Second) }

// write replaces a file that anybody may read.
func (r *Repository) write(path string, b []byte) error {
	if err := writeFile(path, b, 0o644); err != nil {
		return err
	}
	return r.changed(path)
}

// remove removes a file for good. That there is none is no error.
func (r *Repository) remove(path string) error {
	if err := durable.Remove(path); err != nil {
		return err
	}
	return r.changed(path)
}

func (r *Repository) changed(path string) error {
	if r.wrote == nil {
		return nil
	}
	return r.wrote(path)
}

func (r *Repository) log(format string, args ...any) {
	if r.Log != nil {
		r.Log(format, args...)
	}
}
