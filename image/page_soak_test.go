//go:build soak

package main

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/disk"
)

// TestPage: what an owner does on the page of a station that has booted, and that has
// the program start anew: a setting, a release from a bundle, a factory reset.
func TestPage(t *testing.T) {
	t.Parallel()
	needs(t, "debugfs", "e2fsprogs")
	needs(t, "e2fsck", "e2fsprogs")
	u := newUpdated(t, boards.VMArm64)
	u.releaseOf(u.optionsOf("1.1.0", ""), nil)
	bundled := filepath.Join(u.dir, "truechimer.truechimer")
	if _, err := u.repo.Bundle(t.Context(), u.board.Name, "stable", bundled); err != nil {
		t.Fatal(err)
	}
	// There is nothing to tell the time by at first: a release on trial need not find it
	// again then, for which a machine that is busy with other tests may take too long.
	commands := []string{"gps off"}
	for _, name := range []string{"right-1", "right-2", "right-3", "ahead"} {
		commands = append(commands, "server "+name+" dead")
	}
	s := startBenchOf(t, u.board, u.optionsOf("1.0.0", ""), commands...)
	s.await("the page answers", bootLimit, func(status.Status) string { return "" })

	// A release that comes as a file.
	o := s.claim()
	o.upload(bundled)
	s.await("the release in the bundle runs for good, and the file is gone", 2*updateLimit, func(st status.Status) string {
		if st.Station.Version != "1.1.0" || *st.Station.Slot != "b" || st.Update.State != "off" {
			return fmt.Sprintf("%s in slot %s: %s %s", st.Station.Version, *st.Station.Slot, st.Update.Summary, st.Update.Failure)
		}
		return ""
	})
	for _, said := range []string{`this system is committed.*version=1\.1\.0`, `the bundle that was uploaded is removed`} {
		if n := len(s.consoleLines(said)); n != 1 {
			t.Errorf("the console says %q %d times", said, n)
		}
	}
	o.login()
	if _, body := o.read(o.Get(o.base + "/settings/update")); strings.Contains(body, "file that was uploaded") {
		t.Errorf("a bundle is left:\n%s", body)
	}

	// A setting that takes effect with a start of the program, and not of the machine or
	// its clock.
	for _, name := range []string{"right-1", "right-2", "right-3"} {
		s.do("server " + name + " right")
	}
	before := s.await("the time is known", bootLimit, knows)
	boots := len(s.consoleLines(`Booting Linux on physical CPU`))
	if body := o.change("/settings/name", url.Values{"name": {"attic"}, "timezone": {"Europe/Berlin"}}); !strings.Contains(body, "starts anew with it") {
		t.Errorf("after the change:\n%s", body)
	}
	s.await("the time is known in another time zone", bootLimit, both(knows, func(st status.Status) string {
		if st.Station.Uptime > before.Station.Uptime || st.Station.Timezone == nil || *st.Station.Timezone != "Europe/Berlin" || st.Station.Name != "attic" {
			return fmt.Sprintf("%+v", st.Station)
		}
		return ""
	}))
	s.oneStep()
	if n := len(s.consoleLines(`Booting Linux on physical CPU`)); boots != 2 || n != boots {
		t.Errorf("the machine was started %d times, and %d after a setting was changed", boots, n)
	}

	// All is forgotten.
	o.login()
	if _, body := o.fill("/settings/reset", url.Values{"word": {"reset"}}); !strings.Contains(body, "starts anew") {
		t.Errorf("after the reset:\n%s", body)
	}
	s.await("the page is of nobody", bootLimit, func(st status.Status) string {
		if st.Station.Timezone != nil || st.Station.Name == "attic" {
			return fmt.Sprintf("%+v", st.Station)
		}
		return ""
	})
	if at, _ := o.read(o.Get(o.base + "/settings")); at != "/claim" {
		t.Errorf("who owned the station is at %s", at)
	}
	s.claim()
	last := s.await("locked again", bootLimit, knows)
	if last.Station.ID != before.Station.ID || *last.Station.Slot != "b" || last.Station.Version != "1.1.0" {
		t.Errorf("another station: %+v", last.Station)
	}
	for _, bad := range []string{"/perm cannot be used", "panic: |Kernel panic", "level=ERROR"} {
		if lines := s.consoleLines(bad); len(lines) > 0 {
			t.Errorf("the console says: %q", lines)
		}
	}
	s.machine.stop()
	s.forgot()
}

