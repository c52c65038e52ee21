// Package receiver brings a GPS receiver to what a station needs of it.
//
// A Configurator finds out what the receiver is, tells it to send little and
// once a second, to give its pulse only while it is locked, to take its
// antenna for one that stands still, and reads whether it agreed. It is
// driven by what comes in and by instants; it has no clock and no goroutine.
//
// Whatever it sends is forgotten by the receiver together with its power: of
// u-blox's layers RAM alone is written, nothing is saved to flash, and no speed
// is changed. A receiver that does not answer is left as it is.
package receiver

import (
	"slices"
	"strings"
	"time"
)

// Setup is what a receiver is to be brought to.
type Setup struct {
	Baud   int  // of the line, bits per second; 0: it has no speed (the receiver's own USB)
	UBX    bool // whoever listens reads UBX; else u-blox receivers go on sending NMEA
	Moving bool // the antenna does not stand still
	// CableDelay is how long the antenna's cable delays the signals, ns, 1 to
	// 32767; 0: unknown, and the receiver keeps its own value.
	CableDelay int
}

// State is how far configuring a receiver has come.
type State string

// The states.
const (
	Listening  State = "listening"  // nothing was sent yet
	Asking     State = "asking"     // what it is
	Setting    State = "setting"    // it is being configured
	Configured State = "configured" // it agreed to all that matters
	Partly     State = "partly"     // it did not agree to Report.Refused
	Unanswered State = "unanswered" // it does not answer: left as it is
)

// Report is what a Configurator has done.
type Report struct {
	Name    string // of the receiver, with its firmware; empty: unknown
	State   State
	Refused []string // what it did not agree to, in words
	Silent  bool     // it stopped answering on the way
	Cable   bool     // it takes the cable's delay off itself
	Times   int      // how often it was configured
}

const (
	// patience is how long an answer may take. On a slow line whose bursts take
	// longer than a second, some 4 KB of sentences may come before it.
	patience     = 2 * time.Second
	slowPatience = 6 * time.Second
	slowBaud     = 19200
	// tries is how often something is said that is not answered, and rounds how
	// often a receiver is asked what it is.
	tries  = 3
	rounds = 2
	// deaf is after how many things in a row without an answer the rest is left.
	deaf = 3
	// settle is how long to wait after an answer that came late: it may come twice.
	settle = time.Second
	// calm is how long after the last setting its effects are waited for.
	calm = 5 * time.Second
	// A receiver has lost its settings if so many sentences that were turned off
	// come within so long a time.
	lostSentences = 3
	lostWithin    = 30 * time.Second
	// Configuring again has to wait so long, four times longer each time, but as
	// long as at first once the settings have held for mostAgain.
	firstAgain = 10 * time.Second
	mostAgain  = time.Hour
)

// step is one thing to say, and what to make of the answer.
type step struct {
	send  []byte
	key   string // of the answer; see config_identify.go
	what  string // in words, for people
	quiet bool   // it is of no consequence, or not every receiver knows it
	off   string // the formatter of the sentences that it turns off
	cable bool   // it sets the cable's delay
	then  func(*Configurator) []step
}

// Configurator configures one receiver. Not safe for use by several
// goroutines; its answers are read by Report.
type Configurator struct {
	setup Setup
	split splitter

	phase  State
	who    identity
	report Report
	hint   int // index into probes: which to begin with

	heard int // sentences and frames so far
	ask   int // probes sent

	steps   []step
	tried   int   // how often the first of steps was said
	until   int64 // an answer is waited for until then, ns
	verdict verdict
	silent  int    // steps in a row without an answer
	payload []byte // of the last answer to a poll
	polled  byte   // its identity

	off       map[string]bool // formatters that are not to come any more
	done      int64           // when the last step was over, ns
	strays    int             // sentences that were turned off, since Tick
	lost      int             // the same, since first
	first     int64           // ns; 0: none yet
	atOnce    bool            // they came as soon as all was set: it had no effect
	booted    bool            // it has said that it has just started
	elsewhere bool            // see port
	again     time.Duration   // how long the settings must have stood before they are made again
}

type verdict uint8

const (
	waiting verdict = iota
	agreed
	refused
)

// NewConfigurator makes one that listens.
func NewConfigurator(s Setup) *Configurator {
	c := &Configurator{setup: s, phase: Listening, hint: -1, again: firstAgain}
	c.split.frame, c.split.sentence = c.Frame, c.Sentence
	return c
}

// Feed takes bytes as they come in. Whoever has frames and sentences already
// calls Frame and Sentence instead.
func (c *Configurator) Feed(b []byte) { c.split.feed(b) }

// Report is what was done so far.
func (c *Configurator) Report() Report {
	r := c.report
	r.Name, r.State = c.who.name, c.phase
	r.Refused = slices.Clone(r.Refused)
	return r
}

// Tick is called after what came in until mono (CLOCK_MONOTONIC, ns) was fed,
// and every 50 ms or so when nothing does. What it returns is to be sent; it is
// valid until the next call.
func (c *Configurator) Tick(mono int64) []byte {
	switch c.phase {
	case Listening:
		if c.heard < 2 {
			return nil
		}
		c.phase, c.ask = Asking, 0
		return c.probe(mono)
	case Asking:
		if c.who.family != unknown {
			c.begin(mono)
			return nil
		}
		if mono < c.until {
			return nil
		}
		return c.probe(mono)
	case Setting:
		return c.apply(mono)
	case Configured, Partly, Unanswered:
		c.watch(mono)
	}
	return nil
}

