package main

import (
	"errors"
	"html"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/web"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/monitor"
)

// rig is what a world has beside a receiver on its port that does well.
type rig struct {
	port    func(w *world, name string, baud int) (port, error) // nil: that receiver's
	serial  []string                                            // ports of the board; nil: the usual one
	bare    bool                                                // the board has neither ports nor lines
	pin     string                                              // that the pulse is on; empty: GPIO18
	answer  func(server string, x *monitor.Exchange)            // what a server says instead; nil: what is right
	unknown bool                                                // there is no name
}

func (r *rig) board(b *boards.Board) {
	if r.serial != nil {
		b.Serial = r.serial
	}
	if r.bare {
		b.Serial, b.Pulse = nil, nil
	}
}

// gps is the port of one of gpstest's receivers that sends at some speed. It has no
// speed on USB.
func gps(sends int, faults ...string) func(*world, string, int) (port, error) {
	r := gpstest.New(1)
	for _, f := range faults {
		if err := r.Set(f); err != nil {
			panic(err)
		}
	}
	return onPort(r, sends)
}

func onPort(r *gpstest.Receiver, sends int) func(*world, string, int) (port, error) {
	return func(w *world, name string, baud int) (port, error) {
		if name == "none" {
			return nil, errors.New("open none: no such file")
		}
		return &gpsPort{w: w, r: r, sends: sends, baud: baud, usb: onUSB(name)}, nil
	}
}

// gpsPort gives a second's sentences in one piece and the silence behind them in
// another.
type gpsPort struct {
	w           *world
	r           *gpstest.Receiver
	sends, baud int
	usb         bool
	spoke       bool
	closed      atomic.Bool
}

func (p *gpsPort) ReadStamped(b []byte) (int, int64, error) {
	if p.closed.Load() {
		return 0, p.w.mono(), os.ErrClosed
	}
	if p.spoke = !p.spoke; !p.spoke {
		time.Sleep(150 * time.Millisecond)
		return 0, p.w.mono(), os.ErrDeadlineExceeded
	}
	second := time.Since(p.w.begun).Truncate(time.Second) + time.Second
	text := p.r.Burst(epoch.Add(second))
	if !p.usb && p.sends != p.baud {
		text = heard(text, p.sends, p.baud)
	}
	n := copy(b, text)
	took := time.Duration(n) * p.ByteTime()
	time.Sleep(time.Until(p.w.begun.Add(second + 100*time.Millisecond + took)))
	if n == 0 {
		return 0, p.w.mono(), os.ErrDeadlineExceeded
	}
	return n, p.w.mono() - int64(took), nil
}
func (*gpsPort) SetReadDeadline(time.Time) error  { return nil }
func (*gpsPort) Write(b []byte) (int, error)      { return len(b), nil }
func (*gpsPort) SetWriteDeadline(time.Time) error { return nil }
func (p *gpsPort) ByteTime() time.Duration {
	if p.usb {
		return 0
	}
	return 10 * time.Second / time.Duration(p.baud)
}
func (p *gpsPort) Close() error { p.closed.Store(true); return nil }

// shown is a source for the page that shows one status.
type shown status.Status

func (s shown) Status() status.Status  { return status.Status(s) }
func (shown) Samples() []status.Sample { return nil }

var (
	// A link within a sentence parts no words.
	anchor = regexp.MustCompile(`</?a\b[^>]*>`)
	unseen = regexp.MustCompile(`(?s)<head>.*?</head>|<svg.*?</svg>|<[^>]*>`)
	jargon = regexp.MustCompile(`(?i)allan|dispersion|skew|kalman|numbering|numbered|falseticker|convict|unconfirmed|synchroni[sz]ed|quorum|holdover|oscillator`)
)

// readable are the words that a person reads on a page.
func readable(page string) []string {
	return strings.Fields(html.UnescapeString(unseen.ReplaceAllString(anchor.ReplaceAllString(page, ""), " ")))
}

// firstScreen is all the words that a person sees first.
func firstScreen(t *testing.T, s status.Status) []string {
	t.Helper()
	h, err := web.New(web.Options{Source: shown(s), Manage: access.Path})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	page, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d, %v", w.Code, err)
	}
	if dir := os.Getenv("TRUECHIMER_SITUATIONS"); dir != "" { // to look at them
		if err := os.WriteFile(dir+"/"+s.Advice.Situation+".html", page, 0o644); err != nil {
			t.Error(err)
		}
	}
	return readable(string(page))
}

// advised holds a status against the situation that it should be in, and looks at
// the first screen. beneath says that another one comes first.
func advised(t *testing.T, s status.Status, id string, beneath ...string) {
	t.Helper()
	a := s.Advice
	at := ""
	for _, there := range a.Situations {
		if there == id {
			at = there
		}
	}
	if first := append(beneath, id)[0]; at == "" || a.Situation != first {
		t.Errorf("situation %s, of %q; want %s: %s; %+v, %+v", a.Situation, a.Situations, id, s.Summary, s.Reference, s.Receiver)
	}
	many := s
	for i := 0; len(s.Servers) > 0 && len(many.Servers) < 9; i++ {
		many.Servers = append(slices.Clip(many.Servers), s.Servers[i%len(s.Servers)])
	}
	if n := len(firstScreen(t, many)); n > 120 {
		t.Errorf("%d words with nine servers", n)
	}
	words := firstScreen(t, s)
	text := strings.Join(words, " ")
	if len(words) > 120 {
		t.Errorf("%d words: %s", len(words), text)
	}
	if bad := jargon.FindString(text); bad != "" {
		t.Errorf("%q in %s", bad, text)
	}
	for _, want := range []string{a.Next, a.Time.Sentence, a.Network.Sentence, a.Updates.Sentence} {
		if !strings.Contains(text, strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	t.Logf("%d words, %q: %s", len(words), a.Situations, text)
}
