package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/truechimer/truechimer/boards"
)

// machineOptions say what to run.
type machineOptions struct {
	Board    boards.Board
	Image    string // the image file; it is written to, as a card is
	Dir      string // for sockets and extracted files; short, since socket paths are bounded
	HTTP     string // the host's address that leads to the guest's port 80; empty: the guest has no cable (PCs only)
	HTTPS    string // likewise to port 443; empty: none does
	Console  string // file that takes the serial console
	Traffic  string // file that takes the guest's traffic as pcap; empty: none
	RTC      string // what the guest's clock starts at; empty: a board without one, in the year 2000
	Firmware firmware
	Tryboot  bool   // a Raspberry Pi's firmware was asked to try the other slot
	NIC      string // a PC's network card; empty: virtio-net-pci
	Display  bool   // a PC has one
	USB      bool   // there is a USB controller, "usb", for what is plugged in later (virtual machines only)
}

// machine is a running QEMU.
type machine struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when QEMU has ended
	err  error         // how; valid after done

	receiver net.Conn // the guest's UART

	qtestMu sync.Mutex
	qtest   net.Conn // drives the pulse line; nil where the machine has none
	reply   *bufio.Reader
	gpio    string // QOM path of the GPIO controller
}

// startMachine boots an image as the board does, with its own boot loader.
func startMachine(ctx context.Context, o machineOptions) (*machine, error) {
	args := []string{"-display", "none", "-serial", "file:" + optionValue(o.Console), "-accel", "tcg",
		"-qmp", "unix:" + filepath.Join(o.Dir, "qmp") + ",server=on,wait=off",
		"-chardev", "socket,id=gps,path=" + filepath.Join(o.Dir, "gps") + ",server=on,wait=off"}
	if o.HTTP != "" {
		cable := "user,id=n0"
		for _, f := range []struct {
			flag, at, like string
			to             int
		}{{"-http", o.HTTP, "127.0.0.1:8080", 80}, {"-https", o.HTTPS, "127.0.0.1:8443", 443}} {
			if f.at == "" {
				continue
			}
			host, port, err := net.SplitHostPort(f.at)
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w; write something like %s", f.flag, f.at, err, f.like)
			}
			cable += fmt.Sprintf(",hostfwd=tcp:%s:%s-:%d", host, port, f.to)
		}
		args = append(args, "-netdev", cable)
	}
	if o.Traffic != "" {
		args = append(args, "-object", "filter-dump,id=dump,netdev=n0,file="+optionValue(o.Traffic))
	}
	if o.RTC == "" {
		o.RTC = "2000-01-01T00:00:00"
	}
	args = append(args, "-rtc", "base="+o.RTC)
	board, err := boardArgs(ctx, o)
	if err != nil {
		return nil, err
	}
	args = append(args, board...)
	if o.USB {
		args = append(args, "-device", "qemu-xhci,id=usb")
	}

	var qtest net.Listener
	if o.Board.Name == boards.VMArm64.Name {
		path := filepath.Join(o.Dir, "qtest")
		if qtest, err = net.Listen("unix", path); err != nil {
			return nil, err
		}
		defer qtest.Close()
		args = append(args, "-qtest", "unix:"+path, "-qtest-log", "none")
	}
	m, err := launch(exec.Command(qemuFor(o.Board), args...))
	if err != nil {
		return nil, err
	}
	if err := m.connect(ctx, o, qtest); err != nil {
		return nil, m.failed(err)
	}
	return m, nil
}

