//go:build browser

package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// password is what the tests claim stations with.
const password = "three or four words"

// claim makes the visitor the station's owner, on the page to claim it.
func (b *browser) claim() {
	b.t.Helper()
	b.heading("Claim this station")
	b.enter("A new password", password)
	b.press("Claim it")
	b.heading("Servers")
}

// TestFirstRun goes from the first page to a station that is claimed and watches one
// more server: no terminal, two fields and three decisions, in less than a minute.
// Then it watches that server until the station has judged it.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	server, err := ntptest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s := startStation(t, nil, "-sim", "-keep", t.TempDir())
	b := open(t)
	b.visit(s.plain + "/details")
	b.row(2*time.Minute, "right-1", "ok") // the station knows the time
	begun := time.Now()
	b.visit(s.plain)
	b.press("Manage this station")
	b.heading("Your browser will warn you next")
	b.press("Go on to " + s.secure + "/settings")
	b.decide("that this is the station, by its certificate", func() { b.trust(s) })
	b.decide("to own it", func() { b.claim() })
	b.enter("A server to watch", server.Addr().String())
	b.press("Add it")
	b.decide("to watch it", func() { b.press("Keep it") })
	b.says(patience, "The change is kept and in force.")

	if took := time.Since(begun); took > time.Minute || len(b.typed) > 2 || len(b.decisions) > 3 {
		t.Errorf("it took %v, the fields %q and the decisions %q", took, b.typed, b.decisions)
	}
	t.Logf("%v; typed into %q; decided %q; pressed %q", time.Since(begun).Round(time.Millisecond), b.typed, b.decisions, b.presses)
	// The page is not loaded anew for it: what the test leaves in it stays.
	b.visit(s.plain + "/details")
	b.do("mark the page", chromedp.Evaluate[chromedp.Void](`document.body.dataset.mark = 'stays'`))
	then := call(b, "time", chromedp.Text(chromedp.CSS(".asof time")))
	b.until(patience, fmt.Sprintf(`document.querySelector('.asof time').innerText !== %q`, then))
	b.row(2*time.Minute, server.Addr().String(), "ok")
	if v, err := b.evaluate(`document.body.dataset.mark`); err != nil || v != "stays" {
		t.Errorf("the page was loaded anew: %q, %v", v, err)
	}
}
