//go:build bench && linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// TestPageADay lives a day of a station that watches a hundred servers, each asked
// once a minute, in virtual time, with its real journal on an ext4 file system of its
// own. Once a minute somebody reads its two pages.
func TestPageADay(t *testing.T) {
	const (
		servers = 100
		most    = 12e6 // bytes that may reach the card in a day
		page    = 150_000
	)
	var file strings.Builder
	for i := range servers {
		fmt.Fprintf(&file, "[[server]]\nname = \"server-%d\"\naddress = \"198.51.100.%d\"\ninterval = \"60s\"\n", i+1, i+1)
	}
	c := newLoopCard(t)
	p := updatable(t, &platform{station: true, perm: c.dir, bootDevice: card(t, []byte(file.String()))})
	first, details := pageReads{path: "/"}, pageReads{path: "/details"}
	var began, ended written
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{hostless: true})
		client := w.visitor()
		ctx, cancel := context.WithCancel(t.Context())
		read := make(chan struct{})
		go func() {
			defer close(read)
			for minute := 1; ; minute++ {
				wait(ctx, time.Minute)
				if ctx.Err() != nil {
					return
				}
				for _, r := range []*pageReads{&first, &details} {
					if err := r.read(client); err != nil {
						t.Error(err)
						return
					}
				}
				// ext4 commits by the real clock what nobody flushes: here it has to be told.
				if minute%30 == 0 {
					c.sync()
				}
			}
		}()
		w.atEnd = func(s *station) {
			cancel()
			<-read
			c.sync()
			st := s.diary.Status()
			ended = written{exchanges: st.Records, handed: st.Written, made: st.Size, device: c.written()}
		}
		began = written{device: c.written()}
		live(t, w, p, 24*time.Hour)
	})
	made, device := float64(ended.made), float64(ended.device-began.device)
	out := tabwriter.NewWriter(t.Output(), 0, 8, 2, ' ', 0)
	fmt.Fprintf(out, "exchanges\t%d\n", ended.exchanges)
	for _, r := range []*pageReads{&first, &details} {
		fmt.Fprintf(out, "%s\t%d times, at the most %.0f KB; p50 %.1f ms, p95 %.1f ms of processor time; p50 %.1f ms, p95 %.1f ms by the clock\n", r.path, len(r.took),
			float64(r.size)/1e3, quantile(r.spent, 0.5), quantile(r.spent, 0.95), quantile(r.took, 0.5), quantile(r.took, 0.95))
		if r.size > page {
			t.Errorf("%s has %d bytes, more than %d", r.path, r.size, page)
		}
	}
	fmt.Fprintf(out, "resident memory, most\t%.0f MB, the test's world in it\n", float64(peak(t))/1e6)
	fmt.Fprintf(out, "journal to file system\t%.1f MB, and %.1f MB for files that are made once\n", (float64(ended.handed)-made)/1e6, made/1e6)
	if c.device != "" {
		fmt.Fprintf(out, "all that reached the device\t%.1f MB, and those files\n", (device-made)/1e6)
		if device-made > most {
			t.Errorf("%.1f MB reached the device, more than %.0f MB", (device-made)/1e6, most/1e6)
		}
	}
	out.Flush()
}

// written is how far a station has come.
type written struct {
	exchanges, handed, device uint64
	made                      int64
}

// pageReads are what came of reading a page again and again.
type pageReads struct {
	path        string
	took, spent []time.Duration // by the clock; of this process' processor time
	size        int             // of the largest, bytes
}

func (r *pageReads) read(client *http.Client) error {
	now, spent := clockOf(unix.CLOCK_MONOTONIC), clockOf(unix.CLOCK_PROCESS_CPUTIME_ID)
	res, err := client.Get("http://station" + r.path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(b, []byte("server-1"))) {
		err = fmt.Errorf("%s: %s, %d bytes", r.path, res.Status, len(b))
	}
	r.took = append(r.took, clockOf(unix.CLOCK_MONOTONIC)-now)
	r.spent = append(r.spent, clockOf(unix.CLOCK_PROCESS_CPUTIME_ID)-spent)
	r.size = max(r.size, len(b))
	return err
}

// quantile is one of durations, milliseconds.
func quantile(list []time.Duration, q float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[int(q*float64(len(list)-1))].Seconds() * 1e3
}

// clockOf is a clock that virtual time does not reach.
func clockOf(clock int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// peak is the most memory that this process had, bytes.
func peak(t *testing.T) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("/proc/self/status has no VmHWM")
	return 0
}

// loopCard is a directory on an ext4 file system of its own, whose device counts
// what reaches it; a plain directory for who is not root.
type loopCard struct {
	t      *testing.T
	dir    string
	device string // its name in /sys/block; empty: nothing is counted
}

func newLoopCard(t *testing.T) *loopCard {
	t.Helper()
	dir := t.TempDir()
	c := &loopCard{t: t, dir: dir}
	if os.Getuid() != 0 {
		t.Log("not root: what reaches the card is not counted")
		return c
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	image := filepath.Join(dir, "card")
	c.dir = filepath.Join(dir, "perm")
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(1<<30), f.Close(), os.Mkdir(c.dir, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
	loop := run("losetup", "--find", "--show", image)
	t.Cleanup(func() { run("losetup", "--detach", loop) })
	run("mount", "-t", "ext4", "-o", "commit=1800", loop, c.dir) // as a station does
	// Lazily: what the station had open is closed when it is collected.
	t.Cleanup(func() { run("umount", "--lazy", c.dir) })
	c.device = filepath.Base(loop)
	return c
}

// sync has the file system bring to the device what it keeps.
func (c *loopCard) sync() {
	if c.device == "" {
		return
	}
	f, err := os.Open(c.dir)
	if err == nil {
		err = errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
	}
	if err != nil {
		c.t.Error(err)
	}
}

// written is how many bytes have reached the device.
func (c *loopCard) written() uint64 {
	if c.device == "" {
		return 0
	}
	b, err := os.ReadFile("/sys/block/" + c.device + "/stat")
	if err != nil {
		c.t.Fatal(err)
	}
	// Documentation/block/stat.rst: the seventh number, in units of 512 bytes.
	sectors, err := strconv.ParseUint(strings.Fields(string(b))[6], 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return sectors * 512
}
