package byhand

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/truechimer/truechimer/monitor"
)

// measured is what the four time stamps of an exchange say.
type measured struct {
	offset int64 // server less this machine's clock, ns
	delay  int64 // round trip without the server's work, ns
	bound  int64 // half-width that path and stamps leave open, ns
}

// measure takes the stamps of a reply; ok is false where they make no sense, or
// where there are none.
func measure(x *monitor.Exchange) (m measured, ok bool) {
	if x.T1 == 0 || x.T4 == 0 || x.T2 == 0 || x.T3 == 0 || x.StampFinding() != monitor.FindingOK {
		return m, false
	}
	m.delay = (x.T4 - x.T1) - (x.T3 - x.T2)
	m.offset = ((x.T2 - x.T1) + (x.T3 - x.T4)) / 2
	// In the slack of what clocks that are being slewed may say, see StampFinding.
	m.bound = int64(math.Ceil(math.Abs(float64(m.delay))/2 + x.StampError*1e9))
	return m, true
}

// referenceText is a reference id for people, empty where it says nothing: the
// letters of a primary server or a kiss, or the address that a secondary follows.
// For one that it follows over IPv6 it is a hash that looks like an address.
func referenceText(x *monitor.Exchange) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], x.RefID)
	if x.Stratum >= 2 && x.Stratum <= 15 {
		return netip.AddrFrom4(b).String()
	}
	n := 0
	for n < len(b) && b[n] > ' ' && b[n] < 0x7f {
		n++
	}
	for _, c := range b[n:] {
		if c != 0 && c != ' ' {
			return ""
		}
	}
	return string(b[:n])
}

// replied says whether the header's fields of an exchange are a reply's.
func replied(x *monitor.Exchange) bool {
	switch x.Outcome {
	case monitor.OutcomeOK, monitor.OutcomeUnsynchronized, monitor.OutcomeDenied, monitor.OutcomeRateLimited:
		return true
	case monitor.OutcomeInvalid:
		return x.Finding != monitor.FindingShort
	}
	return false
}
