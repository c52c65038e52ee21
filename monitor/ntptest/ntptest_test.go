package ntptest

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

func serve(tb testing.TB, o ...Behaviour) *Server {
	tb.Helper()
	s, err := Start("", o...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func dial(tb testing.TB, a netip.AddrPort) net.Conn {
	tb.Helper()
	c, err := net.Dial("udp", a.String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	return c
}

var cookie = []byte("8 bytes!")

func request() []byte {
	b := make([]byte, packetSize)
	b[0], b[2] = 4<<3|modeClient, 6
	copy(b[40:], cookie)
	return b
}

// exchange sends a request and returns the first packet that comes.
func exchange(tb testing.TB, c net.Conn) []byte {
	tb.Helper()
	if _, err := c.Write(request()); err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, 2048)
	n, err := c.Read(b)
	if err != nil {
		tb.Fatal(err)
	}
	return b[:n]
}

func ntpSeconds(b []byte) float64 {
	return float64(binary.BigEndian.Uint32(b)) - ntpToUnix + float64(binary.BigEndian.Uint32(b[4:]))/(1<<32)
}

// What each word does to the packet, field by field, against a right one.
func TestWords(t *testing.T) {
	s := serve(t)
	c := dial(t, s.Addr())
	for _, tt := range []struct {
		words string
		want  func(b []byte) bool
	}{
		{"right", func(b []byte) bool {
			return b[0] == 4<<3|modeServer && b[1] == 1 && b[2] == 6 && int8(b[3]) == -20 &&
				string(b[12:16]) == "SIM\x00" && bytes.Equal(b[24:32], cookie)
		}},
		{"stratum 16", func(b []byte) bool { return b[1] == 16 }},
		{"leap 3", func(b []byte) bool { return b[0]>>6 == 3 }},
		{"kiss RATE", func(b []byte) bool { return b[0]>>6 == 3 && b[1] == 0 && string(b[12:16]) == "RATE" }},
		{"unsynchronized", func(b []byte) bool {
			return b[0]>>6 == 3 && b[1] == 0 && b[5] == 1 && b[9] == 1 && bytes.Equal(b[12:24], make([]byte, 12))
		}},
		{"origin wrong", func(b []byte) bool { return !bytes.Equal(b[24:32], cookie) }},
		{"length 12", func(b []byte) bool { return len(b) == 12 }},
		{"length 100", func(b []byte) bool { return len(b) == 100 }},
		{"zero receive", func(b []byte) bool { return bytes.Equal(b[32:40], make([]byte, 8)) && b[40] != 0 }},
		{"zero transmit", func(b []byte) bool { return bytes.Equal(b[40:48], make([]byte, 8)) && b[32] != 0 }},
		{"exponent poll", func(b []byte) bool { return b[2] == 0x80 }},
		{"exponent precision", func(b []byte) bool { return b[3] == 0x80 }},
		{"version 2", func(b []byte) bool { return b[0]>>3&7 == 2 }},
		{"mode 5", func(b []byte) bool { return b[0]&7 == 5 }},
		{"backwards 5s", func(b []byte) bool { return ntpSeconds(b[40:]) < ntpSeconds(b[32:])-4 }},
		{"slow 20ms", func(b []byte) bool { return ntpSeconds(b[40:]) >= ntpSeconds(b[32:])+0.02 }},
		{"stratum 2 leap 1 backwards 1s", func(b []byte) bool {
			return b[0]>>6 == 1 && b[1] == 2 && ntpSeconds(b[40:]) < ntpSeconds(b[32:])
		}},
	} {
		if err := s.Set(strings.Fields(tt.words)...); err != nil {
			t.Errorf("%s: %v", tt.words, err)
			continue
		}
		if s.String() != tt.words {
			t.Errorf("%s: says %q of itself", tt.words, s)
		}
		if b := exchange(t, c); !tt.want(b) {
			t.Errorf("%s: got %x", tt.words, b)
		}
	}
}

func TestWordsRefused(t *testing.T) {
	s := serve(t, Stratum(7))
	for words, want := range map[string]string{
		"":                   "Write one of: right, offset 80ms, dead, unsynchronized",
		"ofset 80ms":         `"ofset" is no behaviour of a server, write one of: right, offset 80ms`,
		"offset":             "offset needs more, write for one: offset 80ms",
		"offset 80":          `offset: "80" is no duration, write for one 80ms`,
		"offset 900000h":     "offset: 900000h0m0s is out of range",
		"slow -1s":           "slow: -1s is out of range, write 0s to 10s",
		"slow 11s":           "slow: 11s is out of range",
		"path 1s":            "path needs more, write for one: path 30ms 0s",
		"path 1s x":          `path: "x" is no duration`,
		"kiss rate":          `kiss: "rate" is no kiss code`,
		"kiss ABCDE":         "is no kiss code",
		"leap 4":             `leap: "4" is out of range, write a number from 0 to 3`,
		"stratum -1":         "write a number from 0 to 255",
		"zero sum":           `zero: "sum" is not known, write receive or transmit`,
		"length 1025":        "write a number from 0 to 1024",
		"right wrong":        `"wrong" is no behaviour`,
		"dead offset 1s 2s ": `"2s" is no behaviour`,
	} {
		err := s.Set(strings.Fields(words)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got error %v, want one line with %q", words, err, want)
		}
	}
	if b := exchange(t, dial(t, s.Addr())); b[1] != 7 {
		t.Errorf("stratum %d: a refused word changed the behaviour", b[1])
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"right", "offset 80ms", "path 1ms 2ms leap 1", "kiss X", "zero", "offset \x00", "length 1e3", "kiss " + strings.Repeat("x", 4000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := Parse(strings.Fields(s)...)
		if (err == nil) == (len(b) == 0) {
			t.Errorf("%d behaviours and error %v", len(b), err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		set, m := settings{}, right()
		for _, b := range b {
			b(&set, &m)
		}
		if m.length > 1024 || m.strays > 100 || m.slow > maxWait || m.before > maxWait || m.after > maxWait || m.slow < 0 {
			t.Errorf("out of bounds: %+v", m)
		}
	})
}

// The stamps are the host's clock, changed as told and read when they should be.
func TestTime(t *testing.T) {
	seconds := func(at time.Time) float64 { return float64(at.UnixNano()) / 1e9 }
	for _, tt := range []struct {
		name                   string
		o                      []Behaviour
		ahead                  float64
		receive, work, arrival float64 // at least so long: to T2, T2 to T3, T3 to here
	}{
		{name: "right"},
		{name: "offset", o: []Behaviour{Offset(-90 * time.Minute)}, ahead: -5400},
		{name: "source", o: []Behaviour{Time(func(h int64) int64 { return h + 7e9 }), Offset(time.Second)}, ahead: 8},
		{name: "path", o: []Behaviour{Path(30*time.Millisecond, 50*time.Millisecond)}, receive: 0.03, arrival: 0.05},
		{name: "all three", o: []Behaviour{Path(10*time.Millisecond, 20*time.Millisecond), Slow(30 * time.Millisecond)}, receive: 0.01, work: 0.03, arrival: 0.02},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, serve(t, tt.o...).Addr())
			t1 := seconds(time.Now())
			b := exchange(t, c)
			t4 := seconds(time.Now())
			t2, t3, ref := ntpSeconds(b[32:])-tt.ahead, ntpSeconds(b[40:])-tt.ahead, ntpSeconds(b[16:])-tt.ahead
			const rounding = 1e-6 // a float64 of seconds since 1970
			if t2 < t1+tt.receive-rounding || t3 < t2+tt.work-rounding || t4 < t3+tt.arrival-rounding {
				t.Errorf("to T2 %g s, to T3 %g s, to T4 %g s, want at least %g, %g and %g", t2-t1, t3-t2, t4-t3, tt.receive, tt.work, tt.arrival)
			}
			if d := t3 - ref; d < 0.99 || d > 1.01 {
				t.Errorf("reference time %g s before T3, want 1 s", d)
			}
		})
	}
}

func TestToNTP(t *testing.T) {
	for ns, want := range map[int64]uint64{
		0:                           ntpToUnix << 32,
		-1:                          (ntpToUnix-1)<<32 | 0xfffffffb,
		500_000_000:                 ntpToUnix<<32 | 1<<31,
		2085978496 * 1e9:            0, // the end of era 0
		2085978495*1e9 + 999999999:  0xffffffff_fffffffb,
		(2085978496 + 1) * 1e9:      1 << 32,
		-int64(ntpToUnix) * 1e9:     0,
		-int64(ntpToUnix)*1e9 + 5e8: 1 << 31,
	} {
		if got := toNTP(ns); got != want {
			t.Errorf("%d ns: got %#x, want %#x", ns, got, want)
		}
	}
}

func TestIgnored(t *testing.T) {
	s := serve(t)
	c := dial(t, s.Addr())
	short, reply, old := request()[:47], request(), request()
	reply[0] = 4<<3 | modeServer // two servers must not answer each other for ever
	old[0] = modeClient
	for _, b := range [][]byte{nil, short, reply, old, make([]byte, 1500)} {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	exchange(t, c)
	if got, want := s.Counters(), (Counters{Requests: 1, Replies: 1, Ignored: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLoadIsBounded(t *testing.T) {
	s := serve(t, Rate(5))
	// Counted by the server's own method, so that no second's end is waited for.
	now := time.Unix(1e9, 0)
	s.mu.Lock()
	for i := range 20 {
		if got := s.allow(now.Add(time.Duration(i) * 10 * time.Millisecond)); got != (i < 5) {
			t.Errorf("request %d of a second allowed: %v", i, got)
		}
	}
	if !s.allow(now.Add(time.Second)) || !s.allow(now.Add(-time.Hour)) {
		t.Error("the next second, or a clock set back, allows nothing")
	}
	s.mu.Unlock()

	s = serve(t, Slow(maxWait))
	c := dial(t, s.Addr())
	to := netip.MustParseAddrPort(c.LocalAddr().String())
	for range maxPending + 10 {
		s.handle(request(), to, time.Now().UnixNano())
	}
	if got, want := s.Counters(), (Counters{Requests: maxPending + 10, Limited: 10}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDeadIsSilent(t *testing.T) {
	s := serve(t, Dead())
	to := netip.MustParseAddrPort("127.0.0.1:9")
	s.handle(request(), to, time.Now().UnixNano())
	if got, want := s.Counters(), (Counters{Requests: 1, Silent: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		s := serve(t, Slow(time.Second))
		c := dial(t, s.Addr())
		s.handle(request(), netip.MustParseAddrPort(c.LocalAddr().String()), time.Now().UnixNano())
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second time: %v", err)
		}
		if n := s.Counters().Replies; n != 0 {
			t.Errorf("%d replies", n)
		}
	}
	// Waited for is the reader's last deferred call; its end comes a moment later.
	for begun := time.Now(); runtime.NumGoroutine() > before && time.Since(begun) < 5*time.Second; {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	if _, err := Start("127.0.0.1:99999"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:99999") {
		t.Errorf("a port that does not exist: %v", err)
	}
}
