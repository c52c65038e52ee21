package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/monitor"
)

var quiet = slog.New(slog.DiscardHandler)

func started(dir string) *Store {
	return NewStore(StoreOptions{Dir: dir, Config: config.Load(config.Sources{}, dir).Config, Now: func() (time.Time, bool) { return time.Time{}, false }, Log: quiet})
}

func named(s string) func(*config.Config) error {
	return func(c *config.Config) error { c.Name = s; return nil }
}

// TestPast: the last ten are kept, through starts, and no more.
func TestPast(t *testing.T) {
	dir := t.TempDir()
	for i := range PastMost + 3 {
		s := started(dir)
		if err := s.Put(fmt.Sprintf("change %d", i), named(fmt.Sprintf("name %d", i))); err != nil {
			t.Fatal(err)
		}
	}
	s := started(dir)
	past, problem := s.Past()
	if len(past) != PastMost || problem != "" || past[0].What != "change 12" || !strings.Contains(past[0].Text, "name 11") || !past[0].At.IsZero() {
		t.Errorf("%q, %+v", problem, past)
	}
	if err := s.Put("nothing", named("name 12")); err != nil {
		t.Error(err)
	}
	if err := s.Put("a bad name", named(" ")); err == nil {
		t.Error("a bad name was kept")
	}
	if err := s.Put("x", func(*config.Config) error { return errors.New("no") }); err == nil {
		t.Error("kept in spite of an error")
	}
	if again, _ := s.Past(); !reflect.DeepEqual(again, past) || s.Now().Name != "name 12" {
		t.Errorf("%+v", again)
	}
	// What a file on the card replaced can be had back.
	l := config.Load(config.Sources{Card: map[string][]byte{config.FileName: []byte("name = \"card\"\n")}}, dir)
	s = NewStore(StoreOptions{Dir: dir, Config: l.Config, Now: func() (time.Time, bool) { return time.Time{}, false }, Log: quiet})
	if past, _ := s.Past(); len(past) != PastMost || past[0].Text != "name = \"name 12\"\n" {
		t.Errorf("%+v", past)
	}
	if past, _ := started(dir).Past(); past[0].Text != "name = \"name 12\"\n" || past[1].What != "change 12" {
		t.Errorf("%+v", past)
	}
}

// TestNoNameOfItsOwn: a station without a name has that of its card, before a start and
// after it.
func TestNoNameOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	card := config.Sources{Card: map[string][]byte{config.PreseedName: []byte("[system]\nhostname = \"host\"\n")}}
	start := func() *Store {
		return NewStore(StoreOptions{Dir: dir, Config: config.Load(card, dir).Config, Now: func() (time.Time, bool) { return time.Time{}, false }, Log: quiet})
	}
	s := start()
	for _, n := range []string{"attic", ""} {
		if err := s.Put("the name", named(n)); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Now().Name; n != "host" {
		t.Errorf("called %q", n)
	}
	if past, _ := start().Past(); len(past) != 2 {
		t.Errorf("%+v", past)
	}
}

// TestSettingsAndPowerCut: whatever of the two files a cut leaves old or new, the
// station starts with the old settings or the new ones, whole, and can go back.
func TestSettingsAndPowerCut(t *testing.T) {
	read := func(dir string) map[string][]byte {
		files := map[string][]byte{}
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = b
		}
		return files
	}
	dir := t.TempDir()
	s := started(dir)
	for _, n := range []string{"one", "two"} {
		if err := s.Put("to "+n, named(n)); err != nil {
			t.Fatal(err)
		}
	}
	before := read(dir)
	if err := s.Put("to three", named("three")); err != nil {
		t.Fatal(err)
	}
	after := read(dir)
	// durable.WriteFile leaves each file old or new, and some of the new one beside it.
	states := 0
	for _, conf := range []string{"old", "new"} {
		for _, past := range []string{"old", "new"} {
			if conf == "old" && past == "new" {
				continue // it is written afterwards
			}
			for _, torn := range []int{-1, 0, 1, 20, len(after[HistoryName])} {
				dir := t.TempDir()
				put := func(name string, b []byte) {
					if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				pick := func(name, state string) {
					if b := before[name]; state == "old" {
						put(name, b)
						return
					}
					put(name, after[name])
				}
				pick("config.toml", conf)
				pick(HistoryName, past)
				if torn >= 0 {
					put(HistoryName+".new", after[HistoryName][:torn])
					put("config.toml.new", after["config.toml"][:min(torn, len(after["config.toml"]))])
				}
				states++
				s := started(dir)
				list, problem := s.Past()
				want, back := "two", "one"
				if conf == "new" {
					want, back = "three", "two"
				}
				if s.Now().Name != want || problem != "" || !strings.Contains(list[0].Text, back) {
					t.Errorf("%s, %s, %d: %q, %q, %+v", conf, past, torn, s.Now().Name, problem, list)
				}
				if err := s.Put("on", named("on")); err != nil {
					t.Error(err)
				}
				if started(dir).Now().Name != "on" {
					t.Error("the next change was lost")
				}
			}
		}
	}
	if states != 15 {
		t.Errorf("%d states", states)
	}
}

// TestDamagedHistory: it is told, and the settings go on.
func TestDamagedHistory(t *testing.T) {
	for what, text := range map[string]string{
		"nothing": "", "noise": "\x00\xff", "another form": "truechimer settings 2 00000000\n{}\n", "long": strings.Repeat("x", historyMost+2),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, HistoryName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := started(dir)
		if past, problem := s.Past(); len(past) != 0 || problem == "" {
			t.Errorf("%s: %q", what, problem)
		}
		if err := s.Put("x", named("x")); err != nil {
			t.Error(err)
		}
		if past, problem := started(dir).Past(); len(past) != 1 || problem != "" {
			t.Errorf("%s: after a change %d, %q", what, len(past), problem)
		}
	}
}

// TestTheLargest: ten times two hundred servers fit, or the oldest make room.
func TestTheLargest(t *testing.T) {
	dir := t.TempDir()
	s := started(dir)
	for i := range PastMost + 1 {
		err := s.Put("many", func(c *config.Config) error {
			c.Servers = make([]monitor.Server, config.MaxServers)
			for j := range c.Servers {
				c.Servers[j] = monitor.Server{Name: fmt.Sprintf("%s %d.%d", strings.Repeat("\"", 50), i, j), Host: strings.Repeat("a.", 70) + "example", Port: 123, Limit: 0.001, Interval: time.Minute}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, HistoryName))
	if past, problem := started(dir).Past(); err != nil || info.Size() > historyMost || problem != "" || len(past) < 5 {
		t.Errorf("%v, %v, %d, %q", info, err, len(past), problem)
	}
}

func FuzzHistory(f *testing.F) {
	dir := f.TempDir()
	s := started(dir)
	if err := s.Put("a name", named("x")); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, HistoryName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHistory(b)
		if err == nil && len(h.Past) > PastMost {
			t.Errorf("%d", len(h.Past))
		}
	})
}
