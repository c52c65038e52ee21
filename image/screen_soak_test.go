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
	p := newPair(t, boards.VMAmd64)
	p.build(buildOptions{Board: p.board.Name, Dir: p.dir, Log: t.Logf})
	p.display = true
	p.boot()
	p.runs("a", bootLimit)
	var s *shot
	var size, x, y int
	p.until("the display shows the code of the page's address", bootLimit, func() (found bool) {
		s = p.shoot()
		size, x, y, found = s.find(guestPage)
		return found
	})
	t.Logf("the code is at %d, %d of %d x %d pixels, %d pixels a module", x, y, s.width, s.height, size)

	s.shows(size, x, y, guestPage)
	if t.Failed() {
		name := filepath.Join(os.TempDir(), "truechimer-screen.ppm")
		if err := os.Rename(p.shotFile(), name); err == nil {
			t.Logf("the picture is in %s", name)
		}
	}
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
