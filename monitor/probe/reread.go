package probe

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/truechimer/truechimer/monitor"
)

const modeClient = 3

// Reread fills in an exchange again from what was on the wire, by the same rules
// by which it was first read: that the reply carries the request's cookie, its
// mode, version and stratum, and T2 and T3. The station's own part, T1, T4,
// Mono, Diff, StampError, Kernel, Card, TTL and Addr, is left as the caller gave it,
// and so is Validated, which is the protocol library's word.
//
// The error says why the packets are no exchange that a verdict on the server's
// time can rest on.
func Reread(x *monitor.Exchange, w monitor.Wire) error {
	request := parse(w.Request[:])
	if request.mode != modeClient || request.version != 4 {
		return fmt.Errorf("the request is of mode %d and version %d, not a client's of version 4", request.mode, request.version)
	}
	s := sieve{cookie: request.transmit, second: request.receive}
	if s.cookie == 0 {
		return errors.New("the request has no cookie")
	}
	if s.take(w.Reply[:]); !s.got {
		return fmt.Errorf("the reply carries %016x, which the request did not ask it to", binary.BigEndian.Uint64(w.Reply[offOrigin:]))
	}
	raw := s.raw
	if x.Interleaved = s.inter; s.inter {
		raw = basic(raw)
	}
	classify(x, raw[:], stamps{t1: x.T1, t4: x.T4, err: x.StampError, kernel: x.Kernel, card: x.Card, ttl: x.TTL})
	if x.Outcome != monitor.OutcomeOK {
		return fmt.Errorf("the reply is none to judge a server's time by: %s", x.Detail)
	}
	x.Finding = x.StampFinding()
	x.Wire = &w
	return nil
}
