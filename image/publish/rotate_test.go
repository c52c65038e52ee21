package publish

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// A targets key is stolen: it is replaced, and has no say any more.
func TestStolenTargetsKey(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0") // signed by targets-1 and -2
	change := Rotation{Add: []RoleKey{{RoleTargets, p.file(t, "targets-4")}}, Remove: []RoleKey{{RoleTargets, p.id(t, "targets-2")[:12]}}}
	if err := r.Rotate(change); err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(change); err != nil {
		t.Errorf("a second time: %v", err)
	}
	lines, err := r.Review(RoleRoot)
	if text := strings.Join(lines, "\n"); err != nil || !strings.Contains(text, "  + "+p.id(t, "targets-4")) || !strings.Contains(text, "  - "+p.id(t, "targets-2")) {
		t.Errorf("%s, %v", text, err)
	}
	sign(t, r, p, "root-2", "root-3")
	// What was released has one good signature left: it is signed anew.
	if err := r.Release(t.Context(), p.key("online")); !errors.Is(err, ErrThreshold) {
		t.Errorf("%v", err)
	}
	sign(t, r, p, "targets-1", "targets-4")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	c := client(t, r.Dir, day)
	if c.Root.Signed.Version != 2 || target(t, r.Dir, c, "stable/rpi/manifest.json").Version != "1.0.0" {
		t.Errorf("root %d", c.Root.Signed.Version)
	}
	add(t, r, "1.1.0")
	if _, err := r.Sign(RoleTargets, p.key("targets-2")); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the stolen key: %v", err)
	}
}

// A key that nobody needed for what is published is removed: nothing is signed
// anew.
func TestRemovedKeyThatDidNotSign(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0")
	if err := r.Rotate(Rotation{Add: []RoleKey{{RoleTargets, p.file(t, "targets-4")}}, Remove: []RoleKey{{RoleTargets, p.file(t, "targets-3")}}}); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "root-1", "root-2")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	client(t, r.Dir, day)
}

// A new root needs two old keys and two new ones.
func TestRootRotation(t *testing.T) {
	r, p := newRepository(t)
	change := Rotation{
		Add:    []RoleKey{{RoleRoot, p.file(t, "root-4")}, {RoleRoot, p.file(t, "root-5")}},
		Remove: []RoleKey{{RoleRoot, p.id(t, "root-1")}, {RoleRoot, p.id(t, "root-2")}},
	}
	if err := r.Rotate(change); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		key     string
		missing int
	}{{"root-1", 2}, {"root-2", 2}, {"root-3", 1}, {"root-5", 0}} {
		if err := r.Release(t.Context(), p.key("online")); !errors.Is(err, ErrThreshold) {
			t.Errorf("with %d signatures: %v", i, err)
		}
		if got, err := r.Sign(RoleRoot, p.key(c.key)); err != nil || got.Missing != c.missing {
			t.Errorf("%s: %+v, %v", c.key, got, err)
		}
	}
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	// And once more, by the new ones: clients walk the chain.
	if err := r.Renew(RoleRoot); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sign(RoleRoot, p.key("root-1")); !errors.Is(err, ErrWrongKey) {
		t.Errorf("%v", err)
	}
	sign(t, r, p, "root-4", "root-5")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	if c := client(t, r.Dir, day); c.Root.Signed.Version != 3 {
		t.Errorf("root %d", c.Root.Signed.Version)
	}
}

