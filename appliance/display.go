package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/truechimer/truechimer/appliance/led"
	"github.com/truechimer/truechimer/appliance/screen"
)

// showScreen shows on a display where the page is.
func (s *station) showScreen(ctx context.Context) error {
	t, err := screen.Open()
	if errors.Is(err, fs.ErrNotExist) {
		s.log.Info("no display shows where the page is", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer t.Close()
	return screen.Run(ctx, t, s.view)
}

// view is what the display shows.
func (s *station) view() screen.View {
	v := screen.View{Name: s.platform.name, State: stateTexts[s.pattern()]}
	if s.conf.Name != "" {
		v.Name = s.conf.Name
	}
	v.Local = s.localPage()
	if m := s.manager.Load(); m != nil {
		st := m.State()
		v.Page, v.Waiting = pageAddress(st.Addresses, s.platform.listen), st.Reason
	}
	if s.access != nil {
		v.Claimed, v.Fingerprint = s.access.Claimed(), s.access.Fingerprint()
	}
	return v
}

// stateTexts are what the display says beside what the LED shows.
var stateTexts = map[led.Pattern]string{
	led.Locked:    "It knows the time.",
	led.Acquiring: "It does not know the time yet.",
	led.Holdover:  "Its receiver is silent; it keeps the time by itself.",
	led.Fault:     "Something is wrong: its page says what.",
	led.Updating:  "It is being updated: leave the power on.",
	led.Held:      "Its reset button is held down: go on for ten seconds to have it forget everything.",
	led.LetGo:     "Let go of the reset button now, and it forgets everything. Hold it on, and nothing happens.",
}
