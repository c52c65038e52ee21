package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files writes files by path below a new directory.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLicenceTexts(t *testing.T) {
	dir := files(t, map[string]string{
		"LICENSE": "", "LICENSE.linux": "", "license.md": "", "Licence": "", "COPYING.txt": "", "NOTICE": "", "Copying": "",
		"licence.go": "", "notice_test.go": "", "README": "", "UNLICENSE": "", "LICENSES/MIT.txt": "", "docs/LICENSE": "",
	})
	got, err := licenceTexts(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = filepath.Base(got[i])
	}
	slices.Sort(got)
	if want := []string{"COPYING.txt", "Copying", "LICENSE", "LICENSE.linux", "Licence", "NOTICE", "license.md"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := licenceTexts("/nowhere"); err == nil {
		t.Error("no directory, no error")
	}
}

func TestModuleDirs(t *testing.T) {
	dirs, err := moduleDirs(t.Context(), "github.com/beevik/ntp", "github.com/gokrazy/firmware")
	if err != nil {
		t.Fatal(err)
	}
	for m, file := range map[string]string{"github.com/beevik/ntp": "ntp.go", "github.com/gokrazy/firmware": "start4.elf"} {
		if _, err := os.Stat(filepath.Join(dirs[m], file)); err != nil {
			t.Error(err)
		}
	}
	if _, err := moduleDirs(t.Context(), "github.com/beevik/ntp", "truechimer.invalid/nothing"); err == nil || !strings.Contains(err.Error(), "truechimer.invalid/nothing") {
		t.Errorf("not pinned: %v", err)
	}
}

// What the compiler complains of is what a person reads: the file, the line, the reason.
func TestCompileErrors(t *testing.T) {
	module := map[string]string{
		"go.mod":         "module example.invalid\n\ngo 1.26.0\n",
		"fine/main.go":   "package main\n\nfunc main() {}\n",
		"broken/main.go": "package main\n\nfunc main() {\n\tundefinedThing()\n}\n",
	}
	t.Chdir(files(t, module))
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
	bin := t.TempDir()
	if err := compile(t.Context(), "arm64", edition{version: "1"}, bin, "example.invalid/fine"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "fine")); err != nil {
		t.Error(err)
	}
	for pkg, want := range map[string]string{
		"example.invalid/broken": "broken/main.go:4:2: undefined: undefinedThing",
		"example.invalid/absent": "example.invalid/absent",
	} {
		err := compile(t.Context(), "arm64", edition{version: "1"}, bin, pkg)
		if err == nil || !strings.HasPrefix(err.Error(), "go build") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "ldflags") {
			t.Errorf("%s: %v; want one with %q", pkg, err, want)
		}
	}
	t.Setenv("PATH", "")
	if err := compile(t.Context(), "arm64", edition{version: "1"}, bin, "example.invalid/fine"); err == nil || !strings.Contains(err.Error(), "install Go 1.26") {
		t.Errorf("no go: %v", err)
	}
}

func TestLicencesAreRequired(t *testing.T) {
	if _, err := licences(t.Context(), []string{"/nowhere/program"}, nil); err == nil || !strings.Contains(err.Error(), "/nowhere/program") {
		t.Errorf("no program: %v", err)
	}
	// A module of one's own without a licence must not be shipped either.
	t.Chdir(files(t, map[string]string{"go.mod": "module example.invalid\n\ngo 1.26.0\n"}))
	t.Setenv("GOWORK", "off")
	if _, err := licences(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "example.invalid has no licence file") {
		t.Errorf("no licence: %v", err)
	}
}
