package hostlink

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

// A real request, from this machine to itself. The socket is bound to the
// local context, which exists only with the kernel's loopback transport. Where
// that is missing nothing may be dialled: the kernel would send it to whoever
// runs this machine.
func TestRequest(t *testing.T) {
	if _, err := os.Stat(device); err != nil {
		l, err := Listen(slog.New(slog.DiscardHandler))
		if l != nil || err != nil {
			t.Errorf("without %s: %v, %v", device, l, err)
		}
		return
	}
	l, err := listen(slog.New(slog.DiscardHandler), device, func(port uint32, c *vsock.Config) (*vsock.Listener, error) {
		return vsock.ListenContextID(vsock.Local, port, c)
	})
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		if l != nil {
			t.Error("a listener came with an error")
		}
		t.Log("the kernel has no vsock_loopback: no request was made")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "station at "+r.URL.Path)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return vsock.Dial(vsock.Local, Port, nil)
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://station/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(b) != "station at /api/v1/status" {
		t.Errorf("got %q, %v", b, err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("the server ended with %v", err)
	}
}