// knows says what is missing until the time is known.
func knows(st status.Status) string {
	if st.Reference.State == "locked" {
		return ""
	}
	return fmt.Sprintf("the reference is %s (%s)", st.Reference.State, st.Reference.Reason)
}

var draftField = regexp.MustCompile(`name="draft" value="([^"]+)"`)

// change fills in a form of settings, and keeps what it shows then. It returns the page
// that comes then.
func (o *owner) change(path string, fields url.Values) string {
	o.t.Helper()
	at, body := o.fill(path, fields)
	if at != "/settings/change" {
		o.t.Fatalf("%s led to %s:\n%s", path, at, body)
	}
	_, body = o.read(o.PostForm(o.base+at, url.Values{"token": {o.find(formToken, body)}, "draft": {o.find(draftField, body)}}))
	return body
}

var bundleForm = regexp.MustCompile(`action="(/settings/update/bundle[^"]*)"`)

// upload sends a bundle.
func (o *owner) upload(name string) {
	o.t.Helper()
	_, body := o.read(o.Get(o.base + "/settings/update"))
	to := o.base + o.find(bundleForm, body)
	f, err := os.Open(name)
	if err != nil {
		o.t.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	sent := make(chan int64, 1)
	go func() {
		part, err := form.CreateFormFile("bundle", filepath.Base(name))
		var n int64
		if err == nil {
			n, err = io.Copy(part, f)
		}
		if err == nil {
			err = form.Close()
		}
		w.CloseWithError(err)
		sent <- n
	}()
	o.Timeout = updateLimit
	at, body := o.read(o.Post(to, form.FormDataContentType(), r))
	r.Close()
	n := <-sent
	if at != "/settings/update" || !strings.Contains(body, "The file is on the card") {
		o.t.Errorf("the upload led to %s:\n%s", at, body)
	}
	o.t.Logf("%.1f MB were uploaded in %.1f s", float64(n)/1e6, time.Since(began).Seconds())
}

// forgot looks at what a reset has left in /perm of a card that was taken out.
func (s *bench) forgot() {
	s.t.Helper()
	// By itself: e2fsck does not get over replaying a journal at an offset.
	perm := filepath.Join(s.t.TempDir(), "perm")
	const block = 1 << 20
	if out, err := exec.Command("dd", "if="+s.image, "of="+perm, fmt.Sprintf("bs=%d", block), fmt.Sprintf("skip=%d", disk.PermStart/block), "conv=sparse").CombinedOutput(); err != nil {
		s.t.Fatalf("dd: %v: %s", err, out)
	}
	run := func(program string, args ...string) string {
		s.t.Helper()
		out, err := exec.Command(program, args...).Output()
		// 1: the journal was replayed, as after every power cut.
		if e, ok := err.(*exec.ExitError); err != nil && !(ok && program == "e2fsck" && e.ExitCode() == 1) {
			s.t.Fatalf("%s %q: %v: %s", program, args, err, out)
		}
		return string(out)
	}
	run("e2fsck", "-fy", perm)
	var names []string
	for _, line := range strings.Split(run("debugfs", "-R", "ls -p /truechimer", perm), "\n") {
		if f := strings.Split(line, "/"); len(f) > 5 && f[5] != "." && f[5] != ".." {
			names = append(names, f[5])
		}
	}
	s.t.Logf("kept: %q", names)
	for _, name := range []string{"certificate", "config.toml", "reset"} {
		if !slices.Contains(names, name) {
			s.t.Errorf("%s is not there", name)
		}
	}
	for _, name := range names {
		if name == "settings-history" || strings.HasPrefix(name, "uploaded") {
			s.t.Errorf("%s is there", name)
		}
	}
	if text := run("debugfs", "-R", "cat /truechimer/config.toml", perm); strings.Contains(text, "Berlin") || strings.Contains(text, "attic") {
		s.t.Errorf("settings are left:\n%s", text)
	}
}
