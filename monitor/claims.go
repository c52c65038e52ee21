package monitor

import (
	"fmt"
	"math"
	"strings"
)

// Claims are what a server says of itself in its last reply that had a time to
// tell. No verdict is drawn from them: a wrong clock may well call itself right.
type Claims struct {
	Leap           uint8    // as sent: 0 none, 1 a second more, 2 one less at the end of the month, 3 not synchronised
	RootDelay      float64  // to its source of time and back, seconds
	RootDispersion float64  // of that source, seconds
	RootDistance   float64  // how far from true time it may be by its own word, see Exchange.RootDistance, seconds
	RefID          string   // what it follows, see RefIDText; empty where that is no text
	ReferenceAge   *float64 // since it last heard from there, seconds; negative: it says later than now; nil: it does not say
}

// claim is a Claims that a state can hold.
type claim struct {
	rootDelay, rootDispersion, age float32 // seconds
	refID                          uint32
	leap, stratum, ttl             uint8
	said, dated                    bool // there is one; it has an age
}

func claimOf(x *Exchange) claim {
	age, dated := x.ReferenceAge()
	c := claim{
		rootDelay: float32(x.RootDelay), rootDispersion: float32(x.RootDispersion), age: float32(age),
		refID: x.RefID, leap: x.Leap, stratum: x.Stratum, ttl: x.TTL, said: true, dated: dated,
	}
	if math.IsNaN(age) || math.IsInf(float64(c.age), 0) {
		c.dated = false
	}
	return c
}

// tell writes it to what a Result points to.
func (c *claim) tell(out *Claims, age *float64) {
	x := Exchange{RootDelay: float64(c.rootDelay), RootDispersion: float64(c.rootDispersion)}
	*out = Claims{
		Leap: c.leap, RootDelay: x.RootDelay, RootDispersion: x.RootDispersion, RootDistance: x.RootDistance(),
		RefID: RefIDText(c.stratum, c.refID),
	}
	if c.dated {
		*age = float64(c.age)
		out.ReferenceAge = age
	}
}

// RefIDText reads a reference ID: four letters up to stratum 1, else an IPv4
// address (RFC 5905 section 7.3), or a hash that looks like one. Empty: it is
// no text.
func RefIDText(stratum uint8, id uint32) string {
	b := [4]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	if stratum > 1 {
		return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3])
	}
	s := strings.TrimRight(string(b[:]), "\x00 ")
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return s
}
