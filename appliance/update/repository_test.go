package update

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
	"github.com/truechimer/truechimer/image/artifact"
)

// repo is a whole repository, whose metadata a station verifies itself.
type repo struct{ *tuftest.Repo }

const manifestName = "stable/rpi/manifest.json"

func (r repo) publish(t testing.TB, w *world, x *release) {
	t.Helper()
	m, err := artifact.Parse(x.manifest)
	if err != nil {
		t.Fatal(err)
	}
	w.releases[x.version] = x
	r.Put(m.Pack.Name, x.pack)
	r.Add(manifestName, x.manifest)
	r.Now, _ = w.Now()
	r.Publish()
}

func (r repo) Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error) {
	b := r.File(name)
	if from+length > int64(len(b)) {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b[from : from+length])), ctx.Err()
}

func (repo) Next()        {}
func (repo) Mirrors() int { return 1 }

// TestRepository goes from release to release with real metadata: across rotated
// keys, and not back with a server that goes back, nor on with one that stands still.
func TestRepository(t *testing.T) {
	list := []*release{newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1), newRelease(t, "1.2.0", good, 1)}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], list[0])
		r := repo{tuftest.New(built.Add(-time.Hour))}
		initial := r.Initial()
		w.options = func(o *Options) {
			o.Metadata, o.Files, o.Root = NewRepository(r, w.perm), r, initial
		}
		install := func(x *release) {
			t.Helper()
			w.live(8 * time.Hour)
			if w.live(time.Hour); w.committed() != x {
				t.Fatalf("%+v", w.engine.Status())
			}
		}
		r.publish(t, w, list[1])
		before := r.Files()
		install(list[1])
		if got := w.record(); got.Floors.Metadata.Targets != r.Targets.Signed.Version || got.Anchor != anchorImage {
			t.Errorf("%+v", got)
		}
		for range 4 {
			r.Rotate("root", "timestamp", "snapshot", "targets")
		}
		r.publish(t, w, list[2])
		install(list[2])
		floors := w.record().Floors

		r.SetFiles(before)
		w.perm.m = map[string][]byte{} // only the record remembers
		w.live(8 * time.Hour)
		if s := w.engine.Status(); s.Failure == "" || w.record().Floors != floors {
			t.Errorf("an old server: %+v, %+v", s, w.record().Floors)
		}
		w.live(30 * 24 * time.Hour)
		if s := w.engine.Status(); s.Failure == "" || w.committed() != list[2] {
			t.Errorf("%+v", s)
		}
	})
}

// TestExpired lets metadata expire: nothing is installed until it is renewed.
func TestExpired(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], first)
		r := repo{tuftest.New(built)}
		w.options = func(o *Options) { o.Metadata, o.Files, o.Root = NewRepository(r, w.perm), r, r.Initial() }
		r.publish(t, w, next)
		time.Sleep((tuftest.OnlineDays + 1) * 24 * time.Hour)
		if how := w.live(24 * time.Hour); how != outlived || w.engine.Status().Freshness != Expired {
			t.Fatalf("%s: %+v", how, w.engine.Status())
		}
		r.publish(t, w, next)
		w.live(8 * time.Hour)
		if w.live(time.Hour); w.committed() != next {
			t.Errorf("%+v", w.engine.Status())
		}
	})
}

// TestManifestTooLong refuses a manifest by its signed length, and what is not there.
func TestManifestTooLong(t *testing.T) {
	r := tuftest.New(built)
	r.Add(manifestName, make([]byte, artifact.MaxManifest+1))
	r.Publish()
	got, err := NewRepository(r, &files{m: map[string][]byte{}}).Refresh(t.Context(), Trust{Initial: r.Initial(), Now: built})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.Manifest(t.Context(), manifestName, artifact.MaxManifest); !errors.Is(err, tuf.ErrFormat) {
		t.Errorf("too long: %v", err)
	}
	if _, err := got.Manifest(t.Context(), "stable/vm/manifest.json", artifact.MaxManifest); !errors.Is(err, tuf.ErrNoTarget) {
		t.Errorf("not there: %v", err)
	}
}
