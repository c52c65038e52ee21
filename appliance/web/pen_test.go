package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unfold writes a path of relative coordinates in absolute ones.
func unfold(t *testing.T, path string) string {
	t.Helper()
	var out strings.Builder
	var x, y float64
	for _, c := range regexp.MustCompile(`[a-zA-Z][^a-zA-Z]*`).FindAllString(path, -1) {
		var n []float64
		for _, text := range regexp.MustCompile(`-?[0-9.]+`).FindAllString(c[1:], -1) {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatalf("%q in %q: %v", text, path, err)
			}
			n = append(n, v)
		}
		switch letter := c[0]; {
		case letter == 'Z':
			out.WriteString("Z")
		case letter == 'v' && len(n) == 1:
			y += n[0]
			out.WriteString("V" + short(y))
		case letter == 'h' && len(n) == 1 && n[0] == 0:
			out.WriteString("h0")
		case letter == 'M' && len(n) == 2:
			x, y = n[0], n[1]
			out.WriteString("M" + short(x) + " " + short(y))
		case letter == 'm' && len(n) == 2, letter == 'l' && len(n) > 0 && len(n)%2 == 0:
			for i := 0; i < len(n); i += 2 {
				x, y = x+n[i], y+n[i+1]
				out.WriteString(strings.ToUpper(string(letter)) + short(x) + " " + short(y))
			}
		default:
			t.Fatalf("%q in %q", c, path)
		}
	}
	return out.String()
}

// TestPen: however long a path is, its end is where it should be.
func TestPen(t *testing.T) {
	var p pen
	p.move(10, 20.04)
	p.line(10.5, 19.55)
	p.line(0, 30)
	p.down(40.25)
	p.move(-3.26, 0.04)
	p.down(0)
	if got, want := p.path(), "M10 20l.5-.4-10.5 10.4v10.3m-3.3-40.3h0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := unfold(t, p.path()), "M10 20L10.5 19.6L0 30V40.3M-3.3 0h0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p = pen{}
	for i := range 10_000 {
		p.line(float64(i)/7, float64(i%3))
	}
	if got, want := unfold(t, p.path()), "L1428.4 0"; !strings.HasSuffix(got, want) {
		t.Errorf("...%q, want %q", got[len(got)-20:], want)
	}
}
