package monitor

import (
	"math"
	"time"
)

const honest = "none"

// trouble is what is wrong on the station's side at present.
type trouble struct {
	name string

	loss                float64 // share of the packets
	only                int     // 4 or 6: of one family; 0 of both
	out, back           time.Duration
	queueOut, queueBack time.Duration // mean waits
	late                float64       // share of the replies that come seconds late; duplicates are the prober's
	noResolver          bool
	cut4, cut6          bool
	cutAs               Outcome
	known               bool // Host tells of it
	every, off          time.Duration
	gapEvery, gapMost   time.Duration // without CPU
	nextGap             int64
}

// spoof is an error of the reference, from an instant to another, ns; and when
// the network's veto began and ended.
type spoof struct {
	from, to          int64
	jump, ramp        float64
	disputed, trusted int64
}

func (s *spoof) error(mono int64) int64 {
	if mono < s.from || mono >= s.to {
		return 0
	}
	return ns(s.jump + s.ramp*float64(mono-s.from)/1e9)
}

func (s *spoof) vetoed(mono int64) bool { return mono >= s.disputed && mono < s.trusted }

// host implements Config.Host.
func (c *campaign) host() (h Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known && c.cut4 {
		h.Internet4 = "no carrier"
	}
	if c.known && c.cut6 {
		h.Internet6 = "no carrier"
	}
	return h
}

// starve is how long the loop has no CPU now, 0 as a rule.
func (c *campaign) starve(now int64) time.Duration {
	if c.gapEvery == 0 || now < c.nextGap || c.stalled {
		return 0
	}
	c.nextGap = now + int64(c.exponential(c.gapEvery))
	return time.Duration(c.rnd.Float64() * float64(c.gapMost))
}

// meets says what becomes of an exchange that begins now, on the station's side.
func (c *campaign) meets(s *member, now int64, out, back *time.Duration) Outcome {
	if six := s.addr.Is6(); six && c.cut6 || !six && c.cut4 {
		return c.cutAs
	}
	if c.every > 0 && time.Duration(now)%c.every < c.off {
		return OutcomeTimeout
	}
	if c.only == 0 || (c.only == 6) == s.addr.Is6() {
		if c.loss > 0 && c.rnd.Float64() < c.loss {
			return OutcomeTimeout
		}
		*out += c.out
		*back += c.back
		if c.queueOut > 0 {
			*out += c.exponential(c.queueOut)
		}
		if c.queueBack > 0 {
			*back += c.exponential(c.queueBack)
		}
	}
	if c.late > 0 && c.rnd.Float64() < c.late {
		*back += c.exponential(2 * time.Second)
	}
	return OutcomeOK
}

// size is spread evenly over the orders of magnitude.
func (c *campaign) size(lo, hi float64) float64 {
	return lo * math.Pow(hi/lo, c.rnd.Float64())
}

func (c *campaign) sizeOf(lo, hi time.Duration) time.Duration {
	return time.Duration(c.size(float64(lo), float64(hi)))
}

func (c *campaign) family() int { return [...]int{0, 0, 4, 6}[c.rnd.IntN(4)] }

// troubles are all kinds, each drawing how bad it is. The lock is held.
var troubles = []struct {
	name string
	draw func(c *campaign, t *trouble, lasts time.Duration)
}{
	{"loss", func(c *campaign, t *trouble, _ time.Duration) {
		t.loss, t.only = c.size(0.001, 0.95), c.family()
	}},
	{"outages of seconds", func(c *campaign, t *trouble, _ time.Duration) {
		t.every = []time.Duration{16 * time.Second, c.sizeOf(5*time.Second, 10*time.Minute)}[c.rnd.IntN(2)]
		t.off = time.Duration(c.size(0.01, 0.9) * float64(t.every))
	}},
	{"one-way queueing", func(c *campaign, t *trouble, _ time.Duration) {
		q := c.sizeOf(5*time.Millisecond, time.Second)
		if t.only = c.family(); c.rnd.IntN(2) == 0 {
			t.queueOut = q
		} else {
			t.queueBack = q
		}
	}},
	{"lopsided path", func(c *campaign, t *trouble, _ time.Duration) {
		d := c.sizeOf(5*time.Millisecond, 800*time.Millisecond)
		if t.only = c.family(); c.rnd.IntN(2) == 0 {
			t.out = d
		} else {
			t.back = d
		}
	}},
	{"late packets", func(c *campaign, t *trouble, _ time.Duration) { t.late = c.size(0.01, 0.9) }},
	{"dead resolver", func(_ *campaign, t *trouble, _ time.Duration) { t.noResolver = true }},
	{"IPv6 black hole", func(c *campaign, t *trouble, _ time.Duration) {
		t.cut6, t.cutAs = true, []Outcome{OutcomeTimeout, OutcomeUnreachable}[c.rnd.IntN(2)]
	}},
	{"gateway down", func(c *campaign, t *trouble, _ time.Duration) {
		t.cut4, t.cut6, t.cutAs = true, true, []Outcome{OutcomeTimeout, OutcomeUnreachable}[c.rnd.IntN(2)]
	}},
	{"link down", func(c *campaign, t *trouble, _ time.Duration) {
		t.cut4, t.cut6, t.known, t.cutAs = true, true, true, []Outcome{OutcomeTimeout, OutcomeSendError}[c.rnd.IntN(2)]
	}},
	{"clock steps", func(c *campaign, t *trouble, _ time.Duration) {
		c.diff += ns((2*c.rnd.Float64() - 1) * c.size(0.002, 100))
		c.stepped = c.mono()
	}},
	{"GPS spoofed", func(c *campaign, t *trouble, lasts time.Duration) {
		now := c.mono()
		s := spoof{from: now, to: now + int64(lasts)}
		sign := float64(1 - 2*c.rnd.IntN(2))
		if c.rnd.IntN(2) == 0 {
			s.jump = sign * c.size(0.005, 2)
		} else {
			s.ramp = sign * c.size(1e-7, runaway)
		}
		// The veto takes three rounds, comes late or never; the reference
		// jumps back when it is over, which gpspps notices, or does not.
		s.disputed, s.trusted = s.to, s.to
		if c.rnd.IntN(2) == 0 {
			s.disputed = min(s.to, now+int64(c.sizeOf(30*time.Second, 30*time.Minute)))
			s.trusted = s.to + int64(c.sizeOf(time.Second, time.Minute))
		}
		c.spoofs = append(c.spoofs, s)
	}},
	{"CPU starved", func(c *campaign, t *trouble, _ time.Duration) {
		t.gapEvery, t.gapMost = c.sizeOf(2*time.Second, 5*time.Minute), c.sizeOf(time.Second, 30*time.Second)
	}},
}

// strike begins a trouble, or several for several.
func (c *campaign) strike(kind int, lasts time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind < len(troubles) {
		c.trouble = trouble{name: troubles[kind].name}
		troubles[kind].draw(c, &c.trouble, lasts)
		return
	}
	c.trouble = trouble{name: "three at once"}
	for range 3 {
		troubles[c.rnd.IntN(len(troubles))].draw(c, &c.trouble, lasts)
	}
}

// recover ends all troubles; what follows still counts as theirs for a while.
func (c *campaign) recover() {
	c.mu.Lock()
	c.trouble = trouble{name: c.name}
	c.mu.Unlock()
}

func (c *campaign) called(name string) {
	c.mu.Lock()
	c.name = name
	c.mu.Unlock()
}
