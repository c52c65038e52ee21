package mdns

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The times of RFC 6762 sections 6, 8 and 9.
const (
	probeWait    = 250 * time.Millisecond // between probes, and at random before the first
	probes       = 3
	announceWait = time.Second
	announces    = 2
	deferWait    = time.Second // after another's probe that goes before
	again        = time.Second // before the same record is sent to all again
	defended     = probeWait   // where somebody probes for it
	sharedLeast  = 20 * time.Millisecond
	sharedMost   = 120 * time.Millisecond
	conflictMany = 15              // after so many conflicts only
	conflictWait = 5 * time.Second // apart is probed
	conflictMost = 50              // and after so many
	conflictLong = time.Minute     // apart
	ever         = time.Hour       // where nothing is due
)

// perSecond is how many packets leave in a second at most.
const perSecond = 20

// maxNumber is the last that is put behind a name before it begins anew.
const maxNumber = 9999

// What the responder is doing about its name.
const (
	probing = iota
	announcing
	settled
)

// engine is a responder without its sockets and its clock. One goroutine calls.
type engine struct {
	o      Options
	send   func(to netip.AddrPort, b []byte) // to all of the link where to is not valid
	random func() float64
	named  func(string)

	n         int // of the name: 1, then attic-2
	host      string
	prefixes  []netip.Prefix
	records   []record
	sent      map[string]time.Time // when a record was last sent to all, by its key
	state     int
	count     int       // of probes or announcements sent
	next      time.Time // when the next of them is due
	conflicts int
	waiting   []record // to be sent to all
	due       time.Time
	second    time.Time // in which
	packets   int       // so many packets have left
}

func newEngine(o Options, send func(netip.AddrPort, []byte), random func() float64) *engine {
	return &engine{o: o, send: send, random: random, named: func(string) {}, n: 1, sent: map[string]time.Time{}}
}

// addresses takes the link's addresses. With the first ones the name is asked
// for; changed ones are told.
func (e *engine) addresses(now time.Time, list []netip.Prefix) {
	first := e.records == nil
	before := e.records
	e.prefixes = slices.Clone(list)
	e.host, e.records = recordsOf(e.o, e.n, list)
	switch {
	case first:
		e.probe(now, time.Duration(e.random()*float64(probeWait)))
	case e.state != probing:
		var lost []record // of a family that has no address any more: nothing new takes their place
		for _, r := range before {
			if !slices.ContainsFunc(e.records, func(o record) bool { return sameName(o.name, r.name) && o.kind == r.kind }) {
				lost = append(lost, r)
			}
		}
		if lost != nil {
			e.toAll(now, lost, true)
		}
		e.state, e.count, e.next = announcing, 0, now
	}
}

// probe begins to ask for the name after a while.
func (e *engine) probe(now time.Time, wait time.Duration) {
	e.state, e.count, e.next = probing, 0, now.Add(wait)
	e.waiting = nil
}

// tick does what is due and says when to call again.
func (e *engine) tick(now time.Time) time.Time {
	if e.records == nil {
		return now.Add(ever)
	}
	if e.state != settled && !now.Before(e.next) {
		e.step(now)
	}
	if len(e.waiting) > 0 && !now.Before(e.due) {
		list := e.waiting
		e.waiting = nil
		e.answer(now, list)
	}
	wake := now.Add(ever)
	if e.state != settled {
		wake = e.next
	}
	if len(e.waiting) > 0 && e.due.Before(wake) {
		wake = e.due
	}
	return wake
}

func (e *engine) step(now time.Time) {
	switch e.state {
	case probing:
		if e.count < probes {
			e.askAll(now)
			e.count++
			e.next = now.Add(probeWait)
			return
		}
		e.state, e.count, e.conflicts = announcing, 0, 0
		e.named(e.host)
		fallthrough
	case announcing:
		e.toAll(now, e.records, false)
		e.next = now.Add(announceWait)
		if e.count++; e.count == announces {
			e.state = settled
		}
	}
}

// askAll asks whether somebody has one of our unique names, and says what we
// would do with it, RFC 6762 section 8.1.
func (e *engine) askAll(now time.Time) {
	var questions []dnsmessage.Question
	var ours []record
	for _, r := range e.records {
		if !r.unique {
			continue
		}
		ours = append(ours, r)
		if !slices.ContainsFunc(questions, func(q dnsmessage.Question) bool { return sameName(q.Name, r.name) }) {
			questions = append(questions, dnsmessage.Question{Name: r.name, Type: dnsmessage.TypeALL, Class: dnsmessage.ClassINET | flush})
		}
	}
	b, err := message(dnsmessage.Header{}, questions, nil, ours, nil, false, false)
	e.leave(now, netip.AddrPort{}, b, err)
}

// toAll sends records to the link; leaving: that they are no more.
func (e *engine) toAll(now time.Time, list []record, leaving bool) {
	for _, r := range list {
		e.sent[key(r)] = now
	}
	b, err := message(dnsmessage.Header{Response: true, Authoritative: true}, nil, list, nil, nil, false, leaving)
	e.leave(now, netip.AddrPort{}, b, err)
}

// leave sends a packet unless too many have left in this second.
func (e *engine) leave(now time.Time, to netip.AddrPort, b []byte, err error) {
	if now.Sub(e.second) >= time.Second || now.Before(e.second) {
		e.second, e.packets = now, 0
	}
	if e.packets++; err == nil && e.packets <= perSecond {
		e.send(to, b)
	}
}

