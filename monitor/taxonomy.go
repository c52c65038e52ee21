package monitor

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Finding is what became of one exchange, told as finely as it is known: the
// word that people and programs are shown. What verdicts are drawn from is
// Outcome, which knows fewer; one word of it may have several findings.
//
// A reply to an exchange that had ended is no finding of any exchange: it is
// counted (probe.Counters).
type Finding string

// The findings.
const (
	FindingOK Finding = "ok"

	// Nothing came, or word that nothing will.
	FindingTimeout     Finding = "timeout"
	FindingICMPPort    Finding = "icmp_port"  // port unreachable, whoever says so
	FindingICMPHost    Finding = "icmp_host"  // host unreachable
	FindingICMPNet     Finding = "icmp_net"   // net unreachable, no route
	FindingICMPAdmin   Finding = "icmp_admin" // forbidden by somebody's rules on the way
	FindingICMPOther   Finding = "icmp_other" // any other ICMP message about the request
	FindingTTLExceeded Finding = "ttl_exceeded"

	// This station could not ask.
	FindingSendError   Finding = "send_err"
	FindingDNSNotFound Finding = "dns_nxdomain" // the name does not exist, or has no address: Go's resolver does not tell which
	FindingDNSTimeout  Finding = "dns_timeout"
	FindingDNSEmpty    Finding = "dns_empty"    // an answer without an address
	FindingDNSUnusable Finding = "dns_unusable" // addresses, none of which may be asked
	FindingDNSError    Finding = "dns_error"    // any other failure of the resolver

	// What came is no reply that tells the time.
	FindingShort          Finding = "short"          // less than a header
	FindingBadOrigin      Finding = "bad_origin"     // nothing but packets without the request's cookie
	FindingBadMode        Finding = "bad_mode"       // not a server's
	FindingBadVersion     Finding = "bad_version"    // none that a request of version 4 may be answered in
	FindingBadExponent    Finding = "bad_exponent"   // poll or precision of -128
	FindingBadTimestamps  Finding = "bad_timestamps" // a stamp missing, or sent before received
	FindingNegativeDelay  Finding = "negative_delay" // worked on it for longer than the reply took
	FindingProc           Finding = "proc"           // the same, and by its own word for longer than MostProcessing
	FindingUnsynchronized Finding = "unsynchronized"
	FindingStratumRange   Finding = "stratum_range" // above 16
	FindingKissRate       Finding = "kod_RATE"
	FindingKissDeny       Finding = "kod_DENY"
	FindingKissRestrict   Finding = "kod_RSTR"
	FindingKissOther      Finding = "kod_other" // Exchange.Kiss has the code

	// This station's own fault.
	FindingClockStepped Finding = "clock_stepped"
	FindingInternal     Finding = "internal"
)

// Findings are all the words that Exchange.Finding may hold.
var Findings = []Finding{
	FindingOK, FindingTimeout, FindingICMPPort, FindingICMPHost, FindingICMPNet, FindingICMPAdmin, FindingICMPOther,
	FindingTTLExceeded, FindingSendError, FindingDNSNotFound, FindingDNSTimeout, FindingDNSEmpty, FindingDNSUnusable,
	FindingDNSError, FindingShort, FindingBadOrigin, FindingBadMode, FindingBadVersion, FindingBadExponent,
	FindingBadTimestamps, FindingNegativeDelay, FindingProc, FindingUnsynchronized, FindingStratumRange,
	FindingKissRate, FindingKissDeny, FindingKissRestrict, FindingKissOther, FindingClockStepped, FindingInternal,
}

// MostProcessing is how long a server may say that it worked on a request before
// that is called proc: chronyd's bound for a usable reply.
const MostProcessing = 4 * time.Second

// StampFinding is what the time stamps of a reply make of it, by the same rule as
// the verdict: FindingOK unless no right server sends such. Outcome is ok in all
// of these cases, as what stamps may be wrong by is the judge's to weigh.
func (x Exchange) StampFinding() Finding {
	switch own, theirs := checkStamps(x); {
	case own != "":
		return FindingInternal
	case theirs == "":
		return FindingOK
	case x.T2 == 0 || x.T3 == 0 || !tooLong(x):
		return FindingBadTimestamps
	case x.T3-x.T2 > int64(MostProcessing):
		return FindingProc
	}
	return FindingNegativeDelay
}

// LookupFinding is what the look-up of a name came to that brought no address
// to ask; found says that there were some, which may not be asked.
func LookupFinding(err error, found bool) Finding {
	var de *net.DNSError
	switch {
	case err == nil && found:
		return FindingDNSUnusable
	case err == nil:
		return FindingDNSEmpty
	case errors.As(err, &de) && de.IsNotFound:
		return FindingDNSNotFound
	case errors.As(err, &de) && de.IsTimeout:
		return FindingDNSTimeout
	}
	return FindingDNSError
}

