//go:build browser

package browsertest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	// patience is how long a page may take for a step; a machine with other work
	// takes seconds for what is done in a fraction of one. It is counted in looks, so
	// that a machine which stands still for a while does not use it up.
	patience = 20 * time.Second
	look     = 100 * time.Millisecond
	// hung is how long the browser may take to do as it is told before it has hung.
	hung = time.Minute
)

// browser is one visitor's, with cookies and exceptions of its own.
type browser struct {
	t   *testing.T
	ctx context.Context

	presses   []string // the links and buttons that were pressed
	typed     []string // the labels of the fields that were typed into
	decisions []string // what was decided, each by one or more presses

	mu         sync.Mutex
	complaints []string
}

// options are how a Chromium is started. It could reach nobody, and is told not to
// try.
func options() []chromedp.ExecAllocatorOption {
	return append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(os.Getenv(envChromium)),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 192.168.*"),
		chromedp.Flag("lang", "en-GB"),
		chromedp.WindowSize(1200, 900),
	)
}

// chromium is the one that all tests share; endChromium ends it.
var (
	chromium = sync.OnceValues(func() (context.Context, error) {
		ctx, cancel := chromedp.NewExecAllocator(context.Background(), options()...)
		ctx, _ = chromedp.NewContext(ctx)
		stopChromium = cancel
		return ctx, chromedp.Do(ctx)
	})
	stopChromium = func() {}
)

func endChromium() { stopChromium() }

// open gives a visitor who has not been here before.
func open(t *testing.T) *browser {
	t.Helper()
	ctx, err := chromium()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return visit(t, ctx, chromedp.WithNewBrowserContext())
}

// visit opens a tab, and ends it with the test.
func visit(t *testing.T, parent context.Context, o ...chromedp.ContextOption) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, o...)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.complaints = append(b.complaints, m.String())
			b.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		b.content()
		if t.Failed() {
			where, _ := b.evaluate(`location.href`)
			text, _ := b.evaluate(`document.body ? document.body.innerText : ''`)
			t.Logf("the page %s says:\n%s", where, text)
		}
		cancel()
	})
	return b
}

// content fails the test if the browser had anything to say on its console: an
// error, a warning, or something that the page's policy forbade.
func (b *browser) content() {
	b.t.Helper()
	b.forgive("\x00")
}

// forgive is content but for what the test has brought about.
func (b *browser) forgive(what string) {
	b.t.Helper()
	for _, c := range b.take() {
		if !strings.Contains(c, what) {
			b.t.Errorf("the browser's console: %s", c)
		}
	}
}

// take gives the complaints there were, and forgets them.
func (b *browser) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.complaints
	b.complaints = nil
	return list
}

// do does things that the browser does at once.
func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hung)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// call is do for what gives something back.
func call[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hung)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return v
}

// evaluate is an expression's value as text. An error may be one of a page that
// is just being left.
func (b *browser) evaluate(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(b.ctx, hung)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](`String(`+expression+`)`))
}

// until waits until an expression is true, on whatever page is there.
func (b *browser) until(within time.Duration, expression string) {
	b.t.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	var err error
	for range within / look {
		var v string
		if v, err = b.evaluate(`Boolean(` + expression + `)`); err == nil && v == "true" {
			return
		}
		<-tick.C
	}
	b.t.Fatalf("after %v there is still not: %s (%v)", within, expression, err)
}

// go to an address, and wait until it is there.
func (b *browser) visit(address string) {
	b.t.Helper()
	b.do(address, chromedp.Navigate(address))
}

// returnTo goes to a path of the station over TLS. Where it has a new certificate, as
// it makes one for a new address, the browser warns once more.
func (b *browser) returnTo(s *station, path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hung)
	defer cancel()
	switch err := chromedp.Do(ctx, chromedp.Navigate(s.secure+path)); {
	case err == nil:
	case strings.Contains(err.Error(), untrusted):
		b.trust(s)
	default:
		b.t.Fatalf("%s: %v", path, err)
	}
}

