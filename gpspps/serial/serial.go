// Package serial is the UART a receiver talks over.
//
// Port is what os.File is not for a serial line: raw bytes at a given speed,
// nobody else on the line, and with every read the instant its first byte
// began to arrive. It is periph's uart.PortCloser and, as the line has one
// receiver at its other end, its conn.Conn as well. Linux only; elsewhere Open
// says so.
package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/uart"
)

// The speeds a Port takes, baud. No receiver is slower; 4 Mbaud is what the
// fastest UART of a Pi does (PL011 at 64 MHz).
const (
	minBaud = 1200
	maxBaud = 4_000_000
)

// framing is how bytes go over the line.
type framing struct {
	baud   int
	bits   int
	parity uart.Parity
	stop   uart.Stop
	rtscts bool
}

// byteTime is how long one byte takes: a start bit, the data, parity, stop.
func (f framing) byteTime() time.Duration {
	n := 1 + f.bits + int(f.stop)
	if f.parity != uart.NoParity {
		n++
	}
	return time.Duration(n) * time.Second / time.Duration(f.baud)
}

// Port is an open UART. One goroutine may read while another writes; Close may
// come from any.
type Port struct {
	path    string
	file    *os.File
	packets bool // see inPackets
	frame   framing
	limit   int // baud, see LimitSpeed; 0 none
	clock   monotonic
}

// The roles a Port plays for periph.
var (
	_ uart.PortCloser    = (*Port)(nil)
	_ conn.Conn          = (*Port)(nil)
	_ conn.Resource      = (*Port)(nil)
	_ io.ReadWriteCloser = (*Port)(nil)
)

// Open takes the UART at path for itself: baud from 1200 to 4000000, eight
// data bits, no parity, one stop bit, no flow control. What came in before is
// thrown away, since nothing says when it did.
func Open(path string, baud int) (*Port, error) {
	f := framing{baud: baud, bits: 8, parity: uart.NoParity, stop: uart.One}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	file, err := openLine(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	p := &Port{path: path, file: file, packets: inPackets(path)}
	if err := p.set(f); err != nil {
		file.Close()
		return nil, err
	}
	return p, nil
}

func (f framing) check() error {
	if f.baud < minBaud || f.baud > maxBaud {
		return fmt.Errorf("%d baud: give a speed from %d to %d; receivers come set to 9600, 38400 or 115200", f.baud, minBaud, maxBaud)
	}
	if f.bits != 7 && f.bits != 8 {
		return fmt.Errorf("%d data bits: give 7 or 8", f.bits)
	}
	switch f.parity {
	case uart.NoParity, uart.Odd, uart.Even:
	default:
		return fmt.Errorf("parity %q: give none, odd or even", f.parity)
	}
	if f.stop != uart.One && f.stop != uart.Two {
		return fmt.Errorf("%d stop bits: give one or two", f.stop)
	}
	return nil
}

func (p *Port) set(f framing) error {
	if err := configure(p.file, f); err != nil {
		return fmt.Errorf("set %s to %d baud: %w", p.path, f.baud, err)
	}
	p.frame = f
	return nil
}

// String is the path.
func (p *Port) String() string { return p.path }

// Baud is the speed of the line.
func (p *Port) Baud() int { return p.frame.baud }

// ByteTime is how long one byte takes on the line; 0 where there is no line.
func (p *Port) ByteTime() time.Duration {
	if p.packets {
		return 0
	}
	return p.frame.byteTime()
}

// inPackets tells whether the device is a receiver's own USB (CDC ACM): what
// it sends comes 64 bytes at once, whatever speed is set.
func inPackets(path string) bool {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to // /dev/serial/by-id
	}
	return strings.HasPrefix(filepath.Base(path), "ttyACM")
}

// SetBaud changes the speed. Not while another goroutine reads.
func (p *Port) SetBaud(baud int) error {
	f := p.frame
	f.baud = baud
	if err := f.check(); err != nil {
		return fmt.Errorf("set %s: %w", p.path, err)
	}
	return p.set(f)
}

