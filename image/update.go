package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/image/publish"
	"github.com/truechimer/truechimer/image/squash"
)

// fastPath is the file of the root that says that updates are hurried for a
// test.
const fastPath = "etc/truechimer/updatetest"

// updateFlags are a builder's words about updates.
type updateFlags struct {
	version, url, channel, repository string
	epoch                             int // negative: the published one
}

func addUpdateFlags(flags *flag.FlagSet) *updateFlags {
	u := &updateFlags{}
	flags.StringVar(&u.version, "version", version, "the version of what is built")
	flags.StringVar(&u.url, "update-url", "", "where that repository is published, with commas between mirrors; truechimer.toml may name another place")
	flags.StringVar(&u.channel, "update-channel", "", "the channel that stations follow (the default: "+defaultChannel+")")
	flags.IntVar(&u.epoch, "update-epoch", -1, "the security epoch: stations never go back to a lower one (the default: what is published)")
	return u
}

const defaultChannel = "stable"

// addRepositoryFlag is for commands that have no repository of their own.
func (u *updateFlags) addRepositoryFlag(flags *flag.FlagSet) {
	flags.StringVar(&u.repository, "update-repository", "", "the repository whose releases stations update to: its newest root and versions go into the image")
}

// set puts what the flags say into the options of a build.
func (u *updateFlags) set(o *buildOptions) error {
	o.Version = u.version
	if u.repository == "" {
		if u.url != "" || u.channel != "" || u.epoch >= 0 {
			return errors.New("updates without a repository: stations would trust nobody's; write -update-repository DIR (UPDATES=DIR for make)")
		}
		return nil
	}
	r := publish.Repository{Dir: u.repository, Now: time.Now()}
	trust, floor, err := r.Trust()
	if err != nil {
		return fmt.Errorf("-update-repository: %w", err)
	}
	from := origin.Origin{URLs: words(u.url), Channel: cmp.Or(u.channel, defaultChannel), Epoch: max(0, u.epoch), Floor: floor}
	for i, url := range from.URLs {
		from.URLs[i] = strings.TrimRight(url, "/")
	}
	if u.epoch < 0 {
		if from.Epoch, err = r.Epoch(o.Board); err != nil {
			return err
		}
	}
	if err := from.Check(); err != nil {
		return fmt.Errorf("-update-url, -update-channel: %w", err)
	}
	b, err := json.MarshalIndent(from, "", "  ")
	o.Trust, o.Update = trust, append(b, '\n')
	return err
}

// check says whether there can be an image of these options.
func (o buildOptions) check() error {
	v := o.edition().version
	if !semver.IsValid("v"+v) || semver.Canonical("v"+v) != "v"+v {
		return fmt.Errorf(`version %q is no version: write one such as "1.4.0" or "1.5.0-rc.1", a semantic version without v`, v)
	}
	if (o.Trust == nil) != (o.Update == nil) {
		return fmt.Errorf("/%s and /%s are both in an image, or neither is", origin.RootPath, origin.Path)
	}
	if o.Update == nil {
		return nil
	}
	if err := origin.CheckRoot(o.Trust); err != nil {
		return fmt.Errorf("/%s: %w", origin.RootPath, err)
	}
	if _, err := origin.Parse(o.Update); err != nil {
		return fmt.Errorf("/%s: %w", origin.Path, err)
	}
	return nil
}

// updateEntries say where updates come from: nothing, where from nowhere.
func updateEntries(o buildOptions) []squash.Entry {
	t := &tree{}
	if o.Update != nil {
		t.bytes(origin.RootPath, o.Trust)
		t.bytes(origin.Path, o.Update)
	}
	if o.Fast {
		t.text(fastPath, "The updates of this image happen in seconds. Do not use it for anything but tests.\n")
	}
	return t.list
}
