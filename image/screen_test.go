package main

import (
	"image/png"
	"os"
	"testing"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// guestPage is the address of a page on QEMU's network: that gives it to its first guest.
const guestPage = "http://10.0.2.15/"

// TestScreenPicture: the picture of a display in the manual shows what a station draws.
func TestScreenPicture(t *testing.T) {
	f, err := os.Open("../docs/screen.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	s := &shot{t: t, width: p.Bounds().Dx(), height: p.Bounds().Dy()}
	for y := range s.height {
		for x := range s.width {
			r, g, b, _ := p.At(x, y).RGBA()
			s.rgb = append(s.rgb, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	size, x, y, found := s.find(guestPage)
	if !found {
		t.Fatal("there is no code of the address in it")
	}
	s.shows(size, x, y, guestPage)
	if _, _, _, found := s.find("http://10.0.2.16/"); found {
		t.Error("it has the code of another address, too")
	}
}

// codeOf is the code of a text, a pixel a module.
func codeOf(t *testing.T, text string) barcode.Barcode {
	t.Helper()
	c, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shot is a picture of a display.
type shot struct {
	t             *testing.T
	width, height int
	rgb           []byte
}

// light says whether a pixel is.
func (s *shot) light(x, y int) bool {
	if x < 0 || y < 0 || x >= s.width || y >= s.height {
		return false
	}
	b := s.rgb[3*(y*s.width+x):][:3]
	return int(b[0])+int(b[1])+int(b[2]) > 3*127
}

// ink says whether there is any in the character at x, y, of a font twice as high as
// wide.
func (s *shot) ink(x, y, wide int) bool {
	for dy := range 2 * wide {
		for dx := range wide {
			if s.light(x+dx, y+dy) {
				return true
			}
		}
	}
	return false
}

// find looks for the code of a text, light modules around it included: modules of size
// pixels, the first at x, y.
func (s *shot) find(text string) (size, x, y int, found bool) {
	c := codeOf(s.t, text)
	n := c.Bounds().Dx()
	is := func(x, y, size int) bool {
		for j := -1; j <= n; j++ {
			for i := -1; i <= n; i++ {
				light := true
				if i >= 0 && j >= 0 && i < n && j < n {
					r, _, _, _ := c.At(i, j).RGBA()
					light = r != 0
				}
				if s.light(x+i*size+size/2, y+j*size+size/2) != light {
					return false
				}
			}
		}
		return true
	}
	for _, size := range []int{8, 16} {
		for y := size; y+n*size < s.height; y += size {
			for x := size; x+n*size < s.width; x += size {
				if is(x, y, size) {
					return size, x, y, true
				}
			}
		}
	}
	return 0, 0, 0, false
}

// shows insists that the code is in the corner, light modules around it, and the address
// beside it as text: two columns right of those, on the fifth line.
func (s *shot) shows(size, x, y int, address string) {
	s.t.Helper()
	const quiet, between, line = 4, 2, 4
	if x != quiet*size || y != quiet*size {
		s.t.Errorf("the code is at %d, %d, and not in the corner", x, y)
	}
	column := 2*quiet + codeOf(s.t, address).Bounds().Dx() + between
	for i := range len(address) + 2 {
		if ink := s.ink((column+i)*size, line*2*size, size); ink != (i < len(address)) {
			s.t.Errorf("character %d beside the code: ink %v", i, ink)
		}
	}
}
