package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/settings"
)

// stays is what a reset leaves, of all that a station keeps.
var stays = []string{"certificate", proofKeyName, updateDir, resetName}

// livedIn is a directory with all that a station keeps.
func livedIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Concat(forgotten(), stays) {
		path := filepath.Join(dir, name)
		if name == journalName || name == proofsName || name == updateDir {
			path = filepath.Join(path, "file")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if name == resetName {
			continue
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, access.OwnerName+".new"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func filesIn(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestResetByTheFile: once for each content, and never for one with mistakes.
func TestResetByTheFile(t *testing.T) {
	dir := livedIn(t)
	boot := func(file string) (forgot bool, notices string) {
		t.Helper()
		p := &platform{station: true, perm: dir, bootDevice: cardWith(t, map[string]string{config.FileName: file})}
		if err := os.WriteFile(filepath.Join(dir, access.OwnerName), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, list, err := p.loadConfig("")
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(dir, access.OwnerName))
		if forgot = errors.Is(err, os.ErrNotExist); forgot && c.Name != "new" {
			t.Errorf("the file does not hold afterwards: %+v", c)
		}
		return forgot, strings.Join(list, "|")
	}
	const file = "reset = true\nname = \"new\"\n"
	for _, c := range []struct {
		file   string
		forgot bool
		notice string
	}{
		{"name = \"new\"\n", false, ""}, {"reset = true\nnmae = \"new\"\n", false, "nmae"}, {"reset = 1\n", false, "reset is a number"},
		{file, true, "was reset"}, {file, false, ""}, {file + "\n", false, ""}, {file + "# again", true, "was reset"}, {file + "# again", false, ""},
		{"reset = false\nname = \"new\"\n", false, ""},
	} {
		if forgot, notices := boot(c.file); forgot != c.forgot || !strings.Contains(notices, c.notice) || c.notice == "" && strings.Contains(notices, "reset") {
			t.Errorf("%q: forgot %v, %q", c.file, forgot, notices)
		}
	}
	if got := filesIn(t, dir); !slices.Equal(got, []string{"certificate", config.KeptName, access.OwnerName, proofKeyName, resetName, updateDir}) {
		t.Errorf("%q", got)
	}
	// A record that is damaged must not have the station forget at each start.
	if err := os.WriteFile(filepath.Join(dir, resetName), []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"cannot be read, so nothing was done", ""} {
		if forgot, notices := boot(file + "# again"); forgot || !strings.Contains(notices, want) {
			t.Errorf("start %d with a damaged record: forgot %v, %q", i, forgot, notices)
		}
	}
}

// TestResetAndPowerCut: a reset that a power cut interrupts goes on at the next start.
func TestResetAndPowerCut(t *testing.T) {
	for n := range forgotten() {
		dir := livedIn(t)
		for _, name := range forgotten()[:n] {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := (resetFile{Pending: true, Done: "x"}).write(dir); err != nil {
			t.Fatal(err)
		}
		p := &platform{settings: dir}
		if notice := p.resetIfAsked(nil); !strings.Contains(notice, "was reset") {
			t.Error(notice)
		}
		if got := filesIn(t, dir); !slices.Equal(got, slices.Sorted(slices.Values(stays))) {
			t.Errorf("after %d: %q", n, got)
		}
		if notice := p.resetIfAsked(nil); notice != "" {
			t.Errorf("once more: %s", notice)
		}
	}
}

// TestAllThatIsKept: a reset knows of everything that a station that lives keeps.
func TestAllThatIsKept(t *testing.T) {
	p := withBundle(t, false, map[string]string{})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		w.made = func(s *station) {
			if err := s.settings.Put("a name", func(c *config.Config) error { c.Name = "attic"; return nil }); err != nil {
				t.Error(err)
			}
		}
		live(t, w, p, 2*time.Hour)
	})
	for _, name := range filesIn(t, p.perm) {
		if !slices.Contains(forgotten(), name) && !slices.Contains(stays, name) {
			t.Errorf("%s is neither forgotten nor meant to stay", name)
		}
	}
	if _, err := os.Stat(filepath.Join(p.perm, settings.HistoryName)); err != nil {
		t.Error(err)
	}
}

// TestResetOnThePage: what was asked for is there for the next start, which is now.
func TestResetOnThePage(t *testing.T) {
	dir := livedIn(t)
	s := testStation(t, &platform{settings: dir, build: oldestDate}, stopped{})
	if err := (changed{s}).Reset(); err != nil {
		t.Fatal(err)
	}
	<-s.anew
	if r, err := readResetFile(dir); err != nil || !r.Pending {
		t.Errorf("%+v, %v", r, err)
	}
	if err := (changed{testStation(t, &platform{build: oldestDate}, stopped{})}).Reset(); err == nil {
		t.Error("reset without anything that is kept")
	}
}
