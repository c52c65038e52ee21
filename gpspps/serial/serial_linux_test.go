package serial

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/uart"
)

// pty is a terminal whose other end the test holds.
func pty(t *testing.T) (master *os.File, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

func open(t *testing.T, baud int) (*Port, *os.File) {
	t.Helper()
	master, path := pty(t)
	p, err := Open(path, baud)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, master
}

func TestBytesPassUnchanged(t *testing.T) {
	p, master := open(t, 9600)
	// Every byte, those a terminal acts upon among them: end of file, interrupt,
	// carriage return, XON, XOFF, erase.
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	if _, err := master.Write(all); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 0, 256)
	for len(got) < len(all) {
		b := make([]byte, 64)
		n, err := p.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[:n]...)
	}
	if !bytes.Equal(got, all) {
		t.Errorf("got %x", got)
	}
	if _, err := p.Write(all); err != nil {
		t.Fatal(err)
	}
	// Were it echoed, the first would be there twice.
	back := make([]byte, 0, 256)
	for len(back) < len(all) {
		b := make([]byte, 512)
		n, err := master.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, b[:n]...)
	}
	if !bytes.Equal(back, all) {
		t.Errorf("the other end got %x", back)
	}
}

func TestStampIsThatOfTheFirstByte(t *testing.T) {
	for _, baud := range []int{9600, 115200} {
		p, master := open(t, baud)
		const n = 48
		var m monotonic
		before := m.now()
		if _, err := master.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		got, first, err := p.ReadStamped(make([]byte, 100))
		after := m.now()
		if err != nil || got != n {
			t.Fatalf("read %d bytes, %v; want %d", got, err, n)
		}
		took := int64(n) * 10 * int64(time.Second) / int64(baud)
		if first < before-took || first > after-took+n {
			t.Errorf("%d baud: stamp %d ns after the write, want -%d to %d", baud, first-before, took, after-before-took)
		}
	}
}

func TestUSBHasNoByteTime(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "usb-receiver-if00")
	if err := os.WriteFile(filepath.Join(dir, "ttyACM0"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ttyACM0", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]time.Duration{
		link: 0, "/dev/ttyACM3": 0,
		"/dev/ttyUSB0": time.Second * 10 / 9600, "/dev/ttyAMA0": time.Second * 10 / 9600,
	} {
		p := Port{packets: inPackets(path), frame: framing{baud: 9600, bits: 8, parity: uart.NoParity, stop: uart.One}}
		if got := p.ByteTime(); got != want {
			t.Errorf("%s: a byte takes %v, want %v", path, got, want)
		}
	}
}

func TestLineIsRawAndExclusive(t *testing.T) {
	p, _ := open(t, 38400)
	raw, err := p.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		s, err := unix.IoctlGetTermios(int(fd), unix.TCGETS2)
		if err != nil {
			t.Fatal(err)
		}
		if s.Ospeed != 38400 || s.Ispeed != 38400 || s.Cc[unix.VMIN] != 1 || s.Lflag != 0 || s.Oflag != 0 {
			t.Errorf("termios %+v", s)
		}
		if s.Cflag&unix.CSIZE != unix.CS8 || s.Cflag&(unix.PARENB|unix.CSTOPB|unix.CRTSCTS) != 0 {
			t.Errorf("not 8N1: cflag %#x", s.Cflag)
		}
		// Root may open it all the same, so the flag itself is looked at.
		if on, err := unix.IoctlGetInt(int(fd), unix.TIOCGEXCL); err != nil || on == 0 {
			t.Errorf("not exclusive: %d, %v", on, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatCameBeforeIsDropped(t *testing.T) {
	master, path := pty(t)
	// Held open, so that the terminal keeps the bytes.
	holder, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := master.WriteString("old\n"); err != nil {
		t.Fatal(err)
	}
	p, err := Open(path, 9600)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := master.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if n, err := p.Read(b); err != nil || string(b[:n]) != "new" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

func TestCloseEndsARead(t *testing.T) {
	p, _ := open(t, 9600)
	done := make(chan error)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := p.Read(make([]byte, 1))
		done <- err
	}()
	<-started
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), p.String()) {
		t.Errorf("read after close: %v", err)
	}
}

func TestDeadlineEndsARead(t *testing.T) {
	p, master := open(t, 9600)
	if err := p.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.ReadStamped(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past its deadline: %v", err)
	}
	if err := p.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := master.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read after the deadline was lifted: %d, %v", n, err)
	}
}

