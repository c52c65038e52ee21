package monitor

import (
	"container/heap"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/monitor/address"
)

const (
	// DefaultPort is NTP's.
	DefaultPort = 123

	maxServers     = 10_240 // ten thousand of a list, and those of the station's owner
	maxHost        = 253    // characters of a name, RFC 1035
	lookupTimeout  = 10 * time.Second
	lookAgainEvery = time.Hour        // the TTL is not known through Resolver
	lookAgainSoon  = 5 * time.Minute  // while the address does not answer
	retryFirst     = 5 * time.Second  // after a look-up that failed, doubled
	retryLast      = 10 * time.Minute // at the most
)

// server is one assignment and what it is reached at.
type server struct {
	Server
	literal   bool
	targets   [2]*target // IPv4, IPv6
	looking   bool
	lookAt    time.Time // next look-up
	lookedAt  time.Time
	fails     int
	gone      bool
	unreached bool   // shown under its own name, for want of an address
	astray    string // why the name's present addresses are not asked; empty: they are
}

type resolution struct {
	s     *server
	addrs []netip.Addr
	err   error
}

// assign brings the servers being asked in line with the list. A server that
// stays the same, or changes only its limit or interval, goes on undisturbed.
func (m *Monitor) assign(list []Server, now time.Time) {
	if len(list) > maxServers {
		m.cfg.Log.Warn("too many servers assigned, the last ones are left out", "assigned", len(list), "asked", maxServers)
		list = list[:maxServers]
	}
	wanted := make(map[string]Server, len(list))
	perSecond := 0.0
	for _, s := range list {
		s = s.withDefaults()
		if _, twice := wanted[s.Name]; twice {
			m.cfg.Log.Warn("two servers of one name assigned, the second is left out", "server", s.Name, "host", s.Host)
			continue
		}
		wanted[s.Name] = s
		perSecond += 1 / s.Interval.Seconds()
	}
	if perSecond > float64(m.cfg.Rate) {
		m.cfg.Log.Warn("more requests assigned than the station may send, they will come less often",
			"per_second", perSecond, "at_most", m.cfg.Rate)
	}
	for name, s := range m.servers {
		w, ok := wanted[name]
		// Who names it decides where it may lead.
		if !ok || w.Host != s.Host || w.Port != s.Port || w.Remote != s.Remote {
			m.drop(s)
		}
	}
	for name, w := range wanted {
		if s := m.servers[name]; s != nil {
			m.change(s, w, now)
			continue
		}
		m.servers[name] = m.newServer(w, now)
	}
}

func (m *Monitor) newServer(w Server, now time.Time) *server {
	s := &server{Server: w, lookAt: now}
	m.lookNext = now
	if addr, err := netip.ParseAddr(w.Host); err == nil {
		s.literal = true
		if why := w.refuses(addr); why != "" {
			m.cannotAsk(s, why)
			return s
		}
		m.join(s, addr, s.Name, now)
		return s
	}
	switch {
	case w.Host == "" || len(w.Host) > maxHost:
		s.literal = true // nothing to look up
		m.cannotAsk(s, fmt.Sprintf("a host name of %d characters; it takes 1 to %d", len(w.Host), maxHost))
	case m.cfg.Resolver == nil:
		s.literal = true
		m.cannotAsk(s, "names cannot be resolved here: give an address")
	default:
		m.cannotAsk(s, "the name is being resolved")
	}
	return s
}

// change takes a new limit or interval.
func (m *Monitor) change(s *server, w Server, now time.Time) {
	if s.Server == w {
		return
	}
	s.Server = w
	if s.unreached {
		m.mu.Lock()
		r := m.shown[s.Name]
		r.Target.Server = w
		m.shown[s.Name] = r
		m.mu.Unlock()
	}
	for _, t := range s.targets {
		if t == nil {
			continue
		}
		t.setServer(w)
		t.plan.setInterval(t.target().Addr.Addr(), w.Interval)
		if latest := now.Add(t.plan.interval); t.index >= 0 && !t.plan.denied && latest.Before(t.plan.due) && t.plan.interval == t.plan.asked {
			t.plan.due = latest
			heap.Fix(&m.due, t.index)
		}
		m.show(t.result())
	}
}

