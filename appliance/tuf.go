package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/appliance/update/tuf"
)

const tufUsage = `The update's TUF client, to try it on any TUF repository:

  appliance tuf --metadata-dir D init ROOT.json
  appliance tuf --metadata-dir D --metadata-url U refresh
  appliance tuf --metadata-dir D --metadata-url U --target-name N --target-base-url B --target-dir T download

`

// tufClient is the update's TUF client as a command. Unlike an update's, its
// repository has metadata and targets under two URLs of their own.
type tufClient struct {
	metadataDir, metadataURL string
	targetDir, targetsURL    string
	names                    []string
	now                      time.Time
	metadata, targets        *fetch.Client
}

// runTUF runs the command that args name, flags before or behind it.
func runTUF(ctx context.Context, args []string) error {
	c := &tufClient{now: time.Now()}
	flags := flag.NewFlagSet("appliance tuf", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), tufUsage)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.metadataDir, "metadata-dir", "", "where trusted metadata is kept")
	flags.StringVar(&c.metadataURL, "metadata-url", "", "where the repository's metadata is")
	flags.StringVar(&c.targetDir, "target-dir", "", "where target files are put")
	flags.StringVar(&c.targetsURL, "target-base-url", "", "where the repository's target files are")
	flags.Func("target-name", "a target file; may be repeated", func(s string) error {
		c.names = append(c.names, s)
		return nil
	})
	flags.Func("now", "the time, as in 2026-11-26T12:00:00Z (default: the clock's)", func(s string) (err error) {
		c.now, err = time.Parse(time.RFC3339Nano, s)
		return err
	})
	var words []string
	for rest := args; ; rest = flags.Args()[1:] {
		if err := flags.Parse(rest); err != nil {
			return err
		}
		if flags.NArg() == 0 {
			break
		}
		words = append(words, flags.Arg(0))
	}
	command := strings.Join(words[:min(1, len(words))], "")
	switch {
	case c.metadataDir == "":
		return errors.New("no --metadata-dir")
	case command == "init" && len(words) == 2:
		return c.init(words[1])
	case command == "refresh" && len(words) == 1:
		_, err := c.refresh(ctx)
		return err
	case command == "download" && len(words) == 1:
		return c.download(ctx)
	}
	return fmt.Errorf("%q: write init ROOT.json, refresh or download", words)
}

func (c *tufClient) init(file string) error {
	root, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return tuf.DirStore(c.metadataDir).Save("root.json", root)
}

func (c *tufClient) refresh(ctx context.Context) (*tuf.Trusted, error) {
	var err error
	if c.metadata, err = fetch.New(fetch.Options{Bases: []string{c.metadataURL}}); err != nil {
		return nil, err
	}
	return tuf.Refresh(ctx, tuf.Options{Source: c, Store: tuf.DirStore(c.metadataDir), Now: c.now})
}

// Get implements tuf.Source.
func (c *tufClient) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if target, ok := strings.CutPrefix(name, "targets/"); ok {
		return c.targets.Get(ctx, target, limit)
	}
	return c.metadata.Get(ctx, strings.TrimPrefix(name, "metadata/"), limit)
}

func (c *tufClient) download(ctx context.Context) error {
	if c.targetDir == "" || len(c.names) == 0 {
		return errors.New("download needs --target-name and --target-dir")
	}
	var err error
	if c.targets, err = fetch.New(fetch.Options{Bases: []string{c.targetsURL}}); err != nil {
		return err
	}
	t, err := c.refresh(ctx)
	if err != nil {
		return err
	}
	for _, name := range c.names {
		if err := c.downloadOne(ctx, t, name); err != nil {
			return err
		}
	}
	return nil
}

// downloadOne leaves a file that is there already as it is.
func (c *tufClient) downloadOne(ctx context.Context, t *tuf.Trusted, name string) error {
	target, err := t.Find(ctx, name)
	if err != nil {
		return err
	}
	file := filepath.Join(c.targetDir, url.PathEscape(name))
	if name == "" || name == "." || name == ".." { // which alone are no name of a file
		return fmt.Errorf("%q cannot be put into a directory", name)
	}
	have, err := os.ReadFile(file)
	if err == nil && target.Verify(have) == nil {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b bytes.Buffer
	if err := t.Download(ctx, name, &b); err != nil {
		return err
	}
	return durable.WriteFile(file, b.Bytes())
}
