package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/release"
)

func releaseCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image release", flag.ContinueOnError)
	out := flags.String("o", "out/release", "the directory to write into; it must be empty")
	update := addUpdateFlags(flags)
	update.addRepositoryFlag(flags)
	url := flags.String("url", "", "the address of the directory that the files will be published in")
	only := flags.String("board", "", "the boards, with commas between them; all unless said otherwise")
	if err := parseAll(flags, args); err != nil {
		return err
	}
	// What a builder may have set for images of his own.
	for _, name := range []string{"DEV", "EXTRA"} {
		if v := os.Getenv(name); v != "" && v != "0" {
			return fmt.Errorf("%s=%s: no release holds a debug shell or a builder's programs; unset %s", name, v, name)
		}
	}
	names := words(*only)
	if len(names) == 0 {
		for _, b := range boards.All {
			names = append(names, b.Name)
		}
	}
	when, err := sourceTime(ctx)
	if err != nil {
		return err
	}
	r := release.Release{Version: update.version, Date: when, URL: *url, Website: "https://" + ownModule, Log: progress("release")}
	dir, err := os.MkdirTemp("", "truechimer-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range names {
		o := buildOptions{Board: name, Dir: dir, Date: when, Release: true, Log: r.Log}
		if err := update.set(&o); err != nil {
			return err
		}
		i, err := buildForRelease(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.Images = append(r.Images, i)
	}
	if r.Packages, err = packageFiles(ctx, names, dir, r.Log); err != nil {
		return err
	}
	if err := r.Write(ctx, *out); err != nil {
		return err
	}
	fmt.Println(filepath.Clean(*out))
	return nil
}

// packageFiles are the Debian packages that boards' images were made of, under
// the names by which a later build finds them: mirrors keep only the newest.
func packageFiles(ctx context.Context, names []string, dir string, log func(string, ...any)) ([]string, error) {
	var pins []debian.Pin
	for _, name := range names {
		b, err := boards.ByName(name)
		if err != nil {
			return nil, err
		}
		for _, p := range boardPackages(b) {
			pin, err := debian.Pinned(debian.Want{Name: p.Name, Arch: p.Arch})
			if err != nil {
				return nil, err
			}
			if !slices.Contains(pins, pin) {
				pins = append(pins, pin)
			}
		}
	}
	store, err := debian.NewStore(nil, log)
	if err != nil {
		return nil, err
	}
	files, err := store.Get(ctx, pins...)
	if err != nil {
		return nil, err
	}
	var list []string
	for pin, file := range files {
		name := filepath.Join(dir, pin.File())
		if err := os.Symlink(file, name); err != nil {
			return nil, err
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}

// errNotForRelease says that an image is a builder's.
var errNotForRelease = errors.New("no release holds a debug shell, a builder's programs or what is for tests alone: leave out DEV and EXTRA")

func (o buildOptions) notForRelease() bool {
	return o.Dev || o.Fast || o.Keys != nil || len(o.Extra) > 0 || len(o.Modules) > 0 || len(o.Radio) > 0
}

// buildForRelease builds a board's image and lists what is in it.
func buildForRelease(ctx context.Context, o buildOptions) (release.Image, error) {
	if o.notForRelease() {
		return release.Image{}, errNotForRelease
	}
	file, err := build(ctx, o)
	if err != nil {
		return release.Image{}, err
	}
	return describe(ctx, file, o)
}

// describe lists what is in an image that is to be released, and refuses one
// that must not be, whatever it was meant to be.
func describe(ctx context.Context, file string, o buildOptions) (release.Image, error) {
	b, err := boards.ByName(o.Board)
	if err != nil {
		return release.Image{}, err
	}
	f, err := os.Open(file)
	if err != nil {
		return release.Image{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return release.Image{}, err
	}
	i, err := inspect(f, st.Size())
	if err != nil {
		return release.Image{}, err
	}
	if i.made.notForRelease() {
		return release.Image{}, fmt.Errorf("%s: %w", file, errNotForRelease)
	}
	if i.made.Board != o.Board || i.made.Version != o.edition().version || !i.made.Date.Equal(o.Date) {
		return release.Image{}, fmt.Errorf("%s is of %s, version %s, %v", file, i.made.Board, i.made.Version, i.made.Date)
	}
	list, err := i.components(ctx, b)
	return release.Image{Board: b.Name, Title: b.Title, File: file, Components: list}, err
}
