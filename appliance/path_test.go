package main

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

func TestPathForThePage(t *testing.T) {
	at := time.Date(2026, 7, 1, 14, 3, 0, 0, time.UTC)
	r := monitor.Result{Path: &monitor.Path{
		To: netip.MustParseAddrPort("203.0.113.9:123"), At: at, End: monitor.PathSilent, Packets: 9, Took: 2500 * time.Millisecond,
		Hops: []monitor.Hop{
			{Addr: netip.MustParseAddr("192.168.1.1"), RTT: time.Millisecond, Type: 11},
			{},
		},
	}}
	a, rtt, took, typ, code := "192.168.1.1", .001, 2.5, 11, 0
	want := &status.Path{
		At: &at, End: "silent", Inside: true, Packets: 9, Took: &took,
		Summary: "answers up to 192.168.1.1, the 1st hop; silent after it; that is within this station's own network, as far as can be seen",
		Hops:    []status.Hop{{Hop: 1, Address: &a, RTT: &rtt, Type: &typ, Code: &code}, {Hop: 2}},
	}
	if got := server(r).Path; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if server(monitor.Result{}).Path != nil {
		t.Error("a path where there is none")
	}
	if tracer(probe.New(probe.Plain())) == nil {
		t.Error("the prober looks at no paths")
	}
}
