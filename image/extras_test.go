package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
)

const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBi3jJpFKf3TlRe0PHvlJ3uFAy6CgwEYPJ3vyqTuHCjJ somebody\n"

// A builder's image holds the programs, says so, and is built again from what it says.
func TestExtraAndDev(t *testing.T) {
	file := buildFor(t, buildOptions{Extra: []string{"./testdata/extra"}, Dev: true, Keys: []byte(testKey)})
	if filepath.Base(file) != "truechimer-vm-arm64-dev.img" {
		t.Errorf("the file is %s", file)
	}
	i := inspectFile(t, file)
	if list, err := i.note("etc/truechimer/extra"); err != nil || list != "/user/extra\n/user/debugshell\n" {
		t.Errorf("the list is %q, %v", list, err)
	}
	if keys, err := i.note("etc/breakglass.authorized_keys"); err != nil || keys != testKey {
		t.Errorf("the keys are %q, %v", keys, err)
	}
	for _, path := range []string{"user/extra", "user/debugshell", "user/breakglass", "usr/local/bin/busybox"} {
		if item := i.root[path]; item.Size < 100_000 || item.Mode != 0o755 {
			t.Errorf("/%s: %v, %d bytes", path, item.Mode, item.Size)
		}
	}
	for _, path := range []string{"etc/truechimer/dev", "usr/share/licences/github.com/gokrazy/breakglass/LICENSE", "usr/share/licences/" + shellModule + "/LICENSE"} {
		if _, ok := i.root[path]; !ok {
			t.Errorf("/%s is missing", path)
		}
	}
	if want := []string{"github.com/truechimer/truechimer/image/testdata/extra"}; !slices.Equal(i.made.Extra, want) || !i.made.Dev {
		t.Errorf("the image says it was made from %+v", i.made)
	}
	if report, err := verify(t.Context(), file, t.Logf); err != nil {
		t.Errorf("%s, %v", report, err)
	}
}

func TestExtrasThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		o    buildOptions
		want string
	}{
		"no keys":    {buildOptions{Dev: true, Keys: []byte(" \n")}, "DEV=1: no public key found"},
		"elsewhere":  {buildOptions{Extra: []string{"truechimer.invalid/cmd/thing"}}, "go get truechimer.invalid/cmd/thing"},
		"no program": {buildOptions{Extra: []string{"./disk"}}, "no main packages"},
		"flag":       {buildOptions{Extra: []string{"-toolexec=x"}}, "no import path"},
		"empty":      {buildOptions{Extra: []string{""}}, "no import path"},
		"twice":      {buildOptions{Extra: []string{"./testdata/extra", "./testdata/extra"}}, "/user/extra is ./testdata/extra already"},
		"appliance":  {buildOptions{Extra: []string{"../appliance"}}, "/user/appliance is the appliance itself already"},
		"many":       {buildOptions{Extra: make([]string, maxExtras+1)}, "at most 16"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := addExtras(t.Context(), boards.VMArm64, c.o, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), c.want) || entries != nil {
				t.Errorf("%v; want one with %q", err, c.want)
			}
		})
	}
}

func TestBuilderKeys(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if keys, err := builderKeys(""); !errors.Is(err, errNoKeys) {
		t.Errorf("no directory: %q, %v", keys, err)
	}
	put := func(name, text string) string {
		name = filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	put(".ssh/id_a.pub", "a")
	put(".ssh/id_a", "-----BEGIN OPENSSH PRIVATE KEY-----")
	put(".ssh/id_b.pub", "b\n")
	if keys, err := builderKeys(""); err != nil || string(keys) != "a\nb\n" {
		t.Errorf("%q, %v", keys, err)
	}
	if keys, err := builderKeys(put("other", "c\n")); err != nil || string(keys) != "c\n" {
		t.Errorf("%q, %v", keys, err)
	}
	if _, err := builderKeys(filepath.Join(home, ".ssh/id_a")); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("a private key: %v", err)
	}
	if _, err := builderKeys(filepath.Join(home, "nowhere")); err == nil {
		t.Error("no such file is fine")
	}
	if _, err := builderKeys(put("long", strings.Repeat("k", 70<<10))); err == nil {
		t.Error("70 KiB of keys are fine")
	}
}
