package update

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// TestPlain has errors as they come from the network and the card.
func TestPlain(t *testing.T) {
	dial := func(err error) error {
		addr := &net.TCPAddr{IP: net.IPv4(10, 0, 2, 2), Port: 80}
		return fetched(&net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: err})
	}
	syscalled := func(name string, err error) error { return os.NewSyscallError(name, err) }
	for _, c := range []struct {
		err  error
		want string
	}{
		{dial(syscalled("connect", syscall.ECONNREFUSED)), "10.0.2.2:80 refuses connections"},
		{dial(syscalled("connect", syscall.EHOSTUNREACH)), "there is no way to 10.0.2.2:80"},
		{dial(syscalled("connect", syscall.ETIMEDOUT)), "10.0.2.2:80 does not answer"},
		{dial(os.ErrDeadlineExceeded), "10.0.2.2:80 does not answer"},
		{fetched(syscall.ECONNREFUSED), "updates.example.net refuses connections"},
		{fetched(context.DeadlineExceeded), "updates.example.net does not answer"},
		{fetched(io.EOF), "updates.example.net breaks connections off"},
		{fetched(&net.OpError{Op: "read", Err: syscalled("read", syscall.ECONNRESET)}), "updates.example.net breaks connections off"},
		{dial(&net.DNSError{Err: "no such host", Name: "updates.example.net", IsNotFound: true}), "there is no host of the name updates.example.net"},
		{dial(&net.DNSError{Err: "i/o timeout", Name: "updates.example.net", IsTimeout: true}), "no name server tells the address of updates.example.net"},
		{fetched(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), "the certificate of updates.example.net is not one to be trusted"},
		{fetched(&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}), "the certificate of updates.example.net has expired, or is not valid yet"},
		{fetched(&tls.CertificateVerificationError{Err: x509.HostnameError{}}), "the certificate of updates.example.net is another host's"},
		{fetched(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), "updates.example.net does not speak https"},
		{fetched(fmt.Errorf("%w: redirected from https to http", fetch.ErrRefused)), "the server's answer is refused: redirected from https to http"},
		{fetched(errors.New("malformed HTTP response")), "updates.example.net: malformed HTTP response"},
		{fmt.Errorf("fetch x: %w", fmt.Errorf("status 404: %w", fs.ErrNotExist)), "the update host does not have all files"},
		{fmt.Errorf("fetch x: %w", fmt.Errorf("%w: status 503", fetch.ErrRefused)), "the server's answer is refused: status 503"},
		{
			fmt.Errorf("fetch x: %w", errors.Join(dial(syscall.ECONNREFUSED), dial(syscall.ECONNREFUSED), fmt.Errorf("%w: nothing came", fetch.ErrSlow))),
			"10.0.2.2:80 refuses connections; the server is too slow: nothing came",
		},
		{errors.New("none that is known"), "none that is known"},
	} {
		want := "The update host cannot be reached: " + c.want + ". "
		if got := sentence(classed(c.err)); !strings.HasPrefix(got, want) {
			t.Errorf("%v\n got %q\nwant %q", c.err, got, want)
		}
	}
	for want, err := range map[string]error{
		"What the update host says cannot be kept on the card: no space left on device. If this goes on, write the card anew, or replace it.": classed(
			fmt.Errorf("updates: %w: %w", tuf.ErrStore, &os.PathError{Op: "open", Path: "/perm/update/root.json.new", Err: syscall.ENOSPC})),
		"The root metadata that this station trusts is lost. Put the root.json that it was given back on the card, or write the card anew.": classed(
			fmt.Errorf("updates: %w: open /perm/update/root.json: no such file or directory", tuf.ErrNoRoot)),
		"The release cannot be fetched: the update host breaks connections off. It is tried again by itself.": fmt.Errorf("%w: %w", errFetch,
			fmt.Errorf("files/x.pack: %w", io.ErrUnexpectedEOF)),
	} {
		if got := sentence(err); got != want {
			t.Errorf("%v\n got %q\nwant %q", err, got, want)
		}
	}
}

// fetched is an error as net/http gives it.
func fetched(err error) error {
	return fmt.Errorf("updates: %w", &url.Error{Op: "Get", URL: "http://updates.example.net/metadata/2.root.json", Err: err})
}

// TestPlainOfASocket has the real errors of a port that nobody listens on, and of a
// server that does not speak TLS.
func TestPlainOfASocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	open := strings.TrimPrefix(server.URL, "http://")
	for base, want := range map[string]string{
		"http://" + closed: closed + " refuses connections",
		"https://" + open:  open + " does not speak https",
		"http://" + open:   "the update host does not have all files",
	} {
		c, err := fetch.New(fetch.Options{Bases: []string{base}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Get(t.Context(), "metadata/timestamp.json", 1)
		if got := plain(classed(err)); got != "the update host cannot be reached: "+want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// full is a /perm that takes nothing.
type full struct{ *files }

func (full) Save(name string, _ []byte) error {
	return &os.PathError{Op: "open", Path: "/perm/update/" + name, Err: syscall.ENOSPC}
}

// TestFullPerm: that the card keeps nothing is not the update host's fault, nor is
// a release tried then.
func TestFullPerm(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	for _, anchor := range []string{"", anchorImage} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, loaders[0], first)
			w.remember(Record{Format: recordFormat, Phase: PhaseIdle, Anchor: anchor})
			r := repo{tuftest.New(built)}
			w.options = func(o *Options) {
				o.Store = full{w.perm}
				o.Metadata, o.Files, o.Root = NewRepository(r, o.Store), r, r.Initial()
			}
			r.publish(t, w, next)
			if how := w.live(24 * time.Hour); how != outlived {
				t.Errorf("%s", how)
			}
			if s := w.engine.Status(); s.State != StateWaiting || !strings.Contains(s.Summary, "cannot be kept on the card: no space left on device.") {
				t.Errorf("%+v", s)
			}
		})
	}
}
