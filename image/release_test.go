package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/release"
)

// What is in an image is listed from the image, each with its licence.
func TestComponents(t *testing.T) {
	i, err := buildForRelease(t.Context(), buildOptions{Board: boards.VMArm64.Name, Dir: t.TempDir(), Date: verifyDate, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]release.Component)
	for n, c := range i.Components {
		have[c.Name] = c
		if c.Version == "" || len(c.Texts) == 0 || len(c.Files) == 0 || c.Kind == release.Module && c.Sum == "" && c.Name != ownModule {
			t.Errorf("%+v", c)
		}
		if n > 0 && i.Components[n-1].Name >= c.Name && i.Components[n-1].Kind == c.Kind {
			t.Errorf("%s comes after %s", c.Name, i.Components[n-1].Name)
		}
	}
	for name, files := range map[string][]string{
		"go":                         {"root:/gokrazy/init", "root:/gokrazy/randomd", "root:/user/appliance"},
		ownModule:                    {"root:/gokrazy/init", "root:/user/appliance"},
		"github.com/beevik/ntp":      {"root:/user/appliance"},
		"github.com/gokrazy/gokrazy": {"root:/gokrazy/init", "root:/gokrazy/randomd"},
		boards.VMArm64.Kernel.Module: {"boot:/a", "root:/lib"},
		"uplot":                      {"root:/user/appliance"},
	} {
		if got := have[name].Files; !slices.Equal(got, files) {
			t.Errorf("%s is in %q, want %q", name, got, files)
		}
	}
	if have[ownModule].Version != version {
		t.Errorf("this is %s", have[ownModule].Version)
	}
	if _, ok := have[shellServer]; ok {
		t.Error("a debug shell")
	}

	image := inspectFile(t, i.File)
	deb := release.Component{Kind: release.Debian, Name: "linux-image", Version: "6.12", Arch: "arm64", Files: []string{"boot:/a"}}
	if _, err := image.components(t.Context(), boards.VMArm64, deb); err == nil || !strings.Contains(err.Error(), "linux-image is in the image, but its licence is not") {
		t.Errorf("no licence: %v", err)
	}
	deb.Texts = []release.Licence{{Path: "/usr/share/licences/linux-image/copyright"}}
	if list, err := image.components(t.Context(), boards.VMArm64, deb); err != nil || !slices.ContainsFunc(list, func(c release.Component) bool { return c.Name == deb.Name }) {
		t.Errorf("a package is not listed: %v", err)
	}
	if _, err := describe(t.Context(), i.File, buildOptions{Board: boards.RaspberryPi.Name, Date: verifyDate}); err == nil {
		t.Error("it passes for another board's")
	}
	if _, err := describe(t.Context(), i.File, buildOptions{Board: boards.VMArm64.Name, Date: buildDate}); err == nil {
		t.Error("it passes for another date's")
	}
}

// What tests put into images is refused before anything is built.
func TestNoReleaseForTests(t *testing.T) {
	for _, o := range []buildOptions{{Fast: true}, {Modules: []string{"mac80211_hwsim"}}, {Radio: []boards.Package{boards.RegulatoryRules}}} {
		o.Board, o.Dir = boards.VMAmd64.Name, filepath.Join(t.TempDir(), "x")
		if _, err := buildForRelease(t.Context(), o); !errors.Is(err, errNotForRelease) {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := os.Stat(o.Dir); err == nil {
			t.Error("it was built all the same")
		}
	}
}

func TestNoReleaseForBuilders(t *testing.T) {
	for _, o := range []buildOptions{{Dev: true, Keys: []byte(testKey)}, {Extra: []string{"./testdata/extra"}}} {
		file := buildFor(t, o)
		o.Board, o.Dir = boards.VMArm64.Name, filepath.Join(t.TempDir(), "x")
		if _, err := buildForRelease(t.Context(), o); !errors.Is(err, errNotForRelease) {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := os.Stat(o.Dir); err == nil {
			t.Error("it was built all the same")
		}
		if _, err := describe(t.Context(), file, buildOptions{Board: boards.VMArm64.Name, Date: verifyDate}); !errors.Is(err, errNotForRelease) {
			t.Errorf("an image that was built with %+v: %v", o, err)
		}
	}
	for _, name := range []string{"DEV", "EXTRA"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "1")
			out := filepath.Join(t.TempDir(), "out")
			if err := releaseCommand(t.Context(), []string{"-o", out}); err == nil || !strings.Contains(err.Error(), "unset "+name) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("something was written")
			}
		})
	}
}
