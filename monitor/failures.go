package monitor

import "fmt"

// failuresForFault is how many requests in a row must fail before that is
// the server's fault. Fewer leave the verdict as it was: a lost packet, an
// ICMP message or a packet without the cookie prove nothing by themselves,
// as they may be the path's, forged, or late.
const failuresForFault = 3

// failures are the requests in a row that brought no reply.
type failures struct {
	lost    int // all of them
	counted int // those that are evidence against the server: see record.open and echo

	// Those of them that are alike and the last ones; at most one is not 0.
	quiet, refused, strays int

	fault Verdict // what they have proven, "" for nothing yet
}

func (f *failures) add(rec *record) {
	f.lost++
	evidence, needed := !rec.open && !rec.echo, max(rec.needed, failuresForFault)
	if evidence {
		f.counted++
	}
	switch rec.x.Outcome {
	case OutcomeStray:
		f.strays++
		f.quiet, f.refused = 0, 0
	case OutcomeRefused:
		f.refused++
		f.quiet, f.strays = 0, 0
	default:
		if evidence {
			f.quiet++
		}
		f.refused, f.strays = 0, 0
	}
	// A fault that was proven stands until another one is, or a reply comes.
	switch {
	case f.strays >= failuresForFault:
		// Packets from there, each at a fresh port of ours: the network works.
		f.fault = Invalid
	case f.refused >= failuresForFault:
		f.fault = Refused
	case f.quiet >= needed, f.fault == "" && f.counted >= needed:
		f.fault = Unreachable
	}
}

// String is how many there are, for people.
func (f *failures) String() string {
	if f.lost == 1 {
		return "no reply to the last request"
	}
	return fmt.Sprintf("no reply to the last %d requests", f.lost)
}
