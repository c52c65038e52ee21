package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shortDir is a directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// orders remembers commands and answers the word after "fail" as an error.
type orders struct {
	mu   sync.Mutex
	list []string
}

func (o *orders) do(command string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, command)
	if why, ok := strings.CutPrefix(command, "fail "); ok {
		return errors.New(strings.ReplaceAll(why, "|", "\n"))
	}
	return nil
}

func TestControl(t *testing.T) {
	path := filepath.Join(shortDir(t), "made", "ctl")
	var o orders
	c, err := serveControl(t.Context(), path, o.do)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tt := range []struct{ command, want string }{
		{"gps off", "ok"},
		{"fail no such thing", "error: no such thing"},
		{"fail one|two|", "error: one; two; "},
		{strings.Repeat("x", longestCommand-1), "ok"},
		{strings.Repeat("x", longestCommand), "error: the command is longer than 1024 bytes"},
		{strings.Repeat("x", 100*longestCommand), "error: the command is longer than 1024 bytes"},
		{"gps on", "ok"}, // and goes on after that
	} {
		got, err := sendControl(path, tt.command)
		// What does not fit may be refused before all of it was sent.
		if refused := len(tt.command) > longestCommand && errors.Is(err, syscall.EPIPE); err != nil && !refused {
			t.Errorf("%.20q: %v", tt.command, err)
		} else if !refused && got != strings.TrimSpace(tt.want) {
			t.Errorf("%.20q: %q, want %q", tt.command, got, tt.want)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if want := []string{"gps off", "fail no such thing", "fail one|two|", strings.Repeat("x", longestCommand-1), "gps on"}; !slices.Equal(o.list, want) {
		t.Errorf("carried out %.300q", o.list)
	}
}

// Several commands over one connection, as from a terminal, answered in order.
func TestControlSession(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	var o orders
	l, err := serveControl(t.Context(), path, o.do)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprint(c, "gps off\nfail it cannot be\n\ngps on\n"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(c)
	for _, want := range []string{"ok", "error: it cannot be", "ok", "ok"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("%q, want %q (%v)", lines.Text(), want, lines.Err())
		}
	}
}

func TestControlSocketInUse(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	var first, second orders
	l, err := serveControl(t.Context(), path, first.do)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := serveControl(t.Context(), path, second.do); err == nil || !strings.Contains(err.Error(), "in use by another run") {
		t.Errorf("got %v", err)
	}
	if reply, err := sendControl(path, "gps off"); reply != "ok" || err != nil || len(first.list) != 1 {
		t.Errorf("the first run no longer answers: %q, %v", reply, err)
	}
}

func TestControlReplacesAStaleSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as a process does that is killed
	dead.Close()
	if _, err := sendControl(path, "gps off"); err == nil || !strings.Contains(err.Error(), "is an image running?") {
		t.Errorf("stale: %v", err)
	}
	var o orders
	l, err := serveControl(t.Context(), path, o.do)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if reply, err := sendControl(path, "gps off"); reply != "ok" || err != nil {
		t.Errorf("%q, %v", reply, err)
	}
}

// A person's file is not a stale socket.
func TestControlLeavesFilesAlone(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dir} {
		if _, err := serveControl(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "mine" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if _, err := serveControl(t.Context(), filepath.Join(file, "ctl"), nil); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func TestControlEndsWithItsContext(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	ctx, cancel := context.WithCancel(t.Context())
	var o orders
	if _, err := serveControl(ctx, path, o.do); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	// Once it answers, the connection is one that has been accepted.
	reader := bufio.NewReader(c)
	fmt.Fprintln(c, "gps off")
	if line, err := reader.ReadString('\n'); line != "ok\n" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel()
	if line, err := reader.ReadString('\n'); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection lives on: %q, %v", line, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket is still there")
		}
	}
}

func TestControlClosed(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	l, err := serveControl(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestSendControl(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	for _, command := range []string{"gps off\ngps on", "gps off\r"} {
		if _, err := sendControl(path, command); err == nil || !strings.Contains(err.Error(), "one line") {
			t.Errorf("%q: %v", command, err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for _, reply := range []string{"", "half an ans", "ok\n"} {
			c, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(c).ReadString('\n')
			c.Write([]byte(reply))
			c.Close()
		}
	}()
	for range 2 {
		if reply, err := sendControl(path, "gps off"); reply != "" || err == nil || !strings.Contains(err.Error(), "did not answer") {
			t.Errorf("%q, %v", reply, err)
		}
	}
	if reply, err := sendControl(path, "gps off"); reply != "ok" || err != nil {
		t.Errorf("%q, %v", reply, err)
	}
}

func TestCtlCommand(t *testing.T) {
	path := filepath.Join(shortDir(t), "ctl")
	var o orders
	l, err := serveControl(t.Context(), path, o.do)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := logic(t.Context(), []string{"ctl", "-ctl", path, "server", "right-1", "dead"}); err != nil {
		t.Error(err)
	}
	if err := logic(t.Context(), []string{"ctl", "-ctl", path, "fail", "not today"}); err == nil || err.Error() != "not today" {
		t.Errorf("got %v", err)
	}
	if err := logic(t.Context(), []string{"ctl", "-ctl", path}); err == nil || !strings.Contains(err.Error(), "nothing to send") {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(o.list, []string{"server right-1 dead", "fail not today"}) {
		t.Errorf("carried out %q", o.list)
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "usage: image"},
		{[]string{"biuld"}, `"biuld" is no command`},
		{[]string{"build", "-board", "toaster"}, `board "toaster" is not known; known are rpi, rock64, vm-amd64, vm-arm64`},
		{[]string{"build", "rpi"}, `"rpi" means nothing here`},
		{[]string{"run", "rpi"}, `"rpi" means nothing here`},
		{[]string{"run", "-board", "toaster"}, `board "toaster" is not known`},
		{[]string{"build", "-config", "/nowhere/truechimer.toml"}, "/nowhere/truechimer.toml"},
	} {
		if err := logic(t.Context(), tt.args); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.args, err, tt.want)
		}
	}
}
