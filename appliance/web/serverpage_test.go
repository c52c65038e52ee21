package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/journal"
)

// kept is a journal of exchanges once a minute with whoever is asked for, up to
// testTime.
type kept struct {
	n     int // of exchanges
	err   error
	asked []journal.Query
	odd   bool // they hold what no journal should
	long  time.Duration
}

func (k *kept) record(i int, id string) journal.Record {
	r := journal.Record{
		Target: journal.Target{ID: id, Name: id, Limit: .025}, Time: testTime.Add(-time.Duration(k.n-i) * time.Minute),
		Outcome: monitor.OutcomeOK, Verdict: monitor.OK, Measured: true, Timed: true, Kernel: true, Session: 1,
		Offset: int64(1e5 * math.Sin(float64(i)/40)), Delay: 2e6, Bound: 1.2e-3, Uncertainty: 2e-4, Stratum: 1, RefID: 0x47505300,
		RootDispersion: 1e-3, Reference: journal.Reference{Known: true, Usable: true, Source: "gps+pps", State: "locked"},
	}
	switch {
	case k.odd:
		r.Offset, r.Bound, r.Uncertainty, r.RootDelay = math.MinInt64, math.Inf(1), math.NaN(), math.Inf(1)
		r.Verdict, r.Outcome, r.Reference.Source, r.Reference.State, r.RefID = "odd<b>", "<i>", "<script>", "", 0x3c623e22
	case i%97 == 0:
		r.Outcome, r.Verdict, r.Measured, r.Timed = monitor.OutcomeTimeout, monitor.OK, false, false
		r.Stratum, r.RefID = 0, 0
	case i%301 == 0:
		r.Offset, r.Verdict = 80e6, monitor.Doubtful
	}
	return r
}

func (k *kept) Latest(_ context.Context, q journal.Query, n int) ([]journal.Record, error) {
	k.asked = append(k.asked, q)
	var list []journal.Record
	for i := range k.n {
		if r := k.record(i, q.Target); !r.Time.Before(q.From) && r.Time.Before(q.To) {
			list = append(list, r)
		}
	}
	return list[max(0, len(list)-n):], k.err
}

func (k *kept) Rollups(_ context.Context, q journal.Query, yield func(*journal.Rollup) error) error {
	k.asked = append(k.asked, q)
	for t := q.From.Truncate(time.Hour); t.Before(q.To); t = t.Add(time.Hour) {
		r := journal.Rollup{Target: journal.Target{ID: q.Target}, Hour: t, Sent: 60, Received: 60, Judged: 60, Offset: journal.Spread{Min: -3e5, Median: 1e5, Max: 4e5}}
		if k.odd {
			r.Offset = journal.Spread{Min: math.MinInt64, Median: math.MaxInt64, Max: math.MaxInt64}
		}
		if err := yield(&r); err != nil {
			return err
		}
	}
	return k.err
}

