package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor/journal"
)

// Minutes are kept for as long as k.long, if that is set.
func (k *kept) Minutes(ctx context.Context, q journal.Query, yield func(*journal.Minute) error) (journal.Found, error) {
	return k.minutes(ctx, q, func(m *journal.Minute) error {
		if k.long > 0 && testTime.Sub(m.Time) > k.long {
			return nil
		}
		return yield(m)
	})
}

// minutes are of a station that was locked, but for an hour without pulses from ten
// hours before testTime on, and off for the hour after that.
func (k *kept) minutes(_ context.Context, q journal.Query, yield func(*journal.Minute) error) (found journal.Found, err error) {
	k.asked = append(k.asked, q)
	for t := q.From.Truncate(time.Minute).Add(30 * time.Second); t.Before(q.To) && k.err == nil; t = t.Add(time.Minute) {
		ago := testTime.Sub(t)
		if ago < 0 || ago > time.Duration(k.n)*time.Minute || ago > 8*time.Hour && ago < 9*time.Hour {
			continue
		}
		off := 2e-7 * math.Sin(ago.Hours())
		m := journal.Minute{
			Time: t, Source: "gps+pps", State: "locked", Locked: 60, Pulses: 60, Satellites: 9,
			Offsets:     journal.Offsets{Mean: off, Least: off - 3e-7, Greatest: off + 4e-7, Jitter: 8e-8},
			Uncertainty: 1.5e-6, Bound: 9e-6, Frequency: 12.3456 + ago.Hours()/1e3, Temperature: 48 + math.Sin(ago.Hours()/3),
		}
		if ago > 9*time.Hour && ago < 10*time.Hour {
			nan := math.NaN()
			m.State, m.Locked, m.Pulses, m.Holdover = "holdover", 0, 0, 10*time.Hour-ago
			m.Offsets, m.Uncertainty = journal.Offsets{Mean: nan, Least: nan, Greatest: nan, Jitter: nan}, 3e-5
		}
		if k.odd {
			m.Mean, m.Least, m.Greatest, m.Jitter = math.Inf(1), math.Inf(-1), math.MaxFloat32, -1
			m.Uncertainty, m.Frequency, m.Temperature, m.State = math.MaxFloat32, -math.MaxFloat32, math.Inf(1), "<b>"
		}
		if err := yield(&m); err != nil {
			return found, err
		}
	}
	return found, k.err
}

func (k *kept) ReferenceHours(ctx context.Context, q journal.Query, yield func(*journal.ReferenceHour) error) error {
	minutes := *k
	for t := q.From.Truncate(time.Hour); t.Before(q.To); t = t.Add(time.Hour) {
		sum := journal.NewReferenceSum(t)
		if _, err := minutes.minutes(ctx, journal.Query{From: t, To: t.Add(time.Hour)}, func(m *journal.Minute) error { sum.Minute(m); return nil }); err != nil {
			return err
		}
		if h := sum.Value(); h.Minutes > 0 {
			if err := yield(h); err != nil {
				return err
			}
		}
	}
	k.asked = append(k.asked, q)
	return k.err
}