// probe asks what the receiver is, in one language after the other.
func (c *Configurator) probe(mono int64) []byte {
	if c.ask == rounds*len(probes) {
		c.phase, c.done = Unanswered, mono
		return nil
	}
	i := c.ask % len(probes)
	if c.hint >= 0 { // the likeliest first, the others in their order
		if i == 0 {
			i = c.hint
		} else if i <= c.hint {
			i--
		}
	}
	c.ask++
	c.until = mono + int64(c.patience())
	return probes[i]
}

func (c *Configurator) patience() time.Duration {
	if c.setup.Baud > 0 && c.setup.Baud < slowBaud {
		return slowPatience
	}
	return patience
}

// begin makes the plan.
func (c *Configurator) begin(mono int64) {
	c.phase = Setting
	c.steps = c.plan()
	c.off = map[string]bool{}
	c.report.Refused, c.report.Silent, c.report.Cable = nil, false, false
	c.tried, c.silent, c.verdict, c.booted, c.polled = 0, 0, waiting, false, 0
	c.until = mono
}

// apply goes through the steps, one at a time.
func (c *Configurator) apply(mono int64) []byte {
	if c.tried > 0 && c.verdict != waiting {
		c.silent, c.until = 0, mono
		if c.tried > 1 {
			c.until += int64(settle)
		}
		c.over()
	}
	if mono < c.until {
		return nil
	}
	if c.tried == tries {
		c.silent++
		c.over()
	}
	if c.silent == deaf {
		for ; len(c.steps) > 0; c.steps = c.steps[1:] {
			c.miss()
		}
		c.tried, c.report.Silent = 0, true
	}
	if len(c.steps) == 0 {
		c.finish(mono)
		return nil
	}
	c.tried++
	c.verdict = waiting
	c.until = mono + int64(c.patience())
	return c.steps[0].send
}

// over ends the first step, with an answer or without.
func (c *Configurator) over() {
	s := c.steps[0]
	if c.verdict == agreed {
		for _, f := range strings.Fields(s.off) {
			c.off[f] = true
		}
		c.report.Cable = c.report.Cable || s.cable
	} else {
		c.miss()
	}
	var more []step
	if s.then != nil {
		more = s.then(c)
	}
	c.steps = append(more, c.steps[1:]...)
	c.tried, c.verdict = 0, waiting
}

// miss notes that the first step came to nothing.
func (c *Configurator) miss() {
	if s := c.steps[0]; !s.quiet && !slices.Contains(c.report.Refused, s.what) {
		c.report.Refused = append(c.report.Refused, s.what)
	}
}

func (c *Configurator) finish(mono int64) {
	c.phase = Configured
	if len(c.report.Refused) > 0 {
		c.phase = Partly
	}
	c.report.Times++
	c.done, c.lost, c.strays, c.first, c.atOnce = mono, 0, 0, 0, false
}

// watch looks for signs that the receiver has lost its settings, as one that was
// reset or had no power for a while has, or that it is another one.
func (c *Configurator) watch(mono int64) {
	since := time.Duration(mono - c.done)
	if since < calm {
		c.strays = 0 // on their way when they were turned off
		return
	}
	if c.strays > 0 {
		if c.first == 0 {
			c.atOnce = since < lostWithin
		}
		if c.lost == 0 || mono-c.first > int64(lostWithin) {
			c.first, c.lost = mono, 0
		}
		c.lost += c.strays
		c.strays = 0
	}
	if c.lost < lostSentences && !c.booted {
		return
	}
	if since > mostAgain {
		c.again = firstAgain
	}
	if since < c.again {
		return
	}
	c.again = min(4*c.again, mostAgain)
	c.elsewhere = c.elsewhere != (c.atOnce && !c.booted)
	c.who, c.hint = identity{}, -1 // it may be another one
	c.phase, c.heard = Listening, 0
}

// Sentence takes what stands between '$' and '*' of a sentence with the right
// checksum.
func (c *Configurator) Sentence(body []byte) {
	c.heard = min(c.heard+1, 2)
	name, rest := body, []byte(nil)
	for i, x := range body {
		if x == ',' {
			name, rest = body[:i], body[i+1:]
			break
		}
	}
	if len(name) == 5 && name[0] != 'P' {
		if c.off[string(name[2:])] {
			c.strays = min(c.strays+1, lostSentences)
		}
		if string(name[2:]) == "TXT" {
			c.introduced(rest)
		}
		return
	}
	c.proprietary(string(name), rest)
}

// Frame takes a frame of UBX with the right checksum.
func (c *Configurator) Frame(class, id byte, payload []byte) {
	c.heard = min(c.heard+1, 2)
	c.frame(class, id, payload)
}

// answer takes a receiver's answer to the step of that key.
func (c *Configurator) answer(key string, v verdict) {
	if c.phase == Setting && c.tried > 0 && c.steps[0].key == key {
		c.verdict = v
	}
}
