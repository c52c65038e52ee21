package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/image/release"
)

func verifyCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image verify", flag.ContinueOnError)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("write image verify FILE, with the image files to build anew and compare")
	}
	var failed []error
	for _, name := range flags.Args() {
		report, err := verify(ctx, name, progress("verify"))
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		fmt.Printf("%s: %s\n", name, report)
	}
	return errors.Join(failed...)
}

// errDiffers says that an image is not what these sources make.
var errDiffers = errors.New("differs from what these sources make")

// verify builds the image of a file anew, from what the file says it was built
// from, and compares every byte. The report names the sum of the unpacked image.
func verify(ctx context.Context, name string, log func(string, ...any)) (report string, err error) {
	dir, err := os.MkdirTemp("", "truechimer-verify-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	file, size, err := unpack(ctx, name, dir)
	if err != nil {
		return "", err
	}
	defer file.Close()
	have, err := inspect(file, size)
	if err != nil {
		return "", err
	}
	toolchain, err := goTool(ctx, nil, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	hints := have.otherSources(strings.TrimSpace(string(toolchain)))

	o := have.made
	o.Dir, o.Log = dir+"/rebuilt", log
	// A release keeps its packages beside it: mirrors may have newer ones only.
	o.Packages = []string{filepath.Join(filepath.Dir(name), release.PackagesDir)}
	made, err := build(ctx, o)
	if err != nil {
		return "", errors.Join(append(hints, fmt.Errorf("building it anew: %w", err))...)
	}
	again, err := os.Open(made)
	if err != nil {
		return "", err
	}
	defer again.Close()
	st, err := again.Stat()
	if err != nil {
		return "", err
	}
	want, err := inspect(again, st.Size())
	if err != nil {
		return "", fmt.Errorf("the image built anew: %w", err)
	}
	differences, err := compareImages(have, want)
	if err != nil {
		return "", err
	}
	if len(differences) > 0 || have.size != want.size {
		return "", fmt.Errorf("%w%s%s", errDiffers, lines(hints), lines(differences))
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size)); err != nil {
		return "", err
	}
	return fmt.Sprintf("identical, sha256 %x", sum.Sum(nil)), nil
}

// otherSources says why a rebuild is likely to differ.
func (i *inspected) otherSources(toolchain string) (hints []error) {
	if i.made.Version != version {
		hints = append(hints, fmt.Errorf("the image is of version %q, these sources are %s: check out the sources of that version", i.made.Version, version))
	}
	if i.toolchain != toolchain {
		hints = append(hints, fmt.Errorf("the image was made with %s, here is %s: write GOTOOLCHAIN=%s before the command", i.toolchain, toolchain, i.toolchain))
	}
	return hints
}

// maxLines bounds how many differences are told: a changed compiler changes all.
const maxLines = 40

func lines[T any](list []T) string {
	var b strings.Builder
	for n, l := range list {
		if n == maxLines {
			fmt.Fprintf(&b, "\n  and %d more", len(list)-n)
			break
		}
		fmt.Fprintf(&b, "\n  %v", l)
	}
	return b.String()
}
