package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/nmea"
)

func decoded(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := runGPS(append(append([]string{"decode"}, args...), "-"), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDecode(t *testing.T) {
	in := strings.Repeat(string(nmea.AppendSentence(nil, "GPRMC,,V,,,,,,,,,,N")), 2)
	in += string(nmea.AppendSentence(nil, "GPGGA,123519.50,5128.6740,N,00000.0900,W,1,09,0.9,46.0,M,45.5,M,,"))
	in += string(nmea.AppendSentence(nil, "GPRMC,123519.50,A,5128.6740,N,00000.0900,W,0.0,,231126,,,A"))
	in += string(ubxBurst(time.Date(2026, 11, 23, 12, 35, 21, 0, time.UTC)))
	want := `{"time":null,"mode":1,"leap":null,"lat":null,"lon":null,"used":null,"seen":null,"source":"nmea"}
{"time":"2026-11-23T12:35:19.500Z","mode":3,"leap":null,"lat":51.4779,"lon":-0.0015,"used":9,"seen":null,"source":"nmea"}
{"time":"2026-11-23T12:35:21.000Z","mode":3,"leap":18,"lat":0,"lon":0,"used":9,"seen":null,"source":"ubx"}
`
	if got := decoded(t, in); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	file := filepath.Join(t.TempDir(), "port.log")
	if err := os.WriteFile(file, []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := runGPS([]string{"decode", file}, nil, &out); err != nil || out.String() != want {
		t.Errorf("from a file: %v\n%s", err, out.String())
	}
}

// TestDecodePivot: a receiver whose weeks overflowed in April 2019, and a
// recording of 2015.
func TestDecodePivot(t *testing.T) {
	rmc := func(day string) string {
		return string(nmea.AppendSentence(nil, "GPRMC,123519.00,A,5128.6740,N,00000.0900,W,0.0,,"+day+",,,A"))
	}
	for _, c := range []struct{ in, pivot, want string }{
		{rmc("220899"), "log", "2019-04-07"},
		{rmc("180315"), "log", "2034-11-01"},
		{rmc("231126"), "log", "2026-11-23"},
		{"# Date: 2015-03-18\r\n" + rmc("180315"), "log", "2015-03-18"},
		{"# Name: x\n# Date: unknown\n" + rmc("180315"), "log", "2034-11-01"},
		{strings.Repeat("# long ", 100) + "\n# Date: 2015-03-18\n" + rmc("180315"), "log", "2015-03-18"},
		{rmc("180315"), "none", "2015-03-18"},
		{rmc("220899"), "none", "1999-08-22"},
		{"# Date: 2015-03-18\n" + rmc("180315"), "2026-01-01", "2034-11-01"},
	} {
		if got := decoded(t, c.in, "-pivot", c.pivot); !strings.HasPrefix(got, `{"time":"`+c.want+`T12:35:19.000Z"`) {
			t.Errorf("-pivot %s of %q: %s, want %s", c.pivot, c.in, got, c.want)
		}
	}
}

// TestDecodeForever: what comes in has no end, and takes no room.
func TestDecodeForever(t *testing.T) {
	const seconds = 5000
	r := gpstest.New(1)
	n := 0
	var rest []byte
	in := readerFunc(func(b []byte) (int, error) {
		if len(rest) == 0 {
			if n == seconds {
				return 0, io.EOF
			}
			rest = r.Burst(epoch.Add(time.Duration(n) * time.Second))
			n++
		}
		m := copy(b, rest)
		rest = rest[m:]
		return m, nil
	})
	lines := 0
	out := writerFunc(func(b []byte) (int, error) { lines += bytes.Count(b, []byte("\n")); return len(b), nil })
	if err := runGPS([]string{"decode", "-"}, in, out); err != nil || lines != seconds {
		t.Errorf("%d lines of %d seconds, %v", lines, seconds, err)
	}
	full := errors.New("no room left")
	n = 0
	out = func(b []byte) (int, error) { return 0, full }
	if err := runGPS([]string{"decode", "-"}, in, writerFunc(out)); !errors.Is(err, full) || n > 100 {
		t.Errorf("a full disk: %v after %d seconds", err, n)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestGPSCommand(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"encode", "x"}, "write appliance gps decode FILE"},
		{[]string{"decode"}, "takes one file"},
		{[]string{"decode", "a", "b"}, "takes one file"},
		{[]string{"decode", "-pivot", "yesterday", "-"}, "write a date"},
		{[]string{"decode", "/none/such.log"}, "open /none/such.log: no such file"},
		{[]string{"decode", t.TempDir()}, "is a directory"},
	} {
		if err := runGPS(c.args, strings.NewReader(""), io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
	var out bytes.Buffer
	if err := runGPS(nil, nil, &out); err == nil || !strings.Contains(out.String(), "-pivot log") {
		t.Errorf("help: %v, %q", err, out.String())
	}
	if err := logic(t.Context(), []string{"gps", "decode", "/none/such.log"}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("as a command: %v", err)
	}
}
