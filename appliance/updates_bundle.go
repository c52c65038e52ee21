package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/appliance/update/bundle"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/image/bootfs"
)

// bundleTopic is the topic of what is told of a bundle.
const bundleTopic = "update bundle"

// findBundle looks for a bundle in the root directory of the FAT volume: nil
// where there is none, or one that cannot be used, of which note tells people.
// The volume is never mounted, so what is there at the start is all that will be.
func findBundle(boot io.ReaderAt) (name string, b *bundle.Bundle, note string) {
	fat, err := bootfs.Open(boot)
	if err != nil {
		return "", nil, "" // which loadConfig has told
	}
	list, err := fat.ReadDir("/")
	if err != nil {
		return "", nil, ""
	}
	for _, e := range list {
		// Names that begin with a dot are what a Mac leaves beside each file.
		if e.Dir || strings.HasPrefix(e.Name, ".") || !strings.HasSuffix(strings.ToLower(e.Name), bundle.Ending) {
			continue
		}
		if name != "" {
			return "", nil, fmt.Sprintf("There is more than one bundle on the card (%s, %s): none is taken. Leave one.", name, e.Name)
		}
		name = e.Name
	}
	if name == "" {
		return "", nil, ""
	}
	c, err := fat.Content(name)
	if err == nil {
		b, err = bundle.Open(c, c.Size())
	}
	if err != nil {
		return name, nil, refusedBundle(name, err)
	}
	return name, b, ""
}

func refusedBundle(name string, err error) string {
	return fmt.Sprintf("The bundle %s on the card is not taken: %v.", name, err)
}

// bundled is where updates come from on a station that has a bundle on its card:
// first the update hosts, for they may know of something newer; the bundle where
// none of them answers as it should. What a release consists of is taken from the
// bundle first: it is known by its hash, wherever it lies.
type bundled struct {
	name  string
	files *bundle.Bundle
	own   update.Metadata // of the bundle
	say   func(text string)

	hosts   update.Metadata // nil: there are none
	mirrors *fetch.Client   // likewise
	skip    bool            // the bundle's files, for one did not verify
	turned  int             // mirrors that were passed over since then
}

// Refresh implements update.Metadata. Where there are update hosts the errors are
// theirs: what is wrong with the bundle is told as a notice.
func (b *bundled) Refresh(ctx context.Context, t update.Trust) (update.Trusted, error) {
	var failed error
	if b.hosts != nil {
		asking, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok {
			asking, cancel = context.WithTimeout(ctx, time.Until(end)/2) // the bundle needs time as well
		}
		got, err := b.hosts.Refresh(asking, t)
		cancel()
		if err == nil {
			b.say(fmt.Sprintf("The update host answers, so what it says counts, and not the bundle %s on the card. It may be deleted.", b.name))
			return got, nil
		}
		failed = err
	}
	got, err := b.own.Refresh(ctx, t)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
		b.say(fmt.Sprintf("Releases are taken from the bundle %s on the card. It may be deleted when the version in it runs.", b.name))
		return got, nil
	}
	b.say(refusedBundle(b.name, err))
	if failed == nil {
		failed = fmt.Errorf("the bundle %s: %w", b.name, err)
	}
	return nil, failed
}

// Range implements update.Files.
func (b *bundled) Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error) {
	if !b.skip && b.files.Has(name) {
		if r, err := b.files.Range(ctx, name, from, length); err == nil {
			return r, nil
		}
	}
	if b.mirrors == nil {
		return nil, fmt.Errorf("%s in the bundle %s: %w", name, b.name, fs.ErrNotExist)
	}
	return b.mirrors.Range(ctx, name, from, length)
}

// Mirrors implements update.Files: the bundle is one mirror more, the first.
func (b *bundled) Mirrors() int {
	if b.mirrors == nil {
		return 1
	}
	return 1 + b.mirrors.Mirrors()
}

// Next implements update.Files.
func (b *bundled) Next() {
	switch {
	case b.mirrors == nil:
	case !b.skip:
		b.skip, b.turned = true, 0
	default:
		b.mirrors.Next()
		b.turned++
		b.skip = b.turned < b.mirrors.Mirrors()
	}
}