func (m *Monitor) drop(s *server) {
	s.gone = true
	delete(m.servers, s.Name)
	for _, t := range s.targets {
		if t != nil {
			m.leave(t)
		}
	}
	m.hideServer(s)
}

// join starts asking an address.
func (m *Monitor) join(s *server, addr netip.Addr, id string, now time.Time) {
	for n := 2; m.ids[id]; n++ {
		id = s.Name + "/" + strconv.Itoa(n)
	}
	m.hideServer(s)
	m.ids[id] = true
	what := Target{ID: id, Server: s.Server, Addr: netip.AddrPortFrom(addr, s.Port)}
	what.Caution = what.caution(m.own)
	p := m.paces[paceKey(what.Addr)]
	if p == nil {
		p = newPace(addr)
		m.paces[paceKey(what.Addr)] = p
	}
	p.users++
	t := &target{
		judge: *newJudge(what),
		plan:  newPlan(id, addr, s.Interval, now),
		pace:  p,
		from:  s,
		ways:  waysTo(addr),
	}
	m.slowDown(t, now)
	s.targets[family(addr)] = t
	m.side.joined(t)
	m.nearby.joined(t)
	heap.Push(&m.due, t)
	if d, ok := m.denials[what.Addr]; ok {
		m.spare(t, d)
	}
	m.show(t.result())
}

// leave stops asking an address; an exchange in flight is forgotten.
func (m *Monitor) leave(t *target) {
	what := t.target()
	t.gone = true
	t.pace.users--
	t.from.targets[family(what.Addr.Addr())] = nil
	if t.index >= 0 {
		heap.Remove(&m.due, t.index)
	}
	m.side.left(t, m.judged)
	m.forgetPath(t)
	m.nearby.left(t)
	delete(m.ids, what.ID)
	m.hide(what.ID)
}

// cannotAsk shows a server that there is no address of.
func (m *Monitor) cannotAsk(s *server, why string) {
	s.unreached = true
	m.show(Result{Target: Target{ID: s.Name, Server: s.Server}, Verdict: NotJudged, Reason: why})
}

func (m *Monitor) hideServer(s *server) {
	if s.unreached {
		s.unreached = false
		m.hide(s.Name)
	}
}

// resolve starts the look-ups that are due.
func (m *Monitor) resolve(ctx context.Context, now time.Time) {
	if m.lookups >= maxLookups || m.lookNext.After(now) {
		return
	}
	next := now.Add(lookAgainEvery)
	for _, s := range m.servers {
		if s.literal || s.looking {
			continue
		}
		if s.lookAt.After(now) {
			if s.lookAt.Before(next) {
				next = s.lookAt
			}
			continue
		}
		s.looking = true
		m.lookups++
		go m.lookup(ctx, s, s.Host)
		if m.lookups >= maxLookups {
			return // and others may be due
		}
	}
	m.lookNext = next
}

// planLook plans the next look-up of a name.
func (m *Monitor) planLook(s *server, at time.Time) {
	s.lookAt = at
	if at.Before(m.lookNext) {
		m.lookNext = at
	}
}

func (m *Monitor) lookup(ctx context.Context, s *server, host string) {
	r := resolution{s: s}
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("the resolver failed: %v", p)
		}
		m.resolved <- r
	}()
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	r.addrs, r.err = m.cfg.Resolver.LookupNetIP(ctx, "ip", host)
}

