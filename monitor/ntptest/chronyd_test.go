package ntptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// freePort is a loopback port that nobody listens on.
func freePort(t *testing.T) uint16 {
	t.Helper()
	s := serve(t)
	s.Close()
	return s.Addr().Port()
}

func cache(t *testing.T) string {
	if d, err := os.UserCacheDir(); err == nil {
		return filepath.Join(d, "truechimer")
	}
	return t.TempDir()
}

// A real chronyd, fetched the way `make run` fetches it.
func TestChronyd(t *testing.T) {
	path, err := FetchChronyd(t.Context(), cache(t))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if v, err := ChronydVersion(t.Context(), path); err != nil || !strings.Contains(v, " version ") {
		t.Errorf("it says %q, %v", v, err)
	}
	for _, unsynchronized := range []bool{false, true} {
		t.Run(fmt.Sprintf("unsynchronized %v", unsynchronized), func(t *testing.T) {
			dir := t.TempDir()
			c, err := StartChronyd(t.Context(), ChronydOptions{Path: path, Dir: dir, Port: freePort(t), Unsynchronized: unsynchronized})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			b := exchange(t, dial(t, c.Addr()))
			if unsynchronized {
				// What Unsynchronized imitates.
				if b[0]>>6 != 3 || b[1] != 0 || string(b[12:24]) != string(make([]byte, 12)) {
					t.Errorf("got %x", b)
				}
				fake := exchange(t, dial(t, serve(t, Unsynchronized()).Addr()))
				if fake[0] != b[0] || string(fake[4:24]) != string(b[4:24]) || fake[1] != b[1] {
					t.Errorf("chronyd says %x, its imitation %x", b[:24], fake[:24])
				}
			} else {
				off := ntpSeconds(b[40:]) - float64(time.Now().UnixNano())/1e9
				if b[0] != 4<<3|modeServer || b[1] != 1 || off > 0 || off < -1 {
					t.Errorf("offset %g s: %x", off, b)
				}
			}
			pid, err := os.ReadFile(filepath.Join(dir, "chronyd.pid"))
			if err != nil || strings.TrimSpace(string(pid)) != fmt.Sprint(c.cmd.Process.Pid) {
				t.Errorf("pid file holds %q, %v", pid, err)
			}
			c.Close()
			select {
			case <-c.Exited():
			default:
				t.Error("still running after Close")
			}
			c.Close()
		})
	}
}