func TestRotationsThatCannotBe(t *testing.T) {
	r, p := newRepository(t)
	for name, c := range map[string]struct {
		change Rotation
		want   string
	}{
		"nothing":    {Rotation{}, "which key?"},
		"two left":   {Rotation{Remove: []RoleKey{{RoleTargets, p.id(t, "targets-1")}}}, "the role targets has 2 keys: it needs 3"},
		"no online":  {Rotation{Remove: []RoleKey{{RoleOnline, p.id(t, "online")}}}, "the role online has 0 keys"},
		"two online": {Rotation{Add: []RoleKey{{RoleOnline, p.file(t, "online-2")}}}, "at most 1"},
		"there":      {Rotation{Add: []RoleKey{{RoleRoot, p.file(t, "root-1")}}}, "has this key already"},
		"two roles":  {Rotation{Add: []RoleKey{{RoleTargets, p.file(t, "root-1")}}}, "whoever steals it has both"},
		"not there":  {Rotation{Remove: []RoleKey{{RoleRoot, p.file(t, "targets-1")}}}, "0 keys of the role root"},
		"any":        {Rotation{Remove: []RoleKey{{RoleRoot, ""}}}, "3 keys of the role root"},
		"role":       {Rotation{Add: []RoleKey{{"snapshot", p.file(t, "x")}}}, `role "snapshot": write root, targets or online`},
		"no file":    {Rotation{Add: []RoleKey{{RoleRoot, "/nowhere.pub"}}}, "/nowhere.pub"},
	} {
		if err := r.Rotate(c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want one with %q", name, err, c.want)
		}
		if exists(r.staged("root")) {
			t.Fatalf("%s: a root is staged", name)
		}
	}
	if err := r.Renew(RoleRoot); err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(Rotation{Add: []RoleKey{{RoleRoot, p.file(t, "root-4")}}}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another root that is staged: %v", err)
	}
	if err := r.Renew("timestamp"); err == nil || !strings.Contains(err.Error(), "publish timestamp") {
		t.Errorf("%v", err)
	}
}

// The first root has to be one that a lost key does not end.
func TestInitRefuses(t *testing.T) {
	p := people{}
	for want, change := range map[string]func(Keys){
		"the role root has 2 keys":    func(k Keys) { k[RoleRoot] = k[RoleRoot][:2] },
		"the role targets has 0 keys": func(k Keys) { k[RoleTargets] = nil },
		"the role online has 0 keys":  func(k Keys) { k[RoleOnline] = nil },
		"whoever steals it has both":  func(k Keys) { k[RoleOnline] = k[RoleRoot][:1] },
	} {
		keys := p.first(t)
		change(keys)
		r := &Repository{Dir: t.TempDir(), Now: day}
		if err := r.Init(keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	r, p := newRepository(t)
	if err := r.Init(p.first(t)); !errors.Is(err, ErrPublished) {
		t.Errorf("over a repository: %v", err)
	}
	fresh := &Repository{Dir: t.TempDir(), Now: day}
	if err := fresh.Init(p.first(t)); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Init(p.first(t)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over what is staged: %v", err)
	}
	if _, _, err := fresh.Trust(); !errors.Is(err, ErrNotPublished) {
		t.Errorf("before the first release: %v", err)
	}
}

// The online key signs every day; what the others signed runs out, and that is
// said before.
func TestTimestamp(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0")
	if err := r.Timestamp(p.key("targets-1")); !errors.Is(err, ErrWrongKey) {
		t.Errorf("%v", err)
	}
	var said []string
	r.Log = func(format string, args ...any) { said = append(said, format) }
	snapshot := client(t, r.Dir, day).Snapshot.Signed.Version
	for range 20 {
		r.Now = r.Now.Add(24 * time.Hour)
		if err := r.Timestamp(p.key("online")); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, r.Dir, r.Now.Add(6*24*time.Hour))
	if c.Timestamp.Signed.Version != 22 || c.Snapshot.Signed.Version != snapshot+2 {
		t.Errorf("timestamp %d, snapshot %d after %d", c.Timestamp.Signed.Version, c.Snapshot.Signed.Version, snapshot)
	}
	if len(said) != 20 {
		t.Errorf("said %q", said)
	}
	r.Now = day.AddDate(0, 11, 0)
	said = nil
	if err := r.Timestamp(p.key("online")); err != nil || len(said) != 2 || !strings.Contains(said[1]+said[0], "%s") {
		t.Errorf("a month before targets expires: %v, %q", err, said)
	}
	r.Now = day.AddDate(0, 13, 0)
	if err := r.Timestamp(p.key("online")); err == nil || !strings.Contains(err.Error(), "targets is expired") {
		t.Errorf("targets has expired: %v", err)
	}
	if err := r.Renew(RoleTargets); err != nil {
		t.Fatal(err)
	}
	if err := r.Renew(RoleTargets); err != nil {
		t.Errorf("again: %v", err)
	}
	sign(t, r, p, "targets-2", "targets-3")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	if m := target(t, r.Dir, client(t, r.Dir, r.Now), "stable/rpi/manifest.json"); m.Version != "1.0.0" {
		t.Errorf("%s", m.Version)
	}
}
