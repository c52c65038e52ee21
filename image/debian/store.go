package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Store holds packages. Several may use one cache at a time.
type Store struct {
	// Cache is the directory that keeps packages, by their SHA-256. It is made
	// where it does not exist.
	Cache string
	// Beside are directories that are looked in first, for files named as
	// apt-get names them. They are only read.
	Beside []string
	// Mirror is the base of a mirror of Debian, for machines whose apt has none.
	// Empty: the value of MirrorVariable, then apt's own sources.
	Mirror string
	// Etc is apt's directory of configuration. Empty: /etc/apt.
	Etc string
	// Log takes what takes long. Nil: nobody wants to know.
	Log func(format string, args ...any)
	// Run starts apt's programs. Nil: for real.
	Run Run
}

// debianKeyring is where the package debian-archive-keyring has Debian's keys, on
// Debian and on what descends from it.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

const (
	privatePrefix = ".apt-"        // of directories in the cache, of runs that are under way
	privateAge    = 24 * time.Hour // no run takes as long
)

// Get returns the file of each pin, whose content it has just checked. What is
// neither beside nor in the cache is downloaded; only then the mirrors are asked.
func (s *Store) Get(ctx context.Context, pins ...Pin) (map[Pin]string, error) {
	files := make(map[Pin]string)
	var missing []Pin
	for _, p := range pins {
		if err := p.check(); err != nil {
			return nil, err
		}
		if files[p] != "" || slices.Contains(missing, p) {
			continue
		}
		file, err := s.find(ctx, p)
		if err != nil {
			return nil, err
		}
		if file == "" {
			missing = append(missing, p)
			continue
		}
		files[p] = file
	}
	if len(missing) == 0 {
		return files, nil
	}
	err := s.private(func(dir string) error { return s.fetch(ctx, dir, missing, files) })
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("there is no apt on this machine to get %s with: put the file %s into %s",
			missing[0], missing[0].File(), s.place())
	}
	if err != nil {
		return nil, err
	}
	return files, nil
}

// place is where a person may put a package.
func (s *Store) place() string { return append(slices.Clone(s.Beside), s.Cache)[0] }

func (s *Store) cached(p Pin) string { return filepath.Join(s.Cache, p.SHA256+".deb") }

// find returns the file of a pin, or "" where it has to be downloaded.
func (s *Store) find(ctx context.Context, p Pin) (string, error) {
	var candidates []string
	for _, dir := range append(slices.Clone(s.Beside), s.Cache) {
		candidates = append(candidates, filepath.Join(dir, p.File()))
	}
	for _, file := range append(candidates, s.cached(p)) {
		err := verify(ctx, file, p)
		switch {
		case err == nil:
			return file, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case errors.Is(err, os.ErrNotExist):
		default:
			s.log("%v; looking elsewhere", err)
		}
	}
	return "", nil
}

// fetch downloads pins with an apt in dir and adds their files.
func (s *Store) fetch(ctx context.Context, dir string, pins []Pin, files map[Pin]string) error {
	a, err := s.startApt(ctx, dir)
	if err != nil {
		return err
	}
	if err := s.offered(ctx, a, pins); err != nil {
		return err
	}
	for _, p := range pins {
		s.log("downloading %s, %.1f MB", p, float64(p.Size)/1e6)
		got, err := a.download(ctx, []Pin{p})
		if err != nil {
			return err
		}
		if files[p], err = s.keep(ctx, filepath.Join(got, p.File()), p); err != nil {
			return err
		}
	}
	return nil
}

// offered says why the mirrors cannot serve the pins, or nil.
func (s *Store) offered(ctx context.Context, a *apt, pins []Pin) error {
	var names []string
	for _, p := range pins {
		names = append(names, p.Package+":"+p.Want.Arch)
	}
	offers, err := a.show(ctx, false, names...)
	if err != nil {
		return err
	}
	for _, p := range pins {
		want := offer{p.Package, p.Version, p.Want.Arch, p.SHA256, p.Size}
		if slices.Contains(offers, want) {
			continue
		}
		if a.update != nil {
			return fmt.Errorf("%s: %w", p, a.update)
		}
		for _, o := range offers {
			if o.Package == p.Package && o.Version == p.Version && o.Arch == p.Want.Arch {
				return fmt.Errorf("your mirrors offer %s with SHA-256 %.80s, and %s is pinned: "+
					"run `make pins` only if you know why", p, o.SHA256, p.SHA256)
			}
		}
		return fmt.Errorf("%s is no longer offered by your mirrors: run `make pins`, or put the file %s into %s",
			p, p.File(), s.place())
	}
	return nil
}

