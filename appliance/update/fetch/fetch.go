// Package fetch reads files from static web servers that are taken for
// hostile: what a call costs in bytes, time and memory is known before it
// begins, whatever the other side does.
//
// A repository may lie on several servers, its mirrors. A call tries them in
// turn, first the one that worked last; what none of them has is an error
// that wraps [fs.ErrNotExist]. Nothing that comes is trusted: who calls
// verifies it, and says [Client.Next] when it did not verify, so that the
// next call begins with another mirror.
//
// A [Document] is one file of one server that nobody verifies: there, the
// server and the way to it are all that vouches for it.
//
// It speaks HTTP/1.1 (RFC 9112), asks for no compression and takes none, uses
// no proxy, keeps no cookies, and sends nothing that tells stations apart.
package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Errors that calls wrap. A file that no mirror has is [fs.ErrNotExist].
var (
	// ErrTooLarge says that the file is longer than the caller allows.
	ErrTooLarge = errors.New("the file is longer than it may be")
	// ErrSlow says that the server sent nothing for too long, or too little.
	ErrSlow = errors.New("the server is too slow")
	// ErrRefused says that the answer is one that this package does not take,
	// such as a redirect from https to http, a compressed body or a wrong range.
	ErrRefused = errors.New("the server's answer is refused")
)

// Limits bound one call. Zero fields are those of [DefaultLimits].
type Limits struct {
	Connect time.Duration // name and TCP, then again TLS
	Header  time.Duration // from the request to the answer's header, redirects included
	Idle    time.Duration // without one byte of the body
	// Window is the time waited for the body in which at least Rate bytes per
	// second have to come, so that a whole one takes at most its size by Rate,
	// and Window, and Idle. Only waiting for the server counts, not what the
	// caller does meanwhile.
	Window    time.Duration
	Rate      int64         // bytes per second
	Redirects int           // in a row
	Pause     time.Duration // before another mirror is tried: random, less than this
}

// DefaultLimits are for an appliance that nobody waits for.
var DefaultLimits = Limits{
	Connect: 20 * time.Second, Header: 60 * time.Second, Idle: 30 * time.Second,
	Window: 30 * time.Second, Rate: 2 << 10, Redirects: 5, Pause: 2 * time.Second,
}

func (l *Limits) fill() {
	d := DefaultLimits
	for field, value := range map[*time.Duration]time.Duration{
		&l.Connect: d.Connect, &l.Header: d.Header, &l.Idle: d.Idle, &l.Window: d.Window, &l.Pause: d.Pause,
	} {
		if *field <= 0 {
			*field = value
		}
	}
	if l.Rate <= 0 {
		l.Rate = d.Rate
	}
	if l.Redirects <= 0 {
		l.Redirects = d.Redirects
	}
}

// MaxBases is how many mirrors a client takes.
const MaxBases = 8

// Options say how a Client works.
type Options struct {
	// Bases are the mirrors, 1 to MaxBases: absolute http or https URLs of
	// directories, in ASCII, without user, query or fragment.
	Bases  []string
	Limits Limits
	// Dial connects; nil: a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the time that certificates are judged by; nil: time.Now. Where
	// the clock may be unset it is the update's reference time.
	Now func() time.Time
	// Roots are the certificate authorities; nil: the system's, or Mozilla's
	// as Go ships them where the system has none, as in an image.
	Roots *x509.CertPool
	Log   *slog.Logger // nil: none
}

// Client reads from the mirrors of one repository. Its methods may be called
// concurrently.
type Client struct {
	bases  []string // each ends in a slash
	own    map[string]bool
	limits Limits
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	now    func() time.Time
	roots  func() (*x509.CertPool, error)
	log    *slog.Logger
	http   *http.Client
	// strict is for what nothing but the way it came by vouches for, see Document.
	strict bool

	mu    sync.Mutex
	first int // index of the base that calls begin with
	seen  []entry
}

// New makes a client. It contacts nobody.
func New(o Options) (*Client, error) {
	if len(o.Bases) < 1 || len(o.Bases) > MaxBases {
		return nil, fmt.Errorf("%d update URLs: give 1 to %d", len(o.Bases), MaxBases)
	}
	c := &Client{own: map[string]bool{}, limits: o.Limits, dial: o.Dial, now: o.Now, log: o.Log, roots: sync.OnceValues(systemRoots)}
	c.limits.fill()
	for _, b := range o.Bases {
		u, err := parseBase(b)
		if err != nil {
			return nil, err
		}
		c.bases = append(c.bases, u.String())
		c.own[hostPort(u)] = true
	}
	if c.dial == nil {
		c.dial = new(net.Dialer).DialContext
	}
	if c.now == nil {
		c.now = time.Now
	}
	if o.Roots != nil {
		c.roots = func() (*x509.CertPool, error) { return o.Roots, nil }
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.http = c.newHTTP()
	return c, nil
}

// parseBase reads a mirror's URL and ends it in a slash.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("update URL: %w", err)
	}
	ascii := !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !ascii {
		return nil, fmt.Errorf("update URL %q: write http:// or https://, a name and a path, in ASCII, and nothing else", u.Redacted())
	}
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	return u, nil
}

// Mirrors is how many mirrors there are.
func (c *Client) Mirrors() int { return len(c.bases) }

// Next says that what came last did not verify: the next call begins with the
// mirror that follows.
func (c *Client) Next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = (c.first + 1) % len(c.bases)
}

// Close closes idle connections. The client may be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }
