package hostlink

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdlayher/vsock"
)

func TestNoVMSockets(t *testing.T) {
	var b bytes.Buffer
	l, err := listen(slog.New(slog.NewTextHandler(&b, nil)), filepath.Join(t.TempDir(), "vsock"),
		func(uint32, *vsock.Config) (*vsock.Listener, error) {
			t.Error("asked for a socket")
			return nil, nil
		})
	if l != nil || err != nil {
		t.Errorf("got %v, %v", l, err)
	}
	if s := b.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "hostlink: off") {
		t.Errorf("logged %q", s)
	}
}

type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

func TestFromHost(t *testing.T) {
	for _, c := range []struct {
		addr net.Addr
		want bool
	}{
		{&vsock.Addr{ContextID: vsock.Host, Port: 1024}, true},
		{&vsock.Addr{ContextID: 3, Port: 1024}, false},
		{&vsock.Addr{ContextID: vsock.Local, Port: 1024}, false},
		{&net.TCPAddr{IP: net.IPv4(0, 0, 0, 2), Port: 1024}, false},
		{nil, false},
	} {
		if got := FromHost(from{addr: c.addr}); got != c.want {
			t.Errorf("%v: %v", c.addr, got)
		}
	}
}

func TestPortTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vsock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := errors.New("address in use")
	l, err := listen(slog.New(slog.DiscardHandler), path, func(port uint32, _ *vsock.Config) (*vsock.Listener, error) {
		if port != 80 {
			t.Errorf("port %d", port)
		}
		return nil, taken
	})
	if l != nil || !errors.Is(err, taken) || !strings.Contains(err.Error(), "port 80") {
		t.Errorf("got %v, %v", l, err)
	}
}
