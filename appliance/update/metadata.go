package update

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
)

// Metadata says what there is.
type Metadata interface {
	// Refresh fetches and verifies the metadata. Errors are tuf's, or say that
	// nobody could be reached.
	Refresh(ctx context.Context, t Trust) (Trusted, error)
}

// Trust is what metadata is verified against.
type Trust struct {
	Initial []byte    // root metadata to begin with, where none is kept
	Floor   tuf.Floor // what must not be gone below
	Now     time.Time // the date for expiry
}

// Trusted is verified metadata.
type Trusted interface {
	// Floor is what the station must not go below from now on.
	Floor() tuf.Floor
	// Expires is when the metadata has to be renewed.
	Expires() time.Time
	// Target looks a file up; tuf.ErrNoTarget.
	Target(name string) (tuf.Target, error)
	// Manifest fetches and verifies a target of at most limit bytes. It is
	// tuf.ErrNoTarget where the metadata names none.
	Manifest(ctx context.Context, target string, limit int64) ([]byte, error)
}

// NewRepository is the Metadata of a TUF repository; store keeps what was verified.
func NewRepository(source tuf.Source, store tuf.Store) Metadata {
	return repository{source, store}
}

type repository struct {
	source tuf.Source
	store  tuf.Store
}

func (r repository) Refresh(ctx context.Context, t Trust) (Trusted, error) {
	got, err := tuf.Refresh(ctx, tuf.Options{Source: r.source, Store: r.store, Initial: t.Initial, Floor: t.Floor, Now: t.Now})
	if err != nil {
		return nil, err
	}
	return trusted{got}, nil
}

type trusted struct{ *tuf.Trusted }

func (t trusted) Manifest(ctx context.Context, target string, limit int64) ([]byte, error) {
	at, err := t.Target(target)
	if err != nil {
		return nil, err
	}
	if at.Length > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read: %w", target, at.Length, limit, tuf.ErrFormat)
	}
	var b bytes.Buffer
	err = t.Download(ctx, target, &b)
	return b.Bytes(), err
}
