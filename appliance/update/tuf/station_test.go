package tuf_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// day0 is when test repositories are made.
var day0 = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

var errCut = errors.New("the power was cut")

// memory is a Store that loses its power after a number of writes.
type memory struct {
	files map[string][]byte
	left  int // writes; negative: no end
}

func newMemory() *memory { return &memory{map[string][]byte{}, -1} }

func (m *memory) Load(name string) ([]byte, error) {
	if b, ok := m.files[name]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (m *memory) write(do func()) error {
	if m.left == 0 {
		return errCut
	}
	m.left--
	do()
	return nil
}

func (m *memory) Save(name string, b []byte) error {
	return m.write(func() { m.files[name] = b })
}

func (m *memory) Delete(name string) error {
	if _, ok := m.files[name]; !ok {
		return nil
	}
	return m.write(func() { delete(m.files, name) })
}

// station is what outlasts a restart.
type station struct {
	repo  *tuftest.Repo
	store *memory
	first []byte
	floor tuf.Floor
	now   time.Time
}

func newStation() *station {
	r := tuftest.New(day0)
	return &station{repo: r, store: newMemory(), first: r.Initial(), now: day0}
}

func (s *station) refreshFrom(source tuf.Source) (*tuf.Trusted, error) {
	return tuf.Refresh(context.Background(), tuf.Options{
		Source: source, Store: s.store, Initial: s.first, Floor: s.floor, Now: s.now,
	})
}

// good refreshes and keeps the new floor.
func (s *station) good(t *testing.T) *tuf.Trusted {
	t.Helper()
	trusted, err := s.refreshFrom(s.repo)
	if err != nil {
		t.Fatal(err)
	}
	s.floor = trusted.Floor()
	return trusted
}

// bad refreshes and wants an error, and that nothing is kept but what may be.
func (s *station) bad(t *testing.T, want error, may ...string) {
	t.Helper()
	before := maps.Clone(s.store.files)
	if _, err := s.refreshFrom(s.repo); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	for _, name := range may {
		if b, ok := s.store.files[name]; ok {
			before[name] = b
		} else {
			delete(before, name)
		}
	}
	if !maps.EqualFunc(before, s.store.files, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("the store has changed: it has %d files", len(s.store.files))
	}
}

// versions are root, timestamp, snapshot and targets.
func versions(f tuf.Floor) [4]int64 { return [4]int64{f.Root, f.Timestamp, f.Snapshot, f.Targets} }

func wantVersions(t *testing.T, got *tuf.Trusted, want [4]int64) {
	t.Helper()
	if v := versions(got.Floor()); v != want {
		t.Errorf("root, timestamp, snapshot and targets are of version %v, want %v", v, want)
	}
}
