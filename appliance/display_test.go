package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/led"
)

// TestView: the display says how the station is and where its page is; there is a
// sentence for each light.
func TestView(t *testing.T) {
	p := updatable(t, &platform{station: true, name: "truechimer-7f3a", perm: t.TempDir(), bootDevice: card(t, []byte(dayFile)), listen: ":80"})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{hostless: true})
		w.atEnd = func(s *station) {
			s.tellName()("truechimer-7f3a.local")
			v := s.view()
			if v.Name != "truechimer-7f3a" || v.Local != "http://truechimer-7f3a.local/" || v.State != stateTexts[led.Locked] || v.Claimed {
				t.Errorf("%+v", v)
			}
			s.tellName()("")
			if v := s.view(); v.Local != "" || v.Page != "" {
				t.Errorf("without a name and an address: %+v", v)
			}
		}
		live(t, w, p, 5*time.Minute)
	})
	for _, l := range []led.Pattern{led.Locked, led.Acquiring, led.Holdover, led.Fault, led.Updating, led.Held, led.LetGo} {
		if stateTexts[l] == "" {
			t.Errorf("the display has no words for %s", l)
		}
	}
}
