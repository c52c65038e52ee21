package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/truechimer/truechimer/image/publish"
)

const publishUsage = `usage: image publish COMMAND -repository DIR [FLAGS]

  key       make a key pair for one person           -o FILE (no repository)
  init      begin a repository                       -keys DIR | -root F,F,F -targets F,F,F -online F
  add       stage a release                          -board B [-version V] -update-url URL | -image FILE
  delta     stage what is added with what differs from the last releases: takes bsdiff
                                                     -board B -channel C
  rollout   stage which share of the stations takes a release when
                                                     -board B -channel C [-start TIME] [-schedule S|all] [-pause|-resume]
  withdraw  stage that a release is no longer offered  -board B -channel C
  sign      add one signature to what is staged      -role root|targets -key FILE | -from FILE
  release   publish what has been signed             -key FILE (online)
  rotate    stage a root with other keys             -add ROLE=FILE.pub, -remove ROLE=FILE.pub
  renew     stage the same again, valid for longer   -role root|targets
  timestamp say anew what is newest: every day       -key FILE (online)
  dry-run   what a station would do                  -station VERSION -board B
  bundle    write a release into one file, for stations without a network
                                                     -board B -channel C -o FILE.truechimer
  check     verify everything as a client would

docs/publishing.md tells a release from beginning to end`

// publishCommand makes what stations update from.
func publishCommand(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(publishUsage)
	}
	c := &publishing{ctx: ctx, flags: flag.NewFlagSet("image publish "+args[0], flag.ContinueOnError)}
	run := map[string]func(args []string) error{
		"key": c.key, "init": c.init, "add": c.add, "delta": c.delta, "rollout": c.rollout, "withdraw": c.withdraw, "sign": c.sign, "release": c.release,
		"rotate": c.rotate, "renew": c.renew, "timestamp": c.timestamp, "dry-run": c.dryRun, "bundle": c.bundle, "check": c.check,
	}[args[0]]
	if run == nil {
		return fmt.Errorf("%q is no command of publish\n%s", args[0], publishUsage)
	}
	return run(args[1:])
}

// publishing is one call of the command.
type publishing struct {
	ctx        context.Context
	flags      *flag.FlagSet
	repository publish.Repository
}

// parse parses the flags of a command that needs a repository.
func (c *publishing) parse(args []string) error {
	c.flags.StringVar(&c.repository.Dir, "repository", "", "the directory that is published")
	if err := parseAll(c.flags, args); err != nil {
		return err
	}
	if c.repository.Dir == "" {
		return errors.New("which repository? write -repository DIR")
	}
	c.repository.Now, c.repository.Log = time.Now(), progress("publish")
	return nil
}

func (c *publishing) key(args []string) error {
	out := c.flags.String("o", "", "the file of the private key; the public one is called FILE.pub")
	plain := c.flags.Bool("unencrypted", false, "without a passphrase: only for an online key that a program uses by itself")
	if err := parseAll(c.flags, args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("where to? write -o FILE")
	}
	ask := askPassphrase
	if *plain {
		ask = nil
	}
	if err := publish.MakeKey(*out, ask); err != nil {
		return err
	}
	fmt.Println(*out + ".pub")
	return nil
}

func (c *publishing) init(args []string) error {
	dir := c.flags.String("keys", "", "a new directory for all seven keys, where one person has them all")
	plain := c.flags.Bool("unencrypted-online", false, "with -keys: no passphrase for the online key, for a job that signs by itself")
	root := c.flags.String("root", "", "the public root keys, with commas between them")
	targets := c.flags.String("targets", "", "the public targets keys")
	online := c.flags.String("online", "", "the public online key")
	if err := c.parse(args); err != nil {
		return err
	}
	files := map[string][]string{publish.RoleRoot: words(*root), publish.RoleTargets: words(*targets), publish.RoleOnline: words(*online)}
	if *dir == "" {
		keys, err := publish.LoadKeys(files)
		if err != nil {
			return err
		}
		if err := c.repository.Init(keys); err != nil {
			return err
		}
		fmt.Println("staged; now two people each: publish sign -role root, publish sign -role targets; then publish release")
		return nil
	}
	if *root+*targets+*online != "" {
		return errors.New("-keys makes all keys: leave out -root, -targets and -online")
	}
	return c.repository.Begin(c.ctx, *dir, once(askPassphrase), *plain)
}

// target adds the flags that name a channel's releases for a board.
func (c *publishing) target() (board, channel *string) {
	return c.flags.String("board", "", "the board"), c.flags.String("channel", defaultChannel, "the channel")
}

func (c *publishing) delta(args []string) error {
	board, channel := c.target()
	if err := c.parse(args); err != nil {
		return err
	}
	return c.repository.Deltas(c.ctx, *board, *channel)
}

func (c *publishing) withdraw(args []string) error {
	board, channel := c.target()
	if err := c.parse(args); err != nil {
		return err
	}
	return c.repository.Withdraw(*board, *channel)
}

