package web

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
)

func TestSources(t *testing.T) {
	url := said("https://lists.example.net/attic.json")
	file := status.Assignments{Source: "file", State: "current", Servers: 2}
	for _, c := range []struct {
		list []status.Assignments
		want string
	}{
		{nil, ""}, {[]status.Assignments{file}, ""},
		{[]status.Assignments{file, {Source: "url", State: "none", URL: url}}, "Servers: 2 from truechimer.toml; none yet from lists.example.net/attic.json."},
		{[]status.Assignments{file, {Source: "url", State: "current", URL: url, Servers: 3, Age: val(125)}}, "Servers: 2 from truechimer.toml; 3 from lists.example.net/attic.json, confirmed 2 min 5 s ago."},
		{[]status.Assignments{{Source: "url", State: "kept", URL: url, Servers: 3}}, "Servers: 3 from the last good list of lists.example.net/attic.json."},
		{[]status.Assignments{{Source: "url", State: "kept", Servers: 3}}, "Servers: 3 from the last good list of a list."},
	} {
		if got := sources(c.list); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if page := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}}), "GET", DetailsPath)); !strings.Contains(page, "1 from the last good list of lists.example.net/attic.json") {
		t.Error("the page does not say where servers come from")
	}
}

// thousandsStation watches ten thousand servers that are right, and three others.
func thousandsStation() status.Status {
	s := wellStation()
	good := s.Servers[0]
	s.Servers = nil
	for i := range 10_000 {
		g := good
		g.Name = fmt.Sprint("server ", i)
		g.ID = g.Name
		s.Servers = append(s.Servers, g)
	}
	s.Servers = append(s.Servers, wellStation().Servers...)
	s.Summary = ""
	return s
}

// BenchmarkThousands reports what the page, the API and the metrics of ten
// thousand servers take.
func BenchmarkThousands(b *testing.B) {
	h, err := New(Options{Source: fixed{status: thousandsStation()}})
	if err != nil {
		b.Fatal(err)
	}
	for _, target := range []string{"/", "/api/v1/status", "/metrics"} {
		b.Run(target, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "answer-bytes")
		})
	}
}

// A page of thousands of servers has those first that need a look, and an end.
func TestThousandsOnThePage(t *testing.T) {
	s := thousandsStation()
	v := newView(tidy(s), nil, Build{}, "")
	if len(v.Servers) != maxRows || v.Unshown != 10_003-maxRows || v.Tone != toneWarn || v.Servers[0].Name != "gamma" || v.Servers[1].Name != "epsilon" || v.Servers[2].Name != "server 0" {
		t.Errorf("%d rows, %d not shown, %s: %s, %s, %s", len(v.Servers), v.Unshown, v.Tone, v.Servers[0].Name, v.Servers[1].Name, v.Servers[2].Name)
	}
	page := body(t, fetch(handler(t, Options{Source: fixed{status: s}}), "GET", DetailsPath))
	if len(page) > 1<<20 || !strings.Contains(page, "9753 more servers have no room here") {
		t.Errorf("a page of %d bytes", len(page))
	}
	wellFormed(t, page)
	metrics := body(t, fetch(handler(t, Options{Source: fixed{status: s}}), "GET", "/metrics"))
	if n := strings.Count(metrics, "\nntp_probe_limit_seconds{"); n != maxScraped || !strings.Contains(metrics, "\nntp_probe_servers_left_out 9003\n") {
		t.Errorf("samples of %d servers", n)
	}
}