// learned takes what a look-up found: the first address of each family that
// may be asked. An address still among those found is kept, whatever its
// place; one of a family that is no longer found is kept while it answers.
func (m *Monitor) learned(r resolution, now time.Time) {
	s := r.s
	s.looking, s.lookedAt = false, now
	if s.gone {
		return
	}
	var first [2]netip.Addr
	why := ""
	for i, a := range r.addrs {
		a = a.Unmap()
		r.addrs[i] = a
		if bad := s.refuses(a); bad != "" {
			why = bad
		} else if f := family(a); !first[f].IsValid() {
			first[f] = a
		}
	}
	if !first[0].IsValid() && !first[1].IsValid() {
		if r.err == nil {
			m.ledAstray(s, why)
		}
		m.notResolved(s, r.err, why, now)
		return
	}
	s.fails, s.astray = 0, ""
	m.planLook(s, now.Add(jitter(lookAgainEvery, m.cfg.Rand)))
	both := first[0].IsValid() && first[1].IsValid() && s.targets == [2]*target{}
	for f, t := range s.targets {
		id := s.Name
		if both || s.targets[1-f] != nil {
			id += "/" + [2]string{"ipv4", "ipv6"}[f]
		}
		switch {
		case t == nil:
		case slices.Contains(r.addrs, t.target().Addr.Addr()):
			continue
		case first[f].IsValid() || t.now.fail.lost >= failuresForFault:
			id = t.target().ID
			m.leave(t)
		}
		if first[f].IsValid() {
			m.join(s, first[f], id, now)
		}
	}
	m.warn(s)
}

// ledAstray takes note that a name leads nowhere that may be asked any more, for
// the reason why. What it led to before is asked on while it answers, and is not
// convicted: it may have nothing to do with the name now. Whoever rules the name
// can thus neither send the station elsewhere nor have a server blamed.
func (m *Monitor) ledAstray(s *server, why string) {
	s.astray = "the name " + s.Host + " leads nowhere any more that may be asked, and this is where it led before"
	if why != "" {
		s.astray += "; now " + why
	}
	for _, t := range s.targets {
		if t != nil && t.now.fail.lost >= failuresForFault {
			m.leave(t)
		}
	}
	m.warn(s)
}

// notResolved plans another look-up, and says so where there is no address
// from an earlier one to go on with.
func (m *Monitor) notResolved(s *server, err error, why string, now time.Time) {
	wait := min(retryFirst<<min(s.fails, 10), retryLast)
	s.fails++
	m.planLook(s, now.Add(jitter(wait, m.cfg.Rand)))
	finding := LookupFinding(err, why != "")
	switch {
	case err != nil:
		why = err.Error()
	case why == "":
		why = "it has no address"
	}
	if len(why) > maxDetail {
		why = strings.ToValidUTF8(why[:maxDetail], "")
	}
	if s.targets != [2]*target{} {
		m.cfg.Log.Warn("name not resolved, going on with the last addresses", "server", s.Name, "host", s.Host, "error", why)
		return
	}
	if err == nil {
		m.cannotAsk(s, "the name "+s.Host+" leads nowhere that may be asked: "+why)
	} else {
		m.cannotAsk(s, "this station could not resolve the name "+s.Host+": "+why)
	}
	x := Exchange{Target: s.Name, Outcome: OutcomeResolveError, Finding: finding, Detail: why, Mono: m.mono(now)}
	x.Diff = now.UnixNano() - x.Mono
	m.mu.Lock()
	r := m.shown[s.Name]
	m.mu.Unlock()
	m.put(x, r)
}

// lookAgain asks for the address of a target that has stopped answering.
func (m *Monitor) lookAgain(t *target, now time.Time) {
	s := t.from
	if s.literal || s.looking || t.now.fail.lost < failuresForFault {
		return
	}
	if at := s.lookedAt.Add(lookAgainSoon); at.Before(s.lookAt) {
		m.planLook(s, at)
	}
}

// withDefaults fills in what is not said and drops what makes no sense.
func (s Server) withDefaults() Server {
	s.Host = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s.Host), "["), "]")
	if addr, err := netip.ParseAddr(s.Host); err == nil {
		s.Host = addr.Unmap().String()
	} else {
		s.Host = strings.ToLower(s.Host) // RFC 4343: the same name
	}
	if s.Port == 0 {
		s.Port = DefaultPort
	}
	if !finite(s.Limit) || s.Limit == 0 {
		s.Limit = DefaultLimit
	}
	if s.Interval <= 0 {
		s.Interval = DefaultInterval
	}
	return s
}

// refuses says why an address is not asked for this server; empty when it may be.
func (s Server) refuses(addr netip.Addr) string {
	if s.Remote {
		return address.RefusedFromAfar(addr)
	}
	return address.Refused(addr)
}

// family is 0 for IPv4, 1 for IPv6.
func family(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}
