package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/release"
)

const licenceDir = "usr/share/licences/"

// components lists what is in an image, from the image itself: what its
// programs say they were linked from, what this module has of others, the modules
// whose files the board takes, and others that are given. Each has its licence texts, or that is an error.
// The order is that of kinds and names.
func (i *inspected) components(ctx context.Context, b boards.Board, others ...release.Component) ([]release.Component, error) {
	found := make(map[string]release.Component)
	for _, c := range others {
		found[c.Name] = c
	}
	if err := i.linked(found); err != nil {
		return nil, err
	}
	for _, v := range vendoredParts {
		found[v.Name] = v.Component
	}
	taken := make(map[string][]string)
	if b.Kernel.Module != "" {
		taken[b.Kernel.Module] = []string{"boot:/a", "root:/lib"}
	}
	for _, m := range b.Firmware {
		taken[m.Path] = m.Files
	}
	if err := pinned(ctx, taken, found); err != nil {
		return nil, err
	}
	if err := packaged(b, found); err != nil {
		return nil, err
	}
	texts, err := i.licenceTexts()
	if err != nil {
		return nil, err
	}
	var list []release.Component
	for _, name := range slices.Sorted(maps.Keys(found)) {
		c := found[name]
		slices.Sort(c.Files)
		if c.Texts = append(c.Texts, texts[name]...); len(c.Texts) == 0 {
			return nil, fmt.Errorf("%s is in the image, but its licence is not: it must not be published", name)
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b release.Component) int { return cmp.Compare(a.Kind, b.Kind) })
	return list, nil
}

// linked adds what the programs of an image are linked from.
func (i *inspected) linked(found map[string]release.Component) error {
	add := func(c release.Component, program string) error {
		if have, ok := found[c.Name]; ok {
			if have.Version != c.Version {
				return fmt.Errorf("%s is in the image as %s and as %s", c.Name, have.Version, c.Version)
			}
			c = have
		}
		c.Files = append(c.Files, program)
		found[c.Name] = c
		return nil
	}
	for name, item := range i.root {
		if dir := path.Dir(name); dir != "gokrazy" && dir != "user" || !item.Mode.IsRegular() {
			continue
		}
		info, err := i.program(name)
		if err != nil {
			return err
		}
		program := "root:/" + name
		if err := add(release.Component{Kind: release.Go, Name: "go", Version: info.GoVersion}, program); err != nil {
			return err
		}
		for _, m := range append(info.Deps, &info.Main) {
			if m.Replace != nil {
				m = m.Replace
			}
			v := m.Version
			if m.Path == ownModule {
				v = i.made.Version
			}
			if err := add(release.Component{Kind: release.Module, Name: m.Path, Version: v, Sum: m.Sum}, program); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownModule is this module; it has no version but the image's.
const ownModule = "github.com/truechimer/truechimer"

// pinned adds modules whose files are in an image, with what go.mod pins.
func pinned(ctx context.Context, taken map[string][]string, found map[string]release.Component) error {
	if len(taken) == 0 {
		return nil
	}
	out, err := goTool(ctx, nil, append([]string{"mod", "download", "-json"}, slices.Sorted(maps.Keys(taken))...)...)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var m struct{ Path, Version, Sum string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("go mod download: %w", err)
		}
		found[m.Path] = release.Component{Kind: release.Module, Name: m.Path, Version: m.Version, Sum: m.Sum, Files: taken[m.Path]}
	}
}

// packaged adds the Debian packages whose files are in an image.
func packaged(b boards.Board, found map[string]release.Component) error {
	add := func(p boards.Package, files ...string) error {
		if p.Name == "" {
			return nil
		}
		pin, err := debian.Pinned(debian.Want{Name: p.Name, Arch: p.Arch})
		if err != nil {
			return err
		}
		c := found[pin.Package]
		c.Kind, c.Name, c.Version, c.Arch, c.Sum = release.Debian, pin.Package, pin.Version, p.Arch, pin.SHA256
		c.Files = append(c.Files, files...)
		found[pin.Package] = c
		return nil
	}
	err := errors.Join(
		add(b.Kernel.Package, "boot:/a", "root:/lib/modules"),
		add(b.Stub, "boot:/a/"+ukiName), add(b.Menu, "boot:/"+menuName))
	for _, p := range b.Radio {
		err = errors.Join(err, add(p, "root:/lib/firmware"))
	}
	for _, x := range b.Blobs {
		err = errors.Join(err, add(x.Package, fmt.Sprintf("disk:%d", x.Offset)))
	}
	return err
}

// licenceTexts are the licences in an image by component.
func (i *inspected) licenceTexts() (map[string][]release.Licence, error) {
	texts := make(map[string][]release.Licence)
	for _, name := range slices.Sorted(maps.Keys(i.root)) {
		rest, ok := strings.CutPrefix(name, licenceDir)
		item := i.root[name]
		if !ok || !item.Mode.IsRegular() || path.Dir(rest) == "." {
			continue
		}
		const limit = 4 << 20
		if item.Size > limit {
			return nil, fmt.Errorf("/%s has %d bytes, at most %d are expected", name, item.Size, limit)
		}
		b, err := io.ReadAll(item.Content(i.rootImage()))
		if err != nil {
			return nil, err
		}
		texts[path.Dir(rest)] = append(texts[path.Dir(rest)], release.Licence{Path: "/" + name, SPDX: release.Identify(b)})
	}
	return texts, nil
}
