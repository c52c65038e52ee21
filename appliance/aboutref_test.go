package main

import "testing"

// TestSatellitesTellNoPlace: their directions are rounded before anybody sees them.
func TestSatellitesTellNoPlace(t *testing.T) {
	for _, c := range []struct{ angle, end, want int }{
		{0, 91, 0}, {4, 91, 0}, {5, 91, 10}, {84, 91, 80}, {90, 91, 90}, {354, 360, 350}, {355, 360, 0}, {359, 360, 0}, {181, 360, 180},
	} {
		if got := coarse(c.angle, c.end); got == nil || *got != c.want {
			t.Errorf("%d° is told as %v, want %d°", c.angle, got, c.want)
		}
	}
	if coarse(-1, 360) != nil {
		t.Error("a direction is made up")
	}
}