// keep moves a downloaded file into the cache once it is what the pin says.
func (s *Store) keep(ctx context.Context, file string, p Pin) (string, error) {
	if err := verify(ctx, file, p); err != nil {
		return "", errors.Join(fmt.Errorf("refused the download of %s: %w", p, err), os.Remove(file))
	}
	if err := os.Chmod(file, 0o644); err != nil {
		return "", err
	}
	return s.cached(p), os.Rename(file, s.cached(p))
}

// Resolve finds what the mirrors offer today: of all packages that a want
// matches the one of the highest version.
func (s *Store) Resolve(ctx context.Context, wants ...Want) ([]Pin, error) {
	for _, w := range wants {
		if err := w.check(); err != nil {
			return nil, err
		}
	}
	var pins []Pin
	err := s.private(func(dir string) error {
		a, err := s.startApt(ctx, dir)
		if err != nil {
			return err
		}
		if a.update != nil {
			return a.update // the newest may be on what could not be read
		}
		for _, w := range wants {
			p, err := a.newest(ctx, w)
			if err != nil {
				return err
			}
			pins = append(pins, p)
		}
		return nil
	})
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("there is no apt on this machine to ask Debian's mirrors with: run `make pins` where there is")
	}
	return pins, err
}

// newest pins a want.
func (a *apt) newest(ctx context.Context, w Want) (Pin, error) {
	names, err := a.names(ctx, w.prefix())
	if err != nil {
		return Pin{}, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !w.matches(name) })
	none := fmt.Errorf("your mirrors offer no package %s for %s", w.Name, w.Arch)
	if len(names) == 0 {
		return Pin{}, none
	}
	for i := range names {
		names[i] += ":" + w.Arch
	}
	offers, err := a.show(ctx, true, names...)
	if err != nil {
		return Pin{}, err
	}
	offers = slices.DeleteFunc(offers, func(o offer) bool { return o.Arch != w.Arch || !w.matches(o.Package) })
	if len(offers) == 0 {
		return Pin{}, none
	}
	best := slices.MaxFunc(offers, func(a, b offer) int {
		if c := compareVersions(a.Version, b.Version); c != 0 {
			return c
		}
		return compareVersions(a.Package, b.Package)
	})
	p := Pin{Want: w, Package: best.Package, Version: best.Version, SHA256: best.SHA256, Size: best.Size}
	return p, p.check()
}

// private makes a directory for one run in the cache, where renaming into it is
// one step, and removes it. Directories of runs that were killed go too.
func (s *Store) private(do func(dir string) error) error {
	if err := os.MkdirAll(s.Cache, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.Cache)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.IsDir() && strings.HasPrefix(e.Name(), privatePrefix) && time.Since(info.ModTime()) > privateAge {
			os.RemoveAll(filepath.Join(s.Cache, e.Name()))
		}
	}
	cache, err := filepath.Abs(s.Cache)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, privatePrefix)
	if err != nil {
		return err
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// sources are the archives to ask.
func (s *Store) sources() ([]source, error) {
	mirror := s.Mirror
	if mirror == "" {
		mirror = os.Getenv(MirrorVariable)
	}
	if mirror != "" {
		return mirrorSources(mirror, debianKeyring)
	}
	sources, err := hostSources(s.etc())
	if err == nil && len(sources) == 0 {
		err = fmt.Errorf("apt has no sources of Debian %s below %s: set %s to a mirror's address, the one that has dists and pool below it (and beside it the same with -security appended)",
			release, s.etc(), MirrorVariable)
	}
	return sources, err
}

func (s *Store) etc() string {
	if s.Etc == "" {
		return "/etc/apt"
	}
	return s.Etc
}

func (s *Store) runner() Run {
	if s.Run == nil {
		return execRun
	}
	return s.Run
}

func (s *Store) log(format string, args ...any) {
	if s.Log != nil {
		s.Log(format, args...)
	}
}

// verify checks that a file is a pin's package.
func verify(ctx context.Context, file string, p Pin) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != p.Size {
		return fmt.Errorf("%s is not %s: it has not its %d bytes", file, p, p.Size)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(reader{ctx, f}, p.Size+1)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != p.SHA256 {
		return fmt.Errorf("%s is not %s: its SHA-256 is %s", file, p, sum)
	}
	return nil
}

// reader stops where its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// readBounded reads a file of at most max bytes.
func readBounded(file string, max int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s: more than %d bytes", file, max)
	}
	return b, err
}
