package web

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// crowd is a listener whose connections come from the given addresses.
type crowd struct{ from []string }

func (c *crowd) Accept() (net.Conn, error) {
	if len(c.from) == 0 {
		return nil, errEmpty
	}
	a, err := net.ResolveTCPAddr("tcp", c.from[0])
	c.from = c.from[1:]
	return &visitor{from: a}, err
}

func (*crowd) Close() error   { return nil }
func (*crowd) Addr() net.Addr { return &net.TCPAddr{} }

var errEmpty = errors.New("nobody else comes")

type visitor struct {
	net.Conn
	from   net.Addr
	closed int
}

func (v *visitor) RemoteAddr() net.Addr { return v.from }
func (v *visitor) Close() error         { v.closed++; return nil }

func repeat(from string, n int) (list []string) {
	for range n {
		list = append(list, from)
	}
	return list
}

func accepted(t *testing.T, l net.Listener) (list []net.Conn) {
	t.Helper()
	for {
		c, err := l.Accept()
		if err == errEmpty {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
}

func TestLimitOfOneHost(t *testing.T) {
	c := &crowd{from: repeat("[::ffff:192.0.2.1]:1000", connsPerHost+5)}
	l := Limit(c)
	in := accepted(t, l)
	if len(in) != connsPerHost {
		t.Fatalf("%d connections of one host", len(in))
	}
	// The same host by its other name is the same.
	c.from = []string{"192.0.2.1:2000", "192.0.2.2:1", "[2001:db8::1]:1"}
	if n := len(accepted(t, l)); n != 2 {
		t.Errorf("%d more, want those of two other hosts", n)
	}
	in[0].Close()
	in[0].Close() // net/http may do it twice
	c.from = repeat("192.0.2.1:3000", 3)
	if n := len(accepted(t, l)); n != 1 {
		t.Errorf("%d after one was closed", n)
	}
}

func TestLimitOfAll(t *testing.T) {
	var from []string
	for i := range 20 {
		from = append(from, repeat(net.JoinHostPort(net.IPv4(198, 51, 100, byte(i)).String(), "1"), connsPerHost)...)
	}
	c := &crowd{from: from}
	l := Limit(c)
	if n := len(accepted(t, l)); n != connsMost {
		t.Errorf("%d connections at once", n)
	}
	c.from = append(repeat("127.0.0.1:1", 3), "[::1]:1")
	if n := len(accepted(t, l)); n != 4 {
		t.Errorf("%d of the station's own questions in a flood", n)
	}
}

func TestComplaintsAreRare(t *testing.T) {
	var out strings.Builder
	now := testTime
	q := newQuiet(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	for range 100 {
		q.Print("http: URL query contains semicolon\nand a stack")
	}
	now = now.Add(complaints)
	q.Print("http: Accept error")
	got := out.String()
	if strings.Count(got, "\n") != 2 || strings.Contains(got, "stack") || !strings.Contains(got, "semicolon") || !strings.Contains(got, "unsaid=99") {
		t.Errorf("said: %s", got)
	}
}