// script writes a program for the shell.
func script(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "chronyd")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChronydFailures(t *testing.T) {
	port := freePort(t)
	for _, tt := range []struct {
		name string
		o    ChronydOptions
		want string
	}{
		{"ends", ChronydOptions{Path: script(t, "echo hello; echo 'Fatal error : no such port' >&2; exit 3"), Dir: t.TempDir(), Port: port}, "ended at once (exit status 3): Fatal error : no such port"},
		{"no port", ChronydOptions{Path: "/bin/false", Dir: t.TempDir()}, "a port is needed"},
		{"no program", ChronydOptions{Path: "/nowhere/chronyd", Dir: t.TempDir(), Port: port}, "/nowhere/chronyd"},
		{"no directory", ChronydOptions{Path: "/bin/false", Dir: "/dev/null/x", Port: port}, "/dev/null"},
		{"blank", ChronydOptions{Path: "/bin/false", Dir: t.TempDir() + "/a b", Port: port}, "blank"},
		{"no executable", ChronydOptions{Path: "/etc/hostname", Dir: t.TempDir(), Port: port}, "exec format error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := StartChronyd(t.Context(), tt.o)
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func TestChronydEndsWithItsContext(t *testing.T) {
	// The script ends on its own after ten minutes, if all else fails; the
	// server beside it answers for it.
	s := serve(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	c, err := StartChronyd(ctx, ChronydOptions{Path: script(t, `echo "$@" > args; exec sleep 600`), Dir: t.TempDir(), Port: s.Addr().Port()})
	if err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("enough"))
	<-c.Exited()
	c.Close()

	// This one ignores being interrupted, once it says so.
	dir := t.TempDir()
	s.Behave(Raw(func(_, reply []byte) [][]byte {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err != nil {
			return nil
		}
		return [][]byte{reply}
	}))
	c, err = StartChronyd(t.Context(), ChronydOptions{Path: script(t, `trap '' INT; >ready; exec sleep 600`), Dir: dir, Port: s.Addr().Port()})
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.WaitDelay = 10 * time.Millisecond
	c.Close()
	if c.err == nil || c.err.Error() != "signal: killed" {
		t.Errorf("a stubborn one ended with %v", c.err)
	}
}

func TestChronydConfig(t *testing.T) {
	got := chronydConfig(ChronydOptions{Port: 12345}, "/x")
	for _, want := range []string{"port 12345\n", "bindaddress 127.0.0.1\n", "allow 127.0.0.0/8\n", "cmdport 0\n", "pidfile /x/chronyd.pid\n", "local stratum 1\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := chronydConfig(ChronydOptions{Port: 12345, Unsynchronized: true, Lines: []string{"clockprecision 1e-7"}}, "/x"); strings.Contains(got, "local") || !strings.HasSuffix(got, "\nclockprecision 1e-7\n") {
		t.Errorf("a time source in\n%s", got)
	}
}

// apt is a package archive of three packages, the last of which brings the
// library that is missing.
type apt struct {
	have  []string // programs in the PATH
	fail  string   // command that fails
	stuck bool     // no package brings the library
	log   []string
}

func (a *apt) lookPath(name string) (string, error) {
	if slices.Contains(a.have, name) {
		return "/bin/" + name, nil
	}
	return "", os.ErrNotExist
}

func (a *apt) run(_ context.Context, dir string, _ []string, name string, args ...string) (string, error) {
	line := name + " " + args[0]
	if name == "apt-get" || name == "apt-cache" {
		line += " " + args[1]
	}
	a.log = append(a.log, line)
	if a.fail != "" && strings.HasPrefix(line, a.fail) {
		return "", fmt.Errorf("%s: exit status 100", line)
	}
	switch name {
	case "apt-get":
		return "", os.WriteFile(filepath.Join(dir, args[1]+"_1_amd64.deb"), []byte(args[1]), 0o600)
	case "dpkg-deb":
		pkg, root := filepath.Base(args[1]), args[2]
		file := filepath.Join(root, "usr/lib/x86_64-linux-gnu", pkg)
		if strings.HasPrefix(pkg, "chrony_") {
			file = filepath.Join(root, "usr/sbin/chronyd")
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		return "", os.WriteFile(file, nil, 0o755)
	case "apt-cache":
		switch args[1] {
		case "chrony":
			return "chrony\n  PreDepends: init\n  Depends: adduser\n  Depends: libc6\n |Depends: liba1\n  Depends: <libvirtual>\n  Depends: lib/../x\n  Suggests: libz\n", nil
		case "liba1":
			return "liba1\n  Depends: libb2\n  Depends: liba1\n", nil
		}
		return args[1] + "\n", nil
	case "ldd":
		_, err := os.Stat(filepath.Join(filepath.Dir(args[0]), "../lib/x86_64-linux-gnu/libb2_1_amd64.deb"))
		if err != nil || a.stuck {
			return "\tlibm.so.6 => /lib/libm.so.6 (0x1)\n\tlibb.so.2 => not found\n", nil
		}
		return "\tlibb.so.2 => here (0x1)\n", nil
	}
	return "", errors.New("unexpected " + line)
}

func TestFetchChronyd(t *testing.T) {
	tools := []string{"apt-get", "apt-cache", "dpkg-deb", "ldd"}
	get := func(a *apt, dir string) (string, error) {
		return fetcher{a.lookPath, a.run}.fetch(t.Context(), dir)
	}
	dir := t.TempDir()
	a := &apt{have: tools}
	p, err := get(a, dir)
	if want := filepath.Join(dir, "chrony/usr/sbin/chronyd"); err != nil || p != want {
		t.Fatalf("got %q, %v; want %q", p, err, want)
	}
	var fetched []string
	for _, l := range a.log {
		if name, ok := strings.CutPrefix(l, "apt-get download "); ok {
			fetched = append(fetched, name)
		}
	}
	if want := []string{"chrony", "liba1", "libb2"}; !slices.Equal(fetched, want) {
		t.Errorf("fetched %v, want %v", fetched, want)
	}
	if got, want := libraryPath(p), "LD_LIBRARY_PATH="+filepath.Join(dir, "chrony/usr/lib/x86_64-linux-gnu"); len(got) != 1 || got[0] != want {
		t.Errorf("libraries at %q, want %q", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "chrony-part-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	a = &apt{have: tools}
	if q, err := get(a, dir); q != p || err != nil || len(a.log) != 0 {
		t.Errorf("second time: %q, %v, after %v", q, err, a.log)
	}
	a = &apt{have: []string{"chronyd"}}
	if q, err := get(a, t.TempDir()); q != "/bin/chronyd" || err != nil || libraryPath(q) != nil {
		t.Errorf("one in the path: %q, %v", q, err)
	}
	for name, a := range map[string]*apt{
		"apt-get is not either":                    {},
		"apt-get download chrony: exit status 100": {have: tools, fail: "apt-get download"},
		"dpkg-deb -x: exit status 100":             {have: tools, fail: "dpkg-deb"},
		"no package found for libb.so.2":           {have: tools, stuck: true},
	} {
		dir := t.TempDir()
		_, err := get(a, dir)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "apt-get install chrony") || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q and the way out", err, name)
		}
		if _, err := os.Stat(filepath.Join(dir, "chrony")); err == nil {
			t.Errorf("%s: something was left that looks complete", name)
		}
	}
}

func TestTail(t *testing.T) {
	l := &tail{}
	if got := l.last(); got != "nothing" {
		t.Errorf("empty: %q", got)
	}
	for range 1000 {
		fmt.Fprintln(l, "some line of a chatty program")
	}
	fmt.Fprint(l, "the last\n\n")
	if got := l.last(); got != "the last" || len(l.buf) > tailSize {
		t.Errorf("got %q of %d bytes", got, len(l.buf))
	}
}
