// Package access decides who may change a station.
//
// Everybody may read its page. Who may change something is told by one password,
// which the first visitor from inside of the station's own network sets, or who
// knows the claim code of truechimer.toml, or truechimer.toml itself. It is only
// ever sent over TLS, with a certificate that the station made for itself, or by
// the host of a virtual machine over a VM socket.
//
// Everything a visitor sends is hostile until a session and a form's token say
// otherwise: sizes, times, tries and memory are bounded.
package access

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/web"
)

// Options is what New needs.
type Options struct {
	// Dir is where the password's hash and the certificate are kept, in files that
	// nobody else may read; empty: nothing outlasts the process.
	Dir string
	// Name is what the station is called on its page, Host on the network, a label
	// without .local behind it; empty: it has no name there.
	Name, Host string
	// Interfaces gives this machine's addresses with the length of their prefix.
	Interfaces func() ([]net.Addr, error)
	// OnTrial says whether these may go again in a moment, as a change of the network is
	// on trial: no certificate is made anew for such, or browsers would warn of it at the
	// address from before. nil: never.
	OnTrial func() bool
	// Plain: it runs as a program on somebody's computer, whose visitors also come
	// from there.
	Plain bool
	// Build is a date that has been.
	Build time.Time

	// Begin is the address that a new owner is led to; empty: the account's.
	Begin string

	Preset password.Hash // the password that truechimer.toml sets; zero: none
	Code   string        // claims the station from anywhere; empty: none does
	// Reset gives the file on the card that asks for the password to be forgotten;
	// fs.ErrNotExist where there is none, another error where the card cannot be
	// read. Nil: there is no card.
	Reset func() ([]byte, error)

	// Secure gives the address that the page is served at over TLS; nil while it is
	// not.
	Secure func() net.Addr
	// Tell is told what people should know of a topic; an empty text ends it. Nil:
	// nobody listens.
	Tell func(topic, text string)
	Log  *slog.Logger // nil: discarded
}

// Access is one station's. Its methods may be called at the same time.
type Access struct {
	options  Options
	template *template.Template
	style    string
	routes   map[string]func(*visit)
	public   map[string]http.Handler // need neither a session nor TLS
	foreign  *http.CrossOriginProtection
	forms    []byte // the key of their tokens; lasts as long as the process
	tries    limiter
	gate     gate

	mu       sync.Mutex // of what follows; held while the card is written to
	owner    owner
	damaged  bool // it was kept, and cannot be read
	sessions sessions

	unclaimed   atomic.Bool // what Claimable says
	certificate certificate
}

//go:embed assets
var assets embed.FS

// New reads what was kept. Nothing that it finds on the card is an error: of a
// password's hash that cannot be read it says so and lets nobody in.
func New(o Options) (*Access, error) {
	if o.Interfaces == nil || o.Secure == nil {
		return nil, errors.New("access: set Options.Interfaces and Options.Secure")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tell == nil {
		o.Tell = func(string, string) {}
	}
	if o.OnTrial == nil {
		o.OnTrial = func() bool { return false }
	}
	t, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("access: page template: %w", err)
	}
	style, err := assets.ReadFile("assets/access.css")
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	a := &Access{
		options: o, template: t, style: web.Address("access.css", style), foreign: http.NewCrossOriginProtection(),
		forms: make([]byte, 32), sessions: sessions{}, gate: newGate(),
	}
	rand.Read(a.forms) // never fails: it ends the process instead
	a.public = map[string]http.Handler{a.style: web.Asset(style, "text/css; charset=utf-8")}
	a.routes = map[string]func(*visit){
		pathClaim: a.claim, pathLogin: a.login, pathLost: a.lost,
		pathAccount:    a.required(a.account),
		pathPassword:   a.required(a.changePassword),
		pathLogout:     a.required(a.logout),
		pathEverywhere: a.required(a.logoutEverywhere),
	}
	a.certificate.load(o)
	a.load()
	return a, nil
}

// Handle serves h at a path for those who are logged in, and nobody else. It is
// called before the first request is served.
func (a *Access) Handle(path string, h http.Handler) {
	a.routes[path] = func(v *visit) { a.Require(h).ServeHTTP(v.w, v.r) }
}

// HandleOpen serves h at a path over TLS, also to those who are not logged in, as far
// as h lets them. Its forms carry a token like all others.
func (a *Access) HandleOpen(path string, h http.Handler) {
	a.routes[path] = func(v *visit) {
		if v.token() == "" {
			v.visitor = random()
			setCookie(v.w, cookieVisitor, v.visitor)
		}
		h.ServeHTTP(v.w, v.r)
	}
}

// Public serves a file of a page to everybody.
func (a *Access) Public(path string, h http.Handler) { a.public[path] = h }

// StyleSheet is the address of the style of forms.
func (a *Access) StyleSheet() string { return a.style }

// Handler serves what Handle was told of and the pages to claim the station and
// to log in and out, and hands all else on to next.
func (a *Access) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := a.public[r.URL.Path]; ok && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			web.Protect(w.Header(), r)
			h.ServeHTTP(w, r)
			return
		}
		route, ok := a.routes[r.URL.Path]
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		if v := a.enter(w, r); v != nil {
			route(v)
		}
	})
}

// Require lets only those who are logged in come to h, and of what could change
// something only what a form of the station's own sent, over TLS. Others are sent
// to log in. What was sent as a form has been read: h finds it in r.PostForm, and
// Token gives what its own forms must send as the field Field. A body of another
// kind is left for h to read and to bound; its token comes in the header Header, or,
// with files (multipart/form-data), as Field in the address that it is sent to.
func (a *Access) Require(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := r.Context().Value(visitKey{}).(*visit)
		if !ok {
			if v = a.enter(w, r); v == nil {
				return
			}
		}
		a.required(func(v *visit) { h.ServeHTTP(v.w, v.r) })(v)
	})
}

// Token is what a form that is shown in the answer to r must send as Field. It is
// empty outside of Require and of what HandleOpen serves.
func Token(r *http.Request) string {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v.token()
	}
	return ""
}

type (
	visitKey struct{}
	hostKey  struct{}
)

// FromHost marks a connection whose other end is the host of this virtual machine,
// which could read its memory anyhow: it needs no TLS, and may claim the station.
func FromHost(ctx context.Context) context.Context { return context.WithValue(ctx, hostKey{}, true) }

func fromHost(r *http.Request) bool { return r.Context().Value(hostKey{}) != nil }
