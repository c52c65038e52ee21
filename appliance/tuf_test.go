package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

func TestTUF(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	repo := tuftest.New(now)
	repo.Add("stable/rpi/manifest.json", []byte("{}"))
	repo.Add("..", []byte("{}"))
	repo.Publish()
	base := repo.Serve(t)
	dir := t.TempDir()
	root := filepath.Join(dir, "initial.json")
	if err := os.WriteFile(root, repo.Initial(), 0o600); err != nil {
		t.Fatal(err)
	}
	metadata, targets := filepath.Join(dir, "metadata"), filepath.Join(dir, "targets")
	if err := os.Mkdir(targets, 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(want string, args ...string) {
		t.Helper()
		all := append([]string{"tuf", "--metadata-url", base + "metadata", "--target-base-url", base + "targets/", "--target-dir", targets}, args...)
		err := logic(t.Context(), all)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	in := []string{"--metadata-dir", metadata}
	at := append(in, "--now", "2027-03-02T00:00:00Z")
	run("no root metadata to begin with", append(at, "refresh")...)
	run("", append(in, "init", root)...)
	run("", append(at, "refresh")...)
	run("", append([]string{"refresh"}, at...)...)
	run("has expired", append(in, "--now", "2027-04-02T00:00:00Z", "refresh")...)
	run("no --metadata-dir", "refresh")
	run("write init", append(at, "refresh", "more")...)
	run("write init", at...)
	run("invalid value", append(in, "--now", "tomorrow", "refresh")...)
	run("needs --target-name", append(at, "download")...)
	run("no such file", append(at, "download", "--target-name", "stable/rpi4/manifest.json")...)
	run("cannot be put", append(at, "download", "--target-name", "..")...)

	repo.Asked()
	for range 2 {
		run("", append(at, "download", "--target-name", "stable/rpi/manifest.json")...)
	}
	n := 0
	for _, name := range repo.Asked() {
		if strings.HasPrefix(name, "targets/") {
			n++
		}
	}
	got, err := os.ReadFile(filepath.Join(targets, "stable%2Frpi%2Fmanifest.json"))
	if err != nil || string(got) != "{}" || n != 1 {
		t.Errorf("%q, %v, fetched %d times", got, err, n)
	}
}
