package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestExtraPrograms(t *testing.T) {
	var many, first []string
	for i := range maxExtras + 3 {
		many = append(many, fmt.Sprintf("/user/p%d", i))
	}
	first = many[:maxExtras]
	for name, c := range map[string]struct {
		list string
		want []string
	}{
		"none":        {"", nil},
		"two":         {"/user/a\n/user/b-2.x\n", []string{"/user/a", "/user/b-2.x"}},
		"missing":     {"/user/gone\n/user/a\n", []string{"/user/a"}},
		"elsewhere":   {"/gokrazy/init\n/user/../gokrazy/init\n/user/appliance\n/user/dir\n/user/.a\nuser/a\n", nil},
		"too many":    {strings.Join(many, "\n"), first},
		"too long":    {strings.Repeat("/user/a\n", maxExtraList/8+1), nil},
		"no new line": {"/user/a", []string{"/user/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put := func(path, content string) {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range append([]string{"/user/a", "/user/b-2.x", "/user/appliance", "/user/.a", "/gokrazy/init", "/user/dir/x"}, many...) {
				put(p, "")
			}
			if c.list != "" {
				put(extraList, c.list)
			}
			if got := extraPrograms(root); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	// A list that cannot be read starts nothing, and stops nothing.
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, extraList), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := extraPrograms(root); got != nil {
		t.Errorf("a directory: %q", got)
	}
}
