package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealApt has the machine's apt take packages from a mirror in a directory.
func TestRealApt(t *testing.T) {
	needs(t, "apt-get")
	t.Setenv(MirrorVariable, "")
	root := t.TempDir()
	mirror, etc := filepath.Join(root, "debian"), filepath.Join(root, "etc")
	writeFile(t, filepath.Join(etc, "sources.list"), []byte("deb [trusted=yes] file:"+mirror+" bookworm main\n"))
	writeFile(t, filepath.Join(etc, "apt.conf.d/50bad"), []byte("APT::Update::Pre-Invoke { \"false\"; };\nAcquire::Retries \"2\";\n"))
	publish := func(versions ...string) {
		var lists = map[string]string{"amd64": "", "arm64": ""}
		for i, v := range versions {
			name, version, _ := strings.Cut(v, " ")
			control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: arm64\nMaintainer: a <a@b.invalid>\nDescription: tiny\n", name, version)
			ext := []string{".xz", ".zst", ".gz"}[i%3]
			deb := makeDeb(t, ext, control, []entry{{name: "./boot/it", content: v}})
			pool := "pool/" + strings.ReplaceAll(v, " ", "_") + "_arm64.deb"
			writeFile(t, filepath.Join(mirror, pool), deb)
			lists["arm64"] += fmt.Sprintf("%sFilename: %s\nSize: %d\nSHA256: %s\n\n", control, pool, len(deb), sum(deb))
		}
		release := "Origin: Debian\nSuite: stable\nCodename: bookworm\nArchitectures: amd64 arm64\nComponents: main non-free-firmware\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
		for arch, list := range lists {
			for component, text := range map[string]string{"main": list, "non-free-firmware": ""} {
				name := component + "/binary-" + arch + "/Packages"
				writeFile(t, filepath.Join(mirror, "dists/bookworm", name), []byte(text))
				release += fmt.Sprintf(" %s %d %s\n", sum([]byte(text)), len(text), name)
			}
		}
		writeFile(t, filepath.Join(mirror, "dists/bookworm/Release"), []byte(release))
	}
	publish("kernel-6.12.9-arm64 6.12.9-1", "kernel-6.12.113-arm64 6.12.113-1~deb12u1", "kernel-6.12.200-rt-arm64 6.12.200-1", "kernel-6.13.1-arm64 1:6.13.1-1")

	s := &Store{Cache: filepath.Join(root, "cache"), Etc: etc, Log: t.Logf}
	want := Want{"kernel-6.12.*-arm64", "arm64"}
	pins, err := s.Resolve(t.Context(), want, Want{"kernel-6.13.?-arm64", "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	if pins[0].Package != "kernel-6.12.113-arm64" || pins[0].Version != "6.12.113-1~deb12u1" || pins[1].Version != "1:6.13.1-1" {
		t.Errorf("resolved %v", pins)
	}
	files, err := s.Get(t.Context(), pins...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pins {
		got, err := Extract(files[p], "boot/it")
		if err != nil || string(got["boot/it"]) != p.Package+" "+p.Version {
			t.Errorf("%q, %v", got, err)
		}
	}
	left(t, s, 2)

	publish("kernel-6.12.120-arm64 6.12.120-1")
	if err := os.RemoveAll(s.Cache); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), pins[0]); err == nil || !strings.Contains(err.Error(), "no longer offered by your mirrors") {
		t.Errorf("a version that vanished: %v", err)
	}
	if _, err := s.Resolve(t.Context(), Want{"nothing-*", "all"}); err == nil || !strings.Contains(err.Error(), "offer no package nothing-* for all") {
		t.Errorf("a package that is not there: %v", err)
	}
	if err := os.RemoveAll(mirror); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), pins[0]); err == nil || strings.Contains(err.Error(), "no longer") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without a mirror: %v", err)
	} else {
		t.Log(err)
	}
	left(t, s, 0)
}
