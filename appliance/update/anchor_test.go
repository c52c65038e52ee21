package update

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// publishers are the image's, and an operator's, whose root has other keys.
func publishers() (images, own repo, ownRoot []byte) {
	images, own = repo{tuftest.New(built)}, repo{tuftest.New(built)}
	own.Rotate("root", "targets", "timestamp", "snapshot")
	own.Publish()
	return images, own, own.File("metadata/2.root.json")
}

// follow has a station follow a repository, with a root on its card.
func (w *world) follow(r repo, image, own []byte) Status {
	w.t.Helper()
	w.options = func(o *Options) {
		o.Metadata, o.Files, o.Root, o.OwnRoot = NewRepository(r, w.perm), r, image, own
	}
	if how := w.live(time.Hour); how != outlived {
		w.t.Fatal(how)
	}
	return w.engine.Status()
}

// TestLostRoot: a station that trusts its operator's root, and has lost what it
// kept of it, takes the same one again, and no other, the image's least of all.
func TestLostRoot(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	images, mine, own := publishers()
	third := repo{tuftest.New(built)}
	for range 2 {
		third.Rotate("root", "targets", "timestamp", "snapshot")
	}
	third.Publish()
	sum := artifact.Sum(sha256.Sum256(own)).String()
	const lost = "The root metadata that this station trusts is lost."
	for loss, lose := range map[string]func(*files){
		"/perm is lost":   func(f *files) { f.m = map[string][]byte{} },
		"the root rotted": func(f *files) { f.m["root.json"] = f.m["root.json"][:100] },
		"the root is gone": func(f *files) {
			delete(f.m, "root.json")
			f.m[beganName] = []byte(`"image"`)
		},
	} {
		for name, c := range map[string]struct {
			from repo
			card []byte
			says string
		}{
			"nothing on the card":      {images, nil, lost},
			"another one on the card":  {third, third.File("metadata/3.root.json"), lost},
			"the image's on the card":  {images, images.Initial(), lost},
			"the same one, and theirs": {images, own, "What the update host says is not taken"},
			"the same one":             {mine, own, "There is no release for rpi"},
		} {
			t.Run(fmt.Sprintf("%s, %s", loss, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, loaders[0], first)
					if s := w.follow(mine, images.Initial(), own); s.State != StateIdle || w.record().Anchor != sum {
						t.Fatalf("%+v, %+v", s, w.record())
					}
					lose(w.perm)
					for range 2 {
						if s := w.follow(c.from, images.Initial(), c.card); !strings.HasPrefix(s.Summary, c.says) {
							t.Errorf("%+v", s)
						}
					}
					if got := w.record().Anchor; got != sum {
						t.Errorf("the anchor is %s", got)
					}
					if kept := w.perm.m["root.json"]; c.says == lost && loss != "the root rotted" && kept != nil {
						t.Errorf("a root is kept: %.200q", kept)
					}
				})
			})
		}
	}
}

// TestRootIsChangedInTime: as long as a station trusts nobody, the root.json that
// is on its card now counts, not what came of the one before. From then on what is
// kept stays.
func TestRootIsChangedInTime(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	synctest.Test(t, func(t *testing.T) {
		images, mine, own := publishers()
		w := newWorld(t, loaders[0], first)
		// The image's: its next root is there, and nothing behind it.
		image := images.Initial()
		images.PublishRoot()
		whole := images.Files()
		images.SetFiles(map[string][]byte{"metadata/2.root.json": images.File("metadata/2.root.json")})
		if s := w.follow(images, image, nil); s.State != StateWaiting || !bytes.Equal(w.perm.m["root.json"], images.File("metadata/2.root.json")) {
			t.Fatalf("%+v", s)
		}
		if s := w.follow(mine, image, own); s.State != StateIdle {
			t.Errorf("the operator's: %+v", s)
		}
		if got, want := w.record().Anchor, artifact.Sum(sha256.Sum256(own)).String(); got != want {
			t.Errorf("the anchor is %q, want %q", got, want)
		}
		// Too late.
		images.SetFiles(whole)
		kept := w.perm.m["root.json"]
		if s := w.follow(images, image, nil); s.State != StateWaiting || !bytes.Equal(w.perm.m["root.json"], kept) {
			t.Errorf("the image's, after that: %+v", s)
		}
		if got := Anchor(bootfs.OpenState(statePart(w.card)), w.perm); got != w.record().Anchor {
			t.Errorf("Anchor says %q", got)
		}
	})
}

// TestFloorOfTheImage binds the image's publisher, and not an operator's own.
func TestFloorOfTheImage(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	synctest.Test(t, func(t *testing.T) {
		images, mine, own := publishers()
		issued := built.Add(30 * time.Minute)
		floor := tuf.Floor{Root: 9, Timestamp: 100, Snapshot: 100, Targets: 100, Issued: issued}
		w := newWorld(t, loaders[0], first)
		follow := func(r repo, own []byte) Status {
			w.options = func(o *Options) {
				o.Metadata, o.Files, o.Root, o.OwnRoot = NewRepository(r, w.perm), r, images.Initial(), own
				o.System.Floor = floor
			}
			w.live(time.Hour)
			return w.engine.Status()
		}
		if s := follow(images, nil); !strings.Contains(s.Failure, tuf.ErrRollback.Error()) {
			t.Errorf("the image's: %+v", s)
		}
		if s := follow(mine, own); s.State != StateIdle {
			t.Errorf("an operator's own: %+v", s)
		}
		if got := w.record().Floors.Metadata; got.Root != 2 || !got.Issued.Equal(issued) {
			t.Errorf("%+v", got)
		}
	})
}

// TestBeginAfterACut: the power may fail between any two deletions, and what is
// kept for a root that did not change stays.
func TestBeginAfterACut(t *testing.T) {
	kept := []string{"root.json", "timestamp.json", "snapshot.json", "targets.json"}
	for left := range len(kept) + 1 {
		f := &files{m: map[string][]byte{beganName: []byte(`"image"`), floorsName: nil}}
		for _, name := range kept {
			f.m[name] = []byte(name)
		}
		s := &dying{files: f, left: len(kept)}
		e := &Engine{o: Options{Root: []byte("image"), Store: s}}
		if err := e.begin(); err != nil || len(f.m) != len(kept)+2 {
			t.Fatalf("the same root: %v, %d files", err, len(f.m))
		}
		e.o.OwnRoot = []byte("own")
		s.left = left
		if err := e.begin(); err == nil {
			t.Fatal("it was not cut")
		}
		s.left = len(kept) + 1
		if err := e.begin(); err != nil || len(f.m) != 2 || string(f.m[beganName]) == `"image"` {
			t.Errorf("cut after %d: %v, %v", left, err, f.m)
		}
	}
}

// dying is a Store whose writes fail after some of them.
type dying struct {
	*files
	left int
}

func (d *dying) write() error {
	if d.left--; d.left < 0 {
		return errCut
	}
	return nil
}

func (d *dying) Save(name string, b []byte) error {
	if err := d.write(); err != nil {
		return err
	}
	return d.files.Save(name, b)
}

func (d *dying) Delete(name string) error {
	if err := d.write(); err != nil {
		return err
	}
	return d.files.Delete(name)
}
