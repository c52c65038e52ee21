package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
)

// directory is a web server's root, for a station's own client.
type directory string

func (d directory) Get(_ context.Context, name string, limit int64) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are taken", name, len(b), limit)
	}
	return b, nil
}

// A station's own client, with the root and the floors of an image made before,
// follows through releases, all kinds of rotation and the daily timestamp, and
// takes nothing that is older.
func TestStation(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0")
	root, floor, err := r.Trust()
	if err != nil {
		t.Fatal(err)
	}
	kept := tuf.DirStore(t.TempDir())
	see := func(dir string) (*artifact.Manifest, error) {
		trusted, err := tuf.Refresh(t.Context(), tuf.Options{Source: directory(dir), Store: kept, Initial: root, Floor: floor, Now: r.Now})
		if err != nil {
			return nil, err
		}
		floor = trusted.Floor()
		var b bytes.Buffer
		if err := trusted.Download(t.Context(), "stable/rpi/manifest.json", &b); err != nil {
			return nil, err
		}
		return artifact.Parse(b.Bytes())
	}
	expect := func(version string) {
		t.Helper()
		if m, err := see(r.Dir); err != nil || m.Version != version {
			t.Fatalf("%+v, %v; want %s", m, err, version)
		}
	}
	image := floor
	if expect("1.0.0"); floor != image {
		t.Errorf("the image says %+v, the station finds %+v", image, floor)
	}
	before := copyOf(t, r)
	r.Now = r.Now.Add(24 * time.Hour)
	if err := r.Timestamp(p.key("online")); err != nil {
		t.Fatal(err)
	}
	expect("1.0.0")
	publish(t, r, p, "1.1.0")
	expect("1.1.0")
	if _, err := see(before.Dir); !errors.Is(err, tuf.ErrRollback) {
		t.Errorf("a server that stayed behind: %v", err)
	}
	for _, c := range []struct {
		role, old, new string
		signers        []string
	}{
		{RoleRoot, "root-1", "root-4", []string{"root-1", "root-2", "root-4"}},
		{RoleTargets, "targets-1", "targets-4", []string{"root-3", "root-4", "targets-2", "targets-4"}},
		{RoleOnline, "online", "online-2", []string{"root-2", "root-4"}},
	} {
		if err := r.Rotate(Rotation{[]RoleKey{{c.role, p.file(t, c.new)}}, []RoleKey{{c.role, p.id(t, c.old)}}}); err != nil {
			t.Fatal(err)
		}
		sign(t, r, p, c.signers...)
		online := "online"
		if c.role == RoleOnline {
			online = c.new
		}
		if err := r.Release(t.Context(), p.key(online)); err != nil {
			t.Fatal(err)
		}
		expect("1.1.0")
	}
	// The image's versions do not bind under keys that are not those of its time.
	floor = image
	floor.Timestamp, floor.Snapshot, floor.Targets = 1000, 1000, 1000
	kept = tuf.DirStore(t.TempDir())
	expect("1.1.0")
	if _, now, err := r.Trust(); err != nil || floor != now {
		t.Errorf("a new image says %+v, the station finds %+v; %v", now, floor, err)
	}
	if floor.Root != 4 || !floor.Issued.After(day) {
		t.Errorf("%+v", floor)
	}
}
