// Package hostlink lets the host of a virtual machine read the station's page
// and API without a network, over a VM socket.
package hostlink

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"

	"github.com/mdlayher/vsock"
)

// Port is the VM socket port that the page is served on: that of HTTP.
const Port = 80

// FromHost says whether a connection is the host's, and not one of another machine's
// on it.
func FromHost(c net.Conn) bool {
	a, ok := c.RemoteAddr().(*vsock.Addr)
	return ok && a.ContextID == vsock.Host
}

const device = "/dev/vsock"

// Listen gives a listener for the host's connections, to serve the same HTTP
// handler on as on the network. Where there are no VM sockets it gives nil and
// no error, and says so in the log.
//
// Whoever runs the machine can then connect, so only an image calls it; a
// program on somebody's computer does not.
func Listen(log *slog.Logger) (net.Listener, error) { return listen(log, device, vsock.Listen) }

func listen(log *slog.Logger, device string, open func(uint32, *vsock.Config) (*vsock.Listener, error)) (net.Listener, error) {
	if _, err := os.Stat(device); errors.Is(err, fs.ErrNotExist) {
		log.Info("hostlink: off, as there is no " + device)
		return nil, nil
	}
	l, err := open(Port, nil)
	if err != nil {
		return nil, fmt.Errorf("hostlink: VM socket port %d: %w; the page is on the network only", Port, err)
	}
	return l, nil
}
