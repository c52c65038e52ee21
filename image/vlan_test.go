package main

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/kmod"
)

// TestVLANModules: a kernel that has VLANs as a module has it loaded at every boot,
// since nobody answers when it asks for it, and the others are those that
// docs/network.md names.
func TestVLANModules(t *testing.T) {
	for _, b := range boards.All {
		files, k := radioFiles(t, b)
		var loaded, there bool
		for name := range files {
			switch path.Base(name) {
			case "8021q.ko":
				there = true
			case "modules.load":
				loaded = slices.Contains(strings.Fields(string(leadsTo(t, files, name))), "8021q")
			}
		}
		want := b.Name == boards.VMAmd64.Name || b.Name == boards.Rock64.Name
		if there != want || loaded != want {
			t.Errorf("%s: the module is there: %v, and loaded: %v; want %v", b.Name, there, loaded, want)
		}
		has := slices.ContainsFunc(slices.Concat(k.paths, k.builtIn), func(p string) bool { return kmod.NameOf(p) == "8021q" })
		if has != want {
			t.Errorf("%s: the kernel has VLANs: %v, want %v", b.Name, has, want)
		}
	}
}