// enterSecurely goes to a path of the station over TLS for the first time.
func (b *browser) enterSecurely(s *station, path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hung)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(s.secure+path)); err == nil || !strings.Contains(err.Error(), untrusted) {
		b.t.Fatalf("%s: %v, not the browser's warning", path, err)
	}
	b.trust(s)
}

// untrusted is what Chromium calls a certificate that nobody it knows has signed.
const untrusted = "ERR_CERT_AUTHORITY_INVALID"

// heading waits for a page with this heading.
func (b *browser) heading(text string) {
	b.t.Helper()
	b.until(patience, fmt.Sprintf(`document.readyState === 'complete' && [...document.querySelectorAll('h1, h2')].some(h => h.innerText.trim() === %q)`, text))
}

// says waits until the page says something, within a time.
func (b *browser) says(within time.Duration, text string) {
	b.t.Helper()
	b.until(within, fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// row waits until the row of a server in the page's table says something, which is
// not necessarily seen without scrolling.
func (b *browser) row(within time.Duration, server, text string) {
	b.t.Helper()
	b.until(within, fmt.Sprintf(`[...document.querySelectorAll('tr')].some(r => {
		const cells = [...r.querySelectorAll('th, td')].map(c => c.innerText.trim().replace(/\s+/g, ' ') + ' ');
		return cells.some(c => c.startsWith(%q)) && cells.some(c => c.startsWith(%q));
	})`, server+" ", text+" "))
}

// only waits until there is exactly one element at an XPath.
func (b *browser) only(path string) chromedp.Search {
	b.t.Helper()
	b.until(patience, fmt.Sprintf(`document.evaluate(%q, document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE).snapshotLength === 1`, path))
	return chromedp.Search(path)
}

// press presses the link or button that says this, as a screen reader would find
// it, with the mouse.
func (b *browser) press(text string) {
	b.t.Helper()
	b.presses = append(b.presses, text)
	it := b.only(fmt.Sprintf(`//*[self::a or self::button or self::summary][normalize-space(.)="%s"]`, text))
	b.do("press "+text, chromedp.Click(it, chromedp.NodeVisible))
}

// enter types into the field that has this label.
func (b *browser) enter(label, text string) {
	b.t.Helper()
	b.typed = append(b.typed, label)
	it := b.only(fmt.Sprintf(`//input[@id=//label[normalize-space(.)="%s"]/@for]`, label))
	b.do("type "+label, chromedp.SendKeys(it, text, chromedp.NodeVisible))
}

// decide is something that only a person can decide.
func (b *browser) decide(what string, f func()) {
	b.t.Helper()
	f()
	b.decisions = append(b.decisions, what)
}

// light and dark are what a visitor's device may ask for.
const (
	light = "light"
	dark  = "dark"
)

// dress asks for pages that are light or dark.
func (b *browser) dress(scheme string) {
	b.t.Helper()
	b.do("emulate "+scheme, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return chromedp.Void{}, err
	})
}

// trust goes past the browser's warning of the station's certificate, as a person
// does who compares the fingerprint with the log's: the browser has seen the same.
func (b *browser) trust(s *station) {
	b.t.Helper()
	b.until(patience, `document.querySelector('#details-button')`)
	b.forgive(untrusted)
	b.presses = append(b.presses, "Advanced", "Proceed")
	b.do("go past the warning",
		chromedp.Click(chromedp.CSS(`#details-button`), chromedp.NodeVisible),
		chromedp.Click(chromedp.CSS(`#proceed-link`), chromedp.NodeVisible))
	b.until(patience, `location.protocol === 'https:' && document.querySelector('main')`)
	got := call(b, "the certificate", func(ctx context.Context, _ *chromedp.Target) (network.GetCertificateResult, error) {
		return chromedp.Call(ctx, network.GetCertificate, network.GetCertificateParams{Origin: s.secure})
	})
	if len(got.TableNames) == 0 {
		b.t.Fatal("the browser tells no certificate")
	}
	der, err := base64.StdEncoding.DecodeString(got.TableNames[0])
	if err != nil {
		b.t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	if seen := strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":"); !strings.Contains(s.said(), "SHA-256 fingerprint "+seen) {
		b.t.Errorf("the browser has seen a certificate with the fingerprint %s, of which the log says nothing", seen)
	}
}
