package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// sysfsOf makes a /sys/class/block. The lines are where a block device is in the
// tree of devices, and its attributes.
func sysfsOf(t *testing.T, lines ...string) string {
	t.Helper()
	top := t.TempDir()
	class := filepath.Join(top, "class", "block")
	if err := os.MkdirAll(class, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		words := strings.Fields(l)
		dir := filepath.Join(top, "devices", words[0])
		err := errors.Join(os.MkdirAll(dir, 0o700), os.Symlink(filepath.Join("..", "..", "devices", words[0]), filepath.Join(class, filepath.Base(dir))))
		for _, w := range words[1:] {
			name, value, _ := strings.Cut(w, "=")
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return class
}

// TestFindSticks: what is at USB, but neither an empty reader of cards nor the disk
// that the station started from.
func TestFindSticks(t *testing.T) {
	const usb = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host0/target0:0:0/0:0:0:0/block/"
	lines := []string{
		"platform/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0 size=62333952 diskseq=1",
		"platform/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/mmcblk0p1 size=524288 partition=1",
		"virtual/block/loop0 size=0 diskseq=2",
		usb + "sda size=60000000 diskseq=9", usb + "sda/sda1 size=59000000 partition=1", usb + "sda/sda2 size=1000 partition=2",
		usb + "sdb size=0 diskseq=10", usb + "sdc size=1000 diskseq=11",
	}
	for own, want := range map[string][]stick{
		"/dev/mmcblk0p1": {{"/dev/sda", "9"}, {"/dev/sda1", "9"}, {"/dev/sda2", "9"}, {"/dev/sdc", "11"}},
		"/dev/sda1":      {{"/dev/sdc", "11"}},
		"":               {{"/dev/sda", "9"}, {"/dev/sda1", "9"}, {"/dev/sda2", "9"}, {"/dev/sdc", "11"}},
	} {
		if got := findSticks(sysfsOf(t, lines...), own); !slices.Equal(got, want) {
			t.Errorf("of %q: %v, want %v", own, got, want)
		}
	}
	if got := findSticks(filepath.Join(t.TempDir(), "none"), "/dev/sda1"); got != nil {
		t.Errorf("%v", got)
	}
	var many []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		many = append(many, usb+"sd"+string(c)+" size=1 diskseq=1")
	}
	if got := findSticks(sysfsOf(t, many...), ""); len(got) != maxSticks {
		t.Errorf("%d of them", len(got))
	}
}

// there is a stick that is there from a time on, until another.
func there(path string, from, until time.Duration) func(time.Duration) []stick {
	return func(now time.Duration) []stick {
		if now < from || now >= until {
			return nil
		}
		return []stick{{"/dev/none", "1"}, {path, "1"}}
	}
}

const ever = 1000 * time.Hour

// TestStick takes a station without any host to the release on a stick that is
// plugged in while it runs, and is pulled out again.
func TestStick(t *testing.T) {
	path := cardWith(t, map[string]string{"x.truechimer": bundleOf(t, offering(t, epoch, "1.3.0")), "holiday.jpg": "a person's"})
	p := withBundle(t, false, map[string]string{})
	const off = "There is no update host: neither this image nor truechimer.toml names one."
	boot := func(version string, replug func(time.Duration) []stick, d time.Duration, state, summary, notice string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.version, w.replug = version, replug
			s, _ := live(t, w, p, d)
			if u := s.Update; u.State != state || (w.restarts.Load() > 0) != (state == "restart") || !strings.Contains(u.Summary, summary) || about(s.Notices) != notice {
				t.Errorf("%+v, notices %q", u, s.Notices)
			}
		})
	}
	const taken = "Releases are taken from the bundle x.truechimer on the USB stick. It may be deleted when the version in it runs."
	boot("1.2.0", there(path, time.Hour, ever), 59*time.Minute, "off", off, "")
	boot("1.2.0", there(path, time.Hour, ever), 2*time.Hour, "restart", "1.3.0", taken)
	p.slot = "b"
	boot("1.3.0", there(path, 0, ever), time.Hour, "idle", "newest version", taken)
	boot("1.3.0", there(path, 0, time.Hour), 61*time.Minute, "off", off, "")
}

