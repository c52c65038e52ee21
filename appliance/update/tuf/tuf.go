// Package tuf is a client of The Update Framework, specification 1.0, section
// 5 (the client workflow): it decides which files of a repository are the
// publisher's, and the newest ones, whatever the servers say.
//
// Each step of verification is go-tuf's trustedmetadata. This package adds
// what an appliance needs around it: bounded fetching, persistence that
// survives power cuts, version floors that survive the loss of what was kept,
// and a reference time that nobody but the offline keys can move.
//
//	root (offline) -> timestamp -> snapshot -> targets (offline) -> target files
//
// The offline keys sign one field more in root and targets: issued, the date
// of signing (RFC 3339). It is before expires, or it does not count.
package tuf

import (
	"context"
	"errors"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// Errors that Refresh, Target and Download wrap. What a Source says is passed on
// wrapped.
var (
	ErrExpired   = errors.New("the update metadata has expired: the server is stale, or this station's date is wrong")
	ErrRollback  = errors.New("the update metadata is older than what this station has already seen")
	ErrSignature = errors.New("the update metadata is not signed by enough of the publisher's keys")
	ErrFormat    = errors.New("the update metadata cannot be understood")
	ErrMismatch  = errors.New("the file is not the one that the update metadata names")
	ErrNoTarget  = errors.New("the update metadata names no such file")
	// ErrStore and ErrNoRoot are the station's own: nobody else's fault.
	ErrStore  = errors.New("the update metadata cannot be kept")
	ErrNoRoot = errors.New("there is no root metadata to begin with")
)

// Limits of what is fetched, bytes, and of what is followed. Snapshot and
// targets may be shorter where their length is signed.
const (
	maxRoot      = 128 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 128 << 10
	maxTargets   = 256 << 10
	// MaxTarget is the length of the largest file that Download fetches.
	MaxTarget = 4 << 20

	maxRoots       = 256 // new roots in one Refresh; the next goes on from there
	maxDelegations = 32  // roles that one Find asks
)

// Source gives the files of a repository: "metadata/2.root.json",
// "metadata/timestamp.json", "targets/…". Names are URL paths, escaped where a
// URL needs it. A file that does not exist is an error that wraps
// [fs.ErrNotExist]; one that is longer than limit bytes is an error.
//
// A Source that has mirrors also has the methods Mirrors() int and Next():
// when what came did not verify, Next is called, so that what follows comes
// from another mirror, and all is tried again, once for each mirror.
type Source interface {
	Get(ctx context.Context, name string, limit int64) ([]byte, error)
}

// Store keeps trusted metadata: root.json, timestamp.json, snapshot.json,
// targets.json. Load of what is not there is an error; Delete of it is none.
// Save replaces a file so that a power cut leaves the old or the new one, and
// returns when it is there for good.
type Store interface {
	Load(name string) ([]byte, error)
	Save(name string, b []byte) error
	Delete(name string) error
}

// Options say what to verify against.
type Options struct {
	Source  Source
	Store   Store
	Initial []byte // the root.json to begin with, where the Store has none
	Floor   Floor
	// Now is the reference time for expiry. Floor.Issued and the root's own
	// issued date are taken instead where they are later.
	Now time.Time
}

// Trusted is a verified state of a repository. It is for one goroutine.
type Trusted struct {
	options Options
	set     *trustedmetadata.TrustedMetadata
	floor   Floor
}

// Floor is what the next Refresh must not go below.
func (t *Trusted) Floor() Floor { return t.floor }

// Expires is when the timestamp expires: until then this state is fresh.
func (t *Trusted) Expires() time.Time { return t.set.Timestamp.Signed.Expires }

// The names that metadata have in a Store.
const (
	rootFile      = metadata.ROOT + ".json"
	timestampFile = metadata.TIMESTAMP + ".json"
	snapshotFile  = metadata.SNAPSHOT + ".json"
	targetsFile   = metadata.TARGETS + ".json"
)

// mirrored is a Source that has mirrors.
type mirrored interface {
	Mirrors() int
	Next()
}

// onEachMirror calls try until it succeeds, or fails in another way than that
// what came did not verify, or has failed so on every mirror.
func onEachMirror(s Source, try func() error) error {
	m, ok := s.(mirrored)
	if !ok {
		return try()
	}
	var failed error
	for range m.Mirrors() {
		err := try()
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
		if !unverified(err) {
			break
		}
		m.Next()
	}
	return failed
}

func unverified(err error) bool {
	for _, e := range []error{ErrExpired, ErrRollback, ErrSignature, ErrFormat, ErrMismatch} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
