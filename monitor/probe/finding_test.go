package probe

import (
	"slices"
	"testing"

	"github.com/truechimer/truechimer/monitor"
)

// findings are those that an exchange of each outcome may have.
var findings = map[monitor.Outcome][]monitor.Finding{
	monitor.OutcomeOK:      {monitor.FindingOK, monitor.FindingNegativeDelay, monitor.FindingProc},
	monitor.OutcomeTimeout: {monitor.FindingTimeout},
	monitor.OutcomeRefused: {monitor.FindingICMPPort},
	monitor.OutcomeUnreachable: {
		monitor.FindingICMPPort, monitor.FindingICMPHost, monitor.FindingICMPNet, monitor.FindingICMPAdmin,
		monitor.FindingICMPOther, monitor.FindingTTLExceeded,
	},
	monitor.OutcomeSendError:      {monitor.FindingSendError},
	monitor.OutcomeUnsynchronized: {monitor.FindingUnsynchronized},
	monitor.OutcomeDenied:         {monitor.FindingKissDeny, monitor.FindingKissRestrict},
	monitor.OutcomeRateLimited:    {monitor.FindingKissRate},
	monitor.OutcomeInvalid: {
		monitor.FindingShort, monitor.FindingBadMode, monitor.FindingBadVersion, monitor.FindingBadExponent,
		monitor.FindingBadTimestamps, monitor.FindingStratumRange, monitor.FindingKissOther,
	},
	monitor.OutcomeStray:        {monitor.FindingShort, monitor.FindingBadOrigin},
	monitor.OutcomeClockStepped: {monitor.FindingClockStepped},
	monitor.OutcomeInternal:     {monitor.FindingInternal},
}

// agree checks that an exchange has a finding, and one that goes with its outcome.
func agree(t *testing.T, x monitor.Exchange) {
	t.Helper()
	if !slices.Contains(findings[x.Outcome], x.Finding) {
		t.Errorf("outcome %s %q, finding %q", x.Outcome, x.Detail, x.Finding)
	}
	if !slices.Contains(monitor.Findings, x.Finding) {
		t.Errorf("%q is no word of the taxonomy", x.Finding)
	}
}
