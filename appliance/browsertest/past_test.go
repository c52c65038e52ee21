//go:build browser

package browsertest

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/journal"
)

// pastDays is how long the station is said to have been there, and pastServer one that it
// has watched.
const (
	pastDays   = 40
	pastServer = "right-1"
)

// allDrawn says that the script has drawn all four pictures.
const allDrawn = `document.querySelectorAll('.drawn canvas').length === 4`

// unflushed is a directory whose files need not outlast a power cut.
type unflushed struct{ journal.Dir }

type unflushedFile struct{ journal.File }

func (unflushedFile) Sync() error { return nil }

func (d unflushed) Open(name string) (journal.File, error) {
	f, err := d.Dir.Open(name)
	return unflushedFile{f}, err
}

func (d unflushed) Make(name string, size int64) (journal.File, error) {
	f, err := d.Dir.Make(name, size)
	return unflushedFile{f}, err
}

// withPast returns the directory of a journal of pastDays up to now: of the reference,
// which was in holdover for an hour two days ago, and in the last twelve hours of a server.
func withPast(t *testing.T) string {
	dir, begins := t.TempDir(), time.Now().Add(-pastDays*24*time.Hour)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		mono := func() int64 { return 1 + int64(time.Since(begun)) }
		j, err := journal.New(journal.Config{
			Open: func() (journal.Dir, int64, error) {
				d, err := journal.OpenDir(dir)
				return unflushed{d}, 64 << 20, err
			},
			Now: mono,
			Reference: func(mono int64, _ string) journal.Reference {
				return journal.Reference{
					UTC: begins.Add(time.Duration(mono)).UnixNano(), Known: true, Usable: true, Uncertainty: 1e-6, Source: "gps+pps", State: "locked",
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- j.Run(ctx) }()
		for n := range pastDays * 24 * 60 {
			time.Sleep(time.Minute)
			ago := pastDays*24 - float64(n)/60 // hours
			day := 2 * math.Pi * ago / 24
			mean := 6e-8*math.Sin(3*day) + 2e-8*math.Sin(41*day)
			m := journal.Minute{
				Mono: mono() - 30e9, Source: "gps+pps", State: "locked", Locked: 60, Pulses: 60, Satellites: 9,
				Offsets:     journal.Offsets{Mean: mean, Least: mean - 1.5e-7, Greatest: mean + 1.5e-7, Jitter: 5e-8 + 1e-8*math.Sin(17*day)},
				Uncertainty: 9e-7 + 1e-7*math.Sin(5*day), Bound: 5e-6, Frequency: 8.2 + 0.04*math.Sin(day) + ago/2e4, Temperature: 47 + 3*math.Sin(day),
			}
			if held := 48 - ago; held > 0 && held <= 1 {
				nan := math.NaN()
				m.State, m.Locked, m.Pulses, m.Holdover = "holdover", 0, 0, time.Duration(held*float64(time.Hour))
				m.Offsets, m.Uncertainty = journal.Offsets{Mean: nan, Least: nan, Greatest: nan, Jitter: nan}, 1e-6+2e-5*held
			}
			j.PutMinute(m)
			if ago > 12 {
				continue
			}
			offset, bound, uncertainty, rtt := 3e-4*math.Sin(7*day), 2e-3, 2e-4, 4e-3
			j.Put(monitor.Exchange{
				Target: pastServer, Addr: netip.MustParseAddrPort("127.0.0.1:123"), Outcome: monitor.OutcomeOK, Mono: mono(),
				Kernel: true, StampError: 1e-6, Stratum: 1, RefID: 0x47505300, RootDispersion: 1e-3,
			}, monitor.Result{
				Target:  monitor.Target{ID: pastServer, Server: monitor.Server{Name: pastServer, Limit: 0.025}},
				Verdict: monitor.OK, RTT: &rtt, Latest: &monitor.Measurement{Offset: offset, Uncertainty: uncertainty, Bound: bound, RTT: rtt},
			})
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if st := j.Status(); st.Problem != "" || st.Dropped > 0 {
			t.Fatalf("%+v", st)
		}
	})
	return dir
}

// TestPast reads how the reference was: what is under the pointer is told, and drawing
// across a stretch looks closer at it, as it does on the page of a server.
func TestPast(t *testing.T) {
	t.Parallel()
	s := startStation(t, nil, "-sim", "-journal", withPast(t))
	b := open(t)
	b.visit(s.plain + "/details")
	b.press("How it was, over a day or a year")
	b.heading("How the reference was")
	b.until(patience, allDrawn)
	for _, span := range []string{"A week", "30 days", "A year", "6 hours", "A day"} {
		b.press(span)
		b.until(patience, fmt.Sprintf(`document.querySelector('.spans b')?.textContent === %q && %s`, span, allDrawn))
	}

	x, y := b.spot(`[data-track="offset"] .u-over`, 0.5)
	b.do("point", chromedp.MouseEvent(chromedp.MouseMoved, x, y))
	b.until(patience, `/UTC: mean .* ns, from .* to .* ns/.test(document.querySelector('[data-track="offset"] .readout').textContent)`)
	b.until(patience, `/UTC: .* ppm/.test(document.querySelector('[data-track="frequency"] .readout').textContent)`) // under the same instant
	b.across(`[data-track="offset"] .u-over`, 0.25, 0.5)
	b.until(patience, `new URLSearchParams(location.search).has("from") && `+allDrawn)
	b.stretch(6*time.Hour, 10*time.Minute)
	b.press("Wider")
	b.until(patience, allDrawn)
	b.stretch(12*time.Hour, 20*time.Minute)

	b.visit(s.plain + "/servers/" + pastServer)
	b.heading(pastServer)
	b.across(`[data-across] svg.plot`, 0.5, 0.75)
	b.until(patience, `new URLSearchParams(location.search).has("from") && document.querySelector('[data-across]')`)
	b.stretch(3*time.Hour, 20*time.Minute) // the picture begins with the first exchange, half a day ago

	// In the dark, on a phone and for who cannot see.
	b.visit(s.plain + "/reference?span=week")
	b.until(patience, allDrawn)
	b.accessible("/reference") // light and dark: drawn anew in the colours of each
	b.until(patience, allDrawn)
	b.do(kathmandu, inZone(kathmandu))
	b.visit(s.plain + "/reference")
	b.timesHere(kathmandu)

	// Without scripts the station's own pictures stay, and the rows of the table lead closer.
	b.runNoScripts()
	b.visit(s.plain + "/reference?span=month")
	b.until(patience, `document.querySelectorAll('figure svg.plot').length === 4 && !document.querySelector('canvas')`)
	b.press(time.Now().UTC().Add(-48 * time.Hour).Format(time.DateOnly))
	b.until(patience, `document.querySelector('figure .shade.holdover') && document.querySelectorAll('tbody tr').length === 24`)
	b.stretch(24*time.Hour, 0)
}

// spot is a place in a part of the page, across its width.
func (b *browser) spot(part string, across float64) (x, y float64) {
	b.t.Helper()
	text, err := b.evaluate(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return (r.left + r.width * %g) + " " + (r.top + r.height / 2); })()`, part, across))
	if err == nil {
		_, err = fmt.Sscan(text, &x, &y)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", part, err)
	}
	return x, y
}

// across draws across a part of the page.
func (b *browser) across(part string, from, to float64) {
	b.t.Helper()
	x, y := b.spot(part, from)
	end, _ := b.spot(part, to)
	b.do("draw across", chromedp.DragAndDropXY(x, y, end, y))
}

// stretch says how long the page's stretch is to be, and how exactly.
func (b *browser) stretch(want, within time.Duration) {
	b.t.Helper()
	text, err := b.evaluate(`(() => { const q = new URLSearchParams(location.search); return q.get("to") - q.get("from"); })()`)
	var got float64
	if err == nil {
		_, err = fmt.Sscan(text, &got)
	}
	if d := time.Duration(got) * time.Second; err != nil || (d-want).Abs() > within {
		b.t.Errorf("the stretch is %s long, not %s: %v", d, want, err)
	}
}
