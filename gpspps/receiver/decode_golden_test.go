package receiver

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestGolden reads bursts as receivers of several makes order them. A line "@N"
// sets the clock to N ms, "#" is a comment; the rest goes over the line as it
// is, with its line end, at 9600 baud.
func TestGolden(t *testing.T) {
	in, err := os.ReadFile("testdata/receivers.nmea")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	l := newLine()
	done := 0
	for s := bufio.NewScanner(bytes.NewReader(in)); s.Scan(); {
		switch text := s.Text(); {
		case strings.HasPrefix(text, "#"):
			l.wait(l.mono + 500*ms)
			show(&out, l, &done)
			fmt.Fprintln(&out, text)
		case strings.HasPrefix(text, "@"):
			n, err := strconv.ParseInt(text[1:], 10, 64)
			if err != nil || n*ms < l.mono {
				t.Fatalf("%q: no number, or before the end of the burst before at %d ms", text, l.mono/ms)
			}
			l.wait(n * ms)
		default:
			l.send(text + "\r\n")
		}
	}
	l.wait(l.mono + 500*ms)
	show(&out, l, &done)
	fmt.Fprintf(&out, "%+v\n", l.Stats())
	const file = "testdata/receivers.golden"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got\n%swant\n%s", out.Bytes(), want)
	}
}

func show(out *bytes.Buffer, l *line, done *int) {
	for i, f := range l.fixes[*done:] {
		fmt.Fprintf(out, "burst %6.1f ms, out %6.1f ms: %s valid %-5v mode %d used %2d seen %2d dropped %d at %.6f %.6f %.1f\n",
			float64(f.Mono)/1e6, float64(l.when[*done+i])/1e6, f.Time.Format("2006-01-02 15:04:05.000"), f.Valid, f.Mode, f.Used, f.Seen, f.Checksum,
			f.Position.Lat, f.Position.Lon, f.Position.Height)
	}
	*done = len(l.fixes)
}
