package web

import (
	"fmt"
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
	if page := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}}), "GET", "/")); !strings.Contains(page, "1 from the last good list of lists.example.net/attic.json") {
		t.Error("the page does not say where servers come from")
	}
}

// A page of thousands of servers has those first that need a look, and an end.
func TestThousandsOnThePage(t *testing.T) {
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
	v := newView(tidy(s), nil, Build{})
	if len(v.Servers) != maxRows || v.Unshown != 10_003-maxRows || v.Tone != toneWarn || v.Servers[0].Name != "gamma" || v.Servers[1].Name != "epsilon" || v.Servers[2].Name != "server 0" {
		t.Errorf("%d rows, %d not shown, %s: %s, %s, %s", len(v.Servers), v.Unshown, v.Tone, v.Servers[0].Name, v.Servers[1].Name, v.Servers[2].Name)
	}
	page := body(t, fetch(handler(t, Options{Source: fixed{status: s}}), "GET", "/"))
	if len(page) > 1<<20 || !strings.Contains(page, "9753 more servers have no room here") {
		t.Errorf("a page of %d bytes", len(page))
	}
	wellFormed(t, page)
}
