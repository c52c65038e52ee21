package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeApt answers for apt's programs.
type fakeApt struct {
	offers   string            // what apt-cache show prints
	files    map[string]string // what apt-get download writes, by name
	update   error
	download func() error // called before files are written

	mu    sync.Mutex
	calls []string
}

func (f *fakeApt) run(ctx context.Context, dir string, env []string, program string, args ...string) ([]byte, error) {
	call := strings.Join(append([]string{program}, args...), " ")
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	switch {
	case strings.HasPrefix(call, "apt-cache show"):
		return []byte(f.offers), nil
	case strings.HasPrefix(call, "apt-get update -q"):
		return nil, f.update
	case strings.HasPrefix(call, "apt-get download -q"):
		for name, content := range f.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				return nil, err
			}
		}
		if f.download != nil {
			return nil, f.download()
		}
	}
	return nil, nil
}

const tinyContent = "the package"

func tiny() Pin {
	return Pin{Want{"tiny-*", "arm64"}, "tiny-1", "1:2.0-3", sum([]byte(tinyContent)), int64(len(tinyContent))}
}

func offerOf(p Pin) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nSize: %d\nSHA256: %s\n\n", p.Package, p.Version, p.Want.Arch, p.Size, p.SHA256)
}

func newStore(t *testing.T, f *fakeApt) *Store {
	t.Setenv(MirrorVariable, "")
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "etc/sources.list"), []byte("deb http://mirror.invalid/debian bookworm main\n"))
	return &Store{Cache: filepath.Join(dir, "cache"), Etc: filepath.Join(dir, "etc"), Run: f.run, Log: t.Logf}
}

// left fails where the cache holds anything but complete packages.
func left(t *testing.T, s *Store, want int) {
	t.Helper()
	entries, err := os.ReadDir(s.Cache)
	if err != nil || len(entries) != want {
		t.Errorf("the cache has %v, %v", entries, err)
	}
}

func TestGetDownloadsOnce(t *testing.T) {
	f := &fakeApt{offers: offerOf(tiny()), files: map[string]string{tiny().File(): tinyContent}}
	s := newStore(t, f)
	for range 2 {
		files, err := s.Get(t.Context(), tiny(), tiny())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(files[tiny()]); string(b) != tinyContent || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if got := strings.Join(f.calls, "\n"); got != "apt-config dump\napt-get update -q\n"+
		"apt-cache show --all-versions tiny-1:arm64\napt-get download -q tiny-1:arm64=1:2.0-3" {
		t.Errorf("calls:\n%s", got)
	}
	left(t, s, 1)

	// A damaged file is replaced.
	cached := s.cached(tiny())
	for _, damage := range []string{"the pancake", "short", ""} {
		writeFile(t, cached, []byte(damage))
		f.calls = nil
		files, err := s.Get(t.Context(), tiny())
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(files[tiny()]); string(b) != tinyContent || len(f.calls) == 0 {
			t.Errorf("%q stays %q", damage, b)
		}
	}
}

func TestGetLooksBesideFirst(t *testing.T) {
	f := &fakeApt{}
	s := newStore(t, f)
	bad, good := t.TempDir(), t.TempDir()
	s.Beside = []string{bad, good}
	writeFile(t, filepath.Join(bad, tiny().File()), []byte("the pancake"))
	want := writeFile(t, filepath.Join(good, tiny().File()), []byte(tinyContent))
	files, err := s.Get(t.Context(), tiny())
	if err != nil || files[tiny()] != want || len(f.calls) > 0 {
		t.Errorf("%v, %v, %v", files, err, f.calls)
	}
}

func TestGetFails(t *testing.T) {
	other := tiny()
	other.SHA256 = strings.Repeat("0", 64)
	newer := tiny()
	newer.Version = "1:2.0-4"
	noApt := &exec.Error{Name: "apt-config", Err: exec.ErrNotFound}
	for name, c := range map[string]struct {
		apt  *fakeApt
		says []string
	}{
		"vanished":        {&fakeApt{offers: offerOf(newer)}, []string{"tiny-1 1:2.0-3 (arm64) is no longer offered by your mirrors: run `make pins`, or put the file tiny-1_1%3a2.0-3_arm64.deb into "}},
		"nothing offered": {&fakeApt{}, []string{"is no longer offered"}},
		"no network":      {&fakeApt{update: errors.New("could not resolve")}, []string{"tiny-1 1:2.0-3", "could not resolve"}},
		"other content":   {&fakeApt{offers: offerOf(other)}, []string{"offer tiny-1 1:2.0-3 (arm64) with SHA-256 0000"}},
		"wrong hash":      {&fakeApt{offers: offerOf(tiny()), files: map[string]string{tiny().File(): "the pancake"}}, []string{"refused the download of tiny-1 1:2.0-3", "SHA-256 is " + sum([]byte("the pancake"))}},
		"cut short":       {&fakeApt{offers: offerOf(tiny()), files: map[string]string{tiny().File(): "the"}}, []string{"refused the download"}},
		"no file":         {&fakeApt{offers: offerOf(tiny())}, []string{"refused the download", "no such file"}},
		"download fails":  {&fakeApt{offers: offerOf(tiny()), files: map[string]string{tiny().File(): tinyContent}, download: func() error { return errors.New("reset by peer") }}, []string{"reset by peer"}},
		"no apt":          {&fakeApt{update: noApt}, []string{"there is no apt on this machine to get tiny-1 1:2.0-3 (arm64) with: put the file tiny-1_1%3a2.0-3_arm64.deb into "}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, c.apt)
			files, err := s.Get(t.Context(), tiny())
			if err == nil {
				t.Fatalf("got %v", files)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("got %v", err)
				}
			}
			left(t, s, 0)
		})
	}
}

func TestGetInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeApt{offers: offerOf(tiny()), files: map[string]string{tiny().File(): tinyContent}}
	f.download = func() error { cancel(); return nil }
	s := newStore(t, f)
	if _, err := s.Get(ctx, tiny()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	left(t, s, 0)
	// One that was killed leaves a directory, which goes once it is old.
	for name, age := range map[string]time.Duration{privatePrefix + "old": privateAge + time.Hour, privatePrefix + "new": 0} {
		writeFile(t, filepath.Join(s.Cache, name, "files", tiny().File()), []byte("the"))
		when := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(s.Cache, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	f.download = nil
	if _, err := s.Get(t.Context(), tiny()); err != nil {
		t.Error(err)
	}
	left(t, s, 2) // the package and the new directory
}

func TestGetConcurrently(t *testing.T) {
	s := newStore(t, &fakeApt{offers: offerOf(tiny()), files: map[string]string{tiny().File(): tinyContent}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if files, err := s.Get(t.Context(), tiny()); err != nil || verify(t.Context(), files[tiny()], tiny()) != nil {
				t.Errorf("%v, %v", files, err)
			}
		})
	}
	wg.Wait()
	left(t, s, 1)
}

func TestMirrors(t *testing.T) {
	s := newStore(t, &fakeApt{})
	writeFile(t, filepath.Join(s.Etc, "sources.list"), nil)
	if _, err := s.Get(t.Context(), tiny()); err == nil || !strings.Contains(err.Error(), MirrorVariable) {
		t.Errorf("without sources: %v", err)
	}
	keyring := writeFile(t, filepath.Join(s.Etc, "k.gpg"), nil)
	got, err := mirrorSources("http://a/debian/", keyring)
	if err != nil || len(got) != 3 || got[2] != (source{URI: "http://a/debian-security", Suite: "bookworm-security", SignedBy: keyring}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"mirror", "http://a/ b", "http://a\nTrusted: yes", "cdrom:x"} {
		if _, err := mirrorSources(bad, keyring); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := mirrorSources("http://a/debian", keyring+"x"); err == nil || !strings.Contains(err.Error(), "install debian-archive-keyring") {
		t.Errorf("without keys: %v", err)
	}
}