func TestHangUpIsNamed(t *testing.T) {
	p, master := open(t, 9600)
	master.Close()
	_, err := p.Read(make([]byte, 1))
	if err == nil || !strings.Contains(err.Error(), p.String()) || !strings.Contains(err.Error(), "hung up") {
		t.Errorf("read of a line that hung up: %v", err)
	}
}

func TestOpenSaysTheWayOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ttyS9")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		baud int
		want string
	}{
		{filepath.Join(t.TempDir(), "none"), 9600, "no such serial port"},
		{file, 9600, "no serial port"},
		{t.TempDir(), 9600, "no serial port"},
		{"/dev/null", 9600, "no serial port"},
		{file, 960, "from 1200 to 4000000"},
		{file, 5_000_000, "from 1200 to 4000000"},
	}
	for _, tt := range tests {
		_, err := Open(tt.path, tt.baud)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s at %d: %v, want %q", tt.path, tt.baud, err, tt.want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), 9600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the kernel's error is lost: %v", err)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{{unix.EACCES, "dialout"}, {unix.EBUSY, "another program"}} {
		if err := wayOut(tt.err); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v becomes %v", tt.err, err)
		}
	}
}

func TestConnectAsPeriphDoes(t *testing.T) {
	p, master := open(t, 9600)
	if err := p.LimitSpeed(57600 * physic.Hertz); err != nil {
		t.Fatal(err)
	}
	// No named constant of the kernel: any speed will do.
	c, err := p.Connect(50000*physic.Hertz, uart.Two, uart.Even, uart.NoFlow, 8)
	if err != nil || p.Baud() != 50000 {
		t.Fatalf("%v, %d baud; want 50000", err, p.Baud())
	}
	if got, want := p.ByteTime(), 240*time.Microsecond; got != want {
		t.Errorf("a byte of 8E2 at 50000 baud takes %v, want %v", got, want)
	}
	if _, err := p.Connect(115200*physic.Hertz, uart.One, uart.NoParity, uart.NoFlow, 8); err != nil || p.Baud() != 57600 {
		t.Errorf("%v, %d baud; want the limit of 57600", err, p.Baud())
	}
	if _, err := master.WriteString("yes"); err != nil {
		t.Fatal(err)
	}
	r := make([]byte, 3)
	if err := c.Tx([]byte("well?"), r); err != nil || string(r) != "yes" {
		t.Errorf("tx: %q, %v", r, err)
	}
	for name, err := range map[string]error{
		"mark parity":  second(p.Connect(9600*physic.Hertz, uart.One, uart.Mark, uart.NoFlow, 8)),
		"5 bits":       second(p.Connect(9600*physic.Hertz, uart.One, uart.NoParity, uart.NoFlow, 5)),
		"1.5 stop":     second(p.Connect(9600*physic.Hertz, uart.OneHalf, uart.NoParity, uart.NoFlow, 8)),
		"XON/XOFF":     second(p.Connect(9600*physic.Hertz, uart.One, uart.NoParity, uart.MakeXOnXOffFlow(17, 19), 8)),
		"1 hertz":      second(p.Connect(physic.Hertz, uart.One, uart.NoParity, uart.NoFlow, 8)),
		"limit 1 Hz":   p.LimitSpeed(physic.Hertz),
		"set 100 baud": p.SetBaud(100),
	} {
		if err == nil || !strings.Contains(err.Error(), p.String()) || !strings.Contains(err.Error(), "give") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p.Baud() != 57600 {
		t.Errorf("a refused setting changed the speed to %d", p.Baud())
	}
}

func second[T any](_ T, err error) error { return err }

func TestReadAllocatesNothing(t *testing.T) {
	p, master := open(t, 115200)
	b := make([]byte, 64)
	one := []byte("$")
	if n := testing.AllocsPerRun(50, func() {
		if _, err := master.Write(one); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.ReadStamped(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}
