package web

import (
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
)

// What is well is always shown, a fault only if there was one, and nothing of
// what has not begun.
func TestCountsShowFaultsThatWere(t *testing.T) {
	if got := referenceCounts(status.Counters{}); got != nil {
		t.Errorf("counts of nothing: %v", got)
	}
	if got := probeCounts(status.Probe{}); got != nil {
		t.Errorf("counts of nothing: %v", got)
	}
	names := func(f []fact) string {
		var s []string
		for _, x := range f {
			s = append(s, x.Name+" "+x.Value)
		}
		return strings.Join(s, ", ")
	}
	if got, want := names(referenceCounts(status.Counters{Fixes: 1234567})), "Fixes 1\u202f234\u202f567, Pulses 0, Pulses used 0, Votes 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	all := status.Counters{Fixes: 1, FixesInvalid: 2, FixesImplausible: 3, Checksum: 4, NoiseBytes: 5, Pulses: 6, PulsesUsed: 7, PulsesDoubled: 8, PulsesMissing: 9,
		PulsesUnnumbered: 10, PulsesLost: 11, Votes: 12, Vetoes: 1300}
	want := "Fixes 1, Fixes not valid 2, Fixes that cannot be 3, Damaged sentences 4, Bytes of noise 5, Pulses 6, Pulses used 7, " +
		"Pulses not numbered 10, Doubled pulses 8, Missing pulses 9, Lost pulses 11, Votes 12, Vetoes 1\u202f300"
	if got := names(referenceCounts(all)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	want = "Requests 1, Stray packets 2, Without kernel stamps 3, Void 4, " +
		"Late replies 6, Replies that came twice 7, Foreign packets 8, Lost in the station 9, Doubted stamps 10, Faults of this program 5"
	if got := names(probeCounts(status.Probe{Exchanges: 1, Strays: 2, Unstamped: 3, Voided: 4, Panics: 5, Late: 6, Duplicates: 7, Foreign: 8, Dropped: 9, Doubted: 10})); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestGarbageIsShown: a receiver that gives nothing but garbage is no fix and
// no fault of the page's, and yet a person sees it.
func TestGarbageIsShown(t *testing.T) {
	s := status.Status{Reference: status.Reference{Counters: status.Counters{Checksum: 17, NoiseBytes: 90210}}}
	got := render(t, s, nil)
	for _, want := range []string{`<details class="counts">`, "Damaged sentences", "<dd>17</dd>", "<dd>90\u202f210</dd>"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	wellFormed(t, got)
}
