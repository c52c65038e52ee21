// Package network gives a station its addresses: on the first Ethernet link
// that has a carrier, or else on the first radio that has joined the Wi-Fi
// network it was told of, it asks for an IPv4 lease (RFC 2131), lets the kernel
// make IPv6 addresses from router advertisements (RFC 4862), and asks for more by
// DHCPv6 (RFC 8415) where they say so; it writes the resolvers of all of them
// (RFC 2132 section 3.8, RFC 8106, RFC 3646) into resolv.conf. Fixed addresses, routers
// and resolvers take the place of these. Where no lease comes, as on a cable
// between the station and a computer, it takes an IPv4 address of the link
// (RFC 3927) until one does.
//
// Settings can be changed while it runs, on trial: those from before come back
// unless the new ones are confirmed in time.
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
	"fmt"
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
	// Network is what is fixed instead of asked for.
	Network config.Network
	// Keep keeps settings that a person has confirmed, so that the next start has
	// them, and returns when a power cut cannot undo it. nil: nothing is kept.
	Keep func(Settings) error
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
	Lease6    *Lease6        // nil while there is none
	Fixed     []netip.Prefix // the fixed addresses that are in use
	Gateways  []netip.Addr   // the routers of fixed addresses, in use
	Routers6  []netip.Addr   // the routers that advertise themselves (RFC 4861), in use
	LinkLocal netip.Addr     // the IPv4 address of the link in use (RFC 3927); not valid: none
	Addresses []netip.Prefix // of the link, without tentative and failed ones
	DNS       []netip.Addr   // as written to resolv.conf

	only4 bool   // Reason is that there is no IPv4 yet, and no more
	six   string // what is wrong with IPv6; empty: nothing
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
	// direct is how long a lease may take before the station takes an address of
	// the link; 0: it takes none.
	direct time.Duration
	claim  claimTimes
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
		direct: 10 * time.Second, claim: usualClaim(),
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

	changed bell // rings when something about the links or the settings has changed

	trying sync.Mutex // before mu
	trial  *trial     // nil: none

	telling  sync.Mutex // one change at a time, from its making to OnChange's return
	mu       sync.Mutex
	state    State
	settings Settings
	turn     int // counts changes of settings
	rdnss    []netip.Addr
	written  []netip.Addr
	wrote    bool
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
	m.settings = Settings{Network: o.Network, Wifi: o.Wifi}
	m.state.Reason = "not started yet"
	return m
}

// State is the present state. Any goroutine may ask.
func (m *Manager) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.shown()
}

// shown is s for people: on a network of IPv6 alone nothing is missing that
// would have to be told, and on a cable to a computer they are told where the
// station is.
func (s State) shown() State {
	s = s.clone()
	switch {
	case s.only4 && s.wayOut6():
		s.Reason = ""
	case s.LinkLocal.IsValid() && s.Reason != "":
		s.Reason += fmt.Sprintf("; until then the station is at %s on this link", s.LinkLocal)
	}
	if s.six != "" {
		if s.Reason != "" {
			s.Reason += "; "
		}
		s.Reason += s.six
	}
	s.only4, s.six = false, ""
	return s
}

// WayOut says whether there are an address and a router beyond this net: one
// that the lease or a person names, or one that advertises itself beside an
// address of the internet.
func (s State) WayOut() bool {
	has := func(own netip.Addr) bool {
		return slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.Addr() == own })
	}
	if s.Lease != nil && s.Lease.Router.IsValid() && has(s.Lease.Address.Addr()) {
		return true
	}
	return s.gateway(true) || s.wayOut6()
}

// gateway says whether a fixed address of a family is there and has a router.
func (s State) gateway(four bool) bool {
	return slices.ContainsFunc(s.Gateways, func(g netip.Addr) bool { return g.Is4() == four }) &&
		slices.ContainsFunc(s.Fixed, func(p netip.Prefix) bool { return p.Addr().Is4() == four && slices.Contains(s.Addresses, p) })
}

func (s State) wayOut6() bool {
	return s.gateway(false) || len(s.Routers6) > 0 && slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool {
		a := p.Addr()
		return a.Is6() && a.IsGlobalUnicast() && !a.IsPrivate()
	})
}

func (s State) clone() State {
	s.Addresses = slices.Clone(s.Addresses)
	s.DNS = slices.Clone(s.DNS)
	s.Fixed = slices.Clone(s.Fixed)
	s.Gateways = slices.Clone(s.Gateways)
	s.Routers6 = slices.Clone(s.Routers6)
	if s.Lease6 != nil {
		l := *s.Lease6
		l.DNS = slices.Clone(l.DNS)
		s.Lease6 = &l
	}
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
	m.mu.Lock()
	before, fixed := m.state, m.settings.Network.DNS
	m.mu.Unlock()
	now := before.clone()
	f(&now, &m.rdnss)
	now.DNS = nil
	if now.Link != "" || fixed == nil {
		now.DNS = m.dns(&now, fixed)
	}
	if reflect.DeepEqual(before, now) && m.wrote {
		return
	}
	if !m.wrote || !slices.Equal(m.written, now.DNS) {
		m.writeResolvConf(now.DNS)
	}
	m.mu.Lock()
	m.state = now.clone()
	m.mu.Unlock()
	if now = now.shown(); now.Reason != before.shown().Reason && now.Reason != "" {
		m.log.Info("network: " + now.Reason)
	}
	if m.o.OnChange != nil {
		m.o.OnChange(now)
	}
}

// dns are the resolvers to ask: those that a person named, or else those of the
// network.
func (m *Manager) dns(s *State, fixed []netip.Addr) []netip.Addr {
	if fixed != nil {
		list := slices.Clone(fixed)
		for i, a := range list {
			if a.Is6() && a.IsLinkLocalUnicast() {
				list[i] = a.WithZone(s.Link)
			}
		}
		return list
	}
	var v4 []netip.Addr
	if s.Lease != nil {
		v4 = s.Lease.DNS
	}
	v6 := slices.Clone(m.rdnss)
	if s.Lease6 != nil {
		for _, a := range s.Lease6.DNS {
			if !slices.Contains(v6, a) {
				v6 = append(v6, a)
			}
		}
	}
	return resolvers(v4, v6)
}

func (m *Manager) reason(text string) {
	m.change(func(s *State, _ *[]netip.Addr) { s.Reason, s.only4 = text, false })
}

// reason6 says what IPv6 lacks; empty: nothing.
func (m *Manager) reason6(text string) {
	m.change(func(s *State, _ *[]netip.Addr) { s.six = text })
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
