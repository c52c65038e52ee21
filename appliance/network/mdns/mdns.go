// Package mdns makes a station findable on its link without a name server: it
// answers for its name below .local (multicast DNS, RFC 6762) and lists its pages
// (DNS-SD, RFC 6763), over IPv4 and IPv6.
//
// A name is asked for before it is used, defended, and changed where somebody
// else has it. Only who is on the link is answered; the same thing is not said to
// all more than once a second, and no more than a few packets a second leave
// whatever comes in.
package mdns

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Service is one that DNS-SD lists.
type Service struct {
	Type string   // such as "_http._tcp"
	Port uint16   // of TCP or UDP, as Type says
	Text []string // "key=value", each up to 255 bytes, RFC 6763 section 6
}

// Options are what a Responder tells.
type Options struct {
	// Host is the name wanted, a label of RFC 1123 without .local.
	Host string
	// Instance is what people see in a list of services; empty: Host.
	Instance string
	Services []Service
	Log      *slog.Logger // nil: nothing is logged
	// OnName is called with the name in use, such as "attic.local", and with ""
	// while there is none. It must return soon. nil: nobody is told.
	OnName func(string)
}

// Link is where a Responder answers.
type Link struct {
	Name      string // of the interface; empty: there is none
	Addresses []netip.Prefix
}

// Responder answers on one link.
type Responder struct {
	o   Options
	log *slog.Logger

	mu   sync.Mutex
	link Link
	news chan struct{} // closed at the next change of link
}

// New makes a Responder; Run sets it to work.
func New(o Options) *Responder {
	r := &Responder{o: o, log: o.Log, news: make(chan struct{})}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if o.Instance == "" {
		r.o.Instance = o.Host
	}
	return r
}

// maxAddresses bounds how many addresses are told.
const maxAddresses = 8

// SetLink says where to answer and with which addresses. Any goroutine may call.
func (r *Responder) SetLink(l Link) {
	l.Addresses = slices.Clone(l.Addresses[:min(len(l.Addresses), maxAddresses)])
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.Name == r.link.Name && slices.Equal(l.Addresses, r.link.Addresses) {
		return
	}
	r.link = l
	close(r.news)
	r.news = make(chan struct{})
}

func (r *Responder) at() (Link, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link, r.news
}

// The pause after the sockets failed.
const (
	retryLeast = 2 * time.Second
	retryMost  = time.Minute
)

// Run answers until ctx ends, then takes leave of the link and returns nil. It
// returns an error at once where Host is no label.
func (r *Responder) Run(ctx context.Context) error {
	if !label(r.o.Host) {
		return errors.New("mdns: the host name " + strings.ToValidUTF8(r.o.Host, "?") + " is none; write letters, digits and hyphens")
	}
	pause := retryLeast
	for ctx.Err() == nil {
		link, news := r.at()
		if link.Name == "" || len(link.Addresses) == 0 {
			select {
			case <-ctx.Done():
			case <-news:
			}
			continue
		}
		err := r.session(ctx, link.Name)
		r.tell("")
		if err == nil {
			pause = retryLeast
			continue
		}
		r.log.Warn("mdns: the station's name is not told on this link; trying again", "link", link.Name, "err", err)
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
		pause = min(2*pause, retryMost)
	}
	return nil
}

func (r *Responder) tell(name string) {
	if r.o.OnName != nil {
		r.o.OnName(name)
	}
}

// session answers on one link until it changes, has no addresses or ctx ends:
// nil then.
func (r *Responder) session(ctx context.Context, name string) error {
	s, err := openSockets(name)
	if err != nil {
		return err
	}
	defer s.close()
	e := newEngine(r.o, s.send, rand.Float64)
	e.named = r.tell
	link, news := r.at()
	if link.Name != name {
		return nil // it changed meanwhile
	}
	e.addresses(time.Now(), link.Addresses)
	for {
		t := time.NewTimer(time.Until(e.tick(time.Now())))
		select {
		case <-ctx.Done():
			t.Stop()
			e.goodbye()
			return nil
		case <-news:
			if link, news = r.at(); link.Name != name || len(link.Addresses) == 0 {
				t.Stop()
				e.goodbye() // where the link is lost it goes nowhere
				return nil
			}
			e.addresses(time.Now(), link.Addresses)
		case p, ok := <-s.packets:
			if !ok {
				t.Stop()
				return s.err
			}
			e.packet(time.Now(), p.from, p.b)
		case <-t.C:
		}
		t.Stop()
	}
}

// label says whether s is one of RFC 1123 section 2.1.
func label(s string) bool {
	ok := len(s) > 0 && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-'
	for _, r := range s {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	}
	return ok
}

// instanceLabel makes one label of what people call a service, with room for a
// number behind it.
func instanceLabel(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '.': // golang.org/x/net/dns/dnsmessage keeps no dots in labels
			return '-'
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	const most = 63 - len(" (9999)")
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
