package publish

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

func TestAddRefuses(t *testing.T) {
	r, p := newRepository(t)
	rel, _ := release("1.2.0")
	rel.Epoch = 3
	if _, err := r.Add(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "targets-1", "targets-2")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		change func(*Release)
		want   string
	}{
		"older":      {func(r *Release) { r.Version = "1.1.9" }, "not newer than 1.2.0"},
		"the same":   {func(r *Release) { r.Version = "1.2.0" }, "not newer than 1.2.0"},
		"candidate":  {func(r *Release) { r.Version = "1.2.0-rc.1" }, "not newer than 1.2.0"},
		"no version": {func(r *Release) { r.Version = "v1.3" }, `version "v1.3"`},
		"metadata":   {func(r *Release) { r.Version = "1.3.0+x" }, `version "1.3.0+x"`},
		"epoch":      {func(r *Release) { r.Epoch = 2 }, "epoch 2 is below 3"},
		"min from":   {func(r *Release) { r.MinFrom = "1.3.0" }, "lower -min-from"},
		"bad min":    {func(r *Release) { r.MinFrom = "old" }, "old"},
		"channel":    {func(r *Release) { r.Channel = "../x" }, "channel"},
		"board":      {func(r *Release) { r.Board = "" }, "board"},
		"notes":      {func(r *Release) { r.Notes = strings.Repeat("n", artifact.MaxNotes+1) }, "notes"},
		"no slot":    {func(r *Release) { r.Slots = nil }, "slot"},
		"missing":    {func(r *Release) { r.Root.Open = func() (io.ReadCloser, error) { return nil, gone } }, "gone"},
		"short":      {func(r *Release) { r.Root.Size += 4096 }, "4096 bytes fewer"},
		"long":       {func(r *Release) { r.Root.Size -= 4096 }, "bytes more than announced"},
	} {
		rel, _ := release("1.3.0")
		rel.Epoch = 3
		c.change(&rel)
		if _, err := r.Add(t.Context(), rel); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want one with %q", name, err, c.want)
		}
		if exists(r.staged("targets")) {
			t.Fatalf("%s is staged", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rel, _ = release("1.3.0")
	rel.Epoch = 3
	if _, err := r.Add(ctx, rel); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if files, err := os.ReadDir(r.path("files")); err != nil || len(files) != 1 {
		t.Errorf("%v are left, %v", files, err)
	}
	none := &Repository{Dir: t.TempDir(), Now: day}
	if _, err := none.Add(t.Context(), rel); !errors.Is(err, ErrNotPublished) {
		t.Errorf("no repository: %v", err)
	}
}

// Boards and channels are apart; equal bytes are stored once in a pack.
func TestManyTargets(t *testing.T) {
	r, p := newRepository(t)
	for _, c := range []struct{ board, channel string }{{"rpi", "stable"}, {"rpi", "beta"}, {"rock64", "stable"}} {
		rel, _ := release("1.0.0")
		rel.Board, rel.Channel = c.board, c.channel
		if _, err := r.Add(t.Context(), rel); err != nil {
			t.Fatal(err)
		}
	}
	sign(t, r, p, "targets-1", "targets-2")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	c := client(t, r.Dir, day)
	m := target(t, r.Dir, c, "beta/rpi/manifest.json")
	if m.Channel != "beta" || m.Slots["a"][0].Object != m.Slots["b"][0].Object || m.Slots["a"][2].Object == m.Slots["b"][2].Object {
		t.Errorf("%+v", m.Slots)
	}
	if files, err := os.ReadDir(r.path("files")); err != nil || len(files) != 1 {
		t.Errorf("%d packs of the same content, %v", len(files), err)
	}
	if err := r.Withdraw("rpi", "beta"); err != nil {
		t.Fatal(err)
	}
	if err := r.Withdraw("rpi", "beta"); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := r.Withdraw("rpi", "gamma"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if lines, err := r.Review(RoleTargets); err != nil || !strings.Contains(strings.Join(lines, "\n"), "beta/rpi/manifest.json: gone") {
		t.Errorf("%q, %v", lines, err)
	}
	sign(t, r, p, "targets-1", "targets-2")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	if c := client(t, r.Dir, day); len(c.Targets["targets"].Signed.Targets) != 2 {
		t.Errorf("%v", c.Targets["targets"].Signed.Targets)
	}
	// Stations that had it never go back.
	rel, _ := release("1.0.0")
	rel.Channel = "beta"
	if _, err := r.Add(t.Context(), rel); err == nil || !strings.Contains(err.Error(), "not newer than 1.0.0, which was released") {
		t.Errorf("as if it had never been: %v", err)
	}
}

// What lies damaged in the repository is neither released nor found good.
func TestDamage(t *testing.T) {
	good, p := newRepository(t)
	add(t, good, "1.0.0")
	sign(t, good, p, "targets-1", "targets-2")
	released := copyOf(t, good)
	if err := released.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	lines, err := released.Check(t.Context(), nil)
	if text := strings.Join(lines, "\n"); err != nil || !strings.Contains(text, "stable/rpi/manifest.json: 1.0.0, 5 objects") {
		t.Errorf("%s, %v", text, err)
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"one bit":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"missing":   func([]byte) []byte { return nil },
	} {
		for _, dir := range []string{"files", "targets/stable/rpi"} {
			for what, f := range map[string]func(*Repository) error{
				"release": func(r *Repository) error { return r.Release(t.Context(), p.key("online")) },
				"check":   func(r *Repository) error { _, err := r.Check(t.Context(), nil); return err },
			} {
				r := copyOf(t, map[string]*Repository{"release": good, "check": released}[what])
				files, err := os.ReadDir(r.path(dir))
				if err != nil || len(files) != 1 {
					t.Fatalf("%v, %v", files, err)
				}
				file := r.path(dir, files[0].Name())
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if b = damage(bytes.Clone(b)); b == nil {
					err = os.Remove(file)
				} else {
					err = os.WriteFile(file, b, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := f(r); err == nil || !strings.Contains(err.Error(), "stable/rpi/manifest.json") {
					t.Errorf("%s, %s: %s: %v", dir, name, what, err)
				}
			}
		}
	}
}

// Check begins with whatever root a station has, and knows when it is late.
func TestCheck(t *testing.T) {
	r, p := newRepository(t)
	first, err := os.ReadFile(r.path("metadata", "1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Renew(RoleRoot); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "root-1", "root-2")
	if err := r.Release(t.Context(), p.key("online")); err != nil {
		t.Fatal(err)
	}
	second, floor, err := r.Trust()
	if err != nil || floor.Root != 2 || floor.Targets != 1 || floor.Timestamp != 2 || floor.Snapshot != 2 || !floor.Issued.Equal(day) {
		t.Errorf("%+v, %v", floor, err)
	}
	for name, root := range map[string][]byte{"none": nil, "first": first, "second": second} {
		if _, err := r.Check(t.Context(), root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, _ := newRepository(t)
	if _, err := other.Check(t.Context(), second); err == nil {
		t.Error("a root of another repository, and newer, is fine")
	}
	if _, err := other.Check(t.Context(), first); err == nil {
		t.Error("a root of another repository is fine")
	}
	r.Now = day.Add(OnlineExpiry + 1e9)
	if _, err := r.Check(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "timestamp.json is expired") {
		t.Errorf("after 14 days: %v", err)
	}
}

// What a dry run says is what a station fetches.
func TestDryRun(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0")
	rel, _ := release("1.1.0")
	rel.MinFrom, rel.Epoch = "0.9.0", 1
	if _, err := r.Add(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	plan, err := r.DryRun("1.0.0", "rpi", "stable")
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Manifest
	if !plan.Staged || !plan.Known || plan.Refused != "" || m.Version != "1.1.0" {
		t.Errorf("%+v", plan)
	}
	// Both slots but slot a's command line; the version is in the second of the
	// root's chunks.
	var skipped int64
	for _, c := range m.ObjectChunks(m.Slots[string(bootfs.SlotA)][2].Object) {
		skipped += int64(c.Packed)
	}
	if plan.Full != m.Pack.Size-skipped {
		t.Errorf("%d in full, the pack has %d and %d of that are slot a's", plan.Full, m.Pack.Size, skipped)
	}
	if plan.Missing < 200_000 || plan.Missing > 270_000 || plan.Delta != plan.Missing || plan.Ranges != 2 {
		t.Errorf("%d missing in %d requests, %d with deltas", plan.Missing, plan.Ranges, plan.Delta)
	}
	for station, want := range map[string]string{
		"1.1.0": "not newer", "2.0.0": "not newer", "0.8.0": "from 0.9.0 on", "0.9.5": "how much of that it has is not known", "1.0.0": "without what it has",
	} {
		plan, err := r.DryRun(station, "rpi", "stable")
		if err != nil || !strings.Contains(plan.String(), want) {
			t.Errorf("%s: %v, %v; want %q", station, plan, err, want)
		}
	}
	if _, err := r.DryRun("1.0.0", "rock64", "stable"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no release for a board: %v", err)
	}
	if _, err := r.DryRun("v1", "rpi", "stable"); err == nil {
		t.Error("v1 is a version")
	}
}
