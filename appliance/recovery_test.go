package main

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// everyWord is all that a status tells people.
func everyWord(s status.Status) string {
	a := s.Advice
	all := append([]string{s.Summary, s.Reference.Reason, a.Sentence, a.Next, a.Time.Sentence, a.Network.Word, a.Network.Sentence}, s.Notices...)
	for _, v := range s.Servers {
		all = append(all, v.Verdict+": "+v.Reason)
	}
	return strings.Join(all, "\n")
}

// TestTroubleIsForgotten: a cable that was pulled and is back, and a signal that was
// lost, leave nothing behind in what the page says, and nothing tells for ever that
// all is well again.
func TestTroubleIsForgotten(t *testing.T) {
	gone := regexp.MustCompile(`(?i)not ready|carrier|unreachable|no reply|no answer|meanwhile|unplugged|recovered|again|lost|back\b`)
	for name, c := range map[string]struct {
		trouble func(*world) func(bool)
		says    string // while it lasts
	}{
		"the network's cable": {func(w *world) func(bool) { return w.pulled.Store }, "The network is not ready"},
		"the pulse's wire":    {func(w *world) func(bool) { return w.cut.Store }, "its pulse (PPS) does not come"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				set := c.trouble(w)
				var before, during status.Status
				time.AfterFunc(10*time.Minute, func() { set(true) })
				time.AfterFunc(15*time.Minute, func() { set(false) })
				n := 0
				w.each = func(s status.Status) {
					switch n++; n {
					case 599:
						before = s
					case 899:
						during = s
					}
				}
				after, _ := live(t, w, p, 35*time.Minute)
				if before.Advice.Situation != "well" {
					t.Fatalf("before: %s", everyWord(before))
				}
				if !strings.Contains(everyWord(during), c.says) {
					t.Errorf("while it lasts: %s", everyWord(during))
				}
				if bad := gone.FindString(everyWord(after)); bad != "" || after.Advice.Situation != "well" || !strings.HasSuffix(after.Summary, "all 4 servers are right.") {
					t.Errorf("twenty minutes after it: %q in\n%s", bad, everyWord(after))
				}
				if words := strings.Join(firstScreen(t, after), " "); gone.MatchString(words) {
					t.Errorf("the page says %q", words)
				}
			})
		})
	}
}
