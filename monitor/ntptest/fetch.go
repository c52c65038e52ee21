package ntptest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// install is the way out where chronyd cannot be had.
	install = "install it with: apt-get install chrony (or put chronyd into the PATH)"
	// fetchPackages bounds what is downloaded; chrony 4.3 on Debian 12 needs
	// twelve libraries, those of a bare system among them.
	fetchPackages = 24
)

// FetchChronyd returns the path of a chronyd to run. One in the PATH is taken
// first. Else the distribution's package is downloaded with apt-get into
// cacheDir and unpacked there, with the shared libraries this machine lacks:
// nothing is installed, no right is needed, and the next call finds it done.
func FetchChronyd(ctx context.Context, cacheDir string) (path string, err error) {
	return fetcher{lookPath: lookPath, run: run}.fetch(ctx, cacheDir)
}

// ChronydVersion is what the chronyd at path says that it is, one line.
func ChronydVersion(ctx context.Context, path string) (string, error) {
	out, err := run(ctx, "", libraryPath(path), path, "-v")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return line, nil
}

// fetcher has the programs it needs injected.
type fetcher struct {
	lookPath func(name string) (string, error)
	run      func(ctx context.Context, dir string, env []string, name string, args ...string) (string, error)
}

func (f fetcher) fetch(ctx context.Context, cacheDir string) (string, error) {
	if p, err := f.lookPath("chronyd"); err == nil {
		return p, nil
	}
	cache, err := filepath.Abs(cacheDir)
	if err != nil {
		return "", fmt.Errorf("chronyd: %w", err)
	}
	root := filepath.Join(cache, "chrony")
	program := filepath.Join(root, "usr", "sbin", "chronyd")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb", "ldd"} {
		if _, err := f.lookPath(tool); err != nil {
			return "", fmt.Errorf("chronyd is not here and %s is not either to fetch it: %s", tool, install)
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("chronyd: %w", err)
	}
	// Unpacked beside its place and moved there whole, so that a run cut short
	// leaves nothing that looks complete.
	part, err := os.MkdirTemp(cache, "chrony-part-")
	if err != nil {
		return "", fmt.Errorf("chronyd: %w", err)
	}
	defer os.RemoveAll(part)
	if err := f.unpack(ctx, part); err != nil {
		return "", fmt.Errorf("fetch chronyd: %w; %s", err, install)
	}
	if err := os.Rename(filepath.Join(part, "root"), root); err != nil {
		if _, statErr := os.Stat(program); statErr != nil {
			return "", fmt.Errorf("chronyd: %w", err)
		} // else another run was faster
	}
	return program, nil
}

// unpack fills dir/root with chrony and whatever libraries it misses, the
// dependencies of the packages unpacked last giving the candidates.
func (f fetcher) unpack(ctx context.Context, dir string) error {
	root := filepath.Join(dir, "root")
	program := filepath.Join(root, "usr", "sbin", "chronyd")
	done := map[string]bool{}
	for next := []string{"chrony"}; ; {
		for _, name := range next {
			done[name] = true
			if err := f.unpackOne(ctx, dir, root, name); err != nil {
				return err
			}
		}
		missing, err := f.missing(ctx, program)
		if err != nil || len(missing) == 0 {
			return err
		}
		var candidates []string
		for _, name := range next {
			out, err := f.run(ctx, dir, nil, "apt-cache", "depends", name)
			if err != nil {
				return err
			}
			candidates = append(candidates, libraries(out)...)
		}
		next = nil
		for _, name := range candidates {
			if !done[name] && !slices.Contains(next, name) {
				next = append(next, name)
			}
		}
		if len(next) == 0 || len(done)+len(next) > fetchPackages {
			return fmt.Errorf("no package found for %s", strings.Join(missing, ", "))
		}
	}
}

func (f fetcher) unpackOne(ctx context.Context, dir, root, name string) error {
	if _, err := f.run(ctx, dir, nil, "apt-get", "download", name); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download %s left %d packages, 1 expected", name, len(debs))
	}
	_, err = f.run(ctx, dir, nil, "dpkg-deb", "-x", debs[0], root)
	return err
}

// missing returns the shared libraries that program cannot find.
func (f fetcher) missing(ctx context.Context, program string) ([]string, error) {
	out, err := f.run(ctx, "", libraryPath(program), "ldd", program)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(out) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), " => not found"); ok {
			list = append(list, name)
		}
	}
	return list, nil
}

// libraries returns the packages with shared libraries among what apt-cache
// says a package depends on. The C library is every machine's own.
func libraries(depends string) (list []string) {
	for line := range strings.Lines(depends) {
		name, ok := strings.CutPrefix(strings.TrimLeft(strings.TrimSpace(line), "|"), "Depends: ")
		if ok && packageName(name) && strings.HasPrefix(name, "lib") && !strings.HasPrefix(name, "libc6") {
			list = append(list, name)
		}
	}
	return list
}

// packageName keeps what apt-cache prints from being read as an option or a path.
func packageName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '+' || c == '-') {
			return false
		}
	}
	return s != "" && s[0] != '-'
}

// libraryPath is the environment by which a program that was unpacked
// elsewhere than at / finds the libraries unpacked with it; none for others.
func libraryPath(program string) []string {
	root, ok := strings.CutSuffix(program, filepath.FromSlash("/usr/sbin/chronyd"))
	if !ok || root == "" {
		return nil
	}
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern)) // the pattern is good
		dirs = append(dirs, found...)
	}
	if len(dirs) == 0 {
		return nil
	}
	return []string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")}
}

// lookPath also looks where a user's PATH often does not.
func lookPath(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

func run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	var out strings.Builder
	errs := &tail{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, errs
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w: %s", strings.Join(append([]string{name}, args...), " "), err, errs.last())
	}
	return out.String(), nil
}
