package status

import (
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

func warningWords() (words []string) {
	for _, w := range monitor.AllWarnings() {
		words = append(words, string(w))
	}
	return words
}

// What a receiver may speak: sentences of NMEA 0183, or nothing but u-blox's
// binary protocol.
const (
	ProtocolNMEA = "nmea"
	ProtocolUBX  = "ubx"
)

// What may come of configuring a receiver.
const (
	SetupUnderWay   = "under_way"
	SetupDone       = "done"
	SetupPartly     = "partly"     // it did not agree to all of it
	SetupUnanswered = "unanswered" // it does not answer, and is left as it is
)

// Sources, States, Protocols, Setups, Families, Verdicts, Leaps, Warnings, those of Update and Assignments and the others here are all the words
// that the fields of the same name may hold. Page, API and tests take them from here.
var (
	Sources = []string{
		string(gpspps.SourceGPSPPS), string(gpspps.SourcePPS), string(gpspps.SourceGPS), string(gpspps.SourcePTP),
		string(gpspps.SourceChrony), string(gpspps.SourceNTP), string(gpspps.SourceQuorum),
		string(gpspps.SourceNone),
	}
	States = []string{
		string(gpspps.StateCold), string(gpspps.StateNumbering), string(gpspps.StateLocked),
		string(gpspps.StateHoldover), string(gpspps.StateSuspect),
	}
	Protocols = []string{ProtocolNMEA, ProtocolUBX}
	Setups    = []string{SetupUnderWay, SetupDone, SetupPartly, SetupUnanswered}
	Families  = []string{"ipv4", "ipv6"}
	Verdicts  = []string{
		string(monitor.OK), string(monitor.Doubtful), string(monitor.Off),
		string(monitor.Unsynchronized), string(monitor.Unreachable), string(monitor.Refused),
		string(monitor.Denied), string(monitor.RateLimited), string(monitor.Invalid),
		string(monitor.NotJudged),
	}
	Levels           = []string{LevelGood, LevelWait, LevelWarn, LevelBad}
	NetworkTroubles  = []string{NetworkFine, NetworkNoLink, NetworkNoLease, NetworkNoRouter, NetworkSilent}
	ReceiverTroubles = []string{ReceiverPort, ReceiverSilent, ReceiverSpeed, ReceiverGarbled}
	Antennas         = []string{AntennaFine, AntennaOpen, AntennaShort}
	NameFaults       = []string{NameFine, NameNoAnswer, NameUnknown}

	// Leaps are in the order of NTP's leap indicator.
	Leaps    = []string{LeapNone, LeapInsert, LeapDelete, LeapUnsynchronized}
	Warnings = warningWords()

	UpdateStates = []string{
		string(update.StateOff), string(update.StateIdle), string(update.StateChecking),
		string(update.StateFetching), string(update.StateVerifying), string(update.StateWriting),
		string(update.StateRestart), string(update.StateTrial), string(update.StateWaiting),
	}
	AssignmentsSources = []string{AssignmentsFile, AssignmentsURL}
	AssignmentsStates  = []string{AssignmentsCurrent, AssignmentsKept, AssignmentsNone}
	UpdateFreshness    = []string{string(update.FreshUnknown), string(update.Fresh), string(update.Expired)}

	// Outcomes are what may become of one exchange.
	Outcomes = []string{
		string(monitor.OutcomeOK), string(monitor.OutcomeTimeout), string(monitor.OutcomeRefused), string(monitor.OutcomeUnreachable),
		string(monitor.OutcomeSendError), string(monitor.OutcomeResolveError), string(monitor.OutcomeUnsynchronized),
		string(monitor.OutcomeDenied), string(monitor.OutcomeRateLimited), string(monitor.OutcomeInvalid),
		string(monitor.OutcomeStray), string(monitor.OutcomeClockStepped), string(monitor.OutcomeInternal),
	}
)
