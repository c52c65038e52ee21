package advice

import "strings"

// plainReasons are what the reference gives as a reason, by how it begins, in words
// that need no engineer. Of several the first one counts.
var plainReasons = []struct{ begin, plain string }{
	{"no fix, no pulse", "it tells no time yet"},
	{"no fix", "it does not know the time yet"},
	{"the receiver has no fix", "it does not know the time yet"},
	{"the receiver has lost its fix", "it does not know the time any more"},
	{"no pulse", "the pulse (PPS) does not come"},
	{"leap seconds unconfirmed", "it is not sure yet which second it is"},
	{"date unconfirmed", "it is not sure yet which day it is"},
	{"pulse unconfirmed", "the pulse (PPS) is not to be trusted yet"},
	{"pulses not numbered yet", "nobody says yet which second it is"},
	{"pulses too unsteady", "the pulse (PPS) is not steady enough"},
	{"the pulses are not where they should be", "the pulse (PPS) comes at the wrong instant"},
	{"the pulses run away from the station's own clock", "the pulse (PPS) runs away from the station's own clock"},
	{"reference disputed", "most servers say another time"},
	{"chrony is not synchronized", "it does not know the time itself"},
}

// plain puts a reason in such words; one that is not known stays.
func plain(reason string) string {
	for _, r := range plainReasons {
		if strings.HasPrefix(reason, r.begin) {
			return r.plain
		}
	}
	return reason
}
