package monitor

import (
	"container/heap"
	"net/netip"
	"time"
)

const (
	// minBlackout is how many targets must be silent together before the
	// station suspects itself: two servers may be down by chance, or be one
	// machine.
	minBlackout = 3
	// minLosses is how many requests must have gone unanswered by then: where
	// few servers answer at all, the next packet lost is no blackout.
	minLosses = 3
)

// way is how targets are reached. A fault of the station's may cut off one way
// and leave the others: its own IPv6, or the uplink while the local network
// goes on.
type way uint8

const (
	everywhere way = iota
	internet
	local
	internet4
	internet6
	local4
	local6
	numWays
)

// cutOff is why the silence of all targets on a way is not theirs, and what
// would settle it.
func (w way) cutOff() string {
	who := [numWays]string{
		"nothing", "nothing on the internet", "nothing on the local network",
		"nothing on the internet over IPv4", "nothing on the internet over IPv6",
		"nothing on the local network over IPv4", "nothing on the local network over IPv6",
	}[w]
	return who + " answers: the fault is probably on this station's side; one more server there, which does answer, would settle it"
}

// waysTo are the ways on which an address lies, the narrowest first.
func waysTo(addr netip.Addr) [3]way {
	w := [3]way{internet4, internet, everywhere}
	if !public(addr) {
		w = [3]way{local4, local, everywhere}
	}
	if !addr.Unmap().Is4() {
		w[0]++
	}
	return w
}

// station decides whether silence is the servers' fault or the station's own.
//
// A request that nothing answers is open until something else tells. Then
// either another target on the same way replies, which shows that the station's
// own network works: the failure counts, but all failures of a target since the
// last such reply only once, as one outage may explain them. Or every target
// that was answering turns out to be silent, and there are enough of them: then
// the failures are the station's and count for nobody, those of servers that
// had been silent before included.
//
// The way is the narrowest with targets enough to tell. Two targets never are:
// their silence is their own. But before anything at all has answered over a
// way, nothing is known of the station's own side of it, and the silence of
// even a single target says nothing.
//
// What this cannot see: an outage beyond the station that cuts off some targets
// of a way and not others. Those are unreachable from here indeed.
type station struct {
	suspects map[*target]int // requests lost since somebody on its way answered
	tally    [numWays]tally
}

// tally is what is known of the targets on one way.
type tally struct {
	targets   int
	answering int  // that answered lately
	heard     bool // any of them ever answered
}

// scope is the way whose other targets can tell whether t's silence is its own.
func (s *station) scope(t *target) (w way, ok bool) {
	if w = t.ways[0]; !s.tally[w].heard {
		return w, true
	}
	for _, w = range t.ways {
		if s.tally[w].targets >= minBlackout {
			return w, true
		}
	}
	return 0, false
}

// mayBeOurs says whether a failure has to stay open.
func (s *station) mayBeOurs(t *target, o Outcome) bool {
	_, ok := s.scope(t)
	return ok && silent(o)
}

// heard takes the outcome of an exchange that t has judged already; decide is
// called for every target whose open failures are now known for what they are,
// void being empty if they are the target's own.
func (s *station) heard(t *target, o Outcome, decide func(t *target, void string)) {
	switch {
	case o == OutcomeStray && t.now.fail.strays >= failuresForFault:
		// As good as a reply: three packets that found our port by chance
		// are not to be expected.
		s.suspects[t]++
		s.reply(t, true, decide)
	case o == OutcomeSendError || silent(o):
		s.silence(t, decide)
	case o == OutcomeResolveError || o == OutcomeInternal || o == OutcomeClockStepped:
	default:
		// Who refuses to serve is asked so rarely that waiting for it to fail
		// would keep the rule from ever applying.
		s.reply(t, o != OutcomeDenied && o != OutcomeRateLimited && o != OutcomeRefused, decide)
	}
}

func (s *station) silence(t *target, decide func(t *target, void string)) {
	s.suspects[t]++
	if _, ok := s.scope(t); !ok {
		s.settle(t, decide)
		return
	}
	for _, w := range t.ways {
		if !s.blackout(w) {
			continue
		}
		for u := range s.suspects {
			if sc, ok := s.scope(u); ok && sc == w {
				decide(u, w.cutOff())
			}
		}
	}
}

// blackout says that nobody on a way answers any more, or ever has.
func (s *station) blackout(w way) bool {
	all := &s.tally[w]
	waitFor := all.answering
	if !all.heard {
		waitFor = all.targets
	}
	lost := 0
	for u, n := range s.suspects {
		if u.on(w) && (u.answering || !all.heard) {
			waitFor--
			lost += n
		}
	}
	return waitFor <= 0 && lost >= minLosses
}

// reply acquits the station of the failures on the ways to t.
func (s *station) reply(t *target, answering bool, decide func(t *target, void string)) {
	for _, w := range t.ways {
		s.tally[w].heard = true
	}
	s.setAnswering(t, answering)
	for u := range s.suspects {
		if w, ok := s.scope(u); !ok || t.on(w) {
			s.settle(u, decide)
		}
	}
}

// settle counts the failures of t.
func (s *station) settle(t *target, decide func(t *target, void string)) {
	delete(s.suspects, t)
	decide(t, "")
	if t.now.fail.fault != "" {
		s.setAnswering(t, false)
	}
}

func (s *station) setAnswering(t *target, yes bool) {
	if t.answering == yes {
		return
	}
	t.answering = yes
	for _, w := range t.ways {
		if yes {
			s.tally[w].answering++
		} else {
			s.tally[w].answering--
		}
	}
}

func (s *station) joined(t *target) {
	for _, w := range t.ways {
		s.tally[w].targets++
	}
}

func (s *station) left(t *target, decide func(t *target, void string)) {
	s.setAnswering(t, false)
	delete(s.suspects, t)
	for _, w := range t.ways {
		s.tally[w].targets--
	}
	for u := range s.suspects {
		if _, ok := s.scope(u); !ok {
			// Too few are left to tell, and it is too late to ask.
			delete(s.suspects, u)
			decide(u, undecided)
		}
	}
}

func (t *target) on(w way) bool { return t.ways[0] == w || t.ways[1] == w || t.ways[2] == w }

// silent is an outcome that a dead link of the station's gives as well.
func silent(o Outcome) bool {
	return o == OutcomeTimeout || o == OutcomeUnreachable || o == OutcomeStray
}

// callWitness asks a target earlier whose answer tells whether t's silence is
// its own, if nobody is to be asked before t is again: two failures without an
// answer in between are evidence of one only.
func (m *Monitor) callWitness(t *target, now time.Time) {
	w, ok := m.side.scope(t)
	if !ok || m.side.suspects[t] == 0 || t.now.fail.fault != "" {
		return
	}
	var best *target
	for _, u := range m.due {
		if u.answering && m.side.suspects[u] == 0 && u.on(w) && !u.plan.denied && u.plan.interval == u.plan.asked &&
			(best == nil || u.plan.due.Before(best.plan.due)) {
			best = u
		}
	}
	if best != nil && best.plan.due.After(t.plan.due) {
		best.plan.due = now
		heap.Fix(&m.due, best.index)
	}
}
