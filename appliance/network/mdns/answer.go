package mdns

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// question answers one packet of questions.
func (e *engine) question(now time.Time, from netip.AddrPort, h heard) {
	legacy := from.Port() != port
	var direct, all []record
	probed := slices.ContainsFunc(h.proposed, func(r dnsmessage.Resource) bool { return e.has(r.Header.Name) })
	for _, q := range h.questions {
		for _, r := range e.fitting(q) {
			if !legacy && known(h.answers, r) {
				continue
			}
			// A direct answer is enough where all have heard it lately: section 5.4.
			last, sent := e.sent[key(r)]
			fresh := sent && now.Sub(last) < time.Duration(r.ttl)*time.Second/4
			if legacy || q.Class&flush != 0 && fresh && !probed {
				direct = join(direct, r)
			} else {
				all = join(all, r)
			}
		}
	}
	if len(direct) > 0 {
		head := dnsmessage.Header{Response: true, Authoritative: true}
		var questions []dnsmessage.Question
		if legacy { // as a resolver that knows nothing of multicast expects it
			head.ID = h.header.ID
			for _, q := range h.questions {
				q.Class &^= flush
				questions = append(questions, q)
			}
			if len(questions) > 1 {
				questions = questions[:1] // they ask one at a time
			}
		}
		b, err := message(head, questions, direct, nil, e.more(direct), legacy, false)
		e.leave(now, from, b, err)
	}
	e.later(now, all, probed)
}

// fitting are the records that answer a question. Of a name that is ours alone
// and has none of the type, it is one that says which types it has.
func (e *engine) fitting(q dnsmessage.Question) (list []record) {
	if c := q.Class &^ flush; c != dnsmessage.ClassINET && c != dnsmessage.ClassANY {
		return nil
	}
	var kinds []dnsmessage.Type
	for _, r := range e.records {
		if !sameName(r.name, q.Name) {
			continue
		}
		if r.unique {
			kinds = append(kinds, r.kind)
		}
		if q.Type == r.kind || q.Type == dnsmessage.TypeALL {
			list = append(list, r)
		}
	}
	if list == nil && kinds != nil {
		list = append(list, nsec(q.Name, kinds))
	}
	return list
}

// known says whether who asks knows an answer well enough, RFC 6762 section 7.1.
func known(answers []dnsmessage.Resource, r record) bool {
	return slices.ContainsFunc(answers, func(a dnsmessage.Resource) bool {
		return a.Header.Type == r.kind && sameName(a.Header.Name, r.name) && a.Header.TTL >= r.ttl/2 && bytes.Equal(rdataOf(a.Body), r.rdata)
	})
}

// join adds a record unless it is there.
func join(list []record, r record) []record {
	if slices.ContainsFunc(list, func(o record) bool { return key(o) == key(r) }) {
		return list
	}
	return append(list, r)
}

// more are the records that who asked will ask for next, RFC 6763 section 12.
func (e *engine) more(list []record) (additional []record) {
	for _, r := range list {
		var about []dnsmessage.Name
		switch b := r.body.(type) {
		case *dnsmessage.PTRResource:
			about = append(about, b.PTR)
		case *dnsmessage.SRVResource:
			about = append(about, b.Target)
		case *dnsmessage.AResource, *dnsmessage.AAAAResource:
			about = append(about, r.name)
		}
		for _, n := range about {
			for _, o := range e.records {
				if o.unique && sameName(o.name, n) && !slices.ContainsFunc(list, func(l record) bool { return key(l) == key(o) }) {
					additional = join(additional, o)
				}
			}
		}
	}
	return additional
}

// later has records sent to all: at once where they are ours alone, else after a
// short while, since others answer too (RFC 6762 section 6). Who probes for our
// name is answered at once.
func (e *engine) later(now time.Time, list []record, probed bool) {
	least := again
	if probed {
		least = defended
	}
	shared := false
	for _, r := range list {
		if last, sent := e.sent[key(r)]; sent && now.Sub(last) < least {
			continue // all have just heard it
		}
		e.waiting = join(e.waiting, r)
		shared = shared || !r.unique
	}
	if len(e.waiting) == 0 {
		return
	}
	due := now
	if shared && !probed {
		due = now.Add(sharedLeast + time.Duration(e.random()*float64(sharedMost-sharedLeast)))
	}
	if e.due.Before(now) || due.Before(e.due) {
		e.due = due
	}
}

// answer sends what was asked for to all.
func (e *engine) answer(now time.Time, list []record) {
	for _, r := range list {
		if r.kind == typeNSEC && len(e.sent) >= mostSent {
			clear(e.sent)
		}
		e.sent[key(r)] = now
	}
	b, err := message(dnsmessage.Header{Response: true, Authoritative: true}, nil, list, nil, e.more(list), false, false)
	e.leave(now, netip.AddrPort{}, b, err)
}

// mostSent bounds what is remembered of what was sent: a station has some dozens
// of records, and who asks may write their names in large and small letters.
const mostSent = 512
