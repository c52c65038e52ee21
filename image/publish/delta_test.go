package publish

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/artifact/delta"
)

// needBSDiff skips where Debian's bsdiff is missing; CI installs it.
func needBSDiff(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("bsdiff"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("bsdiff is missing")
	}
	t.Skip("bsdiff is missing; install bsdiff to run this test")
}

// There are deltas from the last three releases, and they make the new one.
func TestDeltas(t *testing.T) {
	needBSDiff(t)
	r, p := newRepository(t)
	if err := r.Deltas(t.Context(), "rpi", "stable"); !errors.Is(err, errNothingStaged) {
		t.Errorf("nothing is staged: %v", err)
	}
	roots := make(map[string][]byte)
	for _, version := range []string{"1.0.0", "1.0.1", "1.0.2", "1.0.3"} {
		roots[version] = publish(t, r, p, version)["root"]
	}
	rel, files := release("1.1.0")
	if _, err := r.Add(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a call that is repeated changes nothing
		if err := r.Deltas(t.Context(), "rpi", "stable"); err != nil {
			t.Fatal(err)
		}
	}
	sign(t, r, p, "targets-1", "targets-2")
	if err := r.Deltas(t.Context(), "rpi", "stable"); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatalf("signatures of an unchanged release: %v", err)
	}
	m := target(t, r.Dir, client(t, r.Dir, day), "stable/rpi/manifest.json")
	if len(m.Deltas) != LastReleases {
		t.Fatalf("%d deltas", len(m.Deltas))
	}
	for i, version := range []string{"1.0.3", "1.0.2", "1.0.1"} {
		d := m.Deltas[i]
		b, err := os.ReadFile(r.path(d.File.Name))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		old := bytes.NewReader(roots[version])
		if err := delta.Patch(&out, old, old.Size(), bytes.NewReader(b), m.Objects[d.To].Size); err != nil || !bytes.Equal(out.Bytes(), files["root"]) {
			t.Errorf("from %s: %d bytes, %v", version, out.Len(), err)
		}
		plan, err := r.DryRun(version, "rpi", "stable")
		if err != nil || plan.Delta < d.File.Size || plan.Delta > 1000 || plan.Missing < 200_000 || !strings.Contains(plan.String(), "with deltas") {
			t.Errorf("from %s: %v, %v", version, plan, err)
		}
	}
	if err := os.Truncate(r.path(m.Deltas[1].File.Name), 30); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(t.Context(), nil); err == nil || !strings.Contains(err.Error(), m.Deltas[1].File.Name) {
		t.Errorf("a damaged delta: %v", err)
	}
}
