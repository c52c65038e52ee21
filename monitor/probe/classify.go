package probe

import (
	"fmt"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// classify says what the reply b, which carries the request's cookie, is worth,
// and fills in what it tells. x.Mono and x.Diff are the caller's.
func classify(x *monitor.Exchange, b []byte, st stamps) {
	x.T1, x.T4 = st.t1, st.t4
	x.Kernel, x.Card, x.StampError = st.kernel, st.card, st.err
	if len(b) < packetSize {
		set(x, monitor.OutcomeInvalid, monitor.FindingShort, "a reply of %d bytes, %d are needed", len(b), packetSize)
		return
	}
	p := parse(b)
	x.Leap, x.Stratum, x.RefID = p.leap, p.stratum, p.refID
	x.RootDelay, x.RootDispersion = short(p.rootDelay), short(p.rootDispersion)
	x.Version, x.Poll, x.Precision, x.TTL = p.version, int8(p.poll), int8(p.precision), st.ttl
	if p.reference != 0 {
		x.ReferenceTime = unixNano(p.reference, pivot(st.t1))
	}
	if p.receive != 0 {
		x.T2 = unixNano(p.receive, pivot(st.t1))
	}
	if p.transmit != 0 {
		// Close to T2, so that an era may end between the two.
		near := pivot(st.t1)
		if p.receive != 0 {
			near = x.T2
		}
		x.T3 = unixNano(p.transmit, near)
	}

	switch {
	case p.mode != modeServer:
		set(x, monitor.OutcomeInvalid, monitor.FindingBadMode, "mode %d in a reply, %d is a server's", p.mode, modeServer)
	case p.version < 1 || p.version > 4:
		// 1 to 3 answer a version 4 request in their own; the header is the same.
		set(x, monitor.OutcomeInvalid, monitor.FindingBadVersion, "version %d in reply to version 4", p.version)
	case p.stratum == 0:
		classifyKiss(x, p)
	case p.stratum > 16:
		set(x, monitor.OutcomeInvalid, monitor.FindingStratumRange, "stratum %d does not exist", p.stratum)
	case p.stratum == 16:
		set(x, monitor.OutcomeUnsynchronized, monitor.FindingUnsynchronized, "stratum 16")
	case p.leap == 3:
		set(x, monitor.OutcomeUnsynchronized, monitor.FindingUnsynchronized, "leap indicator 3")
	default:
		classifyTimes(x, p)
	}
}

// classifyKiss tells a refusal from a server that has no time yet: chronyd then
// sends no code, ntpd INIT or STEP.
func classifyKiss(x *monitor.Exchange, p packet) {
	switch code := kissCode(p.refID); code {
	case "DENY":
		x.Kiss = code
		set(x, monitor.OutcomeDenied, monitor.FindingKissDeny, "kiss code DENY")
	case "RSTR":
		x.Kiss = code
		set(x, monitor.OutcomeDenied, monitor.FindingKissRestrict, "kiss code RSTR")
	case "RATE":
		x.Kiss = code
		set(x, monitor.OutcomeRateLimited, monitor.FindingKissRate, "kiss code RATE")
	case "":
		set(x, monitor.OutcomeUnsynchronized, monitor.FindingUnsynchronized, "stratum 0")
	case "INIT", "STEP":
		x.Kiss = code
		set(x, monitor.OutcomeUnsynchronized, monitor.FindingUnsynchronized, "stratum 0, %s", code)
	default:
		x.Kiss = code
		set(x, monitor.OutcomeInvalid, monitor.FindingKissOther, "kiss code %s", code)
	}
}

func classifyTimes(x *monitor.Exchange, p packet) {
	switch {
	case p.receive == 0:
		set(x, monitor.OutcomeInvalid, monitor.FindingBadTimestamps, "receive time stamp is zero")
	case p.transmit == 0:
		set(x, monitor.OutcomeInvalid, monitor.FindingBadTimestamps, "transmit time stamp is zero")
	case x.T3 < x.T2: // within the half era that NTP can tell apart
		set(x, monitor.OutcomeInvalid, monitor.FindingBadTimestamps, "sent %v before it was received", time.Duration(x.T2-x.T3))
	case p.poll == badExponent:
		set(x, monitor.OutcomeInvalid, monitor.FindingBadExponent, "poll exponent -128")
	case p.precision == badExponent:
		set(x, monitor.OutcomeInvalid, monitor.FindingBadExponent, "precision exponent -128")
	case x.T4 < x.T1:
		set(x, monitor.OutcomeInternal, monitor.FindingInternal, "the station's own time stamps run backwards, by %v", time.Duration(x.T1-x.T4))
	default:
		x.Outcome = monitor.OutcomeOK
	}
}

func set(x *monitor.Exchange, o monitor.Outcome, f monitor.Finding, format string, args ...any) {
	x.Outcome, x.Finding, x.Detail = o, f, fmt.Sprintf(format, args...)
}
