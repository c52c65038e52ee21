package status

import (
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// Path is how far requests to a server got when it fell silent.
type Path struct {
	At       *time.Time `json:"at"`        // null: not known
	End      string     `json:"end"`       // one of PathEnds
	Summary  string     `json:"summary"`   // where it stops, in a sentence
	Inside   bool       `json:"inside"`    // it stops within the station's own network, as far as hops can tell
	PortPath bool       `json:"port_path"` // from another source port the server answered
	Packets  int        `json:"packets"`   // that it took
	Took     *float64   `json:"took_s"`
	Hops     []Hop      `json:"hops"` // the nearest first; never null
}

// Hop is a router on the way, or the server.
type Hop struct {
	Hop     int      `json:"hop"`     // from 1
	Address *string  `json:"address"` // null: nobody answered
	RTT     *float64 `json:"rtt_s"`
	Type    *int     `json:"icmp_type"` // of the family's ICMP; null: no ICMP message, but the server's reply or nothing
	Code    *int     `json:"icmp_code"`
}

// PathEnds are the words of Path.End.
var PathEnds = []string{
	string(monitor.PathAnswered), string(monitor.PathRefused), string(monitor.PathBlocked),
	string(monitor.PathSilent), string(monitor.PathUnsent), string(monitor.PathUnavailable),
}
