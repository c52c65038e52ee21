//go:build browser

package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // which not every machine has

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const kathmandu = "Asia/Kathmandu" // a quarter of an hour off the hour, and no summer time

// TestTimeHere reads the page in zones of every kind: the time there is beside each in
// UTC, with its date where that is another one.
func TestTimeHere(t *testing.T) {
	t.Parallel()
	s := startStation(t, nil, "-sim")
	b := open(t)
	for _, zone := range []string{kathmandu, "America/St_Johns", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"} {
		b.do(zone, inZone(zone))
		b.visit(s.plain + "/details")
		b.timesHere(zone)
	}
}

// inZone has the browser be in a time zone.
func inZone(zone string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone})
		return chromedp.Void{}, err
	}
}

// timesHere tests what the page that is there tells of the browser's own time.
func (b *browser) timesHere(zone string) {
	b.t.Helper()
	at, err := time.LoadLocation(zone)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := b.evaluate(`JSON.stringify([...document.querySelectorAll('time[datetime]')].filter(t => !t.closest('tbody[data-id]')).map(t => {
		const next = t.nextElementSibling;
		return {utc: t.innerText, machine: t.dateTime, here: next && next.className === 'here' ? next.innerText : ''};
	}))`)
	if err != nil {
		b.t.Fatal(err)
	}
	var list []struct {
		UTC, Here string
		Machine   time.Time
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		b.t.Fatal(err)
	}
	if len(list) == 0 {
		b.t.Error("the page tells no time")
	}
	for _, v := range list {
		there := v.Machine.In(at)
		want := there.Format("15:04")
		if strings.Count(v.UTC, ":") == 2 {
			want = there.Format("15:04:05")
		}
		if day := there.Format(time.DateOnly); day != v.Machine.UTC().Format(time.DateOnly) {
			want = day + " " + want
		}
		if want = "(" + want + " here)"; zone == "UTC" {
			want = ""
		}
		if v.Here != want {
			b.t.Errorf("in %s, beside %s: %q, not %q", zone, v.UTC, v.Here, want)
		}
	}
}

// TestWithoutScripts reads the page in a browser that runs no scripts: it says no less,
// and loads itself anew. The station is claimed and told of a server so, too.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s := startStation(t, nil, "-sim")
	b := open(t)
	b.enterSecurely(s, "/claim") // the browser's own warning has one
	b.runNoScripts()
	b.visit(s.plain + "/details")
	b.row(2*time.Minute, "right-1", "ok") // which the page has to load itself anew for
	b.says(patience, "95 % uncertainty")
	if v, err := b.evaluate(`document.querySelectorAll('.here').length`); err != nil || v != "0" {
		t.Errorf("a script has run: %s, %v", v, err)
	}
	b.visit(s.secure + "/claim")
	b.claim()
	b.enter("A server to watch", "127.0.0.1:12398")
	b.press("Add it")
	b.press("Keep it")
	b.says(patience, "The change is kept and in force.")
}

// TestNewScripts: a page that is open while the station is updated takes the new scripts,
// whose addresses are others then.
func TestNewScripts(t *testing.T) {
	t.Parallel()
	s := startStation(t, nil, "-sim")
	b := open(t)
	b.visit(s.plain + "/details")
	const script = `document.querySelector('script').getAttribute('src')`
	now, err := b.evaluate(script)
	if err != nil || !strings.HasSuffix(now, ".js") {
		t.Fatalf("%s, %v", now, err)
	}
	if _, err := b.evaluate(`(() => { document.querySelector('script').setAttribute('src', '/assets/0123456789ab/live.js'); window.old = true; })()`); err != nil {
		t.Fatal(err)
	}
	// The page is drawn anew when a minute is over, if not before.
	b.until(90*time.Second, fmt.Sprintf(`!window.old && %s === %q`, script, now))
}

// runNoScripts has the browser run none of those of the pages to come.
func (b *browser) runNoScripts() {
	b.t.Helper()
	b.do("no scripts", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
}
