package ntptest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ChronydOptions say how a chronyd is run.
type ChronydOptions struct {
	Path string // the program, see FetchChronyd
	Dir  string // where its files go; made if need be, best empty
	Port uint16 // on 127.0.0.1; above 1023, so that no right is needed

	// Unsynchronized starts it without a time source of any kind: it then
	// answers with leap indicator 3 and stratum 0.
	Unsynchronized bool

	// Lines are added to its configuration, such as a reference clock. It
	// still has to start as Unsynchronized says.
	Lines []string
}

// Chronyd is a real chronyd, serving this machine's clock at stratum 1 on a
// loopback port of its own, as the user who started it. It reads and writes
// nothing but its own directory, takes no commands and never touches the
// clock: the machine's own time service does not notice.
type Chronyd struct {
	addr   netip.AddrPort
	cmd    *exec.Cmd
	log    *tail
	exited chan struct{} // closed once the process has been waited for
	err    error         // why it ended, valid then
}

// chronydStart is how long a chronyd may take to answer for the first time.
const chronydStart = 15 * time.Second

// StartChronyd runs a chronyd and returns once it answers as it should. It
// ends when the context does, or with Close.
func StartChronyd(ctx context.Context, o ChronydOptions) (*Chronyd, error) {
	if o.Port == 0 {
		return nil, errors.New("chronyd: a port is needed, above 1023")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("chronyd: %w", err)
	}
	if strings.ContainsAny(dir, " \t\n") {
		return nil, fmt.Errorf("chronyd: its configuration cannot name a directory with a blank in it: %q", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("chronyd: %w", err)
	}
	// A copy, because distributions confine /usr/sbin/chronyd to its own
	// directories (AppArmor), and this one is to live in ours.
	program := filepath.Join(dir, "chronyd")
	if err := copyProgram(program, o.Path); err != nil {
		return nil, fmt.Errorf("chronyd: %w", err)
	}
	conf := filepath.Join(dir, "chronyd.conf")
	if err := os.WriteFile(conf, []byte(chronydConfig(o, dir)), 0o600); err != nil {
		return nil, fmt.Errorf("chronyd: %w", err)
	}

	// -x: do not control the clock. -d: stay in the foreground, log here. -u:
	// its usual user may not exist; root always does, and who is root already
	// stays so, while who is not cannot become it.
	args := []string{"-d", "-x", "-u", "root", "-f", conf}
	if os.Geteuid() != 0 {
		args = append(args, "-U") // do not insist on being root
	}
	c := &Chronyd{
		addr:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), o.Port),
		cmd:    exec.CommandContext(ctx, program, args...),
		log:    &tail{},
		exited: make(chan struct{}),
	}
	c.cmd.Dir = dir
	c.cmd.Env = append([]string{"LANG=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, libraryPath(o.Path)...)
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.SysProcAttr = dieWithParent()
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(os.Interrupt) }
	c.cmd.WaitDelay = 2 * time.Second

	started := make(chan error)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("chronyd: %w", err)
	}
	if err := c.await(ctx, o.Unsynchronized); err != nil {
		c.Close()
		return nil, fmt.Errorf("chronyd on %s: %w", c.addr, err)
	}
	return c, nil
}

// run starts the process and waits for its end on one thread: dieWithParent
// would end it with the thread that started it.
func (c *Chronyd) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	c.err = c.cmd.Wait()
	close(c.exited)
}

// Addr is where it serves.
func (c *Chronyd) Addr() netip.AddrPort { return c.addr }

// Exited is closed when the process has ended.
func (c *Chronyd) Exited() <-chan struct{} { return c.exited }

// Close ends the process and waits for that.
func (c *Chronyd) Close() error {
	// An error means that it has ended already.
	if c.cmd.Process.Signal(os.Interrupt) == nil {
		stubborn := time.AfterFunc(c.cmd.WaitDelay, func() { c.cmd.Process.Kill() })
		defer stubborn.Stop()
	}
	<-c.exited
	return nil
}

func chronydConfig(o ChronydOptions, dir string) string {
	lines := []string{
		"# written for one run",
		fmt.Sprintf("port %d", o.Port),
		"bindaddress 127.0.0.1",
		"allow 127.0.0.0/8",
		"cmdport 0",
		"bindcmdaddress /", // no command socket either
		"pidfile " + filepath.Join(dir, "chronyd.pid"),
	}
	if !o.Unsynchronized {
		lines = append(lines, "local stratum 1")
	}
	return strings.Join(append(lines, o.Lines...), "\n") + "\n"
}

// await asks until the answer is a synchronized server's, or, where that is
// wanted, an unsynchronized one's.
func (c *Chronyd) await(ctx context.Context, unsynchronized bool) error {
	ctx, cancel := context.WithTimeout(ctx, chronydStart)
	defer cancel()
	conn, err := net.Dial("udp4", c.addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		if leap, ok := ask(conn); ok && (leap == 3) == unsynchronized {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("ended at once (%v): %s", c.err, c.log.last())
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w; it said: %s", context.Cause(ctx), c.log.last())
		case <-again.C:
		}
	}
}

// ask has one exchange over conn and returns the leap indicator of the reply.
func ask(conn net.Conn) (leap uint8, ok bool) {
	req := make([]byte, packetSize)
	req[0] = 4<<3 | modeClient
	rand.Read(req[40:])
	if conn.SetDeadline(time.Now().Add(100*time.Millisecond)) != nil {
		return 0, false
	}
	if _, err := conn.Write(req); err != nil {
		return 0, false
	}
	buf := make([]byte, maxRequest)
	n, err := conn.Read(buf)
	if err != nil || n < packetSize || buf[0]&7 != modeServer || string(buf[24:32]) != string(req[40:48]) {
		return 0, false
	}
	return buf[0] >> 6, true
}

func copyProgram(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	// Not over the old copy: another process may be running it.
	os.Remove(to)
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}