// launch starts QEMU. It ends with this process, however that ends.
func launch(cmd *exec.Cmd) (*machine, error) {
	m := &machine{cmd: cmd, done: make(chan struct{})}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cmd.SysProcAttr = endsWithParent()
	started := make(chan error)
	go func() {
		// The kernel takes the thread that started a child for its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		m.err = cmd.Wait()
		if s := strings.TrimSpace(stderr.String()); m.err != nil && s != "" {
			m.err = fmt.Errorf("%w: %s", m.err, s)
		}
		close(m.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return m, nil
}

// failed ends QEMU and says why it could not be used: where it has ended by
// itself, its own words say more than err, which came of that.
func (m *machine) failed(err error) error {
	select {
	case <-m.done:
		err = fmt.Errorf("%s ended at once: %w", filepath.Base(m.cmd.Path), errors.Join(m.err, err))
	case <-time.After(time.Second):
	}
	m.stop()
	return err
}

// optionValue writes a file's name so that its commas do not end it.
func optionValue(name string) string { return strings.ReplaceAll(name, ",", ",,") }

// connect opens the lines to the running QEMU.
func (m *machine) connect(ctx context.Context, o machineOptions, qtest net.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var err error
	if m.receiver, err = m.dial(ctx, filepath.Join(o.Dir, "gps")); err != nil {
		return err
	}
	if qtest == nil {
		return nil
	}
	go func() {
		select {
		case <-m.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer context.AfterFunc(ctx, func() { qtest.Close() })()
	if m.qtest, err = qtest.Accept(); err != nil {
		return fmt.Errorf("waiting for QEMU's test line: %w", err)
	}
	m.reply = bufio.NewReader(m.qtest)
	qmp, err := m.dial(ctx, filepath.Join(o.Dir, "qmp"))
	if err != nil {
		return err
	}
	defer qmp.Close()
	defer context.AfterFunc(ctx, func() { qmp.Close() })()
	m.gpio, err = findDevice(qmp, "child<pl061>")
	return err
}

func (m *machine) dial(ctx context.Context, path string) (net.Conn, error) {
	for {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-m.done:
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// monitor is QEMU's, at the other end of a connection.
type monitor struct {
	out io.Writer
	in  *json.Decoder
}

// newMonitor has the monitor take commands.
func newMonitor(qmp io.ReadWriter) (*monitor, error) {
	m := &monitor{qmp, json.NewDecoder(qmp)}
	if _, err := m.answer(); err != nil { // its greeting
		return nil, err
	}
	_, err := m.ask(`{"execute":"qmp_capabilities"}`)
	return m, err
}

// ask has a command executed.
func (m *monitor) ask(command string) (json.RawMessage, error) {
	if _, err := io.WriteString(m.out, command+"\n"); err != nil {
		return nil, err
	}
	return m.answer()
}

func (m *monitor) answer() (json.RawMessage, error) {
	for {
		var a struct {
			QMP, Return json.RawMessage
			Error       *struct{ Desc string }
		}
		switch err := m.in.Decode(&a); {
		case err != nil:
			return nil, fmt.Errorf("QEMU's monitor: %w", err)
		case a.Error != nil:
			return nil, fmt.Errorf("QEMU's monitor: %s", a.Error.Desc)
		case a.Return != nil || a.QMP != nil:
			return a.Return, nil
		}
	}
}

// findDevice asks QEMU's monitor for the path of a device without a name of its own.
func findDevice(qmp io.ReadWriter, kind string) (string, error) {
	m, err := newMonitor(qmp)
	if err != nil {
		return "", err
	}
	all, err := m.ask(`{"execute":"qom-list","arguments":{"path":"/machine/unattached"}}`)
	if err != nil {
		return "", err
	}
	var list []struct{ Name, Type string }
	if err := json.Unmarshal(all, &list); err != nil {
		return "", fmt.Errorf("QEMU's monitor: %w", err)
	}
	for _, e := range list {
		if e.Type == kind {
			return "/machine/unattached/" + e.Name, nil
		}
	}
	return "", fmt.Errorf("this QEMU's machine has no %s", kind)
}

// pulse raises the pulse line and lowers it 100 ms later, as receivers do.
func (m *machine) pulse(time.Time) {
	if m.qtest == nil {
		return
	}
	if m.setLine(1) == nil {
		time.AfterFunc(100*time.Millisecond, func() { m.setLine(0) })
	}
}

func (m *machine) setLine(level int) error {
	_, err := m.test(fmt.Sprintf("set_irq_in %s unnamed-gpio-in %d %d", m.gpio, pulseLine, level))
	return err
}

// test has QEMU's test line execute a command and gives what it answered.
func (m *machine) test(command string) (string, error) {
	m.qtestMu.Lock()
	defer m.qtestMu.Unlock()
	m.qtest.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintln(m.qtest, command); err != nil {
		return "", err
	}
	for {
		line, err := m.reply.ReadString('\n')
		if err != nil {
			return "", err
		}
		if rest, ok := strings.CutPrefix(line, "OK"); ok {
			return strings.TrimSpace(rest), nil
		}
		if !strings.HasPrefix(line, "IRQ") {
			return "", fmt.Errorf("QEMU's test line: %s", strings.TrimSpace(line))
		}
	}
}

// stop ends QEMU.
func (m *machine) stop() {
	m.cmd.Process.Kill()
	<-m.done
	for _, c := range []net.Conn{m.receiver, m.qtest} {
		if c != nil {
			c.Close()
		}
	}
}
