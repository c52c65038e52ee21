package pulse

const (
	// agree is how many seconds must say the same of a line's polarity.
	agree = 3
	// evenly is the least share of a second that the longer phase has: where a
	// pulse lasts as long as its pause, nothing tells them apart.
	evenly = 0.6
	// wholeSecond is how far from a second the two phases may be together, ns.
	wholeSecond = 50_000_000
)

// phases finds which edge of a line marks the second, where nobody knows which
// way round it is wired: a pulse is shorter than the pause after it, so it is
// the edge that begins the shorter phase.
type phases struct {
	last  [2]int64 // when the line fell and rose last, ns; 0 not yet
	lasts [2]int64 // how long it was low and high last, ns
	rises bool     // the rising edge has marked the last seconds
	count int      // how many of them in a row
}

// add takes an edge. known: which of them marks the second is, and rising says
// whether it is the rising one.
func (p *phases) add(at int64, high bool) (rising, known bool) {
	now, before := 0, 1
	if high {
		now, before = 1, 0
	}
	if p.last[before] != 0 {
		p.lasts[before] = at - p.last[before]
	}
	again := p.last[now] != 0
	p.last[now] = at
	if !again || p.lasts[0] == 0 || p.lasts[1] == 0 {
		return p.known()
	}
	low, hi := p.lasts[0], p.lasts[1]
	if d := low + hi - 1e9; d < -wholeSecond || d > wholeSecond || float64(max(low, hi)) < evenly*1e9 {
		p.count = 0
		return p.known()
	}
	// Both edges of a second say the same, so count the rising ones only.
	if rises := hi < low; rises != p.rises {
		p.rises, p.count = rises, 1
	} else if high {
		p.count++
	}
	return p.known()
}

func (p *phases) known() (rising, known bool) { return p.rises, p.count >= agree }