// TestRefHistory reads the page about a day, and what it draws.
func TestRefHistory(t *testing.T) {
	k := &kept{n: 3 * 24 * 60}
	h := handler(t, keeping(k))
	r := fetch(h, "GET", HistoryPath)
	page := body(t, r)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s %v", r.Status, r.Header)
	}
	wellFormed(t, strings.ReplaceAll(page, `type="application/json"`, `type=""`))
	plain := strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(page)
	at := 0
	from, to := testTime.Add(-24*time.Hour).Unix(), testTime.Unix()
	for _, want := range []string{
		`<h1 id="past">How the reference was</h1>`, "each 3 minutes put together", `<b aria-current="true">A day</b>`, `href="/reference?span=year"`,
		fmt.Sprintf(`<a href="/reference?from=%d&to=%d">Earlier</a>`, from-12*3600, to-12*3600),
		fmt.Sprintf(`<a href="/reference?from=%d&to=%d">Closer</a>`, from+6*3600, to-6*3600),
		fmt.Sprintf(`<a href="/reference?from=%d&to=%d">Wider</a>`, from-24*3600, to),
		"<dt>Locked</dt><dd>95.6\u00a0% <small>of 23 h 0 min</small>", "<dt>Longest holdover</dt><dd>59\u00a0min 8 s</dd>",
		"80.0\u00a0ns <small>RMS", "30.0\u00a0µs <small>95 %", "+12.346 to +12.370\u00a0ppm",
		`data-track="offset"`, `class="shade holdover"`, `class="band"`, `data-track="spread"`, `class="line second"`, `data-track="frequency"`, `data-track="temperature"`,
		fmt.Sprintf("/api/v1/reference?from=%d&to=%d", from, to), "/api/v1/reference/hours?from=",
		`<th scope="col">Hour (UTC)</th>`, `<th scope="row"><a href="/reference?from=`,
	} {
		i := strings.Index(plain[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order in %s", want, plain[at:min(at+3000, len(plain))])
		}
		at += i
	}
	if strings.Contains(page, ">Later<") {
		t.Error("a way past now")
	}
	// A row each hour, also where the station was off for a part of it.
	if n := strings.Count(page, `<th scope="row">`); n != 25 {
		t.Errorf("%d rows", n)
	}
	data := dataOf(t, page)
	if data.From != from || data.To != to || data.Part != 180 || len(data.Mean) != 481 || len(data.States) != 481 || data.Path != HistoryPath {
		t.Fatalf("%+v", data)
	}
	known, held := 0, 0
	for i, v := range data.Mean {
		middle := testTime.Sub(time.Unix(data.First+int64(i)*data.Part+data.Part/2, 0)).Hours()
		if v != nil {
			known++
			if want := 2e-7 * math.Sin(middle); math.Abs(*v-want) > 1e-8 {
				t.Errorf("%d: %g, want %g", i, *v, want)
			}
		}
		if data.States[i] == "holdover" {
			held++
		}
		if data.Frequency[i] != nil && math.Abs(*data.Frequency[i]-12.3456-middle/1e3) > 2e-4 {
			t.Errorf("%d: %g ppm", i, *data.Frequency[i])
		}
	}
	if known < 438 || known > 442 || held < 20 || held > 21 {
		t.Errorf("%d parts with pulses, %d in holdover", known, held)
	}
	if q := k.asked[0]; len(k.asked) != 1 || q.From.After(testTime.Add(-24*time.Hour)) || q.From.Before(testTime.Add(-25*time.Hour)) || !q.To.Equal(testTime) {
		t.Errorf("asked for %+v", k.asked)
	}
}

// drawn is what the script is given.
type drawn struct {
	From, To, First, Part                                              int64
	Path                                                               string
	Least, Mean, Greatest, Uncertainty, Jitter, Frequency, Temperature []*float64
	States                                                             []string
}

func dataOf(t *testing.T, page string) (d drawn) {
	t.Helper()
	_, text, _ := strings.Cut(page, `<script type="application/json" id="past-data">`)
	text, _, _ = strings.Cut(text, "</script>")
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return d
}

// TestRefHistorySpans asks for all of them, and for what nobody can have.
func TestRefHistorySpans(t *testing.T) {
	k := &kept{n: 400 * 24 * 60}
	h := handler(t, keeping(k))
	now := testTime.Unix()
	for query, want := range map[string]struct {
		from, part int64
		rows       int
		of         string
	}{
		"":             {now - 86400, 180, 25, "Hour"},
		"span=week":    {now - 7*86400, 3600, 8, "Day"},
		"span=month":   {now - 30*86400, 2 * 3600, 31, "Day"},
		"span=year":    {now - 366*86400, 24 * 3600, 14, "Month"},
		"span=century": {now - 86400, 180, 25, "Hour"},
		"span=hours":   {now - 6*3600, 60, 7, "Hour"},
		fmt.Sprintf("from=%d&to=%d", now-60, now):            {now - 600, 60, 0, ""},
		fmt.Sprintf("from=%d&to=%d", now-3600, now+3600):     {now - 3600, 60, 0, ""},
		fmt.Sprintf("from=%d&to=%d", now-6*3600, now):        {now - 6*3600, 60, 7, "Hour"},
		fmt.Sprintf("from=%d&to=%d", 1, now):                 {now - 400*86400, 24 * 3600, 15, "Month"},
		fmt.Sprintf("from=%d&to=%d", now+1, now+2):           {now - 86400, 180, 25, "Hour"},
		fmt.Sprintf("from=%d&to=%d", now, now-1):             {now - 86400, 180, 25, "Hour"},
		"from=9223372036854775807&to=9223372036854775807":    {now - 86400, 180, 25, "Hour"},
		"from=-9223372036854775808&to=1":                     {now - 86400, 180, 25, "Hour"},
		"from=yesterday&to=" + url.QueryEscape(`"><script>`): {now - 86400, 180, 25, "Hour"},
	} {
		page := body(t, fetch(h, "GET", HistoryPath+"?"+query))
		wellFormed(t, strings.ReplaceAll(page, `type="application/json"`, `type=""`))
		d := dataOf(t, page)
		if d.From != want.from || d.Part != want.part || len(d.Mean) > partsMost+1 || strings.Count(page, `<th scope="row">`) != want.rows || !strings.Contains(page, want.of+" (UTC)") && want.rows > 0 {
			t.Errorf("%s: from %d in %d parts of %d s, %d rows", query, d.From, len(d.Mean), d.Part, strings.Count(page, `<th scope="row">`))
		}
		if len(page) > 80_000 {
			t.Errorf("%s: %d bytes", query, len(page))
		}
		// Parts put together tell of the same time.
		if i := slices.IndexFunc(d.Frequency, func(v *float64) bool { return v != nil }); i < 0 {
			t.Errorf("%s: nothing is known", query)
		}
	}
	if page := body(t, fetch(h, "GET", fmt.Sprintf("%s?from=%d&to=%d", HistoryPath, now-7200, now-3600))); !strings.Contains(page, ">Later<") {
		t.Error("no way on to now")
	}
}

