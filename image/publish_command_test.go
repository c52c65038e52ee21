package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/publish"
)

// A person's way from keys to a repository, in commands.
func TestPublishCommands(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	do := func(line string, more ...string) error {
		t.Helper()
		return publishCommand(t.Context(), append(strings.Fields(line), more...))
	}
	must := func(line string, more ...string) {
		t.Helper()
		if err := do(line, more...); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	repo := at("repo")
	for _, name := range []string{"r1", "r2", "r3", "t1", "t2", "t3", "t4", "online"} {
		must("key -unencrypted -o", at(name))
	}
	must("init -repository", repo, "-root", at("r1.pub")+","+at("r2.pub")+","+at("r3.pub"),
		"-targets", at("t1.pub")+","+at("t2.pub")+","+at("t3.pub"), "-online", at("online.pub"))
	for role, names := range map[string][]string{"root": {"r1", "r2"}, "targets": {"t1", "t2"}} {
		for _, name := range names {
			must("sign -role "+role+" -repository", repo, "-key", at(name))
		}
	}
	must("release -repository", repo, "-key", at("online"))
	must("timestamp -repository", repo, "-key", at("online"))
	must("check", repo)
	must("check -root", filepath.Join(repo, "metadata", "1.root.json"), repo)
	must("rotate -repository", repo, "-add", "targets="+at("t4.pub"), "-remove", "targets="+at("t2.pub"))
	must("sign -role root -repository", repo, "-key", at("r1"))
	staged := filepath.Join(repo, "staged", "root.json")
	text, err := os.ReadFile(staged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("signed.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	must("sign -role root -repository", repo, "-from", at("signed.json"))
	must("sign -role root -repository", repo, "-key", at("r3"))
	must("sign -role targets -repository", repo, "-key", at("t3"))
	must("sign -role targets -repository", repo, "-key", at("t4"))
	must("release -repository", repo, "-key", at("online"))
	must("renew -role targets -repository", repo)

	for line, want := range map[string]string{
		"":                                       "usage: image publish",
		"publish":                                `"publish" is no command`,
		"check":                                  "which repository?",
		"key":                                    "where to?",
		"key -o " + at("r1"):                     "never overwritten",
		"init -repository " + repo:               "there is a repository already",
		"sign -repository " + repo:               "by whom?",
		"add -repository " + repo:                "of what?",
		"rollout -board rpi -repository " + repo: "add a release with publish add",
		"rollout -board rpi -start noon -repository " + repo:                      "write it like 2026-12-01T08:00:00Z",
		"rollout -board rpi -schedule 1% -repository " + repo:                     "write steps such as 10%@24h",
		"rollout -board rpi -schedule all -pause -repository " + repo:             "add a release",
		"check -repository " + dir:                                                "publish init",
		"rotate -repository " + repo:                                              "which key?",
		"rotate -repository " + repo + " -add root":                               "ROLE=FILE.pub",
		"release -repository " + repo:                                             "-key: ",
		"add -repository " + repo + " -board rpi":                                 "-update-url URL",
		"add -repository " + repo + " -board rpi -min-eeprom yesterday":           "2023-05-11",
		"init -repository " + at("x") + " -keys " + at("y") + " -root " + at("z"): "leave out -root",
		"dry-run -repository " + repo + " -station 1.0.0 -board rpi":              "no target stable/rpi/manifest.json",
		"bundle -repository " + repo + " -board rpi":                              "a name that ends in .truechimer",
		"bundle -repository " + repo + " -board rpi -o " + at("x.truechimer"):     "no target stable/rpi/manifest.json",
		"delta -repository " + repo + " -board rpi":                               "no target stable/rpi/manifest.json",
		"withdraw -repository " + repo + " -board rpi":                            "no target stable/rpi/manifest.json",
	} {
		if err := do(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("publish %s: %v; want one with %q", line, err, want)
		}
	}
}

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	key, file := filepath.Join(dir, "key"), filepath.Join(dir, "words")
	t.Setenv(passphraseVar, file)
	if err := publishCommand(t.Context(), []string{"key", "-o", key}); err == nil || !strings.Contains(err.Error(), passphraseVar) {
		t.Errorf("no such file: %v", err)
	}
	if err := os.WriteFile(file, []byte("correct horse battery staple\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publishCommand(t.Context(), []string{"key", "-o", key}); err != nil {
		t.Fatal(err)
	}
	if _, err := publish.LoadKey(key, func(string, bool) (string, error) { return "correct horse battery staple", nil }); err != nil {
		t.Error(err)
	}
	t.Setenv(passphraseVar, "")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stdin := os.Stdin
	os.Stdin = null
	defer func() { os.Stdin = stdin }()
	if _, err := askPassphrase(key, false); err == nil || !strings.Contains(err.Error(), "there is no terminal") {
		t.Errorf("nobody there: %v", err)
	}
	asked := 0
	ask := once(func(where string, _ bool) (string, error) { asked++; return where, nil })
	for range 3 {
		if got, err := ask("/keys/a", true); err != nil || got != "/keys" || asked != 1 {
			t.Errorf("%q, %v, asked %d times", got, err, asked)
		}
	}
}
