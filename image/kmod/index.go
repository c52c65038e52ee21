package kmod

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Names of the index's files, beside the modules.
const (
	depFile   = "modules.dep"
	aliasFile = "modules.alias"
	loadFile  = "modules.load"
)

// Index makes the index's files for a set of modules that is closed under
// their dependencies, as [Pick] returns it: name to content. load are the
// modules to load at every boot; those that are not in the set are built in
// and left out.
func Index(list []Module, load []string) map[string]string {
	byName := make(map[string]Module)
	for _, m := range list {
		byName[m.Info.Name] = m
	}
	var dep, alias, always strings.Builder
	for _, m := range list {
		dep.WriteString(m.Path + ":")
		for _, d := range order(byName, m.Info.Name) {
			dep.WriteString(" " + byName[d].Path)
		}
		dep.WriteByte('\n')
		for _, a := range m.Info.Aliases {
			fmt.Fprintf(&alias, "alias %s %s\n", a, m.Info.Name)
		}
	}
	for _, n := range load {
		if n = Canonical(n); byName[n].Path != "" {
			always.WriteString(n + "\n")
		}
	}
	return map[string]string{depFile: dep.String(), aliasFile: alias.String(), loadFile: always.String()}
}

// order lists what a module needs, nearest first, as modules.dep does: loading
// the list from its end meets every dependency.
func order(byName map[string]Module, name string) []string {
	var list []string
	seen := map[string]bool{name: true}
	var visit func(n string)
	visit = func(n string) {
		in := byName[n].Info
		for _, d := range append(slices.Clone(in.Depends), in.Before...) {
			if _, ok := byName[d]; !ok || seen[d] {
				continue
			}
			seen[d] = true
			visit(d)
			list = append(list, d)
		}
	}
	visit(name)
	slices.Reverse(list)
	return list
}

// table is a parsed index.
type table struct {
	file    map[string]string   // name to path
	needs   map[string][]string // name to names, nearest first
	aliases [][2]string         // pattern, name
	load    []string
}

// maxLine bounds what is read of an index, lines; it is on a read-only file
// system that we made, so this guards against damage alone.
const maxLines = 200_000

func parse(dep, alias, load string) table {
	t := table{file: map[string]string{}, needs: map[string][]string{}}
	n := 0
	for line := range strings.Lines(dep) {
		if n++; n > maxLines {
			break
		}
		file, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		name := NameOf(file)
		if !ok || name == "" {
			continue
		}
		t.file[name] = file
		for _, d := range strings.Fields(rest) {
			t.needs[name] = append(t.needs[name], NameOf(d))
		}
	}
	n = 0
	for line := range strings.Lines(alias) {
		if n++; n > maxLines {
			break
		}
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "alias" {
			t.aliases = append(t.aliases, [2]string{f[1], Canonical(f[2])})
		}
	}
	t.load = strings.Fields(load)
	return t
}

// match lists the modules for a device's modalias, in the order of the index.
func (t table) match(modalias string) []string {
	found := make(map[string]bool)
	for _, a := range t.aliases {
		if matches(a[0], modalias) {
			found[a[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// matches is fnmatch(3) without FNM_PATHNAME, which is how depmod's patterns
// are meant: a slash is a character like any other.
func matches(pattern, s string) bool {
	const stand = "\x01"
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", stand), strings.ReplaceAll(s, "/", stand))
	return err == nil && ok
}
