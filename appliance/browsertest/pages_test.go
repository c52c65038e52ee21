//go:build browser

package browsertest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// maxPages bounds a walk over the station's pages. Of those that differ in what is
// behind the question mark, one is looked at, and of those below one address whose
// names have a digit in them, such as one a server, alike.
const (
	maxPages = 40
	alike    = 2
)

func kindOf(u *url.URL) (kind string, many bool) {
	if strings.ContainsAny(path.Base(u.Path), "0123456789") {
		return path.Dir(u.Path), true
	}
	return u.Path, false
}

// notPages are what links lead to that is for machines.
var notPages = []string{"/api/", "/metrics", "/healthz"}

// walk looks at every page that links lead to from those at the given addresses.
func (b *browser) walk(origin string, from []string, look func(where string)) {
	b.t.Helper()
	list, seen, kinds := slices.Clone(from), map[string]bool{}, map[string]int{}
	for _, where := range from {
		seen[where] = true
	}
	for i := 0; i < len(list); i++ {
		if i == maxPages {
			b.t.Fatalf("there are more than %d pages: %s", maxPages, list)
		}
		where := list[i]
		address := origin + where
		if !strings.Contains(where, "?") {
			address += "?refresh=off" // some would change meanwhile
		}
		b.visit(address)
		for _, link := range b.links() {
			u, err := url.Parse(link)
			if err != nil {
				b.t.Errorf("%s: a link to %q: %v", where, link, err)
				continue
			}
			kind, many := kindOf(u)
			machine := slices.ContainsFunc(notPages, func(p string) bool { return strings.HasPrefix(u.Path, p) })
			if !strings.HasPrefix(link, origin+"/") || seen[u.Path] || machine || many && kinds[kind] >= alike {
				continue
			}
			seen[u.Path] = true
			kinds[kind]++
			list = append(list, u.RequestURI())
		}
		look(where)
	}
}

// links are where those of the page lead, but for downloads.
func (b *browser) links() (list []string) {
	b.t.Helper()
	text, err := b.evaluate(`JSON.stringify([...document.querySelectorAll('a[href]:not([download])')].map(a => a.href))`)
	if err == nil {
		err = json.Unmarshal([]byte(text), &list)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// accessible tests that the page that is there can be read by everybody: by axe-core,
// light and dark, and on a phone. but are rules that it need not keep.
func (b *browser) accessible(where string, but ...string) {
	b.t.Helper()
	minor := 0
	for _, scheme := range []string{light, dark} {
		b.dress(scheme)
		for _, f := range b.axe() {
			if f.grave() && !slices.Contains(but, f.ID) {
				b.t.Errorf("%s, %s: %v", where, scheme, f)
			} else {
				minor++
				b.t.Logf("%s, %s: %v", where, scheme, f)
			}
		}
	}
	b.do("a phone's width", chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateMobile))
	if v, err := b.evaluate(`document.documentElement.scrollWidth`); err != nil || v != fmt.Sprint(phoneWidth) {
		b.t.Errorf("%s is %s pixels wide on a phone of %d: %v", where, v, phoneWidth, err)
	}
	b.do("a computer's width", chromedp.ResetViewport())
	b.t.Logf("%s: %d findings that are not grave", where, minor)
}

// TestEveryPageForEverybody walks over all pages of a station that nobody owns, and
// over those of one that the visitor does.
func TestEveryPageForEverybody(t *testing.T) {
	t.Parallel()
	s := startStation(t, nil, "-sim")
	b := open(t)
	everybody := func(where string) { b.accessible(where) }
	b.walk(s.plain, []string{"/"}, everybody)
	b.enterSecurely(s, "/claim")
	b.walk(s.secure, []string{"/claim"}, everybody)
	b.visit(s.secure + "/claim")
	b.claim()
	b.walk(s.secure, []string{"/settings", "/account"}, everybody)
	b.visit(s.secure + "/settings/servers")
	b.enter("A server to watch", "no server")
	b.press("Add it")
	b.until(patience, `document.querySelector('[role=alert]')`)
	b.forgive("422 (Unprocessable Entity)")
	b.accessible("/settings/servers, refused")
	b.visit(s.secure + "/account")
	b.press("Log out")
	b.heading("Log in")
	b.walk(s.secure, []string{"/login", "/lost"}, everybody)
}