// TestRefHistoryOld: of a day of which minutes are not kept any more the hours are shown,
// and so they are of a server.
func TestRefHistoryOld(t *testing.T) {
	h := handler(t, keeping(&kept{n: 400 * 24 * 60, long: 20 * 24 * time.Hour}))
	old := testTime.Add(-50 * 24 * time.Hour).Unix()
	for days, part := range map[int64]int64{0: 3600, 49: 180} {
		page := body(t, fetch(h, "GET", fmt.Sprintf("%s?from=%d&to=%d", HistoryPath, old+(days-1)*86400, old+days*86400)))
		d := dataOf(t, page)
		known := 0
		for _, v := range d.Mean {
			if v != nil {
				known++
			}
		}
		if d.Part != part || known < int(86400/part) || strings.Contains(page, "each hour put together") != (part == 3600) {
			t.Errorf("%d days later: parts of %d s, %d of them known", days, d.Part, known)
		}
	}
	h = handler(t, keeping(&kept{n: 3000}))
	for at, want := range map[int64]string{old: "Median of each hour", testTime.Unix(): "Each exchange, with"} {
		if page := body(t, fetch(h, "GET", fmt.Sprintf("/servers/alpha?from=%d&to=%d", at-86400, at))); !strings.Contains(page, want) {
			t.Errorf("a server's page does not say %q", want)
		}
	}
}

// TestRefHistoryBad: what the card holds is not to be trusted, and may not be there.
func TestRefHistoryBad(t *testing.T) {
	for name, c := range map[string]struct {
		k    *kept
		want string
	}{
		"odd":      {&kept{n: 1000, odd: true}, `id="past-data"`},
		"nothing":  {&kept{}, "Nothing was kept of this time"},
		"not open": {&kept{n: 9, err: journal.ErrNotOpen}, "The journal of exchanges is not open"},
		"broken":   {&kept{n: 9, err: errors.New("a card that is gone")}, "could not be read; the station&#39;s log says why"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, span := range []string{"day", "year"} {
				r := fetch(handler(t, keeping(c.k)), "GET", HistoryPath+"?span="+span)
				page := body(t, r)
				if r.StatusCode != 200 || !strings.Contains(page, c.want) {
					t.Errorf("%s, %s: %s\n%s", name, span, r.Status, page)
				}
				if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || strings.Contains(page, "<b>") && c.k.odd {
					t.Errorf("%s, %s:\n%s", name, span, page)
				}
			}
		})
	}
	cold := keeping(&kept{n: 9})
	s := remembering()
	s.Time = time.Time{}
	cold.Source = fixed{status: s}
	if page := body(t, fetch(handler(t, cold), "GET", HistoryPath)); !strings.Contains(page, "does not know the time yet") {
		t.Error(page)
	}
	if r := fetch(handler(t, Options{Source: fixed{status: status.Status{}}}), "GET", HistoryPath); r.StatusCode != 404 {
		t.Errorf("a station that keeps nothing: %s", r.Status)
	}
}

// TestRefHistoryLinked: who reads of the reference is led there.
func TestRefHistoryLinked(t *testing.T) {
	if page := body(t, fetch(handler(t, keeping(&kept{n: 9})), "GET", DetailsPath)); strings.Count(page, `href="/reference"`) != 1 {
		t.Error("no link")
	}
	if page := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}}), "GET", DetailsPath)); strings.Contains(page, `href="/reference"`) {
		t.Error("a link to nothing")
	}
}
