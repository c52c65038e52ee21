//go:build browser

package browsertest

import "testing"

// password is what the tests claim stations with.
const password = "three or four words"

// claim makes the visitor the station's owner, on the page to claim it.
func (b *browser) claim() {
	b.t.Helper()
	b.heading("Claim this station")
	b.enter("A new password", password)
	b.press("Claim it")
	b.heading("You may change this station")
}

// TestFirstRun goes from the first page to a station that is claimed.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	s := startStation(t, nil, "-sim")
	b := open(t)
	b.visit(s.plain)
	b.press("Manage this station")
	b.heading("Your browser will warn you next")
	b.press("Go on to " + s.secure + "/account")
	b.trust(s)
	b.claim()
	t.Log(b.presses, b.typed)
}
