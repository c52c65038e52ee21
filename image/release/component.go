// Package release makes what is published of an image: the packed file, its
// sums, its bill of materials, its licences, and Raspberry Pi Imager's list.
// The same images give the same bytes.
package release

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// Kind is where a component comes from.
type Kind string

// The kinds.
const (
	Go     Kind = "go"     // the language's own library and runtime
	Module Kind = "module" // a Go module, linked or with files in the image
	Debian Kind = "debian" // a Debian package
	NPM    Kind = "npm"    // an npm package, of which this module has files
)

// Component is something that is in an image.
type Component struct {
	Kind    Kind
	Name    string // module path or package name
	Version string
	Arch    string // of a Debian package
	// Sum is a module's go.sum hash ("h1:..."), a Debian package's SHA-256 in hex, an npm
	// package's integrity ("sha512-..."); it may be empty.
	Sum   string
	Files []string  // what of it is in the image: files, or the programs it is linked into
	Texts []Licence // its licences
}

// Licence is one licence text.
type Licence struct {
	Path string // in the image
	SPDX string // identifier or expression; empty where the text is none of the known
}

// notice says that a text is what a licence asks to be kept, none itself.
func (l Licence) notice() bool {
	return l.SPDX == "" && strings.HasPrefix(strings.ToUpper(path.Base(l.Path)), "NOTICE")
}

// purl is the component's package URL (github.com/package-url/purl-spec).
func (c Component) purl() string {
	escape := func(s string) string { return strings.ReplaceAll(url.PathEscape(s), "+", "%2B") }
	switch c.Kind {
	case Debian:
		return "pkg:deb/debian/" + escape(c.Name) + "@" + escape(c.Version) + "?arch=" + escape(c.Arch)
	case NPM:
		return "pkg:npm/" + escape(c.Name) + "@" + escape(c.Version)
	case Go:
		return "pkg:golang/std@" + escape(strings.TrimPrefix(c.Version, "go"))
	}
	return "pkg:golang/" + strings.ToLower(c.Name) + "@" + escape(c.Version)
}

// expression is the licence of the whole component; empty where a text of it
// is not known, for then nothing can be said of the whole.
func (c Component) expression() string {
	var ids []string
	for _, t := range c.Texts {
		if t.notice() {
			continue
		}
		if t.SPDX == "" {
			return ""
		}
		for id := range strings.SplitSeq(t.SPDX, " AND ") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " AND ")
}

// known are the licences that are told by what only they say, in lower case,
// with single spaces.
var known = []struct {
	id   string
	says []string
	not  []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0, january 2004"}, nil},
	{"MPL-2.0", []string{"mozilla public license version 2.0"}, nil},
	{"LGPL-2.1", []string{"gnu lesser general public license version 2.1, february 1999"}, nil},
	{"GPL-2.0", []string{"gnu general public license version 2, june 1991"}, nil},
	{"GPL-3.0", []string{"gnu general public license version 3, 29 june 2007"}, nil},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy"}, nil},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose"}, nil},
	{"BSD-3-Clause", []string{bsd, "neither the name"}, []string{"all advertising materials"}},
	{"BSD-2-Clause", []string{bsd}, []string{"neither the name", "all advertising materials"}},
	{"BSD-4-Clause", []string{bsd, "all advertising materials"}, nil},
}

const bsd = "redistribution and use in source and binary forms, with or without modification, are permitted"

// Identify names the licences whose texts are in a text, as an SPDX expression;
// it is empty where there is none that is known. GPL and LGPL are named by
// their version alone: the text does not say whether later ones will do.
func Identify(text []byte) string {
	plain := strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
	has := func(s string) bool { return strings.Contains(plain, s) }
	var ids []string
	for _, k := range known {
		if !slices.ContainsFunc(k.says, func(s string) bool { return !has(s) }) && !slices.ContainsFunc(k.not, has) {
			ids = append(ids, k.id)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " AND ")
}
