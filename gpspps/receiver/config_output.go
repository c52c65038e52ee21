package receiver

// Sentences and frames at their longest, bytes.
const (
	longRMC = 84
	longGGA = 90
	longZDA = 40
	longGSA = 72
	longGSV = 72

	longPVT    = 100
	longTimTP  = 24
	longTimeLS = 32
	longStatus = 24
	longMonHW  = 68
	longMonRF  = 68 // two bands
	longSecSig = 40
	longSat    = 16 + 12*60 // so many satellites
)

// The share of a second that a burst may take: it comes up to some 400 ms after
// its second, and must not run into the next one.
const share = 0.45

// Fixes from one message that is rarely needed to the next.
const (
	rarely = 10
	// rarelySentence is less: PMTK counts to five only.
	rarelySentence = 5
)

// room is how many bytes a burst may have.
func (s Setup) room() int {
	if s.Baud == 0 {
		return 1 << 20
	}
	return int(float64(s.Baud) / 10 * share)
}

// sentences says every how manieth fix each sentence is to come, by its
// formatter; what is missing is not to come. A receiver of several systems sends
// one GSA, and three GSV or so, for each.
func (s Setup) sentences(systems int) map[string]byte {
	out := map[string]byte{"RMC": 1, "GGA": 1, "ZDA": 1}
	n := longRMC + longGGA + longZDA
	if n += systems * longGSA; n > s.room() {
		return out
	}
	out["GSA"] = 1
	if n += systems * 3 * longGSV; n <= s.room() {
		out["GSV"] = rarelySentence
	}
	return out
}

// satellites says every how manieth fix UBX-NAV-SAT is to come.
func (s Setup) satellites() byte {
	if longPVT+longTimTP+longTimeLS+longStatus+longMonHW+longSecSig+longSat > s.room() {
		return 0
	}
	return rarely
}