func (k *kept) ExportRollups(_ context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error {
	k.asked = append(k.asked, q)
	fmt.Fprint(w, station, " ", f)
	return k.err
}

func (k *kept) ExportMinutes(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error {
	return k.ExportRollups(ctx, w, station, f, q)
}

func (k *kept) ExportReferenceHours(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error {
	return k.ExportRollups(ctx, w, station, f, q)
}

func keeping(k *kept) Options {
	return Options{Source: fixed{status: remembering()}, Exchanges: &exported{}, History: k}
}

func TestServerPage(t *testing.T) {
	k := &kept{n: 3000}
	h := handler(t, keeping(k))
	r := fetch(h, "GET", "/servers/alpha")
	page := body(t, r)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s %v", r.Status, r.Header)
	}
	at := 0
	for _, want := range []string{
		"<title>alpha – truechimer-7f3a</title>", `<h1 id="server">alpha</h1>`, "ok</p>", "192.0.2.10:123", warningSentences["asym"],
		`<b aria-current="true">A day</b>`, `href="/servers/alpha?span=year"`, "Plot of the server&#39;s offset over time", `class="score"`, `class="dots warn"`,
		"NTP Pool's score", "its own word", `<h2 id="raw">`, "2026-07-01 14:02:22.000", "<td>ok</td>", "2.00\u00a0ms", "GPS", "gps+pps",
		`href="/servers/alpha?before=1782911602000000000#raw"`, "/api/v1/exchanges?target=alpha", "/api/v1/rollups?target=alpha",
	} {
		plain := strings.NewReplacer("&#43;", "+", "&amp;", "&", "&#39;", "'").Replace(page)
		want = strings.NewReplacer("&#39;", "'").Replace(want)
		i := strings.Index(plain[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order", want)
		}
		at += i
	}
	wellFormed(t, page)
	if q := k.asked[0]; q.Target != "alpha" || !q.From.Equal(testTime.Add(-24*time.Hour)) || !q.To.Equal(testTime) || len(k.asked) != 1 {
		t.Errorf("asked for %+v", k.asked)
	}
	if n := strings.Count(page, `<th scope="row">`); n != rowsOfPage {
		t.Errorf("%d rows", n)
	}

	for _, c := range []struct {
		target string
		code   int
		has    string
	}{
		{"/servers/alpha?span=year", 200, "Median of each hour"},
		{"/servers/alpha?span=nonsense", 200, "Each exchange"},
		{"/servers/alpha?before=1782911602000000000", 200, `<a href="/servers/alpha#raw">Newest</a>`},
		{"/servers/alpha?before=1700000000000000000", 200, "no exchange in the two days before"},
		{"/servers/alpha?before=x", 400, "before can be"},
		{"/servers/alpha?before=-1", 400, "before can be"},
		{"/servers/nobody", 404, "No server of this name"},
		{"/servers/", 404, "No server of this name"},
		{"/api/v1/rollups?target=alpha&format=json", 200, "7f3a9c0e5b1d48f2 json"},
		{"/api/v1/rollups?from=2027-01-01T00:00:00Z", 400, "after to"},
	} {
		r := fetch(h, "GET", c.target)
		if got := body(t, r); r.StatusCode != c.code || !strings.Contains(got, c.has) {
			t.Errorf("%s: %s, no %q", c.target, r.Status, c.has)
		}
	}
	if r := fetch(h, "POST", "/servers/alpha"); r.StatusCode != 405 {
		t.Errorf("POST: %s", r.Status)
	}
}

// A page of exchanges leads to the one before, without a gap or one twice.
func TestServerPageLeadsBack(t *testing.T) {
	h := handler(t, keeping(&kept{n: 130}))
	address, seen := "/servers/alpha", map[string]bool{}
	for range 3 {
		page := body(t, fetch(h, "GET", address))
		for _, row := range strings.Split(page, `<th scope="row"><time datetime="`)[1:] {
			row, _, _ = strings.Cut(row, `</time>`)
			if seen[row] {
				t.Errorf("%s is there twice", row)
			}
			seen[row] = true
		}
		_, rest, ok := strings.Cut(page, `<a href="/servers/alpha?before=`)
		if !ok {
			t.Fatal("it does not lead further back")
		}
		number, _, _ := strings.Cut(rest, "#raw")
		address = "/servers/alpha?before=" + number
	}
	if len(seen) != 130 {
		t.Errorf("%d of 130 exchanges are listed", len(seen))
	}
}

// Whatever the card holds and whatever a server is called, there is a page.
func TestServerPageOfHostile(t *testing.T) {
	const evil = `"'><script>alert(1)</script>/..%2f?x#y`
	s := wellStation()
	s.Servers[0].ID, s.Servers[0].Name, s.Servers[1].ID = evil, evil, ".."
	k := &kept{n: 500, odd: true}
	h := handler(t, Options{Source: fixed{status: s}, Exchanges: &exported{}, History: k})
	front := body(t, fetch(h, "GET", DetailsPath))
	_, rest, _ := strings.Cut(front, `href="/servers/`)
	link, _, _ := strings.Cut(rest, `"`)
	for _, span := range []string{"", "?span=hours", "?span=year"} {
		r := fetch(h, "GET", "/servers/"+link+span)
		page := body(t, r)
		if r.StatusCode != 200 || !strings.Contains(page, "&lt;script&gt;") {
			t.Fatalf("%s: %s", link, r.Status)
		}
		for _, bad := range []string{"<script>", "NaN", "Inf", "<b>", "<i>"} {
			if strings.Contains(strings.ReplaceAll(page, "<b>Offset from true time</b>", ""), bad) {
				t.Errorf("%s: the page holds %q", span, bad)
			}
		}
		wellFormed(t, page)
	}
	if k.asked[0].Target != evil {
		t.Errorf("the journal is asked for %q", k.asked[0].Target)
	}
	if strings.Contains(front, `"/servers/.."`) {
		t.Error("a link that a browser takes for another place")
	}
}

func TestServerPageWithoutJournal(t *testing.T) {
	recent := func(id string) (list []status.Point) {
		for i := range 48 {
			list = append(list, status.Point{Age: float64(48-i) * 64, Offset: 1e-4 * float64(i%7), Uncertainty: 1e-5, Score: 20, Verdict: "ok"})
		}
		return append(list, status.Point{Age: math.NaN()}, status.Point{Age: 1, Offset: math.NaN(), Uncertainty: math.NaN(), Score: math.NaN(), Verdict: "<odd>"})
	}
	page := body(t, fetch(handler(t, Options{Source: fixed{status: remembering()}, Recent: recent}), "GET", "/servers/alpha"))
	if !strings.Contains(page, "keeps no exchanges") || !strings.Contains(page, `class="dots good"`) || strings.Contains(page, "NaN") {
		t.Error(page)
	}
	wellFormed(t, page)
	for err, want := range map[error]string{journal.ErrNotOpen: "is not open", errors.New("the card is gone"): "could not be read"} {
		r := fetch(handler(t, keeping(&kept{n: 1, err: err})), "GET", "/servers/alpha")
		if got := body(t, r); r.StatusCode != 200 || !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, r.Status)
		}
	}
}

// fullStation watches a hundred servers and knows all that there is to show: a row has
// a warning, and one in four a reason too.
func fullStation() Options {
	s := steadyStation()
	for _, v := range remembering().Servers[:1] {
		s.Servers[0] = v
	}
	one := s.Servers[0]
	for i := range 97 {
		v := one
		v.ID, v.Name = fmt.Sprintf("server-%d/ipv6", i), fmt.Sprintf("server-%d.example.net", i)
		v.Address, v.Family, v.Provisional = fmt.Sprintf("[2001:db8:7:%x::123]:123", i), "ipv6", true
		v.Offset, v.Warnings = val(-1.23e-4), []string{"reftime_zero"}
		if i%4 == 0 {
			v.Reason = "no reply to 1 of the last 8 requests, none of them this station's own fault"
		}
		s.Servers = append(s.Servers, v)
	}
	step := status.Step{ID: status.StepLink, Name: "Link", State: status.StepWorks, Text: "eth0"}
	for range 4 {
		step = status.Step{ID: status.StepLink, Name: "Link", State: status.StepWorks, Text: "eth0", Next: []status.Step{step}}
	}
	s.Trees = []status.Step{step, step}
	pulses := steady(600, 0)
	for i := range pulses {
		pulses[i].Offset, pulses[i].Uncertainty = 1e-6*math.Sin(float64(i)), 2e-6+1e-8*float64(i%9)
	}
	return Options{
		Source: fixed{s, pulses}, Exchanges: &exported{}, History: &kept{n: 1440}, Recent: fullRecent, Minutes: dayOfMinutes,
	}
}

// TestPageSizes holds what a phone has to load: the first screen, the details of a
// hundred servers, and one of them with a day and with a year.
func TestPageSizes(t *testing.T) {
	const most = 150_000
	h := handler(t, fullStation())
	for _, target := range []string{"/", DetailsPath, "/servers/alpha", "/servers/alpha?span=year", HistoryPath, HistoryPath + "?span=week"} {
		page := body(t, fetch(h, "GET", target))
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, page)
		z.Close()
		t.Logf("%s: %d bytes, %d with gzip", target, len(page), packed.Len())
		all := len(page)
		if strings.HasPrefix(target, HistoryPath) {
			for address := range strings.SplitSeq(page, `"`) {
				if strings.HasPrefix(address, "/assets/") {
					all += len(body(t, fetch(h, "GET", address)))
				}
			}
			t.Logf("%s: %d bytes with all that it loads", target, all)
		}
		if all > most {
			t.Errorf("%s is %d bytes, of %d", target, all, most)
		}
	}
	for _, file := range []string{"page.css", "live.js", "history.js", "across.js"} {
		content, err := assets.ReadFile("assets/" + file)
		if err != nil || len(content) > 24<<10 {
			t.Errorf("%s: %d bytes, %v", file, len(content), err)
		}
		t.Logf("%s: %d bytes", file, len(content))
	}
}

