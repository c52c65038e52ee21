package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/squash"
)

var buildDate = time.Unix(sourceDate, 0).UTC()

func TestCmdline(t *testing.T) {
	rpi, vm := disk.PartUUID("rpi", disk.Boot), disk.PartUUID("vm-arm64", disk.Boot)
	const rest = " ro init=/gokrazy/init rootwait panic=10 oops=panic watchdog.open_timeout=60 truechimer.slot="
	for _, tt := range []struct {
		board boards.Board
		slot  string
		want  string
	}{
		{boards.RaspberryPi, "a", "root=PARTUUID=" + rpi + "/PARTNROFF=1" + rest + "a"},
		{boards.RaspberryPi, "b", "root=PARTUUID=" + rpi + "/PARTNROFF=2" + rest + "b"},
		{boards.VMArm64, "a", "console=ttyAMA0,115200 root=PARTUUID=" + vm + "/PARTNROFF=1" + rest + "a"},
		{boards.Board{Name: "rpi", Consoles: []string{"tty0", "ttyS0"}, Cmdline: []string{"x=1", "y"}}, "a",
			"console=tty0 console=ttyS0 root=PARTUUID=" + rpi + "/PARTNROFF=1" + rest + "a x=1 y"},
	} {
		if got := cmdline(tt.board, tt.slot); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.board.Name, tt.slot, got, tt.want)
		}
	}
}

// boardParts finds what a board's image takes from elsewhere: all but the root
// and the initial file system.
func boardParts(t *testing.T, b boards.Board) *parts {
	t.Helper()
	store, err := debian.NewStore(nil, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	from, err := findSources(t.Context(), b, store)
	if err != nil {
		t.Fatal(err)
	}
	k, err := findKernel(b.Kernel, from)
	if err != nil {
		t.Fatal(err)
	}
	return &parts{edition: edition{version: version}, board: b, when: buildDate, from: from, kernel: k}
}

// contents reads files by path; a path that comes twice is an error.
func contents(t *testing.T, files []bootfs.File) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for _, f := range files {
		if _, ok := m[f.Path]; ok {
			t.Errorf("%s comes twice", f.Path)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil || int64(len(b)) != f.Size {
			t.Errorf("%s: %d bytes, %d announced, %v", f.Path, len(b), f.Size, err)
		}
		m[f.Path] = string(b)
	}
	return m
}

func TestBootSpecOfTheRaspberryPi(t *testing.T) {
	b := boards.RaspberryPi
	s, err := bootSpec(boardParts(t, b), []byte("# mine\n"))
	if err != nil {
		t.Fatal(err)
	}
	root, a := contents(t, s.Root), contents(t, s.A)
	if len(s.B) != 0 {
		t.Errorf("%d files in slot b", len(s.B))
	}
	one, other := root["config.txt"], root["tryboot.txt"]
	if len(one) == 0 || len(one) > bootfs.SectorSize || len(one) != len(other) {
		t.Fatalf("config.txt has %d bytes, tryboot.txt %d", len(one), len(other))
	}
	var differ []string
	for i := range one {
		if one[i] != other[i] {
			differ = append(differ, one[i:i+1]+other[i:i+1])
		}
	}
	if !slices.Equal(differ, []string{"ab"}) {
		t.Errorf("config.txt and tryboot.txt differ in %q, want a and b alone", differ)
	}
	if !strings.HasSuffix(one, "\nos_prefix=a/\n") || !strings.Contains(one, "\n[all]\ninclude usercfg.txt\n[all]\n") {
		t.Errorf("config.txt:\n%s", one)
	}
	if got := root["truechimer.toml"]; got != "# mine\n" {
		t.Errorf("truechimer.toml: %q", got)
	}
	for line := range strings.Lines(root["usercfg.txt"]) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("usercfg.txt sets something: %q", line)
		}
	}
	for _, want := range []string{"bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"} {
		if root[want] == "" {
			t.Errorf("no %s in the root", want)
		}
	}
	// The firmware looks for overlays below os_prefix only where this file is.
	if a["overlays/README"] == "" {
		t.Error("no overlays/README in the slot")
	}
	for _, want := range []string{"vmlinuz", "bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb",
		"bcm2710-rpi-zero-2-w.dtb", "overlays/disable-bt.dtbo", "overlays/uart0-pi5.dtbo"} {
		if a[want] == "" {
			t.Errorf("no %s in the slot", want)
		}
	}
	if got, want := a["cmdline.txt"], cmdline(b, "a")+"\n"; got != want {
		t.Errorf("cmdline.txt: %q, want %q", got, want)
	}
	// What config.txt names has to be there.
	for line := range strings.Lines(one) {
		overlay, ok := strings.CutPrefix(strings.TrimSpace(line), "dtoverlay=")
		if overlay, _, _ = strings.Cut(overlay, ","); ok && a["overlays/"+overlay+".dtbo"] == "" {
			t.Errorf("config.txt names overlay %q, which is not there", overlay)
		}
	}
}

