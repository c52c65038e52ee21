package publish

import (
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
)

// TestRollout takes a release from its first step through a pause to everybody:
// the same version and pack, and nothing changes before it has been signed.
func TestRollout(t *testing.T) {
	r, p := newRepository(t)
	rel, _ := release("1.0.0")
	if _, err := r.Add(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	const name = "stable/rpi/manifest.json"
	var pack artifact.File
	change := func(c RolloutChange) *artifact.Rollout {
		t.Helper()
		if _, err := r.Rollout("rpi", "stable", c); err != nil {
			t.Fatal(err)
		}
		if lines, err := r.Review(RoleTargets); err != nil || !strings.Contains(strings.Join(lines, "\n"), "%") && !c.All {
			t.Fatalf("who signs sees %q, %v", lines, err)
		}
		sign(t, r, p, "targets-1", "targets-2")
		if err := r.Release(t.Context(), p.key("online")); err != nil {
			t.Fatal(err)
		}
		m := target(t, r.Dir, client(t, r.Dir, r.Now), name)
		if m.Version != "1.0.0" || pack != (artifact.File{}) && m.Pack != pack {
			t.Fatalf("%s in %s", m.Version, m.Pack.Name)
		}
		pack = m.Pack
		return m.Rollout
	}
	says := func(want ...string) {
		t.Helper()
		plan, err := r.DryRun("0.9.0", "rpi", "stable")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(plan.String(), w) {
				t.Errorf("%q is not in\n%s", w, plan)
			}
		}
	}
	start := day.Add(time.Hour)
	got := change(RolloutChange{Start: start})
	if got.Start != start.Unix() || !reflect.DeepEqual(got.Steps, artifact.DefaultSteps()) {
		t.Errorf("%+v", got)
	}
	says("1 % from 2026-12-01 10:30 UTC", "100 % from 2026-12-05 10:30 UTC")
	r.Now = day.Add(30 * time.Hour)
	if got = change(RolloutChange{Pause: true}); got.Paused != r.Now.Unix() {
		t.Errorf("%+v", got)
	}
	says("held back since 2026-12-02 15:30 UTC")
	r.Now = day.Add(40 * time.Hour)
	if got = change(RolloutChange{Resume: true}); got.Paused != 0 || got.Start != start.Add(10*time.Hour).Unix() {
		t.Errorf("%+v", got)
	}
	says("10 % since 2026-12-02 20:30 UTC", "50 % from 2026-12-03 20:30 UTC")
	steps, err := ParseSteps("1%@0s, 25%@24h, 100%@30h30m")
	if err != nil {
		t.Fatal(err)
	}
	if got = change(RolloutChange{Steps: steps}); got.Start != start.Add(10*time.Hour).Unix() || len(got.Steps) != 3 {
		t.Errorf("%+v", got)
	}
	says("25 % since", "100 % from 2026-12-03 03:00 UTC")
	if got = change(RolloutChange{All: true}); got != nil {
		t.Errorf("%+v", got)
	}
	says("all stations take it at once")
	if _, err := r.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestRolloutRefuses what cannot be meant.
func TestRolloutRefuses(t *testing.T) {
	r, p := newRepository(t)
	if _, err := r.Rollout("rpi", "stable", RolloutChange{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a release: %v", err)
	}
	publish(t, r, p, "1.0.0")
	for want, c := range map[string]RolloutChange{
		"it is not held back: all":        {Resume: true},
		"these changes exclude each":      {Pause: true, Resume: true},
		"these changes exclude each o":    {All: true, Steps: artifact.DefaultSteps()},
		"some would never be served":      {Steps: []artifact.Step{{After: 0, Share: 100}}},
		"no more or no later":             {Steps: []artifact.Step{{After: 10, Share: 100}, {After: 0, Share: 10000}}},
		"no time in seconds since 1970":   {Start: time.Unix(-1, 0)},
		"0 steps, 1 to 16 are allowed":    {Steps: []artifact.Step{}},
		"10000 of 10000 after -1 seconds": {Steps: []artifact.Step{{After: -1, Share: 10000}}},
	} {
		if _, err := r.Rollout("rpi", "stable", c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	if exists(r.staged(RoleTargets)) {
		t.Error("something is staged")
	}
	// Held back from all, it goes on to all.
	held, err := RolloutChange{Pause: true}.apply(nil, day)
	if err != nil || held.Paused != day.Unix() || len(held.Steps) != 1 {
		t.Fatalf("%+v, %v", held, err)
	}
	if on, err := (RolloutChange{Resume: true}).apply(held, day.Add(time.Hour)); err != nil || on.Start != day.Add(time.Hour).Unix() || on.Steps[0].Share != artifact.Buckets {
		t.Errorf("%+v, %v", on, err)
	}
	// Held back again it is since the first time.
	if again, err := (RolloutChange{Pause: true}).apply(held, day.Add(time.Hour)); err != nil || again.Paused != day.Unix() {
		t.Errorf("%+v, %v", again, err)
	}
	// Before its start nothing has been lost.
	early, err := RolloutChange{Pause: true, Start: day.Add(time.Hour)}.apply(&artifact.Rollout{Start: 1, Steps: artifact.DefaultSteps()}, day)
	if err != nil {
		t.Fatal(err)
	}
	if on, err := (RolloutChange{Resume: true}).apply(early, day.Add(30*time.Minute)); err != nil || on.Start != day.Add(time.Hour).Unix() {
		t.Errorf("%+v, %v", on, err)
	}
	if _, err := (RolloutChange{Resume: true}).apply(&artifact.Rollout{Start: 1, Steps: artifact.DefaultSteps()}, day); err == nil {
		t.Error("it goes on, but was not held back")
	}
}

func TestParseSteps(t *testing.T) {
	got, err := ParseSteps("1%@0h,10%@24h,50%@48h,100%@96h")
	if err != nil || !reflect.DeepEqual(got, artifact.DefaultSteps()) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseSteps("0.01%@0s,0.29%@1s,99.99%@1h,100%@2h"); err != nil || got[0].Share != 1 || got[1].Share != 29 || got[2].Share != 9999 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "1%", "1@0h", "%@0h", "x%@0h", "1%@24", "1%@-1h", "1%@1ms", "0%@0h", "100.01%@0h", "0.001%@0h", "NaN%@0h", "Inf%@0h", "-1%@0h", "1%@0h,"} {
		if got, err := ParseSteps(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}