// Warning is something that people should know of a server although its reply
// is a proper one. No verdict is drawn from it.
type Warning string

// The warnings. The first group one exchange shows, see Exchange.Warnings; the
// second takes several.
const (
	WarnReftimeZero   Warning = "reftime_zero"   // does not say when its clock was last set
	WarnReftimeFuture Warning = "reftime_future" // says that it was set later than it answered
	WarnStaleRef      Warning = "stale_ref"      // set longer ago than MostReferenceAge
	WarnVersionLow    Warning = "version_low"    // answers in an older version than it was asked in
	WarnLeapPending   Warning = "leap_pending"   // announces a leap second
	WarnRootDistance  Warning = "root_distance"  // by its own word further from true time than MostRootDistance
	WarnTooWide       Warning = "too_wide"       // half the delay exceeds the limit: the path leaves more open
	WarnLoop          Warning = "loop"           // seems to take its time from this station

	WarnSmearSuspect  Warning = "smear_suspect"
	WarnLeapDisagree  Warning = "leap_disagree"
	WarnAsym          Warning = "asym"
	WarnAnycastChange Warning = "anycast_change"
)

const (
	// MostRootDistance is ntpd's distance threshold (tos maxdist), seconds: a
	// client of its defaults takes no time from further away. RFC 5905 section
	// 7.2 has 1 s, chronyd 3 s.
	MostRootDistance = 1.5
	// MostReferenceAge is the longest poll interval, 36 hours (RFC 5905 section
	// 7.2, MAXPOLL), seconds: nobody need go without an update for longer.
	MostReferenceAge = 1 << 17
	// requestVersion is the version that servers are asked in.
	requestVersion = 4
)

// RootDistance is how far from true time the server says that it may be, by its
// root delay and dispersion, seconds: a claim of its own, like ReferenceAge. The
// way from here to the server is no part of it.
func (x Exchange) RootDistance() float64 { return x.RootDelay/2 + x.RootDispersion }

// ReferenceAge is how long before its reply the server's clock was last set, by
// its own word and its own clock, seconds; negative if it says later than that.
// known is false where it does not say.
func (x Exchange) ReferenceAge() (seconds float64, known bool) {
	if x.ReferenceTime == 0 {
		return 0, false
	}
	return between(x.T3, x.ReferenceTime), true
}

// Warnings are those that a proper reply shows by itself; none for another
// outcome. limit is the server's, seconds. own are this station's addresses, as
// far as they are known: a server of stratum 2 and above names the one that it
// follows.
func (x Exchange) Warnings(limit float64, own []netip.Addr) []Warning {
	if x.Outcome != OutcomeOK {
		return nil
	}
	var list []Warning
	warn := func(is bool, w Warning) {
		if is {
			list = append(list, w)
		}
	}
	age, dated := x.ReferenceAge()
	// An interleaved reply does not say when it left: at the latest, when it came.
	ahead := 0.0
	if x.Interleaved {
		ahead = between(x.T4, x.T1)
	}
	warn(!dated, WarnReftimeZero)
	warn(dated && age < -ahead, WarnReftimeFuture)
	warn(dated && age > MostReferenceAge, WarnStaleRef)
	warn(x.Version < requestVersion, WarnVersionLow)
	warn(x.Leap == 1 || x.Leap == 2, WarnLeapPending)
	warn(x.RootDistance() > MostRootDistance, WarnRootDistance)
	warn(x.Delay()/2 > limit, WarnTooWide)
	warn(x.Stratum >= 2 && slices.ContainsFunc(own, x.names), WarnLoop)
	return list
}

// names says whether the reply's reference id names an address of this station's.
// A private one is many hosts', so it counts only between neighbours.
func (x Exchange) names(own netip.Addr) bool {
	own = own.Unmap().WithZone("")
	if !own.IsValid() || own.IsLoopback() || inside(own) && !inside(x.Addr.Addr().Unmap()) {
		return false
	}
	return x.RefID == AddressRefID(own)
}

func inside(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() }

// AddressRefID is what a server that follows the one at a says as its reference
// id (RFC 5905 section 7.3): an IPv4 address, or the start of an IPv6 address's
// MD5.
func AddressRefID(a netip.Addr) uint32 {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return binary.BigEndian.Uint32(b[:])
	}
	b := a.As16()
	sum := md5.Sum(b[:])
	return binary.BigEndian.Uint32(sum[:])
}
