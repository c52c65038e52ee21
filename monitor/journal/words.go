package journal

import (
	"slices"

	"github.com/truechimer/truechimer/monitor"
)

// The numbers that stand for words on the card are places in these lists: words
// are added at the end, never moved. 0 is a word that this list does not have.
var (
	verdicts = []monitor.Verdict{
		"", monitor.OK, monitor.Doubtful, monitor.Off, monitor.Unsynchronized, monitor.Unreachable,
		monitor.Refused, monitor.Denied, monitor.RateLimited, monitor.Invalid, monitor.NotJudged,
	}
	outcomes = []monitor.Outcome{
		"", monitor.OutcomeOK, monitor.OutcomeTimeout, monitor.OutcomeRefused, monitor.OutcomeUnreachable,
		monitor.OutcomeSendError, monitor.OutcomeResolveError, monitor.OutcomeUnsynchronized,
		monitor.OutcomeDenied, monitor.OutcomeRateLimited, monitor.OutcomeInvalid, monitor.OutcomeStray,
		monitor.OutcomeClockStepped, monitor.OutcomeInternal,
	}
	sources = []string{"", "none", "gps+pps", "pps", "gps", "ptp", "chrony", "ntp", "quorum"}
	states  = []string{"", "cold", "numbering", "locked", "holdover", "suspect"}
)

// Knows says whether the journal has numbers for a source and a state of the
// reference; others are kept as "".
func Knows(source, state string) bool {
	return code(sources, source) != 0 && code(states, state) != 0
}

// code is the number of a word.
func code[T ~string](list []T, word T) uint8 {
	return uint8(max(slices.Index(list, word), 0))
}

// word is what a number stands for.
func word[T ~string](list []T, code uint8) T {
	if int(code) < len(list) {
		return list[code]
	}
	return ""
}

// wasSent says whether a request left the station.
func wasSent(o monitor.Outcome) bool {
	switch o {
	case monitor.OutcomeSendError, monitor.OutcomeResolveError, monitor.OutcomeInternal:
		return false
	}
	return true
}

// wasReceived says whether a reply to the request came.
func wasReceived(o monitor.Outcome) bool {
	switch o {
	case monitor.OutcomeOK, monitor.OutcomeUnsynchronized, monitor.OutcomeDenied,
		monitor.OutcomeRateLimited, monitor.OutcomeInvalid, monitor.OutcomeClockStepped:
		return true
	}
	return false
}

// isReply says whether the header's fields of a record are a reply's.
func isReply(o monitor.Outcome) bool { return wasReceived(o) && o != monitor.OutcomeClockStepped }
