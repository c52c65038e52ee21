package publish

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

// add stages a release and does not sign it.
func add(t *testing.T, r *Repository, version string) {
	t.Helper()
	rel, _ := release(version)
	if _, err := r.Add(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
}

// One targets key alone ships nothing, however often it signs.
func TestThreshold(t *testing.T) {
	r, p := newRepository(t)
	add(t, r, "1.0.0")
	for range 2 {
		got, err := r.Sign(RoleTargets, p.key("targets-1"))
		if err != nil || got.Missing != 1 || len(got.Signed) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	err := r.Release(t.Context(), p.key("online"))
	if !errors.Is(err, ErrThreshold) || !strings.Contains(err.Error(), "1 more, with publish sign -role targets") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"root-1", "online", "stranger"} {
		if _, err := r.Sign(RoleTargets, p.key(name)); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := client(t, r.Dir, day); len(c.Targets["targets"].Signed.Targets) != 0 {
		t.Error("it was released")
	}
	got, err := r.Sign(RoleTargets, p.key("targets-3"))
	if err != nil || got.Missing != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := r.Release(t.Context(), p.key("targets-1")); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key than the online one: %v", err)
	}
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Error(err)
	}
}

// What is changed after a signature has lost it.
func TestChangeAfterSignature(t *testing.T) {
	r, p := newRepository(t)
	add(t, r, "1.0.0")
	sign(t, r, p, "targets-1", "targets-2")
	add(t, r, "1.0.0") // the same: nothing changes
	if lines, err := r.Review(RoleTargets); err != nil || !strings.HasSuffix(lines[len(lines)-1], "that is enough") {
		t.Errorf("%q, %v", lines, err)
	}
	add(t, r, "1.0.1")
	if lines, err := r.Review(RoleTargets); err != nil || !strings.HasSuffix(lines[len(lines)-1], "by nobody; 2 more have to sign") {
		t.Errorf("%q, %v", lines, err)
	}
	if err := r.Release(t.Context(), p.key("online")); !errors.Is(err, ErrThreshold) {
		t.Errorf("%v", err)
	}
	// Somebody edits the file by hand.
	sign(t, r, p, "targets-1", "targets-2")
	b, err := os.ReadFile(r.staged("targets"))
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(b), "2027-12-01", "2099-12-01", 1)
	if err := os.WriteFile(r.staged("targets"), []byte(later), 0o600); err != nil || later == string(b) {
		t.Fatal(err)
	}
	if err := r.Release(t.Context(), p.key("online")); !errors.Is(err, ErrThreshold) {
		t.Errorf("edited: %v", err)
	}
	if got, err := r.Sign(RoleTargets, p.key("targets-3")); err != nil || len(got.Signed) != 1 {
		t.Errorf("signatures of the old text count: %+v, %v", got, err)
	}
}

// Two people sign on machines of their own, from copies without the packs.
func TestGather(t *testing.T) {
	r, p := newRepository(t)
	add(t, r, "1.0.0")
	var copies []*Repository
	for _, name := range []string{"targets-1", "targets-3"} {
		c := copyOf(t, r)
		if err := os.RemoveAll(c.path("files")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Review(RoleTargets); err != nil {
			t.Error(err)
		}
		sign(t, c, p, name)
		copies = append(copies, c)
	}
	for i, c := range copies {
		got, err := r.Gather(RoleTargets, c.staged("targets"))
		if err != nil || got.Missing != 1-i {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	publish(t, r, p, "1.0.1")
	add(t, r, "1.0.2")
	if _, err := r.Gather(RoleTargets, copies[0].staged("targets")); err == nil || !strings.Contains(err.Error(), "no signature of what is staged here") {
		t.Errorf("signatures of an earlier release: %v", err)
	}
	if _, err := r.Gather(RoleTargets, copies[0].path("nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A clock that is ahead would move those of all stations.
func TestMadeInTheFuture(t *testing.T) {
	r, p := newRepository(t)
	r.Now = day.AddDate(50, 0, 0)
	add(t, r, "1.0.0")
	r.Now = day.Add(time.Hour)
	if _, err := r.Sign(RoleTargets, p.key("targets-1")); !errors.Is(err, ErrFuture) {
		t.Errorf("%v", err)
	}
	r.Now = day.AddDate(50, 0, 0).Add(-time.Hour)
	sign(t, r, p, "targets-1")
}

func TestNothingToSign(t *testing.T) {
	r, p := newRepository(t)
	if _, err := r.Sign(RoleTargets, p.key("targets-1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for _, role := range []string{"online", "snapshot", ""} {
		if _, err := r.Sign(role, p.key("online")); err == nil {
			t.Errorf("role %q can be signed", role)
		}
		if _, err := r.Review(role); err == nil {
			t.Errorf("role %q can be seen", role)
		}
	}
	if err := r.Release(t.Context(), p.key("online")); !errors.Is(err, errNothingStaged) {
		t.Errorf("%v", err)
	}
}

// Somebody released from another copy meanwhile.
func TestStale(t *testing.T) {
	r, p := newRepository(t)
	add(t, r, "1.0.0")
	old, err := os.ReadFile(r.staged("targets"))
	if err != nil {
		t.Fatal(err)
	}
	r.Now = r.Now.Add(time.Hour)
	publish(t, r, p, "1.0.1")
	if err := os.WriteFile(r.staged("targets"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"sign":    func() error { _, err := r.Sign(RoleTargets, p.key("targets-1")); return err },
		"release": func() error { return r.Release(t.Context(), p.key("online")) },
		"add":     func() error { rel, _ := release("1.0.2"); _, err := r.Add(t.Context(), rel); return err },
	} {
		if err := f(); !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), "begin anew") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Hostile metadata is an error.
func TestMalformed(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", `{"signed":null,"signatures":null}`, `{"signed":{"_type":"timestamp","meta":{"snapshot.json":null}},"signatures":[]}`,
		`{"signed":{"_type":"timestamp"},"signatures":null}`, strings.Repeat("[", 100_000), strings.Repeat(" ", maxMetadata+1),
	} {
		r, _ := newRepository(t)
		if err := os.WriteFile(r.path("metadata", "timestamp.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Check(t.Context(), nil); err == nil {
			t.Errorf("%.40q is fine", text)
		}
	}
	for _, text := range []string{
		`{"signed":{"_type":"targets","version":2,"targets":{"a":null}},"signatures":[]}`, `{"signed":{"_type":"targets","version":2,"targets":null},"signatures":null}`, "x",
	} {
		r, p := newRepository(t)
		if err := r.write(r.staged("targets"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Sign(RoleTargets, p.key("targets-1")); err == nil {
			t.Errorf("%s is signed", text)
		}
		for _, change := range []string{"null", `{"root":null}`, "{}"} {
			text := `{"signed":{"_type":"root","version":2,"keys":{"a":null},"roles":` + change + `},"signatures":[]}`
			if err := r.write(r.staged("root"), []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Sign(RoleRoot, p.key("root-1")); err == nil {
				t.Errorf("%s is signed", text)
			}
		}
	}
	root := []byte(`{"signed":{"_type":"root","keys":{"a":null},"roles":{"root":{"keyids":["a"],"threshold":1}}},"signatures":[{"keyid":"a","sig":""}]}`)
	if _, err := verify([][]byte{root}, day, func(string) ([]byte, error) { return nil, fs.ErrNotExist }); err == nil {
		t.Error("a root with a null key")
	}
}