func (c *publishing) sign(args []string) error {
	role := c.flags.String("role", "", "what to sign: root or targets")
	file := c.flags.String("key", "", "the private key")
	from := c.flags.String("from", "", "instead of -key: a copy of what is staged that was signed on another machine")
	if err := c.parse(args); err != nil {
		return err
	}
	if (*file == "") == (*from == "") {
		return errors.New("by whom? write -key FILE, or -from FILE for signatures made elsewhere")
	}
	// Before the passphrase is asked for, a person sees what it is for.
	lines, err := c.repository.Review(*role)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Println(line)
	}
	var p publish.Progress
	if *from != "" {
		p, err = c.repository.Gather(*role, *from)
	} else {
		var key ed25519.PrivateKey
		if key, err = publish.LoadKey(*file, askPassphrase); err == nil {
			p, err = c.repository.Sign(*role, key)
		}
	}
	if err != nil {
		return err
	}
	fmt.Println(p)
	return nil
}

func (c *publishing) release(args []string) error {
	return c.online(args, func(key ed25519.PrivateKey) error { return c.repository.Release(c.ctx, key) })
}

func (c *publishing) timestamp(args []string) error { return c.online(args, c.repository.Timestamp) }

// online does what takes the online key.
func (c *publishing) online(args []string, do func(ed25519.PrivateKey) error) error {
	file := c.flags.String("key", "", "the online key")
	if err := c.parse(args); err != nil {
		return err
	}
	key, err := publish.LoadKey(*file, askPassphrase)
	if err != nil {
		return fmt.Errorf("-key: %w", err)
	}
	return do(key)
}

func (c *publishing) rotate(args []string) error {
	var change publish.Rotation
	c.flags.Func("add", "ROLE=FILE.pub: a key that is to have a say; may come again", roleKeys(&change.Add))
	c.flags.Func("remove", "ROLE=FILE.pub or ROLE=ID: a key that is to have none any more; may come again", roleKeys(&change.Remove))
	if err := c.parse(args); err != nil {
		return err
	}
	if err := c.repository.Rotate(change); err != nil {
		return err
	}
	lines, err := c.repository.Review(publish.RoleRoot)
	for _, line := range lines {
		fmt.Println(line)
	}
	return err
}

func (c *publishing) renew(args []string) error {
	role := c.flags.String("role", "", "what to renew: root or targets")
	if err := c.parse(args); err != nil {
		return err
	}
	return c.repository.Renew(*role)
}

// roleKeys collects values of the form ROLE=WHAT.
func roleKeys(list *[]publish.RoleKey) func(string) error {
	return func(s string) error {
		role, what, ok := strings.Cut(s, "=")
		if !ok || what == "" {
			return fmt.Errorf("%q: write ROLE=FILE.pub", s)
		}
		*list = append(*list, publish.RoleKey{Role: role, Key: what})
		return nil
	}
}

func (c *publishing) dryRun(args []string) error {
	station := c.flags.String("station", "", "the version that the station has")
	board := c.flags.String("board", "", "the station's board")
	channel := c.flags.String("channel", defaultChannel, "the channel that it follows")
	if err := c.parse(args); err != nil {
		return err
	}
	plan, err := c.repository.DryRun(*station, *board, *channel)
	if err != nil {
		return err
	}
	fmt.Println(plan)
	return nil
}

func (c *publishing) bundle(args []string) error {
	board, channel := c.target()
	out := c.flags.String("o", "", "the file, whose name ends in .truechimer")
	if err := c.parse(args); err != nil {
		return err
	}
	version, err := c.repository.Bundle(c.ctx, *board, *channel, *out)
	if err != nil {
		return err
	}
	fmt.Printf("%s: version %s for %s\n", *out, version, *board)
	return nil
}

func (c *publishing) check(args []string) error {
	trust := c.flags.String("root", "", "the root.json to begin with, such as an image's; the first one unless said otherwise")
	// A directory that somebody downloaded is named like a file to look at.
	if n := len(args); n > 0 && !strings.HasPrefix(args[n-1], "-") && (n == 1 || n == 3) {
		args = append(args[:n-1:n-1], "-repository", args[n-1])
	}
	if err := c.parse(args); err != nil {
		return err
	}
	var root []byte
	if *trust != "" {
		var err error
		if root, err = os.ReadFile(*trust); err != nil {
			return err
		}
	}
	lines, err := c.repository.Check(c.ctx, root)
	for _, line := range lines {
		fmt.Println(line)
	}
	return err
}

// once asks one time, for people who have all keys.
func once(ask publish.Passphrase) publish.Passphrase {
	var words string
	return func(where string, fresh bool) (string, error) {
		if words != "" {
			return words, nil
		}
		var err error
		words, err = ask(filepath.Dir(where), fresh)
		return words, err
	}
}
