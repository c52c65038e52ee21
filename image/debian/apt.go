package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run starts a program in dir with env added to the environment, and returns
// what it wrote to its standard output. Its error holds what it wrote to its
// standard error, and is exec.ErrNotFound where there is no such program.
type Run func(ctx context.Context, dir string, env []string, program string, args ...string) ([]byte, error)

const (
	outputMax = 64 << 20 // bytes; apt-cache writes a few kilobytes a package
	endWait   = 10 * time.Second
)

// execRun is the Run of a real machine.
func execRun(ctx context.Context, dir string, env []string, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endWait
	out, errs := &boundedBuffer{max: outputMax}, &boundedBuffer{max: 64 << 10}
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && !errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s %s: %w: %s", program, args[0], err, complaints(errs.String()))
	case err == nil && out.full:
		return nil, fmt.Errorf("%s %s: more than %d bytes", program, args[0], outputMax)
	}
	return out.Bytes(), err
}

// complaints is what apt said went wrong, without repetition, and without
// warnings where it names errors.
func complaints(text string) string {
	var said []string
	errorsOnly := strings.HasPrefix(text, "E: ") || strings.Contains(text, "\nE: ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if errorsOnly && !strings.HasPrefix(line, "E: ") {
			continue
		}
		if line != "" && !slices.Contains(said, line) && len(said) < 4 {
			said = append(said, fmt.Sprintf("%.300s", line))
		}
	}
	return strings.Join(said, "; ")
}

// boundedBuffer forgets what comes after max bytes.
type boundedBuffer struct {
	bytes.Buffer
	max  int
	full bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	keep := p[:min(len(p), b.max-b.Len())]
	b.full = b.full || len(keep) < len(p)
	b.Buffer.Write(keep)
	return len(p), nil
}

// apt is an apt of its own: nothing of it lies outside dir, and of the machine's
// own it reads the sources, keys, passwords and how to reach the network.
type apt struct {
	dir    string
	run    Run
	update error // how reading the mirrors' lists went
}

// startApt prepares an apt in dir and reads the mirrors' lists (20 MB).
func (s *Store) startApt(ctx context.Context, dir string) (*apt, error) {
	sources, err := s.sources()
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(dir, func(r rune) bool { return r < ' ' || r == '"' }) {
		return nil, fmt.Errorf("%q: apt takes no directory of such a name", dir)
	}
	a := &apt{dir: dir, run: s.runner()}
	var text strings.Builder
	for _, src := range sources {
		text.WriteString(src.text() + "\n")
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial", "etc/sources.list.d", "etc/apt.conf.d", "log", "files"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	acquire, err := a.hostAcquire(ctx, s.etc())
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		"etc/sources.list.d/debian.sources": text.String(),
		// Where another archive is among the sources, Debian's own package wins.
		"etc/preferences": "Package: *\nPin: release o=Debian\nPin-Priority: 990\n",
		"status":          "",
		"apt.conf":        aptConf(dir, s.etc()) + acquire,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	s.log("reading the lists of Debian's mirrors")
	_, a.update = a.call(ctx, dir, "apt-get", "update", "-q")
	if errors.Is(a.update, exec.ErrNotFound) || ctx.Err() != nil {
		return nil, a.update
	}
	return a, nil
}

// aptConf is apt.conf(5) of a private state. It is read before the directories
// of configuration that it names, so nothing else of the machine's is read.
func aptConf(dir, etc string) string {
	return fmt.Sprintf(`Dir::Etc "%[1]s/etc";
Dir::Etc::trusted "%[2]s/trusted.gpg";
Dir::Etc::trustedparts "%[2]s/trusted.gpg.d";
Dir::Etc::netrc "%[2]s/auth.conf";
Dir::Etc::netrcparts "%[2]s/auth.conf.d";
Dir::State "%[1]s";
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Log "%[1]s/log";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-large::DefaultEnabled "false";
`, dir, etc)
}

// acquireForm are the settings of apt.conf(5) about how mirrors are reached: a
// proxy, and whether the age of lists counts. Those of the machine apply.
var acquireForm = regexp.MustCompile(`^Acquire::(https?(::.*)?|Retries|ForceIPv[46]|Check-(Date|Valid-Until)) "[^"]*";$`)

// hostAcquire reads these settings.
func (a *apt) hostAcquire(ctx context.Context, etc string) (string, error) {
	conf := filepath.Join(a.dir, "host.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "Dir::Etc \"%s\";\n", etc), 0o600); err != nil {
		return "", err
	}
	out, err := a.run(ctx, a.dir, []string{"APT_CONFIG=" + conf, "LC_ALL=C"}, "apt-config", "dump")
	if err != nil {
		return "", err
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		if acquireForm.MatchString(strings.TrimSpace(line)) {
			kept.WriteString(line)
		}
	}
	return kept.String(), nil
}

func (a *apt) call(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	return a.run(ctx, dir, []string{"APT_CONFIG=" + filepath.Join(a.dir, "apt.conf"), "LC_ALL=C"}, program, args...)
}

// offer is a package that the mirrors have.
type offer struct {
	Package, Version, Arch, SHA256 string
	Size                           int64
}

// show lists what the mirrors offer under names like "ovmf:all": every version,
// or with newest only the one that apt would install. Names that nobody offers
// are left out.
func (a *apt) show(ctx context.Context, newest bool, names ...string) ([]offer, error) {
	args := []string{"show", "--all-versions"}
	if newest {
		args[1] = "--no-all-versions"
	}
	out, err := a.call(ctx, a.dir, "apt-cache", append(args, names...)...)
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) { // it fails too where none is found
		return nil, err
	}
	return parseOffers(bytes.NewReader(out))
}

func parseOffers(r io.Reader) ([]offer, error) {
	all, err := paragraphs(r)
	if err != nil {
		return nil, fmt.Errorf("apt-cache show: %w", err)
	}
	var found []offer
	for _, p := range all {
		size, err := strconv.ParseInt(p["size"], 10, 64)
		if err != nil {
			continue // not of a mirror
		}
		found = append(found, offer{p["package"], p["version"], p["architecture"], p["sha256"], size})
	}
	return found, nil
}

// names lists the names of packages that begin with prefix.
func (a *apt) names(ctx context.Context, prefix string) ([]string, error) {
	out, err := a.call(ctx, a.dir, "apt-cache", "pkgnames", prefix)
	return strings.Fields(string(out)), err
}

// download fetches packages and returns the directory that has their files.
func (a *apt) download(ctx context.Context, pins []Pin) (string, error) {
	dir := filepath.Join(a.dir, "files")
	args := []string{"download", "-q"}
	for _, p := range pins {
		args = append(args, p.Package+":"+p.Want.Arch+"="+p.Version)
	}
	_, err := a.call(ctx, dir, "apt-get", args...)
	return dir, err
}
