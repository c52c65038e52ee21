package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/flash"
	"github.com/truechimer/truechimer/image/packed"
)

func flashCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image flash", flag.ContinueOnError)
	to := flags.String("to", "", "the card's disk, /dev/sdX or /dev/mmcblkN: everything on it will be gone")
	file := flags.String("config", "", "a truechimer.toml to put on the cards")
	count := flags.Int("count", 1, "how many cards to write, one after the other")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *to == "" {
		return errors.New("write image flash -to /dev/sdX [-config FILE] [-count N] IMAGE; lsblk lists the disks")
	}
	system, err := flash.Host()
	if err != nil {
		return err
	}
	return flashImage(ctx, flags.Arg(0), *file, flash.Cards{
		System: system, Device: *to, Count: *count, Open: flash.Open,
		In: bufio.NewReader(os.Stdin), Now: time.Now, Sleep: sleep,
		Say:    func(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) },
		Report: func(s flash.Step) { fmt.Printf("\r%-78s", s) },
	})
}

// flashImage writes the image in a file to cards, with a configuration where
// one is named.
func flashImage(ctx context.Context, image, configuration string, cards flash.Cards) error {
	cards.Need = disk.DiskSize
	// Whatever is wrong with the device or the files is said before anything
	// takes long.
	if _, err := cards.System.Find(cards.Device, cards.Need); err != nil {
		return err
	}
	if err := checkImage(image); err != nil {
		return err
	}
	if configuration != "" {
		dir, err := os.MkdirTemp("", "truechimer-flash-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if image, err = configured(ctx, image, configuration, dir); err != nil {
			return err
		}
	}
	cards.Image = func() (io.ReadCloser, int64, error) {
		i, err := packed.Open(image, disk.DiskSize)
		if err != nil {
			return nil, 0, err
		}
		return i, i.Size, nil
	}
	if err := cards.Write(ctx); err != nil {
		return err
	}
	next := "take it out, put it into the board, plug in network and receiver, then power; the page is at the address that your router gives it"
	if configuration == "" {
		next = "edit truechimer.toml on the card's volume TRUECHIMER now, or leave it for later; then " + next
	}
	cards.Say("%s", next)
	return nil
}

// checkImage says whether a file is an image of ours, compressed or not, by its
// beginning.
func checkImage(name string) error {
	i, err := packed.Open(name, disk.DiskSize)
	if err != nil {
		return err
	}
	defer i.Close()
	head := make([]byte, 64<<10)
	if _, err := io.ReadFull(i, head); err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	if _, err := disk.Read(bytes.NewReader(head)); err != nil {
		return fmt.Errorf("%s is no station's image: %w", name, err)
	}
	return nil
}

// configured makes a copy of an image in dir whose truechimer.toml is a
// person's, checked. Its time stamp is the image's, so that the same image and
// file give the same bytes.
func configured(ctx context.Context, image, file, dir string) (name string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	toml, err := io.ReadAll(io.LimitReader(f, config.MaxSize+1)) // Parse refuses more
	if err != nil {
		return "", err
	}
	if _, err := config.Parse(file, toml); err != nil {
		return "", fmt.Errorf("no card was written, for the station would not take this file:\n%w", err)
	}
	name = filepath.Join(dir, "configured.img")
	out, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	in, err := packed.Open(image, disk.DiskSize)
	if err != nil {
		return "", err
	}
	defer in.Close()
	size, err := copySparse(ctx, out, in)
	if err != nil {
		return "", err
	}
	have, err := inspect(out, size)
	if err != nil {
		return "", fmt.Errorf("%s: %w", image, err)
	}
	boot := struct {
		io.ReaderAt
		io.WriterAt
	}{have.boot(), io.NewOffsetWriter(out, disk.BootStart)}
	return name, bootfs.ReplaceFile(boot, config.FileName, toml, have.made.Date)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// words splits what a person gave as a list.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
