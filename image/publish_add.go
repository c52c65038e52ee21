package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/publish"
	"github.com/truechimer/truechimer/image/release"
)

// add builds releases and stages them.
func (c *publishing) add(args []string) error {
	board := c.flags.String("board", "", "the boards, with commas between them")
	image := c.flags.String("image", "", "instead: image files, whose contents are built anew, compared and published")
	flags := addUpdateFlags(c.flags)
	minFrom := c.flags.String("min-from", "", "the oldest version that can update to this one")
	minEEPROM := c.flags.String("min-eeprom", "", "the oldest date of a Raspberry Pi's boot loader, like 2023-05-11")
	notes := c.flags.String("notes", "", "a file with release notes")
	packages := c.flags.String("packages", "", "a directory with Debian packages, as a release keeps them: looked in first")
	if err := c.parse(args); err != nil {
		return err
	}
	var rel publish.Release
	rel.MinFrom = *minFrom
	if *minEEPROM != "" {
		day, err := time.Parse(time.DateOnly, *minEEPROM)
		if err != nil {
			return fmt.Errorf("-min-eeprom: %w; write it like 2023-05-11", err)
		}
		rel.MinEEPROM = day.Unix()
	}
	if *notes != "" {
		b, err := os.ReadFile(*notes)
		if err != nil {
			return err
		}
		rel.Notes = string(b)
	}
	if (*board == "") == (*image == "") {
		return errors.New("of what? write -board B, or -image FILE for images that are built already")
	}
	for _, name := range words(*image) {
		if err := c.addImage(name, rel); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range words(*board) {
		if flags.url == "" {
			return errors.New("stations that install this would update from nowhere afterwards: write -update-url URL")
		}
		flags.repository = c.repository.Dir
		o := buildOptions{Board: name, Release: true, Packages: words(*packages), Log: progress("publish")}
		if err := flags.set(&o); err != nil {
			return err
		}
		if err := c.addBuilt(o, rel, nil); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// addBuilt builds what o says and stages it. compare may refuse what was built.
func (c *publishing) addBuilt(o buildOptions, rel publish.Release, compare func(publish.Contents) error) error {
	if o.notForRelease() {
		return errNotForRelease
	}
	if o.Update == nil {
		return errors.New("stations that install this would update from nowhere afterwards: build the image with -update-repository and -update-url")
	}
	from, err := origin.Parse(o.Update)
	if err != nil {
		return err
	}
	if o.Dir, err = os.MkdirTemp("", "truechimer-publish-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.Dir)
	if rel.Contents, err = buildContents(c.ctx, o); err != nil {
		return err
	}
	if compare != nil {
		if err := compare(rel.Contents); err != nil {
			return err
		}
	}
	rel.Channel, rel.Epoch = from.Channel, from.Epoch
	added, err := c.repository.Add(c.ctx, rel)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s, %.1f MB\n", added.Target, added.Manifest.Version, float64(added.Manifest.Pack.Size)/1e6)
	return nil
}

// addImage stages what an image file holds, and what its slot b would: it is
// built anew from what the image says, and compared.
func (c *publishing) addImage(name string, rel publish.Release) error {
	dir, err := os.MkdirTemp("", "truechimer-publish-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, size, err := unpack(c.ctx, name, dir)
	if err != nil {
		return err
	}
	defer file.Close()
	i, err := inspect(file, size)
	if err != nil {
		return err
	}
	o := i.made
	o.Release, o.Log = true, progress("publish")
	o.Packages = []string{filepath.Join(filepath.Dir(name), release.PackagesDir)}
	return c.addBuilt(o, rel, i.holds)
}

// holds says whether an image's root a is what a release has.
func (i *inspected) holds(c publish.Contents) error {
	r, err := c.Root.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	same, at, err := sameBytes(r, i.rootImage())
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("%w: the root file system, from byte %d on; image verify says more", errDiffers, disk.RootAStart+at)
	}
	return nil
}