// TestTalkativeServers: a hundred servers that all have as much to say as they may do
// not make the page longer than it may be; each one's own page has all of it, and of few
// servers nothing is left out.
func TestTalkativeServers(t *testing.T) {
	o := fullStation()
	s := o.Source.(fixed).status
	long := strings.TrimSpace(strings.Repeat("no reply but this reason ", maxReason/25))
	for i := range s.Servers {
		v := &s.Servers[i]
		v.Reason, v.Warnings = long, slices.Clone(status.Warnings)
		v.Path = &status.Path{End: status.PathEnds[0], Summary: long}
	}
	page := func(s status.Status, path string) string {
		o.Source = fixed{status: s}
		return body(t, fetch(handler(t, o), "GET", path))
	}
	if n := len(page(s, DetailsPath)); n > 150_000 {
		t.Errorf("%d bytes", n)
	}
	if !strings.Contains(page(s, serverAddress(s.Servers[50].ID)), long) {
		t.Error("a server's own page does not have its whole reason")
	}
	few := s
	few.Servers = s.Servers[:5]
	if n := strings.Count(page(few, DetailsPath), long); n < 5 {
		t.Errorf("of five servers %d have their whole reason", n)
	}
}

// BenchmarkDetails is the page of a hundred servers with all that there is to show.
func BenchmarkDetails(b *testing.B) {
	h, err := New(fullStation())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", DetailsPath, nil))
	}
}

func fullRecent(string) (list []status.Point) {
	for i := range 48 {
		list = append(list, status.Point{Age: float64(48-i) * 64, Offset: 2e-2 * math.Sin(float64(i)), Uncertainty: 1e-5, Score: 20, Verdict: "ok"})
	}
	list[40].Offset, list[44].Offset, list[44].Verdict = math.NaN(), math.NaN(), "not_judged"
	return list
}

// BenchmarkServerPage is the page of a server, without reading the card.
func BenchmarkServerPage(b *testing.B) {
	h, err := New(keeping(&kept{n: 1440}))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/servers/alpha", nil))
	}
}
