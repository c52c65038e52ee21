package monitor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/monitor/address"
)

// ownEvery is how often Config.Own is asked.
const ownEvery = time.Minute

// caution says why a target is not convicted, see Target.Caution. own are this
// station's addresses.
//
// A name that everybody may look up, but that leads inside here, may lead
// others elsewhere: the resolver has two minds (split DNS), or is a captive
// portal's, or lies. And behind one's own router a server under the router's
// public address is met by a turn back (hairpin) that many routers do badly or
// not at all. Neither the silence nor the time of who answers there proves
// anything of the server that others know by this name. A person who means what
// is there writes its address.
func (t Target) caution(own []netip.Addr) string {
	addr, host := t.Addr.Addr(), t.Server.Host
	_, err := netip.ParseAddr(host)
	literal := err == nil
	switch {
	case literal && !t.Server.Remote:
		return "" // its owner's word
	case slices.Contains(own, addr):
		return fmt.Sprintf("%s is an address of this station's own network: what comes back from there is not what others see of the server", addr)
	case !literal && everybodys(host) && address.Inside(addr):
		return fmt.Sprintf("here the name %s leads to %s, inside of this network: others may meet another server by it; if this one is meant, write its address into truechimer.toml", host, addr)
	}
	return ""
}

// everybodys says whether a name is one of the internet's, not one that by
// custom or by standard each network has for itself.
func everybodys(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return false
	}
	for _, own := range []string{
		"local",     // RFC 6762
		"localhost", // RFC 6761
		"home.arpa", // RFC 8375
		"internal",  // ICANN's resolution 2024.07.29.06
		// RFC 6762 appendix G, and what routers of homes do.
		"intranet", "private", "corp", "home", "lan", "localdomain", "fritz.box",
	} {
		if host == own || strings.HasSuffix(host, "."+own) {
			return false
		}
	}
	return true
}

// shown is what becomes of a verdict on t.
func (t Target) shown(v Verdict) Verdict {
	if t.Caution == "" || v == OK || v == Doubtful {
		return v
	}
	return NotJudged
}

// cautious takes back a conviction that nothing proves, and says why.
func (r *Result) cautious() {
	if r.Target.Caution == "" {
		return
	}
	if v := r.Target.shown(r.Verdict); v != r.Verdict {
		r.Reason = fmt.Sprintf("it would be %s (%s), but ", r.Verdict, orElse(r.Reason, "no reason"))
		r.Verdict = v
	} else if r.Reason != "" {
		r.Reason += "; "
	}
	r.Reason += r.Target.Caution
}

// learnOwn asks for the station's own addresses from time to time.
func (m *Monitor) learnOwn(now time.Time) {
	if m.cfg.Own == nil || !m.ownAt.IsZero() && now.Sub(m.ownAt) < ownEvery {
		return
	}
	own := m.cfg.Own()
	m.ownAt = now
	if slices.Equal(own, m.own) {
		return
	}
	m.own = slices.Clone(own)
	for _, s := range m.servers {
		m.warn(s)
	}
}

// warn brings the cautions of a server's targets up to date.
func (m *Monitor) warn(s *server) {
	for _, t := range s.targets {
		if t == nil {
			continue
		}
		c := s.astray
		if c == "" {
			c = t.target().caution(m.own)
		}
		if c != t.judge.target.Caution {
			t.judge.target.Caution = c
			m.show(t.result())
		}
	}
}
