//go:build browser

package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestSettingsForms fills in the forms of settings that a person changes now and then:
// what is wrong is said and stays in its field, what is right is shown before it is kept,
// and is in the form when that is opened again.
func TestSettingsForms(t *testing.T) {
	t.Parallel()
	// Ports of its own, below those that are given away: it starts anew for most of them.
	s := startStation(t, nil, "-sim", "-keep", t.TempDir(), "-http", "127.0.0.1:18080", "-https", "127.0.0.1:18443")
	b := open(t)
	b.enterSecurely(s, "/claim")
	b.claim()
	for _, f := range []struct {
		path, label, wrong, right string
		more                      map[string]string // labels of what has to go with it
		shown                     string            // beside the field's own text
	}{
		{"/settings/list", "Address of the list", "ftp://127.0.0.1/list", "https://127.0.0.1:9/list.json", map[string]string{"Its token, if it takes one": "not-for-everybody"}, "not set"},
		{"/settings/ptp", "Its device", "ptp0", "/dev/ptp7", map[string]string{"How far off it is at the most": "80us"}, "80µs"},
		{"/settings/name", "Time zone", "Mars/Olympus", "Asia/Kathmandu", nil, "not set"},
		{"/settings/update", "Hours in which the station may restart for one", "25:00", "01:30-04:00", nil, ""},
	} {
		t.Logf("%s", f.path)
		b.visit(s.secure + f.path)
		b.fill(f.label, f.wrong)
		b.press("Look at the change")
		b.until(patience, `document.querySelector('[role=alert]')`)
		b.forgive("422 (Unprocessable Entity)")
		if got := b.field(f.label); got != f.wrong {
			t.Errorf("%s: what was wrong is %q in its field, not %q", f.path, got, f.wrong)
		}
		b.fill(f.label, f.right)
		for label, text := range f.more {
			b.fill(label, text)
		}
		b.press("Look at the change")
		b.until(patience, `document.querySelector('.differences')`)
		b.says(patience, f.right)
		b.says(patience, f.shown)
		if v, err := b.evaluate(`document.body.innerText.includes("not-for-everybody")`); err != nil || v != "false" {
			t.Errorf("%s: a secret is shown: %v", f.path, err)
		}
		b.press("Keep it")
		b.until(patience, `document.body.innerText.includes("The change is kept")`)
		if v, err := b.evaluate(`document.body.innerText.includes("starts anew")`); err == nil && v == "true" {
			b.until(time.Minute, `document.querySelector('h1')?.innerText === "Log in"`) // by itself
			b.logIn()
		}
		b.visit(s.secure + f.path)
		if got := b.field(f.label); got != f.right {
			t.Errorf("%s: it is %q, not %q, when the form is opened again", f.path, got, f.right)
		}
	}

	b.visit(s.secure + "/settings/receiver")
	b.press("I moved the antenna")
	b.press("The antenna was moved")
	b.says(patience, "The station finds out anew where its antenna is.")
	b.visit(s.secure + "/settings/past")
	b.until(patience, `[...document.querySelectorAll('h2')].length >= 4`)
}

// logIn does, on the page for it.
func (b *browser) logIn() {
	b.t.Helper()
	b.heading("Log in")
	b.enter("The station's password", password)
	b.press("Log in")
	b.heading("Settings")
}

// fill types into a field in place of what is in it.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	it := b.only(fmt.Sprintf(`//*[self::input or self::textarea][@id=//label[normalize-space(.)="%s"]/@for]`, label))
	b.do("fill in "+label, chromedp.Clear(it), chromedp.SendKeys(it, text, chromedp.NodeVisible))
}

// field is what is in a field.
func (b *browser) field(label string) string {
	b.t.Helper()
	v, err := b.evaluate(fmt.Sprintf(`document.getElementById([...document.querySelectorAll('label')].find(l => l.innerText.trim() === %q).htmlFor).value`, label))
	if err != nil {
		b.t.Fatalf("%s: %v", label, err)
	}
	return v
}
