package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/publish"
	"github.com/truechimer/truechimer/image/uboot"
)

// testPublisher is a repository with its keys.
type testPublisher struct {
	publish.Repository
	keys string // directory
}

// newPublisher makes a repository that has no release yet.
func newPublisher(t *testing.T) *testPublisher {
	t.Helper()
	p := &testPublisher{publish.Repository{Dir: t.TempDir(), Now: time.Now(), Log: t.Logf}, t.TempDir()}
	files := map[string][]string{}
	for role, names := range map[string][]string{publish.RoleRoot: {"r1", "r2", "r3"}, publish.RoleTargets: {"t1", "t2", "t3"}, publish.RoleOnline: {"online"}} {
		for _, name := range names {
			path := filepath.Join(p.keys, name)
			if err := publish.MakeKey(path, nil); err != nil {
				t.Fatal(err)
			}
			files[role] = append(files[role], path+".pub")
		}
	}
	keys, err := publish.LoadKeys(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Init(keys); err != nil {
		t.Fatal(err)
	}
	p.sign(t, publish.RoleRoot, "r1", "r2")
	p.release(t)
	return p
}

func (p *testPublisher) sign(t *testing.T, role string, names ...string) {
	t.Helper()
	for _, name := range names {
		key, err := publish.LoadKey(filepath.Join(p.keys, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Sign(role, key); err != nil {
			t.Fatal(err)
		}
	}
}

// release publishes what is staged of targets.
func (p *testPublisher) release(t *testing.T) {
	t.Helper()
	p.sign(t, publish.RoleTargets, "t1", "t3")
	key, err := publish.LoadKey(filepath.Join(p.keys, "online"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Release(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// updateOptions are those of a build that a person writes as flags.
func updateOptions(t *testing.T, args ...string) (buildOptions, error) {
	t.Helper()
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	u := addUpdateFlags(flags)
	u.addRepositoryFlag(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	o := buildOptions{Board: boards.VMArm64.Name, Log: t.Logf}
	return o, u.set(&o)
}

// What is released for updates is what the image has, and slot b beside it.
func TestImageAndUpdate(t *testing.T) {
	p := newPublisher(t)
	o, err := updateOptions(t, "-version", "1.4.0", "-update-repository", p.Dir, "-update-url", "https://one.example/tc/,http://two.example", "-update-channel", "beta")
	if err != nil {
		t.Fatal(err)
	}
	file := buildFor(t, o)
	i := inspectFile(t, file)
	if i.made.Version != "1.4.0" || !bytes.Equal(i.made.Trust, o.Trust) || !bytes.Equal(i.made.Update, o.Update) || i.made.Fast {
		t.Errorf("the image says %+v", i.made)
	}
	from, err := origin.Parse(i.made.Update)
	if err != nil || !slices.Equal(from.URLs, []string{"https://one.example/tc", "http://two.example"}) || from.Channel != "beta" ||
		from.Floor.Root != 1 || from.Floor.Targets != 1 || from.Floor.Issued.IsZero() {
		t.Errorf("%+v, %v", from, err)
	}
	if report, err := verify(t.Context(), file, t.Logf); err != nil {
		t.Errorf("%s, %v", report, err)
	}

	if err := publishCommand(t.Context(), []string{"add", "-repository", p.Dir, "-image", file, "-min-eeprom", "2023-05-11"}); err != nil {
		t.Fatal(err)
	}
	p.release(t)
	if lines, err := p.Check(t.Context(), i.made.Trust); err != nil {
		t.Errorf("%q, %v", lines, err)
	}
	plan, err := p.DryRun("1.3.0", boards.VMArm64.Name, "beta")
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Manifest
	if m.Version != "1.4.0" || m.Arch != "arm64" || m.MinEEPROM != 1683763200 {
		t.Errorf("version %s, arch %s, EEPROM of %d", m.Version, m.Arch, m.MinEEPROM)
	}
	if sum := sumOf(t, i.rootImage()); m.Objects[m.Root].Sum != sum {
		t.Errorf("the root file system is %v, in the image %v", m.Objects[m.Root].Sum, sum)
	}
	slots := map[string]map[string]artifact.Sum{}
	for slot, files := range m.Slots {
		slots[slot] = map[string]artifact.Sum{}
		for _, f := range files {
			slots[slot][f.Path] = m.Objects[f.Object].Sum
		}
	}
	for _, path := range []string{uboot.KernelName, uboot.InitrdName, uboot.SlotFileName} {
		r, err := i.bootFile("a/"+path, false)
		if err != nil {
			t.Fatal(err)
		}
		if slots["a"][path] != sumOf(t, r) {
			t.Errorf("slot a: %s is another one", path)
		}
		if same := slots["a"][path] == slots["b"][path]; same == (path == uboot.SlotFileName) {
			t.Errorf("%s is the same in slot b: %t", path, same)
		}
	}

	// An image that these sources do not make is not published.
	c := publish.Contents{Root: bootfs.File{Open: func() (io.ReadCloser, error) { return io.NopCloser(i.rootImage()), nil }}}
	if err := i.holds(c); err != nil {
		t.Error(err)
	}
	i.file = &patched{i.file, disk.RootAStart + 5000, "x"}
	if err := inspectFile(t, file).holds(c); !errors.Is(err, errDiffers) {
		t.Errorf("one changed byte: %v", err)
	}
}

// What an image says of the repository is what a station finds there itself, with
// the keys that its versions belong to.
func TestFloorOfAnImage(t *testing.T) {
	p := newPublisher(t)
	o, err := updateOptions(t, "-update-repository", p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	from, err := origin.Parse(o.Update)
	if err != nil {
		t.Fatal(err)
	}
	kept := tuf.DirStore(t.TempDir())
	got, err := tuf.Refresh(t.Context(), tuf.Options{Source: served(p.Dir), Store: kept, Initial: o.Trust, Floor: from.Floor, Now: p.Now})
	if err != nil {
		t.Fatal(err)
	}
	if got.Floor() != from.Floor || from.Floor.Keys == "" {
		t.Errorf("the image says %+v, a station finds %+v", from.Floor, got.Floor())
	}
}

// served is a repository as a web server has it.
type served string

// Get implements tuf.Source.
func (s served) Get(_ context.Context, name string, _ int64) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(s), name))
}

func sumOf(t *testing.T, r io.Reader) artifact.Sum {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return artifact.Sum(h.Sum(nil))
}

// An image whose updates are hurried says so, and nobody releases it.
func TestFast(t *testing.T) {
	p := newPublisher(t)
	o, err := updateOptions(t, "-update-repository", p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	o.Fast = true
	file := buildFor(t, o)
	if filepath.Base(file) != "truechimer-vm-arm64-updatetest.img" {
		t.Errorf("the file is %s", file)
	}
	i := inspectFile(t, file)
	info, err := i.program("user/appliance")
	if err != nil {
		t.Fatal(err)
	}
	tags := ""
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			tags = s.Value
		}
	}
	if !i.made.Fast || tags != "station,updatetest" {
		t.Errorf("the image says %+v, tags %q", i.made, tags)
	}
	if _, err := describe(t.Context(), file, buildOptions{Board: boards.VMArm64.Name, Date: verifyDate}); !errors.Is(err, errNotForRelease) {
		t.Errorf("%v", err)
	}
	if err := publishCommand(t.Context(), []string{"add", "-repository", p.Dir, "-image", file}); !errors.Is(err, errNotForRelease) {
		t.Errorf("%v", err)
	}
}

func TestUpdatesThatCannotBe(t *testing.T) {
	p := newPublisher(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no repository": {[]string{"-update-url", "https://x.example"}, "-update-repository DIR"},
		"empty":         {[]string{"-update-repository", t.TempDir()}, "publish init"},
		"url":           {[]string{"-update-repository", p.Dir, "-update-url", "x.example"}, "https://"},
		"channel":       {[]string{"-update-repository", p.Dir, "-update-channel", "a/b"}, "channel"},
	} {
		if _, err := updateOptions(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want one with %q", name, err, c.want)
		}
	}
	trust, _, err := p.Trust()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    buildOptions
		want string
	}{
		"version": {buildOptions{Version: "v1"}, `version "v1" is no version`},
		"short":   {buildOptions{Version: "1.4"}, `version "1.4" is no version`},
		"one":     {buildOptions{Trust: trust}, "both in an image"},
		"root":    {buildOptions{Trust: []byte("{}"), Update: []byte("{}")}, "root.json"},
		"origin":  {buildOptions{Trust: trust, Update: []byte(`{"channel":"stable","what":1}`)}, "update.json"},
	} {
		c.o.Board, c.o.Dir, c.o.Log = boards.VMArm64.Name, t.TempDir(), t.Logf
		if _, err := build(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want one with %q", name, err, c.want)
		}
	}
}
