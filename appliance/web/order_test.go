package web

import (
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
)

// orderOf are the names of servers in the order of the table.
func orderOf(t *testing.T, query string) string {
	t.Helper()
	s := wellStation()
	s.Servers = append(s.Servers, status.Server{ID: "beta", Name: "Beta", Verdict: "ok", Limit: 1, Offset: val(-.5), Score: val(3), Stratum: whole(16), Last: ago(0)})
	page := body(t, fetch(handler(t, Options{Source: fixed{status: s}}), "GET", DetailsPath+query))
	wellFormed(t, page)
	var names []string
	for _, row := range strings.Split(page, ` href="/servers/`)[1:] {
		id, _, _ := strings.Cut(row, `"`)
		names = append(names, id)
	}
	return strings.Join(names, " ")
}

// Every column sorts both ways, and what is not known comes last either way.
func TestOrder(t *testing.T) {
	for query, want := range map[string]string{
		"": "alpha gamma epsilon beta", "?sort=": "alpha gamma epsilon beta", "?sort=nonsense": "alpha gamma epsilon beta", "?sort=--name": "alpha gamma epsilon beta",
		"?sort=name": "alpha beta epsilon gamma", "?sort=-name": "gamma epsilon beta alpha",
		"?sort=verdict": "gamma epsilon alpha beta", "?sort=-offset": "beta gamma alpha epsilon", "?sort=offset": "alpha gamma beta epsilon",
		"?sort=-uncertainty": "gamma alpha epsilon beta", "?sort=rtt": "alpha gamma epsilon beta", "?sort=-stratum": "beta gamma alpha epsilon",
		"?sort=score": "epsilon gamma beta alpha", "?sort=-loss": "epsilon gamma alpha beta", "?sort=-last": "beta alpha gamma epsilon",
	} {
		if got := orderOf(t, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// The links turn the present order round, say which it is, and keep the page still.
func TestHeadings(t *testing.T) {
	for _, h := range headings(url.Values{"sort": {"-offset"}, "refresh": {"off"}}) {
		q, err := url.Parse(h.Href)
		if err != nil || q.Query().Get("refresh") != "off" || q.Fragment != "servers" || q.Path != "" {
			t.Errorf("%s: %s, %v", h.Name, h.Href, err)
		}
		if h.Name == "Offset" && (h.Sorted != "descending" || q.Query().Get("sort") != "offset") || h.Name != "Offset" && h.Sorted != "" {
			t.Errorf("%+v", h)
		}
	}
	page := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}}), "GET", DetailsPath+"?sort=-offset"))
	if !strings.Contains(page, `class="n" aria-sort="descending"><a href="?sort=offset#servers">Offset</a>`) {
		t.Error("the heading does not say how it is sorted")
	}
}

// Of thousands those are shown that come first in the order asked for.
func TestOrderOfThousands(t *testing.T) {
	page := body(t, fetch(handler(t, Options{Source: fixed{status: thousandsStation()}}), "GET", DetailsPath+"?sort=-offset"))
	if n := strings.Count(page, "<tbody "); n != maxRows {
		t.Errorf("%d rows", n)
	}
	if !strings.Contains(page, "those shown are the first in this order") || strings.Index(page, `"/servers/gamma"`) > strings.Index(page, `"/servers/server%200"`) {
		t.Error("not the first ones")
	}
}

func TestSpark(t *testing.T) {
	nan := math.NaN()
	at := func(offsets ...float64) (list []status.Point) {
		for _, o := range offsets {
			list = append(list, status.Point{Offset: o, Verdict: "ok"})
		}
		return list
	}
	// Before the station knows the time no exchange says anything of its server.
	before := func(n int, list []status.Point) []status.Point {
		for i := range n {
			list[i].Verdict = "not_judged"
		}
		return list
	}
	for _, c := range []struct {
		points               []status.Point
		path, lost, unjudged string
		label                string
	}{
		{at(0, 0.01, -0.01, -0.01), "M44 10h0l1-9 1 18 1 0", "", "", "4 offsets from −10 ms to +10 ms"},
		{at(0.01, nan, 0.01, 0.01), "M44 1h0M46 1h0l1 0", "M45 20v-4", "", "3 offsets from +10 ms to +10 ms, 1 without"},
		{at(nan, math.Inf(1)), "", "M46 20v-4M47 20v-4", "", "none of the last 2 requests told an offset"},
		{at(1e300, 0), "M46 0h0l1 10", "", "", ""},
		{before(2, at(nan, nan, 0.01, nan)), "M46 1h0", "M47 20v-4", "M44 18h0M45 18h0", "1 offsets from +10 ms to +10 ms, 1 without, 2 not judged"},
		{before(1, at(nan, nan)), "", "M47 20v-4", "M46 18h0", "none of the last 1 requests told an offset, 1 not judged"},
		{before(2, at(nan, nan)), "", "", "M46 18h0M47 18h0", "the last 2 requests were not judged"},
	} {
		s := drawSpark(c.points, sparkWide, .025)
		if s.Path != c.path || s.Lost != c.lost || s.Unjudged != c.unjudged || c.label != "" && s.Label != c.label {
			t.Errorf("%+v\nwant %q %q %q %q", s, c.path, c.lost, c.unjudged, c.label)
		}
	}
	if drawSpark(at(1), sparkWide, .025) != nil {
		t.Error("a picture of one")
	}
	if s := drawSpark(at(make([]float64, 1000)...), 24, .025); !strings.HasPrefix(s.Path, "M24 10") || len(s.Path) > 24*5 {
		t.Errorf("%s", s.Path)
	}
}

// FuzzOffsets draws whatever there may be.
func FuzzOffsets(f *testing.F) {
	f.Add(1e-3, 1e-4, .025, 20.0)
	f.Add(math.Inf(1), math.NaN(), 0.0, -1e300)
	f.Add(1e300, -1e300, 5e-324, math.NaN())
	f.Fuzz(func(t *testing.T, offset, spread, limit, score float64) {
		if !(limit > 0) || math.IsInf(limit, 0) {
			limit = .025 // as tidy has it
		}
		from := testTime.AddDate(0, 0, -1)
		points := []offsetPoint{
			{at: testTime.Add(-1), offset: offset, low: offset - spread, high: offset + spread, tone: toneGood, score: score},
			{at: from.Add(1), offset: -offset, low: spread, high: offset, tone: toneBad, score: -score},
		}
		p := drawOffsets(points, from, testTime, limit)
		for _, path := range []string{p.Limit, p.Bars, p.Good, p.Bad, p.Score, p.Lost, p.Beyond} {
			if strings.Contains(path, "NaN") || strings.Contains(path, "Inf") || len(path) > 400 {
				t.Errorf("%q", path)
			}
		}
		if len(p.YTicks) > 40 || len(p.XTicks) > 20 {
			t.Errorf("%d and %d ticks", len(p.YTicks), len(p.XTicks))
		}
	})
}