// goodbye takes leave of the link, RFC 6762 section 10.1.
func (e *engine) goodbye() {
	if e.state == probing {
		return
	}
	b, err := message(dnsmessage.Header{Response: true, Authoritative: true}, nil, e.records, nil, nil, false, true)
	if err == nil {
		e.send(netip.AddrPort{}, b)
	}
	e.records = nil
}

func key(r record) string { return ascii(r.name) + "\x00" + string(rune(r.kind)) + string(r.rdata) }

// onLink says whether a packet's source is one of the link, RFC 6762 section 11.
func (e *engine) onLink(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsLinkLocalUnicast() || slices.ContainsFunc(e.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// mostRecords bounds how much of a packet is looked at.
const mostRecords = 256

// heard is what a packet says.
type heard struct {
	header    dnsmessage.Header
	questions []dnsmessage.Question
	answers   []dnsmessage.Resource // and additional ones, of a response
	proposed  []dnsmessage.Resource // the authority section, of a probe
}

// read takes a packet apart; false: it is none, or has too much in it.
func read(b []byte) (h heard, ok bool) {
	var p dnsmessage.Parser
	var err error
	if h.header, err = p.Start(b); err != nil || h.header.OpCode != 0 || h.header.RCode != 0 { // section 18
		return heard{}, false
	}
	for len(h.questions) < mostRecords {
		q, err := p.Question()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil {
			return heard{}, false
		}
		h.questions = append(h.questions, q)
	}
	if len(h.questions) == mostRecords {
		return heard{}, false
	}
	n := 0
	section := func(header func() (dnsmessage.ResourceHeader, error), next func() (dnsmessage.Resource, error), skip func() error, out *[]dnsmessage.Resource) bool {
		for ; n < mostRecords; n++ {
			rh, err := header()
			if err == dnsmessage.ErrSectionDone {
				return true
			}
			if err != nil {
				return false
			}
			switch rh.Type {
			case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeSRV, dnsmessage.TypeTXT:
				r, err := next()
				if err != nil {
					return false
				}
				*out = append(*out, r)
			default:
				if skip() != nil {
					return false
				}
			}
		}
		return false
	}
	ok = section(p.AnswerHeader, p.Answer, p.SkipAnswer, &h.answers) &&
		section(p.AuthorityHeader, p.Authority, p.SkipAuthority, &h.proposed) &&
		section(p.AdditionalHeader, p.Additional, p.SkipAdditional, &h.answers)
	return h, ok
}

// packet takes one that came from the link.
func (e *engine) packet(now time.Time, from netip.AddrPort, b []byte) {
	if e.records == nil || !e.onLink(from.Addr()) {
		return
	}
	h, ok := read(b)
	switch {
	case !ok:
	case h.header.Response:
		if from.Port() == port && e.conflict(h.answers) {
			e.lose(now)
		}
	case e.state == probing:
		if e.goesBefore(h.proposed) {
			e.probe(now, deferWait)
		}
	default:
		e.question(now, from, h)
	}
}

// conflict says whether somebody has one of our unique names for something else.
func (e *engine) conflict(list []dnsmessage.Resource) bool {
	for _, r := range list {
		if r.Header.TTL == 0 || !e.has(r.Header.Name) {
			continue
		}
		data := rdataOf(r.Body)
		same := slices.ContainsFunc(e.records, func(o record) bool {
			return o.unique && sameName(o.name, r.Header.Name) && o.kind == r.Header.Type && bytes.Equal(o.rdata, data)
		})
		if !same {
			return true
		}
	}
	return false
}

// has says whether a name is one that nobody else may have.
func (e *engine) has(n dnsmessage.Name) bool {
	return slices.ContainsFunc(e.records, func(r record) bool { return r.unique && sameName(r.name, n) })
}

// lose gives a name up that was asked for, or asks anew for one that was had:
// RFC 6762 sections 8.1 and 9.
func (e *engine) lose(now time.Time) {
	e.conflicts++
	wait := time.Duration(e.random() * float64(probeWait))
	switch {
	case e.conflicts > conflictMost:
		wait += conflictLong
	case e.conflicts > conflictMany:
		wait += conflictWait
	}
	if e.state == probing {
		e.n = e.n%maxNumber + 1
		e.host, e.records = recordsOf(e.o, e.n, e.prefixes)
	} else {
		e.named("")
	}
	e.probe(now, wait)
}

// goesBefore says whether another's probe for one of our names, at the same time,
// wins: the records that come later in the alphabet do, RFC 6762 section 8.2.
func (e *engine) goesBefore(list []dnsmessage.Resource) bool {
	type one struct {
		class, kind uint16
		data        []byte
	}
	order := func(a, b one) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.kind, b.kind), bytes.Compare(a.data, b.data))
	}
	for _, r := range e.records {
		if !r.unique {
			continue
		}
		var theirs, ours []one
		for _, t := range list {
			if sameName(t.Header.Name, r.name) {
				theirs = append(theirs, one{uint16(t.Header.Class &^ flush), uint16(t.Header.Type), rdataOf(t.Body)})
			}
		}
		if theirs == nil {
			continue
		}
		for _, o := range e.records {
			if o.unique && sameName(o.name, r.name) {
				ours = append(ours, one{uint16(dnsmessage.ClassINET), uint16(o.kind), o.rdata})
			}
		}
		slices.SortFunc(theirs, order)
		slices.SortFunc(ours, order)
		if slices.CompareFunc(ours, theirs, order) < 0 {
			return true
		}
	}
	return false
}
