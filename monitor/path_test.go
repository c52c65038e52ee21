package monitor

import (
	"net/netip"
	"testing"
	"time"
)

func hopsOf(addrs ...string) (list []Hop) {
	for _, a := range addrs {
		h := Hop{}
		if a != "" {
			h.Addr, h.RTT, h.Type = netip.MustParseAddr(a), time.Millisecond, 11
		}
		list = append(list, h)
	}
	return list
}

func TestPathInWords(t *testing.T) {
	const outside, inside6, lan = "203.0.113.9:123", "[2001:db8::9]:123", "10.9.9.9:123"
	blocked := func(typ, code uint8, addrs ...string) []Hop {
		list := hopsOf(addrs...)
		list[len(list)-1].Type, list[len(list)-1].Code = typ, code
		return list
	}
	for _, tt := range []struct {
		to     string
		path   Path
		want   string
		inside bool
	}{
		{outside, Path{End: PathSilent, Hops: hopsOf("192.168.1.1", "192.0.2.7", "", "192.0.2.1", "", "")}, "answers up to 192.0.2.1, the 4th hop; silent after it", false},
		{outside, Path{End: PathSilent, PortPath: true, Hops: hopsOf("192.168.1.1", "192.0.2.7")},
			"answers up to 192.0.2.7, the 2nd hop; silent after it; from another port of this station's the server answers", false},
		{outside, Path{End: PathSilent, PortPath: true, Hops: hopsOf("192.168.1.1")},
			"answers up to 192.168.1.1, the 1st hop; silent after it; from another port of this station's the server answers", false},
		{outside, Path{End: PathSilent, Hops: hopsOf("192.168.1.1", "", "")},
			"answers up to 192.168.1.1, the 1st hop; silent after it; that is within this station's own network, as far as can be seen", true},
		{outside, Path{End: PathSilent, Hops: hopsOf("192.168.1.1", "", "10.0.0.1", "")},
			"answers up to 10.0.0.1, the 3rd hop; silent after it; that is within this station's own network, as far as can be seen", true},
		{outside, Path{End: PathSilent, Hops: hopsOf("192.168.1.1", "192.0.2.7", "10.0.0.1")}, "answers up to 10.0.0.1, the 3rd hop; silent after it", false},
		{outside, Path{End: PathSilent, Hops: hopsOf("", "192.0.2.7", "")}, "answers up to 192.0.2.7, the 2nd hop; silent after it", false},
		{outside, Path{End: PathSilent, Hops: hopsOf("192.0.2.7", "")},
			"answers up to 192.0.2.7, the 1st hop; silent after it; that is within this station's own network, as far as can be seen", true},
		{outside, Path{End: PathSilent, Hops: hopsOf("", "")}, "nothing answers, not even the first hop; that is within this station's own network, as far as can be seen", true},
		{outside, Path{End: PathSilent}, "nothing answers, not even the first hop; that is within this station's own network, as far as can be seen", true},
		{lan, Path{End: PathSilent, Hops: hopsOf("10.0.0.1", "")}, "answers up to 10.0.0.1, the 1st hop; silent after it", false},
		{lan, Path{End: PathSilent, Hops: hopsOf("", "")}, "nothing answers, not even the first hop", false},
		{outside, Path{End: PathBlocked, Hops: blocked(3, 1, "192.168.1.1", "192.0.2.7", "192.0.2.7")},
			"gets to 192.0.2.7, the 2nd hop, which says that it goes no further: the host does not answer it", false},
		{outside, Path{End: PathBlocked, Hops: blocked(3, 13, "192.168.1.1", "192.168.1.1")},
			"gets to 192.168.1.1, the 1st hop, which says that it goes no further: it is forbidden; that is within this station's own network, as far as can be seen", true},
		{inside6, Path{End: PathBlocked, Hops: blocked(1, 0, "2001:db8:1::1", "2001:db8:2::1")},
			"gets to 2001:db8:2::1, the 2nd hop, which says that it goes no further: no route to the network", false},
		{outside, Path{End: PathBlocked, Hops: blocked(3, 77, "192.168.1.1", "192.0.2.7")}, "gets to 192.0.2.7, the 2nd hop, which says that it goes no further: ICMP type 3 code 77", false},
		{outside, Path{End: PathBlocked, Hops: blocked(3, 10, "203.0.113.9")}, "gets to 203.0.113.9, the 1st hop, which says that it goes no further: it is forbidden", false},
		{outside, Path{End: PathUnsent, Detail: "no route"}, "this station could not send: no route", true},
		{outside, Path{End: PathRefused, Hops: hopsOf("", "203.0.113.9")}, "gets to 203.0.113.9, the 2nd hop, where nothing listens on the port", false},
		{outside, Path{End: PathRefused, Hops: hopsOf("192.168.1.1", "")}, "gets to the server, where nothing listens on the port", false},
		{outside, Path{End: PathAnswered, Hops: hopsOf("192.168.1.1", "203.0.113.9")}, "the server answers again, as the 2nd hop", false},
		{outside, Path{End: PathAnswered, Hops: hopsOf("192.168.1.1", "")}, "the server answers again", false},
		{outside, Path{End: PathUnavailable, Detail: "not on this system"}, "the path could not be looked at: not on this system", false},
		{outside, Path{}, "the path could not be looked at", false},
	} {
		tt.path.To = netip.MustParseAddrPort(tt.to)
		if got := tt.path.String(); got != tt.want {
			t.Errorf("%+v\ngot  %q\nwant %q", tt.path, got, tt.want)
		}
		if got := tt.path.Inside(); got != tt.inside {
			t.Errorf("%q: inside %v", tt.want, got)
		}
	}
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 22: "22nd", 30: "30th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}