func TestBootSpecRefuses(t *testing.T) {
	p := boardParts(t, boards.RaspberryPi)
	for name, change := range map[string]func(*boards.Board){
		"it is switched by writing one sector": func(b *boards.Board) { b.Config = strings.Repeat("#", bootfs.SectorSize) },
		"no file matches nothing-*.dtb":        func(b *boards.Board) { b.Kernel.DTBs = []string{"nothing-*.dtb"} },
		"no file matches absent.elf": func(b *boards.Board) {
			b.Firmware = []boards.Module{{Path: b.Kernel.Module, Files: []string{"absent.elf"}}}
		},
		"syntax error in pattern": func(b *boards.Board) { b.Kernel.DTBs = []string{"["} },
	} {
		p.board = boards.RaspberryPi
		change(&p.board)
		if _, err := bootSpec(p, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

// A module cache may lie anywhere, also where a name looks like a pattern.
func TestMatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "go [1.26]", "mod*")
	if err := os.MkdirAll(filepath.Join(dir, "overlays"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.dtb", "b.dtb", "b.txt", "overlays/x.dtbo"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := match(dir, []string{"*.dtb", "overlays/*"})
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, files)
	if len(got) != 3 || got["a.dtb"] != "a.dtb" || got["b.dtb"] != "b.dtb" || got["overlays/x.dtbo"] != "overlays/x.dtbo" {
		t.Errorf("got %q", got)
	}
}

func TestRootEntries(t *testing.T) {
	b := boards.RaspberryPi
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := compile(t.Context(), b.GOARCH, edition{version: version}, bin,
		"github.com/truechimer/truechimer/appliance", "github.com/truechimer/truechimer/image/earlyboot", "github.com/gokrazy/gokrazy/cmd/randomd"); err != nil {
		t.Fatal(err)
	}
	p := boardParts(t, b)
	list, err := rootEntries(t.Context(), p, bin)
	if err != nil {
		t.Fatal(err)
	}
	entries := make(map[string]squash.Entry)
	licensed := make(map[string]bool)
	for _, e := range list {
		if _, ok := entries[e.Path]; ok {
			t.Errorf("%s comes twice", e.Path)
		}
		entries[e.Path] = e
		if name, ok := strings.CutPrefix(e.Path, "usr/share/licences/"); ok {
			licensed[path.Dir(name)] = true
		}
		// Without a password file gokrazy's web interface stays on its Unix
		// socket; an identity is born on the device.
		if base := path.Base(e.Path); base == "gokr-pw.txt" || base == "machine-id" || strings.HasSuffix(base, ".pem") {
			t.Errorf("%s is in the image", e.Path)
		}
	}
	for link, want := range map[string]string{"etc/resolv.conf": "/tmp/resolv.conf", "var": "/perm/var"} {
		if e := entries[link]; e.Target != want || e.Mode.Type() != fs.ModeSymlink {
			t.Errorf("%s: %v to %q, want a link to %q", link, e.Mode, e.Target, want)
		}
	}
	for _, program := range []string{"gokrazy/init", "gokrazy/randomd", "user/appliance"} {
		if e := entries[program]; e.Mode != 0o755 || e.Size < 1<<20 {
			t.Errorf("%s: %v, %d bytes", program, e.Mode, e.Size)
		}
	}
	for _, dir := range []string{"dev", "perm", "proc", "run", "sys", "tmp"} {
		if !entries[dir].Mode.IsDir() {
			t.Errorf("no directory %s to mount on", dir)
		}
	}
	for name, want := range map[string]string{
		"etc/truechimer/board": "rpi\n", "etc/truechimer/build": "2026-11-23T00:00:00Z\n", "etc/truechimer/version": version + "\n", "etc/hostname": "truechimer",
		"etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
	} {
		e, ok := entries[name]
		if !ok {
			t.Errorf("no %s", name)
			continue
		}
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !slices.ContainsFunc(list, func(e squash.Entry) bool {
		return strings.HasPrefix(e.Path, "lib/modules/") && path.Base(e.Path) == "modules.dep"
	}) {
		t.Error("no kernel modules")
	}

	// A licence for everything: Go, the kernel, the firmware, and every module
	// in every program, our own too.
	want := append([]string{"go", "github.com/truechimer/truechimer", "firmware-brcm80211", "wireless-regdb"}, boardModules(b)...)
	for _, program := range []string{"appliance", "earlyboot", "randomd"} {
		code, err := os.ReadFile(filepath.Join(bin, program))
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range []string{filepath.Join(filepath.Dir(here), "appliance"), filepath.Dir(p.from.modules[b.Kernel.Module])} {
			if bytes.Contains(code, []byte(place+"/")) {
				t.Errorf("%s names a directory of this machine, %s", program, place)
			}
		}
		info, err := buildinfo.Read(bytes.NewReader(code))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append(info.Deps, &info.Main) {
			want = append(want, m.Path)
		}
		if text := fmt.Sprint(info.Settings); strings.Contains(text, "vcs.") {
			t.Errorf("%s carries version control's state: %s", program, text)
		}
	}
	if len(want) < 20 {
		t.Fatalf("only %d modules: %q", len(want), want)
	}
	for _, m := range want {
		if !licensed[m] {
			t.Errorf("no licence for %s", m)
		}
	}
}

func TestSourceTime(t *testing.T) {
	needs(t, "git", "git")
	ctx := t.Context()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	expect := func(what string, want int64) {
		t.Helper()
		if got, err := sourceTime(ctx); err != nil || got.Unix() != want || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v; want %v", what, got, err, time.Unix(want, 0).UTC())
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	expect("no checkout", sourceDate)

	t.Setenv("GIT_AUTHOR_DATE", "@1111111111 +0200")
	t.Setenv("GIT_COMMITTER_DATE", "@1234567890 +0200")
	for _, args := range [][]string{{"init", "-q"}, {"-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "--allow-empty", "-m", "x"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	expect("a commit", 1234567890)
	t.Setenv("SOURCE_DATE_EPOCH", "1600000000")
	expect("SOURCE_DATE_EPOCH", 1600000000)
	for _, bad := range []string{"yesterday", "1.5", "99999999999999999999"} {
		t.Setenv("SOURCE_DATE_EPOCH", bad)
		if got, err := sourceTime(ctx); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func TestBuildFailuresLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := build(t.Context(), buildOptions{Board: "toaster", Dir: dir, Log: t.Logf}); err == nil || !strings.Contains(err.Error(), `"toaster" is not known`) {
		t.Errorf("unknown board: %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "-1")
	if _, err := build(t.Context(), buildOptions{Board: "vm-arm64", Dir: dir, Log: t.Logf}); err == nil || !strings.Contains(err.Error(), "1980 to 2107") {
		t.Errorf("before 1980: %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := build(ctx, buildOptions{Board: "vm-arm64", Dir: dir, Log: t.Logf}); err == nil {
		t.Error("built though it was interrupted")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := build(t.Context(), buildOptions{Board: "vm-arm64", Dir: "/dev/null/out", Log: t.Logf}); err == nil || !strings.Contains(err.Error(), "/dev/null") {
		t.Errorf("no directory: %v", err)
	}
}
