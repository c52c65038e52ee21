package screen

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boombuler/barcode/qr"
)

var renew = flag.Bool("update", false, "write the golden screens anew")

const print32 = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"

var views = map[string]View{
	"unclaimed": {Name: "truechimer-7f3a", Page: "http://192.168.178.123/", Local: "http://truechimer-7f3a.local/", State: "It does not know the time yet.", Fingerprint: print32},
	"claimed":   {Name: "Attic", Page: "http://[2001:db8:1234:5678:9abc:def0:1234:5678]/", State: "It knows the time.", Claimed: true, Fingerprint: print32},
	"waiting":   {Name: "truechimer-7f3a", Waiting: "eth0 has no carrier: is a cable plugged in?", State: "It does not know the time yet."},
	"nothing":   {},
}

// TestDraw compares screens with their files, and holds them to the smallest display.
func TestDraw(t *testing.T) {
	for name, v := range views {
		got := strings.TrimPrefix(Draw(v), clear+hideCursor+bright)
		file := filepath.Join("testdata", name+".txt")
		plain := strings.ReplaceAll(got, "\r\n", "\n")
		if *renew {
			if err := os.WriteFile(file, []byte(plain), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if plain != string(want) {
			t.Errorf("%s differs (-update writes it anew):\n%s", file, plain)
		}
		checkFits(t, name, got)
	}
}

func checkFits(t *testing.T, name, text string) {
	t.Helper()
	list := strings.Split(strings.TrimPrefix(text, clear+hideCursor+bright), "\r\n")
	if len(list) > 25 {
		t.Errorf("%s has %d lines", name, len(list))
	}
	for _, l := range list {
		if n := len([]rune(l)); n > 80 {
			t.Errorf("%s has a line of %d columns: %s", name, n, l)
		}
		if strings.ContainsAny(l, "\x1b\x00\a\r\n\t\u202e") {
			t.Errorf("%s has a line with control characters: %q", name, l)
		}
	}
}

// TestCode: the half blocks are the code's modules, with four light ones around.
func TestCode(t *testing.T) {
	for _, text := range []string{"http://192.0.2.1/", "http://[2001:db8::7]:8080/"} {
		c, err := qr.Encode(text, qr.L, qr.Auto)
		if err != nil {
			t.Fatal(err)
		}
		size := c.Bounds().Dx()
		list := code(text)
		if len(list) != (size+2*quiet+1)/2 {
			t.Fatalf("%s: %d lines for %d modules", text, len(list), size)
		}
		for y := -quiet; y < size+quiet; y++ {
			line := []rune(list[(y+quiet)/2])
			if len(line) != size+2*quiet {
				t.Fatalf("%s: a line has %d columns", text, len(line))
			}
			for x, r := range line {
				light := r == '█' || r == '▀' && (y+quiet)%2 == 0 || r == '▄' && (y+quiet)%2 == 1
				x -= quiet
				want := true
				if x >= 0 && y >= 0 && x < size && y < size {
					r, _, _, _ := c.At(x, y).RGBA()
					want = r > 0
				}
				if light != want {
					t.Fatalf("%s: the module at %d, %d is light: %t", text, x, y, light)
				}
			}
		}
	}
	if code("") != nil || code(strings.Repeat("x", longest+1)) != nil {
		t.Error("there is a code for nothing, or for too much")
	}
}

// FuzzDraw: whatever the texts are, they fit and control nothing.
func FuzzDraw(f *testing.F) {
	f.Add("a", "http://192.0.2.1/", "http://a.local/", "b", "c", print32)
	f.Add("\x1b[2J", "http://\x00", "\u202e", strings.Repeat("x ", 500), "é\xff", ":::")
	f.Fuzz(func(t *testing.T, name, page, local, state, waiting, fp string) {
		for _, claimed := range []bool{false, true} {
			got := Draw(View{name, page, local, state, waiting, claimed, fp})
			for _, l := range strings.Split(strings.TrimPrefix(got, clear+hideCursor+bright), "\r\n") {
				if strings.ContainsAny(l, "\x1b\x00\a\r\n\t\u202e") {
					t.Errorf("%q", l)
				}
			}
		}
	})
}

// paper is a terminal that notes what is done with it.
type paper struct {
	writes, shows, leaves int
	last                  string
	fails                 error
}

func (p *paper) Write(b []byte) (int, error) { p.writes++; p.last = string(b); return len(b), p.fails }
func (p *paper) Show() error                 { p.shows++; return nil }
func (p *paper) Leave() error                { p.leaves++; return nil }
func (p *paper) Close() error                { return nil }

// TestRun draws when something has changed, and once a minute all the same.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begun := &paper{}, time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
		defer cancel()
		err := Run(ctx, p, func() View {
			if time.Since(begun) < 30*time.Second {
				return views["waiting"]
			}
			return views["unclaimed"]
		})
		if err != nil || p.shows != 1 || p.leaves != 1 || p.writes < 11 || p.writes > 12 || p.last != Draw(views["unclaimed"]) {
			t.Errorf("%v: %d writes, shown %d times, left %d times", err, p.writes, p.shows, p.leaves)
		}
		gone := errors.New("input/output error")
		if err := Run(t.Context(), &paper{fails: gone}, func() View { return View{} }); !errors.Is(err, gone) {
			t.Errorf("a terminal that fails: %v", err)
		}
	})
}
