package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// scripted answers each line it reads with the next of its replies, after a
// greeting, and hangs up at an empty one; asked hangs up and says what it read.
func scripted(t *testing.T, greeting string, replies ...string) (line net.Conn, asked func() []string) {
	t.Helper()
	ours, theirs := net.Pipe()
	deadline := time.Now().Add(10 * time.Second)
	ours.SetDeadline(deadline)
	theirs.SetDeadline(deadline)
	heard := make(chan []string, 1)
	go func() {
		defer theirs.Close()
		var list []string
		defer func() { heard <- list }()
		if greeting != "" {
			if _, err := io.WriteString(theirs, greeting); err != nil {
				return
			}
		}
		for in := bufio.NewScanner(theirs); len(replies) > 0 && in.Scan(); replies = replies[1:] {
			list = append(list, in.Text())
			if replies[0] == "" {
				return
			}
			if _, err := io.WriteString(theirs, replies[0]); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { ours.Close() })
	return ours, func() []string { ours.Close(); return <-heard }
}

const (
	qmpGreeting = `{"QMP": {"version": {"qemu": {"micro": 2, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}` + "\r\n"
	qmpEvent    = `{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "NIC_RX_FILTER_CHANGED"}` + "\r\n"
	qmpOK       = `{"return": {}}` + "\r\n"
)

func TestFindDevice(t *testing.T) {
	const list = `{"return": [{"name": "device[4]", "type": "child<pl011>"}, {"name": "device[10]", "type": "child<pl061>"}, {"name": "sysbus", "type": "link<bus>"}]}` + "\r\n"
	qmp, asked := scripted(t, qmpGreeting, qmpOK, qmpEvent+list)
	got, err := findDevice(qmp, "child<pl061>")
	if want := "/machine/unattached/device[10]"; got != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	want := []string{`{"execute":"qmp_capabilities"}`, `{"execute":"qom-list","arguments":{"path":"/machine/unattached"}}`}
	if a := asked(); !slices.Equal(a, want) {
		t.Errorf("asked %q", a)
	}

	for _, tt := range []struct {
		name, greeting string
		replies        []string
		want           string
	}{
		{"another machine", qmpGreeting, []string{qmpOK, `{"return": [{"name": "device[4]", "type": "child<pl011>"}]}` + "\n"}, "has no child<pl061>"},
		{"refused", qmpGreeting, []string{qmpOK, `{"error": {"class": "DeviceNotFound", "desc": "no such path"}}` + "\n"}, "QEMU's monitor: no such path"},
		{"ends", qmpGreeting, []string{qmpOK, ""}, "QEMU's monitor: EOF"},
		{"no monitor", "SSH-2.0-OpenSSH\r\n", nil, "QEMU's monitor: invalid character"},
		{"no list", qmpGreeting, []string{qmpOK, `{"return": 7}` + "\n"}, "QEMU's monitor: json"},
	} {
		qmp, _ := scripted(t, tt.greeting, tt.replies...)
		if got, err := findDevice(qmp, "child<pl061>"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestSetLine(t *testing.T) {
	line, asked := scripted(t, "", "IRQ raise 3\nOK\n", "OK\n", "FAIL Unknown device\n")
	m := &machine{qtest: line, reply: bufio.NewReader(line), gpio: "/machine/unattached/device[10]"}
	for _, level := range []int{1, 0} {
		if err := m.setLine(level); err != nil {
			t.Errorf("%d: %v", level, err)
		}
	}
	if err := m.setLine(1); err == nil || !strings.Contains(err.Error(), "FAIL Unknown device") {
		t.Errorf("refused: %v", err)
	}
	if err := m.setLine(0); err == nil {
		t.Error("no line, no error")
	}
	const set = "set_irq_in /machine/unattached/device[10] unnamed-gpio-in 3 "
	if got, want := asked(), []string{set + "1", set + "0", set + "1"}; !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
	(&machine{}).pulse(time.Time{}) // a machine without the line
}

func TestOptionValue(t *testing.T) {
	if got := optionValue("/home/x,readonly=on/a.img"); got != "/home/x,,readonly=on/a.img" {
		t.Errorf("got %q", got)
	}
}

func TestLaunch(t *testing.T) {
	m, err := launch(exec.Command("/bin/sh", "-c", "echo 'no such machine' >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.failed(io.EOF); !strings.Contains(err.Error(), "exit status 3: no such machine") || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("got %v", err)
	}
	// One that runs: what could not be done counts, not that it is killed for it.
	if m, err = launch(exec.Command("sleep", "600")); err != nil {
		t.Fatal(err)
	}
	if err := m.failed(errDevice); err != errDevice {
		t.Errorf("got %v", err)
	}
	<-m.done
	if m.err == nil || m.err.Error() != "signal: killed" {
		t.Errorf("it ended with %v", m.err)
	}
	m.stop() // once more does no harm
	if _, err := launch(exec.Command("/nowhere/qemu")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

var errDevice = errors.New("this QEMU's machine has no child<pl061>")

// smallImage is a disk with a boot file system of a few files.
func smallImage(t *testing.T, slot map[string]string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bootfs.Spec{Label: "TEST", Time: buildDate}
	for path, text := range slot {
		s.A = append(s.A, bootfs.File{Path: path, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		}})
	}
	if err := bootfs.Write(io.NewOffsetWriter(f, disk.BootStart), s); err != nil {
		t.Fatal(err)
	}
	return name
}

// fakeQEMU puts a program in QEMU's place that dumps a device tree when asked
// for one and otherwise does what script says.
func fakeQEMU(t *testing.T, script string) (pids string) {
	t.Helper()
	dir := t.TempDir()
	tree, pids := filepath.Join(dir, "virt.dtb"), filepath.Join(dir, "pid")
	if err := os.WriteFile(tree, flatten(t, virt()), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`#!/bin/sh
case "$2" in *,dumpdtb=*) exec cp '%s' "${2##*,dumpdtb=}";; esac
echo $$ >'%s'
%s
`, tree, pids, script)
	if err := os.WriteFile(filepath.Join(dir, qemuFor(boards.VMArm64)), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return pids
}

// Whatever cannot be done is said, and leaves neither process nor socket.
func TestStartMachineFailures(t *testing.T) {
	image := smallImage(t, map[string]string{"vmlinuz": "kernel", "cmdline.txt": "root=x\n"})
	options := func(t *testing.T) machineOptions {
		return machineOptions{Board: boards.VMArm64, Image: image, Dir: shortDir(t), HTTP: "127.0.0.1:0", Console: os.DevNull}
	}
	expect := func(t *testing.T, o machineOptions, want string) {
		t.Helper()
		m, err := startMachine(t.Context(), o)
		if err == nil {
			m.stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := os.Lstat(filepath.Join(o.Dir, "qtest")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its socket: %v", err)
		}
	}
	t.Run("board", func(t *testing.T) {
		fakeQEMU(t, "exit 1")
		o := options(t)
		o.Board.Name = "toaster"
		expect(t, o, "board toaster cannot be run here")
		o.Board = boards.RaspberryPi // whose device tree is not in this image
		expect(t, o, "would not boot")
	})
	t.Run("address", func(t *testing.T) {
		o := options(t)
		o.HTTP = "8080"
		expect(t, o, `-http "8080": address 8080: missing port in address; write something like 127.0.0.1:8080`)
		o = options(t)
		o.HTTPS = "8443"
		expect(t, o, `-https "8443": address 8443: missing port in address; write something like 127.0.0.1:8443`)
	})
	t.Run("no QEMU", func(t *testing.T) {
		t.Setenv("PATH", "")
		expect(t, options(t), qemuFor(boards.VMArm64))
	})
	t.Run("QEMU ends", func(t *testing.T) {
		fakeQEMU(t, `echo "Could not set up host forwarding rule 'tcp:127.0.0.1:80-:80'" >&2; exit 1`)
		expect(t, options(t), "exit status 1: Could not set up host forwarding rule")
	})
	t.Run("interrupted", func(t *testing.T) {
		pids := fakeQEMU(t, "exec sleep 600")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o := options(t)
		// It never opens its sockets, and Ctrl-C comes once it runs.
		go func() {
			for ctx.Err() == nil {
				if b, _ := os.ReadFile(pids); len(b) > 0 {
					cancel()
				}
			}
		}()
		if m, err := startMachine(ctx, o); err == nil {
			m.stop()
			t.Fatal("it runs")
		}
		b, err := os.ReadFile(pids)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/proc/" + string(bytes.TrimSpace(b))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("QEMU is still there: %v", err)
		}
	})
}
