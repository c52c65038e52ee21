package monitor

// minBlackout is how many targets must fail together before the station
// suspects itself: two servers may be down by chance, or be one machine.
const minBlackout = 3

// station decides whether silence is the servers' fault or the station's own.
//
// A request that fails is open until something else tells: any reply from any
// target shows that the station's own network works, and the failure counts;
// when every target that was answering has failed since the last reply, and
// they are three or more, the failures are the station's and count for nobody.
// Before the first reply of all, every target is one that should answer.
//
// It is thin: targets that share a link beyond the station (one LAN server
// answering keeps the rule from applying to all of the internet) are not told
// apart, and the rule waits until the slowest target has been asked.
type station struct {
	suspects  map[*target]bool // failed since the last reply from anybody
	heardAny  bool
	answering int // targets that answered lately, once heardAny
	targets   int
}

// should is how many targets are expected to answer.
func (s *station) should() int {
	if s.heardAny {
		return s.answering
	}
	return s.targets
}

func (s *station) expects(t *target) bool { return t.answering || !s.heardAny }

// mayBeOurs says whether a failure has to stay open.
func (s *station) mayBeOurs(t *target, o Outcome) bool {
	return silent(o) && s.expects(t) && s.should() >= minBlackout
}

// heard takes the outcome of an exchange that t has judged already; decide is
// called for every target whose open failures are now known for what they are.
func (s *station) heard(t *target, o Outcome, decide func(t *target, void bool)) {
	switch {
	case o == OutcomeSendError || silent(o):
		if !s.expects(t) {
			return
		}
		s.suspects[t] = true
		if n := s.should(); n < minBlackout {
			s.clear(decide)
		} else if len(s.suspects) >= n {
			for t := range s.suspects {
				decide(t, true)
			}
		}
	case o == OutcomeResolveError || o == OutcomeInternal || o == OutcomeClockStepped:
	default:
		s.heardAny = true
		// Who refuses to serve is asked so rarely that waiting for it to fail
		// would keep the rule from ever applying.
		s.setAnswering(t, o != OutcomeDenied && o != OutcomeRateLimited && o != OutcomeRefused)
		s.clear(decide)
	}
}

// clear counts the open failures: the network works, or they are too few.
func (s *station) clear(decide func(t *target, void bool)) {
	for t := range s.suspects {
		decide(t, false)
		if t.now.failed >= lossesForUnreachable {
			s.setAnswering(t, false)
		}
		delete(s.suspects, t)
	}
}

func (s *station) setAnswering(t *target, yes bool) {
	if t.answering == yes {
		return
	}
	t.answering = yes
	if yes {
		s.answering++
	} else {
		s.answering--
	}
}

func (s *station) joined() { s.targets++ }

func (s *station) left(t *target, decide func(t *target, void bool)) {
	s.targets--
	s.setAnswering(t, false)
	delete(s.suspects, t)
	if s.should() < minBlackout {
		s.clear(decide)
	}
}

// silent is an outcome that a dead link of the station's gives as well.
func silent(o Outcome) bool { return o == OutcomeTimeout || o == OutcomeUnreachable }