// TestStickOnTrial: a stick that comes or goes ends no trial.
func TestStickOnTrial(t *testing.T) {
	path := cardWith(t, map[string]string{"x.truechimer": bundleOf(t, offering(t, epoch, "1.3.0"))})
	p := withBundle(t, false, map[string]string{})
	boot := func(version string, replug func(time.Duration) []stick, state string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.version, w.replug = version, replug
			if s, _ := live(t, w, p, time.Hour); s.Update.State != state {
				t.Errorf("%+v", s.Update)
			}
		})
	}
	boot("1.2.0", there(path, 0, ever), "restart")
	p.slot = "b"
	flapping := func(now time.Duration) []stick {
		return []stick{{path, now.Truncate(10 * time.Second).String()}}
	}
	boot("1.3.0", flapping, "idle")
	if got := committed(t, p); got != "b" {
		t.Errorf("slot %s is committed", got)
	}
}

// TestSticks: which bundle is taken, and what is told.
func TestSticks(t *testing.T) {
	newest, old := bundleOf(t, offering(t, epoch, "1.3.0")), bundleOf(t, offering(t, epoch, "1.2.0"))
	one, another := map[string]string{"x.truechimer": newest}, map[string]string{"y.truechimer": newest}
	nothing := filepath.Join(t.TempDir(), "nothing")
	if err := os.WriteFile(nothing, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		card   map[string]string
		sticks []string
		state  string
		want   string
	}{
		"before the card's": {map[string]string{"z.truechimer": old}, []string{cardWith(t, one)}, "restart", "x.truechimer on the USB stick"},
		"an empty stick":    {map[string]string{"z.truechimer": newest}, []string{cardWith(t, map[string]string{"x": ""})}, "restart", "z.truechimer on the card"},
		"two sticks":        {map[string]string{}, []string{cardWith(t, one), cardWith(t, another)}, "off", "There is more than one bundle on the USB stick (x.truechimer, y.truechimer): none is taken. Leave one."},
		"two on one":        {map[string]string{}, []string{cardWith(t, map[string]string{"x.truechimer": newest, "y.truechimer": old})}, "off", "more than one bundle on the USB stick"},
		"no FAT":            {map[string]string{}, []string{nothing}, "off", "There is a USB stick that cannot be read: for an update from it, format it as FAT32."},
		"no FAT, a card":    {map[string]string{"z.truechimer": newest}, []string{nothing}, "restart", "z.truechimer on the card"},
		"damaged":           {map[string]string{"z.truechimer": newest}, []string{cardWith(t, map[string]string{"x.truechimer": newest[:2000]})}, "off", "The bundle x.truechimer on the USB stick is not taken: "},
		"not for us":        {map[string]string{}, []string{cardWith(t, map[string]string{"x.truechimer": othersBundle(t)})}, "waiting", "not signed by enough"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withBundle(t, false, c.card)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				w.replug = func(time.Duration) (list []stick) {
					for _, s := range c.sticks {
						list = append(list, stick{s, "1"})
					}
					return list
				}
				s, _ := live(t, w, p, time.Hour)
				if told := strings.Join(s.Notices, "|"); s.Update.State != c.state || !strings.Contains(told, c.want) {
					t.Errorf("%+v, notices %q", s.Update, told)
				}
			})
		})
	}
}

// othersBundle is signed by keys that nobody here trusts.
func othersBundle(t *testing.T) string {
	t.Helper()
	r := tuftest.New(epoch)
	r.Rotate("root", "targets", "timestamp", "snapshot")
	offer(t, r, "1.3.0")
	files := r.Files()
	delete(files, "metadata/2.root.json") // nothing leads from the image's root to these keys
	r.SetFiles(files)
	return bundleOf(t, r)
}
