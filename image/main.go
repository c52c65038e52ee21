// Command image builds station images and runs them in QEMU.
//
//	go run ./image build -board vm-arm64 -o out
//	go run ./image verify out/truechimer-vm-arm64.img
//	go run ./image release -o out/release
//	sudo go run ./image flash -to /dev/sdX out/truechimer-rpi.img
//	go run ./image run -board vm-arm64 -http 127.0.0.1:8080 -https 127.0.0.1:8443 -ctl .run/ctl
//	go run ./image ctl -ctl .run/ctl gps off
//	go run ./image pins
//	go run ./image publish check -repository repo
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C does not wait
	if err := logic(ctx, os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		if ctx.Err() != nil {
			err = errors.New("interrupted") // whatever it says, that is why
		}
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

const usage = `usage: image COMMAND [FLAGS]

  build   build a board's image                   -board B -o DIR [-config FILE] [-extra PKG,PKG] [-dev]
                                                  [-version V] [-update-repository DIR -update-url URL]
  verify  build an image anew and compare         FILE...
  release build everything that is published      -o DIR [-url BASE] [-board B,B]
  flash   write a card and verify it              -to DEVICE [-config FILE] [-count N] IMAGE
  run     build it and run it in QEMU             -board B -http ADDR -https ADDR -ctl SOCKET [-gps off]
  ctl     send one command to a running image     -ctl SOCKET COMMAND
  pins    pin the newest Debian packages          [-o FILE]
  publish make what stations update from          COMMAND -repository DIR`

func logic(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "build":
		return buildCommand(ctx, args[1:])
	case "verify":
		return verifyCommand(ctx, args[1:])
	case "release":
		return releaseCommand(ctx, args[1:])
	case "flash":
		return flashCommand(ctx, args[1:])
	case "run":
		return runCommand(ctx, args[1:])
	case "ctl":
		return ctlCommand(ctx, args[1:])
	case "pins":
		return pinsCommand(ctx, args[1:])
	case "publish":
		return publishCommand(ctx, args[1:])
	}
	return fmt.Errorf("%q is no command\n%s", args[0], usage)
}

func buildCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image build", flag.ContinueOnError)
	board := flags.String("board", "vm-arm64", "the board to build for")
	out := flags.String("o", "out", "the directory to write into")
	config := flags.String("config", "", "a truechimer.toml to put on the card instead of the commented default")
	extra := flags.String("extra", "", "further programs: import paths with commas between them")
	dev := flags.Bool("dev", false, "add a debug shell for whoever holds one of your public keys")
	keys := flags.String("authorized-keys", "", "the public keys for -dev, instead of all in ~/.ssh")
	packages := flags.String("packages", "", "a directory with Debian packages, as a release keeps them: looked in first")
	update := addUpdateFlags(flags)
	update.addRepositoryFlag(flags)
	if err := parseAll(flags, args); err != nil {
		return err
	}
	o := buildOptions{Board: *board, Dir: *out, Dev: *dev, Packages: words(*packages), Log: progress("build")}
	if err := update.set(&o); err != nil {
		return err
	}
	if *extra != "" {
		o.Extra = strings.Split(*extra, ",")
	}
	if *dev {
		var err error
		if o.Keys, err = builderKeys(*keys); err != nil {
			return err
		}
	}
	if *config != "" {
		b, err := os.ReadFile(*config)
		if err != nil {
			return err
		}
		o.Config = b
	}
	file, err := build(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}

// parseAll parses flags where nothing but flags is expected.
func parseAll(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q means nothing here; write %s -help", flags.Arg(0), flags.Name())
	}
	return nil
}

// progress prints what a long command is doing.
func progress(what string) func(string, ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", what, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
	}
}
