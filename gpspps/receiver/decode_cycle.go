package receiver

// cycle learns which sentence ends a burst, so that a fix need not wait for
// the silence after it.
type cycle struct {
	count [48]struct {
		addr uint64
		n    uint8
	}
	kinds int
	last  ending // the last sentence of this burst so far

	end     ending // the last one of the bursts before
	streak  int    // how many of them in a row ended so, beyond the first
	pending bool   // there is a last sentence
}

// ending is one sentence or frame: its address and how many of that address came in the
// burst with it. A GSV counts when its last part is there.
type ending struct {
	addr uint64
	n    uint8
}

// alike is how many bursts must have ended alike beyond the first.
const alike = 2

func (c *cycle) clear() { c.kinds, c.pending = 0, false }

// see notes a sentence or frame and says whether the burst ends with it.
func (c *cycle) see(addr uint64, whole bool) bool {
	var n uint8
	for i := range c.count[:c.kinds] {
		if k := &c.count[i]; k.addr == addr {
			if whole && k.n < 255 {
				k.n++
			}
			n = k.n
		}
	}
	if n == 0 && whole && c.kinds < len(c.count) {
		c.count[c.kinds].addr, c.count[c.kinds].n = addr, 1
		c.kinds++
		n = 1
	}
	c.last, c.pending = ending{addr, n}, true
	return whole && c.streak >= alike && c.last == c.end
}

// learn is called when a burst has ended by itself. One that went on where it
// should have ended has another ending, which is learned anew.
func (c *cycle) learn() {
	switch {
	case !c.pending:
	case c.last == c.end:
		c.streak = min(c.streak+1, alike)
	default:
		c.end, c.streak = c.last, 0
	}
}

// goesOn says whether bursts are known to end with something else than addr.
func (c *cycle) goesOn(addr uint64) bool { return c.streak >= alike && c.end.addr != addr }
