package boards

import (
	"slices"
	"strings"
	"testing"
)

// What a hat is must be within what a station finds by itself.
func TestEveryHatIsFound(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range Hats {
		got, err := HatByName(h.Name)
		if err != nil || got.Title != h.Title || h.Title == "" || len(h.Bauds) == 0 || seen[h.Name] {
			t.Errorf("%+v: %v", h, err)
		}
		seen[h.Name] = true
		for _, b := range h.Bauds {
			if !slices.Contains(Bauds, b) {
				t.Errorf("%s: nobody looks for it at %d baud", h.Name, b)
			}
		}
		if h.Pulse != "" && !slices.Contains(RaspberryPi.Pulse, h.Pulse) {
			t.Errorf("%s: nobody looks for its pulse on %s", h.Name, h.Pulse)
		}
	}
	if _, err := HatByName("bowler"); err == nil || !strings.Contains(err.Error(), "adafruit, uputronics") {
		t.Errorf("an unknown hat: %v", err)
	}
}
