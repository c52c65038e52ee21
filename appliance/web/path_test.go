package web

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// cutPath stops behind its third hop; the second says nothing.
func cutPath() *status.Path {
	hop := func(n int, addr string, rtt float64) status.Hop {
		return status.Hop{Hop: n, Address: &addr, RTT: &rtt, Type: whole(3), Code: whole(0)}
	}
	return &status.Path{
		At: ago(5 * time.Minute), End: "silent", Summary: "answers up to 2001:db8:7::1, the 3rd hop; silent after it", Packets: 11, Took: val(2.67),
		Hops: []status.Hop{hop(1, "fe80::1", .0012), {Hop: 2}, hop(3, "2001:db8:7::1", .0113), {Hop: 4}, {Hop: 5}, {Hop: 6}, {Hop: 7}, {Hop: 8}},
	}
}

func TestPathOnThePage(t *testing.T) {
	v := newPathView(cutPath(), testTime)
	want := []fact{{Name: "1", Value: "fe80::1", Note: "1.20 ms"}, {Name: "2", Value: "no answer"}, {Name: "3", Value: "2001:db8:7::1", Note: "11.3 ms"}, {Name: "4 to 8", Value: "no answer"}}
	if !slices.Equal(v.Hops, want) || v.At.Text != "13:58:22" {
		t.Errorf("%+v at %s", v.Hops, v.At.Text)
	}
	p := cutPath()
	p.Hops, p.At = p.Hops[:4], ago(26*time.Hour)
	if v = newPathView(p, testTime); v.Hops[3] != (fact{Name: "4", Value: "no answer"}) || v.At.Text != "2026-06-30 12:03:22" {
		t.Errorf("%+v at %s", v.Hops, v.At.Text)
	}
	p.Hops, p.At = nil, nil
	if v = newPathView(p, testTime); len(v.Hops) != 0 || v.At != nil {
		t.Errorf("%+v", v)
	}
}

// What a tracer says is kept within the contract, and its own values are left alone.
func TestTidyPath(t *testing.T) {
	const evil = "<i>\u202e\n"
	p := &status.Path{
		At: &time.Time{}, End: "odd", Summary: strings.Repeat(evil, 1000), Packets: -1, Took: val(math.NaN()),
		Hops: slices.Repeat([]status.Hop{{Hop: 1, Address: said(evil), RTT: val(math.Inf(1))}}, 1000),
	}
	got := tidyPath(p)
	if got.At != nil || got.End != "unavailable" || len(got.Summary) > 2*maxReason || got.Packets != 0 || got.Took != nil || len(got.Hops) != maxHops || *got.Hops[0].Address != "<i>" || got.Hops[0].RTT != nil {
		t.Errorf("%+v", got)
	}
	if p.End != "odd" || *p.Hops[0].Address != evil || p.Hops[0].RTT == nil {
		t.Error("the source's own values were changed")
	}
	for _, end := range status.PathEnds {
		if tidyPath(&status.Path{End: end}).End != end {
			t.Errorf("%s became another word", end)
		}
	}
	if tidyPath(&status.Path{}).Hops == nil {
		t.Error("null hops")
	}
	s := wellStation()
	s.Servers[0].Path = p
	page := render(t, s, nil)
	wellFormed(t, page)
	if strings.Contains(page, "<i>") {
		t.Error("the page holds what a tracer wrote")
	}
}

// Addresses of the owner's network are for who looks at the page, not for the
// metrics, which go elsewhere.
func TestNoHopsInMetrics(t *testing.T) {
	got := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}}), "GET", "/metrics"))
	if strings.Contains(got, "fe80::1") || strings.Contains(got, "2001:db8:7::1") {
		t.Error("the metrics name hops")
	}
}
