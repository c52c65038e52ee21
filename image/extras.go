package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/squash"
)

const (
	// maxExtras is how many further programs an image may have; image/earlyboot
	// starts no more.
	maxExtras = 16
	// The debug shell: an SSH server, what starts it, and what it runs.
	shellServer  = "github.com/gokrazy/breakglass"
	shellStarter = "github.com/truechimer/truechimer/image/debugshell"
	shellModule  = "github.com/gokrazy/serial-busybox"
	shellProgram = "usr/local/bin/busybox"
)

// extraName is what a further program may be called: init says it in a log.
var extraName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// fileName is what the image of these options is called.
func (o buildOptions) fileName() string {
	name := "truechimer-" + o.Board
	if o.Dev {
		name += "-dev"
	}
	if o.Fast {
		name += "-updatetest"
	}
	return name + ".img"
}

// addExtras compiles what a builder adds and lists what goes into the root for
// it: nothing, for a release.
func addExtras(ctx context.Context, b boards.Board, o buildOptions, tmp string) ([]squash.Entry, error) {
	if len(o.Extra) > maxExtras {
		return nil, fmt.Errorf("EXTRA names %d programs, at most %d are possible", len(o.Extra), maxExtras)
	}
	a := &extras{ctx: ctx, goarch: b.GOARCH, edition: o.edition(), tmp: tmp, taken: map[string]string{"appliance": "the appliance itself"}}
	var started []string
	for _, pkg := range o.Extra {
		name, err := a.program(pkg)
		if err != nil {
			return nil, fmt.Errorf("EXTRA=%s: %w", pkg, err)
		}
		started = append(started, "/user/"+name)
	}
	if o.Dev {
		name, err := a.debugShell(o.Keys)
		if err != nil {
			return nil, fmt.Errorf("DEV=1: %w", err)
		}
		started = append(started, "/user/"+name)
	}
	if len(started) == 0 {
		return nil, nil
	}
	a.text("etc/truechimer/extra", strings.Join(started, "\n")+"\n")
	texts, err := licences(ctx, a.programs, nil)
	if err != nil {
		return nil, err
	}
	for path, from := range texts {
		if err := a.file(path, from, 0o644); err != nil {
			return nil, err
		}
	}
	return a.entries, nil
}

// extras collects what is added.
type extras struct {
	ctx         context.Context
	goarch, tmp string
	edition     edition
	taken       map[string]string // name below /user to what has it
	programs    []string          // files, for their licences
	entries     []squash.Entry
}

// program compiles a package and puts it below /user.
func (a *extras) program(pkg string) (name string, err error) {
	if pkg == "" || strings.HasPrefix(pkg, "-") || strings.ContainsAny(pkg, " \t\n") {
		return "", errors.New("this is no import path; write EXTRA=import/path[,import/path] or ./directory")
	}
	dir, err := os.MkdirTemp(a.tmp, "extra-")
	if err != nil {
		return "", err
	}
	if err := compile(a.ctx, a.goarch, a.edition, dir, pkg); err != nil {
		return "", fmt.Errorf("%w\na package of another module has to be in go.mod: go get %s", err, pkg)
	}
	made, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(made) != 1 {
		return "", fmt.Errorf("this makes %d programs; name one main package", len(made))
	}
	name = made[0].Name()
	if !extraName.MatchString(name) {
		return "", fmt.Errorf("the program would be called %q; letters, digits, dots, - and _ are possible", name)
	}
	if other := a.taken[name]; other != "" {
		return "", fmt.Errorf("/user/%s is %s already; give its directory another name", name, other)
	}
	a.taken[name] = pkg
	from := filepath.Join(dir, name)
	a.programs = append(a.programs, from)
	return name, a.file("user/"+name, from, 0o755)
}

// debugShell adds an SSH server for keys and says what starts it.
func (a *extras) debugShell(keys []byte) (name string, err error) {
	if len(bytes.TrimSpace(keys)) == 0 {
		return "", errNoKeys
	}
	if _, err := a.program(shellServer); err != nil {
		return "", err
	}
	if name, err = a.program(shellStarter); err != nil {
		return "", err
	}
	dirs, err := moduleDirs(a.ctx, shellModule)
	if err != nil {
		return "", err
	}
	box, err := fromTar(filepath.Join(dirs[shellModule], "_gokrazy", "extrafiles_"+a.goarch+".tar"), shellProgram)
	if err != nil {
		return "", err
	}
	a.bytes(shellProgram, box, 0o755)
	a.bytes("etc/breakglass.authorized_keys", keys, 0o600)
	a.text("etc/truechimer/dev", "A debug shell is in this image. Do not use it for anything but building.\n")
	return name, a.file("usr/share/licences/"+shellModule+"/LICENSE", filepath.Join(dirs[shellModule], "LICENSE"), 0o644)
}

// fromTar reads one file of an archive.
func fromTar(archive, path string) ([]byte, error) {
	const limit = 16 << 20
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", archive, path, err)
		}
		if strings.TrimPrefix(strings.TrimPrefix(h.Name, "./"), "/") != path {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(r, limit))
		if err != nil || int64(len(b)) != h.Size {
			return nil, fmt.Errorf("%s: %s: %d of %d bytes: %w", archive, path, len(b), h.Size, errors.Join(err, io.ErrUnexpectedEOF))
		}
		return b, nil
	}
}

func (a *extras) file(path, from string, mode os.FileMode) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	a.entries = append(a.entries, squash.Entry{Path: path, Mode: mode, Size: st.Size(), Open: opener(from)})
	return nil
}

func (a *extras) bytes(path string, content []byte, mode os.FileMode) {
	a.entries = append(a.entries, squash.Entry{Path: path, Mode: mode, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}})
}

func (a *extras) text(path, content string) { a.bytes(path, []byte(content), 0o644) }

// withExtras adds entries to a root. A licence that both have is the same file.
func withExtras(root, added []squash.Entry) []squash.Entry {
	have := make(map[string]bool)
	for _, e := range root {
		have[e.Path] = true
	}
	for _, e := range added {
		if !have[e.Path] {
			have[e.Path] = true
			root = append(root, e)
		}
	}
	return root
}

var errNoKeys = errors.New("no public key found that could log in to a debug shell: make one with ssh-keygen, or write AUTHORIZED_KEYS=file")

// builderKeys are the public keys that may log in to an image with a debug
// shell: those in file, or where it is empty, all in the builder's ~/.ssh.
func builderKeys(file string) ([]byte, error) {
	const limit = 64 << 10
	names := []string{file}
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("looking for public keys: %w; write AUTHORIZED_KEYS=file", err)
		}
		if names, err = filepath.Glob(filepath.Join(home, ".ssh", "*.pub")); err != nil {
			return nil, err
		}
	}
	var keys []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(b, []byte("PRIVATE KEY")) {
			return nil, fmt.Errorf("%s is a private key; name the one that ends in .pub", name)
		}
		keys = append(keys, bytes.TrimSpace(b)...)
		keys = append(keys, '\n')
	}
	if len(bytes.TrimSpace(keys)) == 0 {
		return nil, errNoKeys
	}
	if len(keys) > limit {
		return nil, fmt.Errorf("public keys of %d bytes; at most %d are possible", len(keys), limit)
	}
	return keys, nil
}
