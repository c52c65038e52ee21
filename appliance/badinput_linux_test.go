package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/appliance/settings"
)

const withOwnMounts = "TRUECHIMER_TEST_OWN_MOUNTS"

// withMounts runs f in a process whose mounts nobody else has.
func withMounts(t *testing.T, f func(t *testing.T)) {
	if os.Getenv(withOwnMounts) == t.Name() {
		f(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("to mount something takes root")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), withOwnMounts+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // by which Go makes them private
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// storage is a /perm of its own, of so many bytes.
func storage(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOEXEC, fmt.Sprint("size=", size)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill leaves no room on a file system.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestNoRoomOnTheCard lives an hour with a /perm that is full from the start, one that
// fills up after the station has begun, and one that was made read-only, as the kernel
// does with a card that fails. The time is known and servers are judged all the same,
// the pages are there, and they say what is wrong.
func TestNoRoomOnTheCard(t *testing.T) { withMounts(t, noRoomOnTheCard) }

func noRoomOnTheCard(t *testing.T) {
	const room = 24 << 20 // more than a journal takes
	lives := func(t *testing.T, perm string, d time.Duration, begun func(), look func(first, details, one string)) {
		p := &platform{station: true, perm: perm, root: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
		// The mounts are those that there are.
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		imageFile(t, p, "proc/self/mountinfo", string(mounts))
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			if begun != nil {
				time.AfterFunc(d/2, begun)
			}
			w.atEnd = func(*station) {
				browser := w.visitor()
				look(shows(t, browser, "http://station/"), shows(t, browser, "http://station/details"), shows(t, browser, "http://station/servers/"+url.PathEscape(firstServer)))
			}
			s, _ := live(t, w, p, d)
			if s.Advice.Time.Word != "known" || !strings.Contains(s.Summary, "all 4 servers are right") {
				t.Errorf("%s; %+v", s.Summary, s.Advice)
			}
		})
	}
	says := func(t *testing.T, where, page string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s do not say %q: %.1800s", where, w, page)
			}
		}
	}
	t.Run("full from the start", func(t *testing.T) {
		perm := storage(t, 64<<10)
		fill(t, perm)
		lives(t, perm, time.Hour, nil, func(first, details, one string) {
			says(t, "the details", details, "could not be kept", "no space left on device", "The journal of exchanges cannot be")
			says(t, "the first screen", first, "There is something to read.")
		})
	})
	t.Run("full later", func(t *testing.T) {
		perm := storage(t, room)
		lives(t, perm, time.Hour, func() { fill(t, perm) }, func(first, details, one string) {
			// What it keeps its files had their room from the start.
			if strings.Contains(details, "journal of exchanges cannot") || strings.Contains(one, "could not be read") {
				t.Errorf("%.1800s, %.500s", details, one)
			}
		})
		cannotBeKept(t, perm, "no space left on device")
	})
	t.Run("read-only", func(t *testing.T) {
		perm := storage(t, room)
		lives(t, perm, 10*time.Minute, nil, func(_, _, _ string) {})
		if err := unix.Mount("", perm, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		lives(t, perm, time.Hour, nil, func(first, details, one string) {
			says(t, "the first screen", first, "The card cannot be written to any more: nothing new is kept.", "Replace the card soon")
			says(t, "the details", details, "The journal of exchanges cannot be")
		})
		cannotBeKept(t, perm, "read-only file system")
	})
}

// cannotBeKept has somebody claim a station whose card takes nothing: it is said, and
// nothing has changed.
func cannotBeKept(t *testing.T, perm, why string) {
	t.Helper()
	browser, at, end := managed(t, perm)
	defer end()
	_, page := ask(t, browser, at+"/claim", nil)
	token := regexp.MustCompile(`name="token" value="([^"]+)`).FindStringSubmatch(page)
	if token == nil {
		t.Fatalf("no token in %s", page)
	}
	r, page := ask(t, browser, at+"/claim", url.Values{"token": {token[1]}, "password": {"three small words"}})
	if text := strings.Join(readable(page), " "); r.StatusCode != 500 || !strings.Contains(text, "could not be kept") {
		t.Errorf("%s: %s: %s", why, r.Status, text)
	}
	if page := shows(t, browser, at+"/"); !strings.Contains(page, "Nobody owns this station yet.") {
		t.Errorf("%s: %s", why, page)
	}
	if r, _ := ask(t, browser, at+settings.Path, nil); r.StatusCode == 200 {
		t.Errorf("%s: who could not claim it may change it", why)
	}
}
