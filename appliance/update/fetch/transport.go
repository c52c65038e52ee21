package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// maxHeader bounds an answer's header, bytes.
const maxHeader = 32 << 10

func (c *Client) newHTTP() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: c.checkRedirect,
		Transport: &http.Transport{
			DialContext:            c.connect,
			DialTLSContext:         c.connectTLS,
			Protocols:              protocols,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns:           2,
			IdleConnTimeout:        time.Minute,
			ReadBufferSize:         16 << 10,
		},
	}
}

// checkRedirect refuses a redirect that leaves https, asks for a password or
// is one too many. Another name or scheme is not refused where what comes from
// there is verified as well; what is not has to come by https, or from where it
// was asked for. A token is for the server alone that it was written for.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) > c.limits.Redirects:
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, c.limits.Redirects)
	case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || last.URL.Scheme == "https"):
		return fmt.Errorf("%w: redirected from %s to %.20s", ErrRefused, last.URL.Scheme, r.URL.Scheme)
	case r.URL.User != nil:
		return fmt.Errorf("%w: redirected to a URL with a password", ErrRefused)
	case c.strict && r.URL.Scheme != "https" && !c.own[hostPort(r.URL)]:
		return fmt.Errorf("%w: redirected to %.100s, which is not https", ErrRefused, hostPort(r.URL))
	}
	if r.URL.Scheme != via[0].URL.Scheme || hostPort(r.URL) != hostPort(via[0].URL) {
		r.Header.Del("Authorization") // net/http takes it along to subdomains and other ports
	}
	return nil
}

// connect dials. A server must not make the station knock at the doors of its
// own local net: an address there has to be a mirror's own.
func (c *Client) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, done := context.WithTimeout(ctx, c.limits.Connect)
	defer done()
	conn, err := c.dial(ctx, network, address)
	if err != nil || c.own[address] {
		return conn, err
	}
	if to := conn.RemoteAddr().String(); !public(to) {
		conn.Close()
		return nil, fmt.Errorf("%w: redirected to %s, which is %s on the local net; name it in truechimer.toml if that is right", ErrRefused, address, to)
	}
	return conn, nil
}

// public says whether an address and port is one of the internet.
func public(address string) bool {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := a.Addr().Unmap()
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}

func (c *Client) connectTLS(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	conn, err := c.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ctx, done := context.WithTimeout(ctx, c.limits.Connect)
	defer done()
	t := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: roots, Time: c.now, MinVersion: tls.VersionTLS12})
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

// systemRoots are the system's certificate authorities, or, where it has
// none, Mozilla's.
func systemRoots() (*x509.CertPool, error) {
	if p, err := x509.SystemCertPool(); err == nil && !p.Equal(x509.NewCertPool()) {
		return p, nil
	}
	return bundledRoots()
}

func bundledRoots() (*x509.CertPool, error) {
	p := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("the certificate authorities: %w", err)
		}
		if root.Constraint != nil {
			p.AddCertWithConstraint(cert, root.Constraint)
		} else {
			p.AddCert(cert)
		}
	}
	return p, nil
}

// hostPort is what is dialled for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
