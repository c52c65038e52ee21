// Package network gives a station its addresses: on the first Ethernet link
// that has a carrier, or else on the first radio that has joined the Wi-Fi
// network it was told of, it asks for an IPv4 lease (RFC 2131) and lets the
// kernel make IPv6 addresses from router advertisements (RFC 4862); it writes
// the resolvers of both (RFC 2132 section 3.8, RFC 8106) into resolv.conf.
//
// A Wi-Fi network is joined by the kernel's nl80211: an open one, or one with a
// key where the radio does WPA2's exchange of keys by itself, as a Raspberry
// Pi's does. A radio that leaves it to a program beside the kernel
// (wpa_supplicant) joins open networks only, and State says so.
//
// Whatever comes from the network is bounded and checked before it is used.
// Nothing here gives up: a cable that is out, a server that is silent and a
// lease that ran out are states to show.
package network

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

// Options are what a Manager needs to know.
type Options struct {
	// ResolvConf is the path of resolv.conf. The file is replaced as a whole,
	// a symbolic link by a file; empty: it is left alone.
	ResolvConf string
	// Hostname is sent to the DHCP server; characters that host names lack are
	// left out. Empty: none is sent.
	Hostname string
	// Wifi is the network to join while no cable has a carrier; nil: none.
	Wifi *config.Wifi
	Log  *slog.Logger // nil: nothing is logged
	// OnChange is called with every new state, one call at a time, and must
	// return soon. nil: nobody is told.
	OnChange func(State)

	times *times // nil: the usual
}

// State is what there is to show.
type State struct {
	Link      string         // name of the link in use; empty while none has a carrier
	Reason    string         // for people: what it waits for or what failed last; empty when all is well
	Lease     *Lease         // nil while there is none
	Addresses []netip.Prefix // of the link, without tentative and failed ones
	DNS       []netip.Addr   // as written to resolv.conf
}

// Lease is what a DHCP server granted, checked.
type Lease struct {
	Address netip.Prefix
	Router  netip.Addr // not valid: none was given
	DNS     []netip.Addr
	Server  netip.Addr
	// From the start: when to renew, when to ask any server, when it ends.
	// The readings are monotonic, so that a step of the clock does not matter.
	Start, Renew, Rebind, End time.Time
	Forever                   bool // Renew, Rebind and End mean nothing
}

// times are how long things take; tests have shorter ones.
type times struct {
	reply      time.Duration // first wait for an answer, doubled for each of tries
	tries      int
	retry      time.Duration // first pause after a failure, doubled up to retryMost
	retryMost  time.Duration
	renewEvery time.Duration // least pause between two attempts to renew, RFC 2131 section 4.4.5
	leaseLeast time.Duration // a shorter lease is taken for one of this length
	look       time.Duration // between two looks at the links, should an event be lost
	jitter     func() float64
	// Of Wi-Fi: how long the radio's start, looking for networks, being let in,
	// the carrier after that and saying goodbye may take.
	radio, scan, join, carrier, leave time.Duration
}

func usual() *times {
	return &times{
		reply: 3 * time.Second, tries: 3,
		retry: 2 * time.Second, retryMost: time.Minute,
		renewEvery: time.Minute, leaseLeast: 2 * time.Minute,
		look:   10 * time.Second,
		jitter: rand.Float64,
		// A radio listens 0.1 s on each of up to 40 channels, more than once
		// where it shares its time; an access point that is loaded answers
		// within seconds.
		radio: 20 * time.Second, scan: 20 * time.Second, join: 15 * time.Second, carrier: 5 * time.Second, leave: time.Second,
	}
}

// Manager looks after the links of a station.
type Manager struct {
	o     Options
	times *times
	log   *slog.Logger

	telling sync.Mutex // one change at a time, from its making to OnChange's return
	mu      sync.Mutex
	state   State
	rdnss   []netip.Addr
	written []netip.Addr
	wrote   bool
}

// New makes a Manager; Run sets it to work.
func New(o Options) *Manager {
	m := &Manager{o: o, times: o.times, log: o.Log}
	if m.times == nil {
		m.times = usual()
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.o.Hostname = hostname(o.Hostname)
	m.state.Reason = "not started yet"
	return m
}

// State is the present state. Any goroutine may ask.
func (m *Manager) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone()
}

// WayOut says whether there are an address and a router beyond this net: one
// that the lease names, or one that has advertised an address of the internet.
func (s State) WayOut() bool {
	if s.Lease != nil && s.Lease.Router.IsValid() && slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.Addr() == s.Lease.Address.Addr() }) {
		return true
	}
	return slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool {
		a := p.Addr()
		return a.Is6() && a.IsGlobalUnicast() && !a.IsPrivate()
	})
}

func (s State) clone() State {
	s.Addresses = slices.Clone(s.Addresses)
	s.DNS = slices.Clone(s.DNS)
	if s.Lease != nil {
		l := *s.Lease
		l.DNS = slices.Clone(l.DNS)
		s.Lease = &l
	}
	return s
}

// change applies f, brings resolv.conf in line and tells of what changed.
func (m *Manager) change(f func(s *State, rdnss *[]netip.Addr)) {
	m.telling.Lock()
	defer m.telling.Unlock()

	// Nobody else writes the state. It is shown once the file is as it says.
	before := m.State()
	now := before.clone()
	f(&now, &m.rdnss)
	var v4 []netip.Addr
	if now.Lease != nil {
		v4 = now.Lease.DNS
	}
	now.DNS = resolvers(v4, m.rdnss)
	if reflect.DeepEqual(before, now) && m.wrote {
		return
	}
	if !m.wrote || !slices.Equal(m.written, now.DNS) {
		m.writeResolvConf(now.DNS)
	}
	m.mu.Lock()
	m.state = now.clone()
	m.mu.Unlock()
	if now.Reason != before.Reason && now.Reason != "" {
		m.log.Info("network: " + now.Reason)
	}
	if m.o.OnChange != nil {
		m.o.OnChange(now)
	}
}

func (m *Manager) reason(text string) {
	m.change(func(s *State, _ *[]netip.Addr) { s.Reason = text })
}

// writeResolvConf is called with telling held. After an error the next change
// tries again.
func (m *Manager) writeResolvConf(dns []netip.Addr) {
	m.wrote, m.written = true, dns
	if m.o.ResolvConf == "" {
		return
	}
	if err := writeFile(m.o.ResolvConf, renderResolvConf(dns)); err != nil {
		m.wrote = false
		m.log.Error("network: the resolvers could not be written; names will not resolve", "err", err)
	}
}