// Read waits for at least one byte.
func (p *Port) Read(b []byte) (int, error) {
	n, _, err := p.ReadStamped(b)
	return n, err
}

// ReadStamped waits for at least one byte and says when the first one began to
// arrive, CLOCK_MONOTONIC ns: the instant the read returned less the time n
// bytes take on the line. Late by what the UART, the driver and the scheduler
// held the bytes back, usually less than a few milliseconds; never early.
func (p *Port) ReadStamped(b []byte) (n int, first int64, err error) {
	n, err = p.file.Read(b)
	first = p.clock.now() - int64(n)*int64(p.ByteTime())
	if err != nil {
		return n, first, p.lost("read", err)
	}
	return n, first, nil
}

// Write queues b for sending; it does not wait until it is sent.
func (p *Port) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if err != nil {
		return n, p.lost("write", err)
	}
	return n, nil
}

// lost names the device and, where there is one, the way out.
func (p *Port) lost(verb string, err error) error {
	// A PathError says the verb and the path once more.
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if errors.Is(err, io.EOF) || gone(err) {
		return fmt.Errorf("%s %s: the line has hung up, plug the receiver in again and open it anew: %w", verb, p.path, err)
	}
	return fmt.Errorf("%s %s: %w", verb, p.path, err)
}

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on, also
// one under way; the zero time takes it back.
func (p *Port) SetReadDeadline(t time.Time) error { return p.file.SetReadDeadline(t) }

// SetWriteDeadline does the same for writes, which wait while the line's buffer
// is full.
func (p *Port) SetWriteDeadline(t time.Time) error { return p.file.SetWriteDeadline(t) }

// SyscallConn is for what a UART has beside its bytes, such as its modem lines.
func (p *Port) SyscallConn() (syscall.RawConn, error) { return p.file.SyscallConn() }

// Halt is conn.Resource's: a line that is not written to stands still.
func (p *Port) Halt() error { return nil }

// Close gives the UART back. A read under way ends with os.ErrClosed.
func (p *Port) Close() error { return p.file.Close() }

// LimitSpeed is uart.PortCloser's: Connect goes no faster than f.
func (p *Port) LimitSpeed(f physic.Frequency) error {
	baud := int(f / physic.Hertz)
	if baud < minBaud {
		return fmt.Errorf("limit %s to %s: give at least %d Hz, one for each baud", p.path, f, minBaud)
	}
	p.limit = min(baud, maxBaud)
	return nil
}

// Connect is uart.Port's: it sets the line to f (one hertz is one baud), or
// LimitSpeed's if that is less, and returns the Port itself.
func (p *Port) Connect(f physic.Frequency, stop uart.Stop, parity uart.Parity, flow uart.Flow, bits int) (conn.Conn, error) {
	if flow != uart.NoFlow && flow != uart.RTSCTS {
		return nil, fmt.Errorf("connect %s: flow control %s: give none or RTS/CTS", p.path, flow)
	}
	to := framing{baud: int(min(f/physic.Hertz, maxBaud+1)), bits: bits, parity: parity, stop: stop, rtscts: flow == uart.RTSCTS}
	if p.limit != 0 {
		to.baud = min(to.baud, p.limit)
	}
	if err := to.check(); err != nil {
		return nil, fmt.Errorf("connect %s: %w", p.path, err)
	}
	if err := p.set(to); err != nil {
		return nil, err
	}
	return p, nil
}

// Tx is conn.Conn's: it sends w, then waits for len(r) bytes. What a receiver
// sends does not answer byte for byte, so the two need not be as long.
func (p *Port) Tx(w, r []byte) error {
	if len(w) > 0 {
		if _, err := p.Write(w); err != nil {
			return err
		}
	}
	_, err := io.ReadFull(p, r)
	return err
}

// Duplex is conn.Conn's.
func (p *Port) Duplex() conn.Duplex { return conn.Full }
