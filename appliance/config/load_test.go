package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const good, better, bad = "name = \"good\"\n", "name = \"better\"\n", "name = bad\n"

// onCard is a card with these files: name, content, name, content. One without
// content is not there.
func onCard(files ...string) Sources {
	s := Sources{Card: map[string][]byte{}}
	for i := 0; i < len(files); i += 2 {
		if files[i+1] != "" {
			s.Card[files[i]] = []byte(files[i+1])
		}
	}
	return s
}

func load(t *testing.T, fat, dir, wantName, wantFrom string, notices ...string) {
	t.Helper()
	l := Load(onCard(FileName, fat), dir)
	if l.Config.Name != wantName || l.From != wantFrom {
		t.Errorf("got %q from %s, want %q from %s", l.Config.Name, l.From, wantName, wantFrom)
	}
	if len(l.Notices) != len(notices) {
		t.Fatalf("notices %q, want %d", l.Notices, len(notices))
	}
	for i, want := range notices {
		if !strings.Contains(l.Notices[i], want) {
			t.Errorf("notice %q lacks %q", l.Notices[i], want)
		}
	}
}

func TestLoadPrecedence(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "perm", "truechimer")
	const where = "truechimer.toml:1:8: "
	load(t, "", dir, "", FromDefault)
	load(t, bad, dir, "", FromDefault, where, "goes on without it")
	load(t, good, dir, "good", FromFAT)
	load(t, good, dir, "good", FromPerm)
	load(t, "", dir, "good", FromPerm)
	load(t, bad, dir, "good", FromPerm, where, "last good configuration goes on")
	load(t, bad, dir, "good", FromPerm, where, "last good configuration goes on") // at every start
	load(t, better, dir, "better", FromFAT)
	load(t, "\xef\xbb\xbf"+good, dir, "good", FromFAT)
	load(t, "\xef\xbb\xbf"+good, dir, "good", FromPerm)

	info, err := os.Stat(filepath.Join(dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

// What is kept may be edited by the station itself; only another file on the
// FAT volume overrules that.
func TestLoadKeepsWhatTheStationChanged(t *testing.T) {
	dir := t.TempDir()
	load(t, good, dir, "good", FromFAT)
	path := filepath.Join(dir, "config.toml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"good"`, `"mine"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, good, dir, "mine", FromPerm)
	load(t, better, dir, "better", FromFAT)
}

func TestLoadDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	taken := "\n[taken]\n'truechimer.toml' = '" + hash(nil) + "'\n\n"
	whole := keptHead + "\n" + taken + keptBody + "\n"
	for text, want := range map[string]string{
		"":                             "damaged",
		good:                           "damaged",
		keptHead:                       "damaged",
		"\x00\xff\n":                   "damaged",
		keptHead + "\n" + taken + good: "damaged",
		strings.Replace(whole, "form 1", "form 2", 1) + good:       "does not know",
		strings.Replace(whole, "[taken]", "taken", 1) + good:       "damaged",
		keptHead + strings.Repeat("\n", headMax) + keptBody + "\n": "damaged",
		whole + "name = 1": path + ":7:8: ",
		whole + "\xff":     path + ":7:1: ",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		load(t, "", dir, "", FromDefault, want)
		load(t, good, dir, "good", FromFAT, want)
		load(t, good, dir, "good", FromPerm)
	}
	large := make([]byte, MaxSize*2)
	copy(large, whole)
	if err := os.WriteFile(path, large, 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, "", dir, "", FromDefault, "more than 65542")
}

func TestLoadTheLargest(t *testing.T) {
	dir := t.TempDir()
	largest := good + strings.Repeat("\n", MaxSize-len(good))
	load(t, largest, dir, "good", FromFAT)
	load(t, largest, dir, "good", FromPerm)
}

// A station whose partition is full, read-only or missing still works.
func TestLoadCannotKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := Load(onCard(FileName, good), filepath.Join(file, "truechimer"))
	if l.Config.Name != "good" || l.From != FromFAT || len(l.Notices) == 0 || !strings.Contains(l.Notices[len(l.Notices)-1], "could not be kept") {
		t.Errorf("got %+v", l)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "config.toml", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	l = Load(onCard(FileName, good), dir)
	if l.Config.Name != "good" || len(l.Notices) != 2 {
		t.Errorf("got %+v", l)
	}
	if _, err := os.Stat(filepath.Join(dir, "config.toml.new")); err == nil {
		t.Error("the unfinished file is left")
	}
	load(t, good, "", "good", FromFAT)
	if l := Load(Sources{}, ""); !reflect.DeepEqual(l, Loaded{Config: Default(), From: FromDefault}) {
		t.Errorf("got %+v", l)
	}
}
