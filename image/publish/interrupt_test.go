package publish

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var errCut = errors.New("cut")

// cutAfter has a repository's commands fail after n changes.
func cutAfter(r *Repository, n int) {
	r.wrote = func(string) error {
		if n--; n == 0 {
			return errCut
		}
		return nil
	}
}

// copyOf is the same repository in another directory.
func copyOf(t *testing.T, r *Repository) *Repository {
	t.Helper()
	c := *r
	c.Dir = t.TempDir()
	if err := os.CopyFS(c.Dir, os.DirFS(r.Dir)); err != nil {
		t.Fatal(err)
	}
	return &c
}

// Wherever a command is interrupted, clients see the old release or the new
// one, and the same command again comes to the same end.
func TestInterrupted(t *testing.T) {
	first, p := newRepository(t)
	publish(t, first, p, "1.0.0")
	rel, _ := release("1.1.0")
	add := func(r *Repository) error { _, err := r.Add(t.Context(), rel); return err }
	finish := func(r *Repository) error {
		for _, name := range []string{"targets-1", "targets-2"} {
			if _, err := r.Sign(RoleTargets, p.key(name)); err != nil {
				return err
			}
		}
		return r.Release(t.Context(), p.key("online"))
	}
	for n := 1; ; n++ {
		r := copyOf(t, first)
		cutAfter(r, n)
		err := add(r)
		added := err == nil
		if added {
			err = finish(r)
		}
		r.wrote = nil
		if err == nil {
			if n < 8 {
				t.Errorf("a release took %d changes only", n)
			}
			break
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("after %d changes: %v", n, err)
		}
		c := client(t, r.Dir, day)
		if v := target(t, r.Dir, c, "stable/rpi/manifest.json").Version; v != "1.0.0" && v != "1.1.0" {
			t.Errorf("after %d changes clients see %s", n, v)
		}
		if !added {
			if err := add(r); err != nil {
				t.Fatalf("after %d changes, adding again: %v", n, err)
			}
			err = finish(r)
		} else if p, e := r.pending(mustLoad(t, r)); e == nil && p.targets == nil {
			// Everything but the tidying was done.
			err = r.Release(t.Context(), nil)
			if errors.Is(err, errNothingStaged) {
				err = nil
			}
		} else {
			err = finish(r)
		}
		if err != nil {
			t.Fatalf("after %d changes, again: %v", n, err)
		}
		c = client(t, r.Dir, day)
		if v := target(t, r.Dir, c, "stable/rpi/manifest.json").Version; v != "1.1.0" {
			t.Errorf("after %d changes and again clients see %s", n, v)
		}
		if left, err := filepath.Glob(filepath.Join(r.Dir, "*", tempPattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %q, %v", left, err)
		}
		if _, err := r.Check(t.Context(), nil); err != nil {
			t.Errorf("after %d changes and again: %v", n, err)
		}
	}
}

func mustLoad(t *testing.T, r *Repository) *state {
	t.Helper()
	s, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The same for a change of all keys: the old root, the new root, and what
// each of them vouches for.
func TestInterruptedRotation(t *testing.T) {
	first, p := newRepository(t)
	publish(t, first, p, "1.0.0")
	rotation := Rotation{}
	for _, k := range []struct{ role, old, new string }{
		{RoleRoot, "root-1", "root-4"}, {RoleTargets, "targets-1", "targets-4"}, {RoleTargets, "targets-2", "targets-5"}, {RoleOnline, "online", "online-2"},
	} {
		rotation.Add = append(rotation.Add, RoleKey{k.role, p.file(t, k.new)})
		rotation.Remove = append(rotation.Remove, RoleKey{k.role, p.id(t, k.old)})
	}
	for n := 1; ; n++ {
		r := copyOf(t, first)
		cutAfter(r, n)
		again := func() error {
			if s, err := r.load(); err == nil && s.Root.Signed.Version == 2 {
				return r.nothingStaged()
			}
			if err := r.Rotate(rotation); err != nil {
				return err
			}
			for _, name := range []string{"root-1", "root-2", "root-4", "targets-3", "targets-5"} {
				role, _, _ := cutName(name)
				if _, err := r.Sign(role, p.key(name)); err != nil {
					return err
				}
			}
			return r.Release(t.Context(), p.key("online-2"))
		}
		err := again()
		r.wrote = nil
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("after %d changes: %v", n, err)
		}
		if err := again(); err != nil && !errors.Is(err, errNothingStaged) {
			t.Fatalf("after %d changes, again: %v", n, err)
		}
		c := client(t, r.Dir, day)
		if c.Root.Signed.Version != 2 || c.Targets["targets"].Signed.Version != 3 {
			t.Errorf("after %d changes and again clients see root %d, targets %d", n, c.Root.Signed.Version, c.Targets["targets"].Signed.Version)
		}
		if err := r.Timestamp(p.key("online-2")); err != nil {
			t.Errorf("after %d changes and again: %v", n, err)
		}
	}
}

// Timestamp must not paper over a release that was interrupted.
func TestTimestampAfterInterruptedRotation(t *testing.T) {
	r, p := newRepository(t)
	if err := r.Rotate(Rotation{Add: []RoleKey{{RoleOnline, p.file(t, "online-2")}}, Remove: []RoleKey{{RoleOnline, p.id(t, "online")}}}); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "root-1", "root-2")
	if err := r.Timestamp(p.key("online")); err != nil {
		t.Errorf("while a root awaits its release: %v", err)
	}
	cutAfter(r, 1)
	if err := r.Release(t.Context(), p.key("online-2")); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	r.wrote = nil
	if err := r.Timestamp(p.key("online")); err == nil {
		t.Error("a timestamp that no client can verify")
	}
	if err := r.Release(t.Context(), p.key("online-2")); err != nil {
		t.Fatal(err)
	}
	client(t, r.Dir, day.Add(time.Hour))
}
