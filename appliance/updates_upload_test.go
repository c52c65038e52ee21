package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestUpload: a station without any host takes the release in a bundle that is
// uploaded on the page while it runs, and not what is no bundle; the bundle stays for
// its trial, and is gone once its version is the one to boot, or when it is removed.
func TestUpload(t *testing.T) {
	text := bundleOf(t, offering(t, epoch, "1.3.0"))
	p := withBundle(t, false, map[string]string{})
	boot := func(version, state, notice string, does func(u updates)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.version = version
			w.made = func(s *station) { time.AfterFunc(10*time.Minute, func() { does(updates{s.updater}) }) }
			s, _ := live(t, w, p, 20*time.Minute)
			if u := s.Update; u.State != state || (w.restarts.Load() > 0) != (state == "restart") || !strings.Contains(about(s.Notices), notice) || notice == "" && about(s.Notices) != "" {
				t.Errorf("%+v, notices %q", u, s.Notices)
			}
		})
	}
	boot("1.2.0", "off", "", func(u updates) {
		for what, r := range map[string]io.Reader{
			"noise": strings.NewReader(strings.Repeat("noise", 1000)), "half": strings.NewReader(text[:len(text)/2]), "nothing": strings.NewReader(""),
			"cut off": io.MultiReader(strings.NewReader(text[:700]), broken{}),
		} {
			if err := u.Take(r); err == nil || u.Uploaded() {
				t.Errorf("%s: %v", what, err)
			}
		}
		if list, _ := filepath.Glob(filepath.Join(p.perm, uploadName+"*")); len(list) != 0 {
			t.Errorf("left behind: %q", list)
		}
	})
	const taken = "Releases are taken from the bundle uploaded.truechimer that was uploaded."
	boot("1.2.0", "restart", taken, func(u updates) {
		if err := u.Take(strings.NewReader(text)); err != nil || !u.Uploaded() {
			t.Error(err)
		}
		if err := u.Take(strings.NewReader("noise")); err == nil || !u.Uploaded() {
			t.Errorf("what is no bundle took the place of one: %v", err)
		}
	})
	if _, err := os.Stat(filepath.Join(p.perm, uploadName)); err != nil {
		t.Error("it is gone before its version is the one to boot")
	}
	p.slot = "b"
	boot("1.3.0", "off", "", func(u updates) {
		if u.Uploaded() {
			t.Error("it stays")
		}
		if err := u.Take(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "runs already") || u.Uploaded() {
			t.Errorf("the version that runs: %v", err)
		}
	})
	if at := committed(t, p); at != bootfs.SlotB {
		t.Errorf("slot %s is committed", at)
	}
	older := bundleOf(t, offering(t, epoch, "1.1.0"))
	boot("1.3.0", "off", "", func(u updates) {
		if err := u.Take(strings.NewReader(older)); err != nil || !u.Uploaded() {
			t.Errorf("of another version: %v", err)
		}
		time.AfterFunc(5*time.Minute, func() {
			if !u.Uploaded() {
				t.Error("one of another version is gone")
			}
			if err := u.Remove(); err != nil || u.Uploaded() {
				t.Error(err)
			}
		})
	})
	if err := writeBundle(filepath.Join(t.TempDir(), "x"), strings.NewReader(text), int64(len(text))-1, "1.2.0"); err == nil || !strings.Contains(err.Error(), "room") {
		t.Errorf("one that is too large: %v", err)
	}
	p.volatile = true
	if err := (updates{&updater{s: testStation(t, p, stopped{})}}).Take(strings.NewReader(text)); err == nil {
		t.Error("taken without a card")
	}
}

// broken is a connection that was lost.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

// TestUpdatesSwitchedOnThePage takes effect without a restart, both ways.
func TestUpdatesSwitchedOnThePage(t *testing.T) {
	p := withBundle(t, false, map[string]string{"x.truechimer": bundleOf(t, offering(t, epoch, "1.3.0"))})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		w.version = "1.2.0"
		var seen []string
		w.made = func(s *station) {
			turn := func(after time.Duration, on bool) {
				time.AfterFunc(after, func() {
					c := *s.inForce.Load()
					c.Update.Enabled = on
					changed{s}.Apply(c)
				})
				time.AfterFunc(after+30*time.Second, func() { seen = append(seen, s.updater.status().State) })
			}
			turn(time.Second, false)
			turn(10*time.Minute, true)
		}
		live(t, w, p, 20*time.Minute)
		if strings.Join(seen, " ") != "off restart" {
			t.Errorf("%q", seen)
		}
	})
}

// TestAskedOnThePage: a new server is asked once, and what is told of it.
func TestAskedOnThePage(t *testing.T) {
	for what, c := range map[string]struct {
		lack
		host, want string
	}{
		"one that answers":   {lack{}, "192.0.2.1", "it answers, after "},
		"a name":             {lack{}, "ntp.example.net", "it answers, after "},
		"no name":            {lack{nameless: true}, "ntp.example.net", "could not be resolved"},
		"one without an end": {lack{unlinked: true}, "192.0.2.1", "did not answer as a time server does"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(c.lack)
			s := newStation(&platform{}, config.Default(), w, w, nil, (&journal{}).log())
			s.resolver = w
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if got := (changed{s}).Ask(ctx, c.host, 123); !strings.Contains(got, c.want) {
				t.Errorf("%s: %s", what, got)
			}
		})
	}
}
