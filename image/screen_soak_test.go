//go:build soak

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/truechimer/truechimer/boards"
)

// ask has QEMU's monitor execute commands.
func (p *pair) ask(commands ...string) {
	p.t.Helper()
	c, err := net.Dial("unix", filepath.Join(p.dir, "qmp"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	m, err := newMonitor(c)
	for _, command := range commands {
		if err == nil {
			_, err = m.ask(command)
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestScreen: a PC's display shows the address of its page, as text and as a code.
func TestScreen(t *testing.T) {
	t.Parallel()
	needQEMU(t, boards.VMAmd64)
	const address = "http://10.0.2.15/" // QEMU's network gives it to its first guest
	p := newPair(t, boards.VMAmd64)
	p.build(buildOptions{Board: p.board.Name, Dir: p.dir, Log: t.Logf})
	p.display = true
	p.boot()
	p.runs("a", bootLimit)
	var s *shot
	var size, x, y int
	p.until("the display shows the code of the page's address", bootLimit, func() (found bool) {
		s = p.shoot()
		size, x, y, found = s.find(address)
		return found
	})
	t.Logf("the code is at %d, %d of %d x %d pixels, %d pixels a module", x, y, s.width, s.height, size)

	// The text is two columns right of the light modules around the code, five lines
	// below the top of the screen.
	const quiet, columnsBetween, line = 4, 2, 4
	if x != quiet*size || y != quiet*size {
		t.Errorf("the code is not in the corner")
	}
	column := 2*quiet + codeOf(t, address).Bounds().Dx() + columnsBetween
	for i := range len(address) + 2 {
		if ink := s.ink((column+i)*size, line*2*size, size); ink != (i < len(address)) {
			t.Errorf("character %d beside the code: ink %v", i, ink)
		}
	}
	if t.Failed() {
		name := filepath.Join(os.TempDir(), "truechimer-screen.ppm")
		if err := os.Rename(p.shotFile(), name); err == nil {
			t.Logf("the picture is in %s", name)
		}
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

func (p *pair) shotFile() string { return filepath.Join(p.dir, "shot.ppm") }

// shoot takes one.
func (p *pair) shoot() *shot {
	p.t.Helper()
	p.ask(fmt.Sprintf(`{"execute":"screendump","arguments":{"filename":%q}}`, p.shotFile()))
	f, err := os.Open(p.shotFile())
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	s, r := &shot{t: p.t}, bufio.NewReader(f)
	var most int
	if _, err := fmt.Fscanf(r, "P6\n%d %d\n%d\n", &s.width, &s.height, &most); err != nil || most != 255 {
		p.t.Fatalf("a picture of %d, %d by %d: %v", most, s.width, s.height, err)
	}
	s.rgb = make([]byte, 3*s.width*s.height)
	if _, err := io.ReadFull(r, s.rgb); err != nil {
		p.t.Fatal(err)
	}
	return s
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
