package probe

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/monitor"
)

// A stamp is converted between two readings that go together, and not else.
func TestBetween(t *testing.T) {
	const at = int64(2e18)
	before, after := relation{at, 37e9, 300}, relation{at + 20e6, 37e9 + 400, 500}
	middle := at + 37e9 + 200 + 10e6
	for _, tt := range []struct {
		name          string
		before, after relation
		stamp         int64
		ok            bool
		want, err     int64
	}{
		{"in the middle", before, after, middle, true, at + 10e6, 500 + 400 + 2000 + 1},
		{"at the first", before, after, at + 37e9, true, at, 2901},
		{"at the last", before, after, at + 20e6 + 37e9 + 400, true, at + 20e6, 2901},
		{"within the first's width", before, after, at + 37e9 - 300, true, at - 300, 2901},
		{"ahead of the first", before, after, at + 37e9 - 301, false, 0, 0},
		{"behind the last", before, after, at + 20e6 + 37e9 + 400 + 501, false, 0, 0},
		{"none before", relation{}, after, middle, false, 0, 0},
		{"none after", before, relation{}, middle, false, 0, 0},
		{"the wrong way round", after, before, middle, false, 0, 0},
		{"the same", before, before, at + 37e9, false, 0, 0},
		{"500 ppm", before, relation{at + 20e6, 37e9 + 10_800, 500}, middle, true, at + 10e6 - 5200 + 13, 500 + 10_800 + 2001},
		{"beyond", before, relation{at + 20e6, 37e9 + 10_801, 500}, middle, false, 0, 0},
		{"500 ppm slow", before, relation{at + 20e6, 37e9 - 10_801, 500}, middle, false, 0, 0},
		{"long ago", relation{at - relationOld, 37e9, 300}, after, middle, false, 0, 0},
		{"no time there is", before, after, 1<<63 - 1, false, 0, 0},
		{"a clock of 1970", relation{at, 5e9 - at, 300}, relation{at + 20e6, 5e9 - at, 500}, 5e9 + 10e6, true, at + 10e6, 2501},
	} {
		got, ok := between(tt.before, tt.after, tt.stamp)
		if ok != tt.ok || abs(got.at-tt.want) > 13 || got.err != tt.err {
			t.Errorf("%s: %+v, %v; want %d ± %d, %v", tt.name, got, ok, tt.want, tt.err, tt.ok)
		}
	}
}

// A card's stamp is believed on the right side of the kernel's, and not far from it.
func TestWithCard(t *testing.T) {
	const now, e = int64(2e18), int64(1000)
	kernel := kernelStamps(now, now+50e3, now+40e3, now+10e6, now+11e6)
	for _, tt := range []struct {
		tx, rx int64 // after now
		card   uint8
	}{
		{45e3, 10e6 - 5e3, 2}, {0, 0, 0},
		{30e3 - e, 0, 1}, {30e3 - e - 1, 0, 0}, {140e3 + e, 0, 1}, {140e3 + e + 1, 0, 0},
		{0, 10e6 + e, 1}, {0, 10e6 + e + 1, 0}, {0, 10e6 - 100e3 - e, 1}, {0, 10e6 - 100e3 - e - 1, 0},
		{-1e9, 10e6, 1}, {45e3, 1e9, 1},
	} {
		at := func(ns int64) converted {
			if ns == 0 {
				return converted{}
			}
			return converted{now + ns, e}
		}
		got := withCard(kernel, now, at(tt.tx), at(tt.rx))
		if want := []float64{kernelStampError, kernelStampError, cardStampError + 1e-6}[tt.card]; got.card != tt.card || math.Abs(got.err-want) > 1e-12 {
			t.Errorf("%+v: %d of the card, ± %g", tt, got.card, got.err)
		}
	}
	// On a short way, the reply cannot have come before the request left.
	near := kernelStamps(now, now+50e3, now+40e3, now+60e3, now+70e3)
	if got := withCard(near, now, converted{now + 45e3, e}, converted{now + 40e3, e}); got.card != 1 || got.t4 != near.t4 {
		t.Errorf("%+v", got)
	}
}

func TestLasted(t *testing.T) {
	k := &card{name: "eth0"}
	k.index.Store(7)
	c := &cards{list: []*card{k}}
	for _, tt := range []struct {
		mbits  int64
		on     int32
		length int
		want   int64
	}{
		{1000, 7, 90, 752}, {100, 7, 110, 9120}, {10, 7, 90, 75_200},
		{1000, 7, 0, 752}, {1000, 7, 60, 752}, {1000, 7, 65535, 752}, {1000, 7, 1514, 12_144},
		{0, 7, 90, 0}, {-1, 7, 90, 0}, {1000, 8, 90, 0}, {1000, 0, 90, 0},
	} {
		k.mbits = tt.mbits
		if got := c.lasted(&cardStamps{rxOn: tt.on, length: tt.length}); got != tt.want {
			t.Errorf("%+v: %d ns", tt, got)
		}
	}
}

// What a card is set to is changed only where nobody loses by it.
func TestStampConfig(t *testing.T) {
	const (
		both = 1<<unix.HWTSTAMP_FILTER_ALL | 1<<unix.HWTSTAMP_FILTER_NTP_ALL
		all  = 1 << unix.HWTSTAMP_FILTER_ALL
		ntp  = 1 << unix.HWTSTAMP_FILTER_NTP_ALL
	)
	is := func(tx, rx int32) *unix.HwTstampConfig { return &unix.HwTstampConfig{Tx_type: tx, Rx_filter: rx} }
	for _, tt := range []struct {
		name    string
		filters uint32
		is      *unix.HwTstampConfig
		want    int32 // the filter; -1: nothing is set
		err     string
	}{
		{"off", both, is(unix.HWTSTAMP_TX_OFF, unix.HWTSTAMP_FILTER_NONE), unix.HWTSTAMP_FILTER_ALL, ""},
		{"off, for NTP alone", ntp, is(unix.HWTSTAMP_TX_OFF, unix.HWTSTAMP_FILTER_NONE), unix.HWTSTAMP_FILTER_NTP_ALL, ""},
		{"as it has to be", both, is(unix.HWTSTAMP_TX_ON, unix.HWTSTAMP_FILTER_NTP_ALL), -1, ""},
		{"all", all, is(unix.HWTSTAMP_TX_ON, unix.HWTSTAMP_FILTER_ALL), -1, ""},
		{"receives only", all, is(unix.HWTSTAMP_TX_OFF, unix.HWTSTAMP_FILTER_ALL), unix.HWTSTAMP_FILTER_ALL, ""},
		{"receives only, for NTP alone", ntp, is(unix.HWTSTAMP_TX_OFF, unix.HWTSTAMP_FILTER_NTP_ALL), 0, "somebody else has it stamp other packets"},
		{"for a daemon of PTP", all, is(unix.HWTSTAMP_TX_ON, unix.HWTSTAMP_FILTER_PTP_V2_EVENT), unix.HWTSTAMP_FILTER_ALL, ""},
		{"for a daemon of PTP, and cannot both", ntp, is(unix.HWTSTAMP_TX_ON, unix.HWTSTAMP_FILTER_PTP_V2_EVENT), 0, "somebody else has it stamp other packets"},
		{"in one step", all, is(unix.HWTSTAMP_TX_ONESTEP_SYNC, unix.HWTSTAMP_FILTER_ALL), 0, "somebody else has it write its stamps"},
		{"not said", all, nil, unix.HWTSTAMP_FILTER_ALL, ""},
		{"not said, for NTP alone", ntp, nil, 0, "it does not say"},
	} {
		got, err := stampConfig(&unix.EthtoolTsInfo{Rx_filters: tt.filters}, tt.is)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", tt.name, err)
			}
		case err != nil, (got == nil) != (tt.want < 0):
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		case got != nil && (got.Rx_filter != tt.want || !stampsNTP(got)):
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestCanStamp(t *testing.T) {
	good := unix.EthtoolTsInfo{So_timestamping: stampsByCard | 0x18, Phc_index: 0, Tx_types: 3, Rx_filters: 1<<unix.HWTSTAMP_FILTER_NONE | 1<<unix.HWTSTAMP_FILTER_ALL}
	for _, tt := range []struct {
		change func(i *unix.EthtoolTsInfo)
		want   string
	}{
		{func(*unix.EthtoolTsInfo) {}, ""},
		{func(i *unix.EthtoolTsInfo) { i.So_timestamping &^= unix.SOF_TIMESTAMPING_RX_HARDWARE }, "it does not stamp packets"},
		{func(i *unix.EthtoolTsInfo) { i.Tx_types = 1 }, "it does not stamp packets"},
		{func(i *unix.EthtoolTsInfo) { i.Phc_index = -1 }, "it has no clock"},
		// As the PHY of a Compute Module 4.
		{func(i *unix.EthtoolTsInfo) {
			i.Rx_filters = 1<<unix.HWTSTAMP_FILTER_NONE | 1<<unix.HWTSTAMP_FILTER_PTP_V2_EVENT
		}, "it stamps packets of PTP only"},
	} {
		i, got := good, ""
		tt.change(&i)
		if err := canStamp(&i); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", i, got, tt.want)
		}
	}
}

func TestNarrowest(t *testing.T) {
	at := func(ns int64) unix.PtpClockTime { return unix.PtpClockTime{Sec: ns / 1e9, Nsec: uint32(ns % 1e9)} }
	read := func(before, card, after int64) relation { return relate(at(before), at(card), at(after)) }
	const now = int64(2e18)
	list := []relation{read(now, now+37e9, now+9000), read(now+10e3, now+37e9+10_350, now+10_701), read(now+20e3, now+37e9, now+19e3)}
	if got, err := narrowest(list); err != nil || got != (relation{now + 10_350, 37e9, 351}) {
		t.Errorf("%+v, %v", got, err)
	}
	// The clock was set back each time.
	if got, err := narrowest(list[2:]); err == nil {
		t.Errorf("%+v", got)
	}
	if got, err := narrowest(nil); err == nil {
		t.Errorf("%+v", got)
	}
}

// cardMessages are control messages with a card's stamp: of a request, by IPv4 and
// IPv6, and of a reply.
func cardMessages() [3][][]byte {
	times := make([]byte, 48)
	binary.NativeEndian.PutUint64(times[32:], 1_700_000_000)
	binary.NativeEndian.PutUint64(times[40:], 999_999_999)
	raw := control(unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, times)
	stamped := extended(uint32(unix.ENOMSG), unix.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, nil)
	binary.NativeEndian.PutUint32(stamped[12:], 5)
	index := []byte{7, 0, 0, 0}
	return [3][][]byte{
		{raw, control(unix.SOL_IP, unix.IP_PKTINFO, append(index, make([]byte, 8)...)), control(unix.SOL_IP, unix.IP_RECVERR, stamped)},
		{raw, control(unix.SOL_IPV6, unix.IPV6_PKTINFO, append(make([]byte, 16), index...)), control(unix.SOL_IPV6, unix.IPV6_RECVERR, stamped)},
		{raw, control(unix.SOL_SOCKET, unix.SCM_TIMESTAMPING_PKTINFO, append(index, 90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))},
	}
}

func TestCardMessages(t *testing.T) {
	const at = int64(1_700_000_000_999_999_999)
	list := cardMessages()
	for _, m := range list[:2] {
		if q := parseQueued(slices.Concat(m...)); q.raw != at || q.stamp != 0 || q.on != 7 || q.id != 5 || q.err != nil || q.heard != 0 {
			t.Errorf("%+v", q)
		}
	}
	var d datagram
	parseReceived(slices.Concat(list[2]...), &d)
	if d.raw != at || d.stamp != 0 || d.on != 7 || d.length != 90 {
		t.Errorf("%+v", d)
	}
	// Cut off, it is as if it were not there.
	short := control(unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, make([]byte, 47))
	d = datagram{}
	if parseReceived(short, &d); d.raw != 0 {
		t.Errorf("%+v", d)
	}
}

// FuzzCardStamps has stamps by clocks of any kind in the place of the kernel's. What is
// believed stays close to those, on the right side, and says an error that is no less
// than what the readings leave open.
func FuzzCardStamps(f *testing.F) {
	const at = int64(1.7e18)
	f.Add(false, at+37e9+5000, at+37e9+20e6, at-1e5, int64(37e9), int64(300), at+21e6, int64(37e9+100), int64(300))
	f.Add(false, int64(0), int64(1<<62), at, -at, int64(-1), at+1, at, int64(1<<62))
	f.Add(true, int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0))
	f.Add(true, int64(1e4), int64(-2e4), int64(1e5), int64(37e9), int64(300), int64(1e5), int64(100), int64(1e6))
	f.Fuzz(func(t *testing.T, near bool, tx, rx, beforeAt, beforeAhead, beforeHalf, afterAt, afterAhead, afterHalf int64) {
		// As far as cards' drivers and the kernel can get it wrong.
		in := func(v, most int64) int64 { return v % most }
		before := relation{abs(in(beforeAt, 4e18)), in(beforeAhead, 4e18), abs(in(beforeHalf, 1e9))}
		after := relation{abs(in(afterAt, 4e18)), in(afterAhead, 4e18), abs(in(afterHalf, 1e9))}
		raws := [...]int64{abs(in(tx, 4e18)), abs(in(rx, 4e18))}
		if near { // close enough to what can be, that it may be taken for it
			before.ahead = in(beforeAhead, 2e18)
			before.at, after.at = at-in(beforeAt, 1e7), at+20e6-in(afterAt, 1e7)
			before.half, after.half = abs(in(beforeHalf, 1e5)), abs(in(afterHalf, 1e5))
			after.ahead = before.ahead + in(afterAhead, 1e5)
			raws = [...]int64{at + before.ahead + in(tx, 1e6), at + 20e6 + before.ahead + in(rx, 1e6)}
		}
		kernel := kernelStamps(at, at+20e3, at+5e3, at+20e6, at+20.1e6)
		list := [2]converted{}
		for i, raw := range raws {
			c, ok := between(before, after, raw)
			if !ok {
				continue
			}
			least := max(before.half, after.half) + abs(after.ahead-before.ahead)
			if c.err <= least || c.at < before.at-before.half-c.err || c.at > after.at+after.half+c.err {
				t.Fatalf("%+v of %+v and %+v", c, before, after)
			}
			list[i] = c
		}
		got := withCard(kernel, at, list[0], list[1])
		worst := max(list[0].err, list[1].err)
		switch {
		case got.card == 0 && got != kernel:
			t.Errorf("%+v without a card's stamp, not %+v", got, kernel)
		case got.t1 < at-stampSlack-worst || got.t1 > kernel.t1+worst+cardApart || got.t4 < kernel.t4-worst-cardApart || got.t4 > kernel.t4+worst:
			t.Errorf("%+v, the kernel's %+v", got, kernel)
		case got.card > 0 && got.err < cardStampError, got.card == 1 && got.err < kernelStampError, got.card > 2, !got.kernel:
			t.Errorf("%+v", got)
		}
	})
}

// What of it there is without a card that stamps: the kernel takes the flags, its own
// stamps come as before, those of what was sent with the interface, and interfaces
// that stamp nothing are refused in words.
func TestCardFlags(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		for _, args := range [][]string{
			{"link", "set", "lo", "up"},
			{"link", "add", "one", "type", "veth", "peer", "name", "two"},
			{"address", "add", "192.0.2.1/24", "dev", "one"},
			{"address", "add", "2001:db8::1/64", "dev", "one", "nodad"},
			{"link", "set", "one", "up"}, {"link", "set", "two", "up"},
			{"neighbour", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "one"},
			{"neighbour", "add", "2001:db8::2", "lladdr", "02:00:00:00:00:02", "dev", "one"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Fatalf("ip %v: %v: %s", args, err, out)
			}
		}
		p := prober(t, HardwareStamps("lo", "one", "absent"))
		if got, want := strings.Join(p.HardwareProblems(), "|"), "no time stamps of lo: it does not stamp packets|no time stamps of one: it does not stamp packets|no time stamps of absent: there is no such interface"; got != want {
			t.Errorf("problems %q, want %q", got, want)
		}
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
			s := serve(t, addr)
			warm(t, p, target(s))
			for range 20 {
				if x := p.Probe(context.Background(), target(s)); x.Outcome != monitor.OutcomeOK || !x.Kernel || x.Card != 0 || x.TTL != 64 {
					t.Errorf("%s: %+v", addr, x)
				}
			}
		}
		if n := p.Counters().Doubted; n != 0 {
			t.Errorf("%d stamps doubted that nobody made", n)
		}

		k, err := openSystem(true)
		if err != nil {
			t.Fatal(err)
		}
		defer k.close()
		for _, v6 := range []bool{false, true} {
			s, err := k.open(v6)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			if got, err := unix.GetsockoptInt(s.(*udp).fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW); err != nil || got != cardFlags {
				t.Errorf("flags %#x, %v; want %#x", got, err, cardFlags)
			}
			for name, to := range map[string]string{"lo": "127.0.0.1:9", "one": "192.0.2.2:9"} {
				if v6 {
					to = map[string]string{"lo": "[::1]:9", "one": "[2001:db8::2]:9"}[name]
				}
				ifi, err := net.InterfaceByName(name)
				if err != nil {
					t.Fatal(err)
				}
				f := &flight{to: endpointOf(netip.MustParseAddrPort(to), 0), id: rand.Uint32()}
				if n, err := s.send([]*flight{f}); n != 1 || err != nil {
					t.Fatalf("%s: %d, %v", to, n, err)
				}
				var got []queued
				for range 1000 {
					s.errors(func(q *queued) {
						if q.stamp != 0 || q.raw != 0 {
							got = append(got, *q)
						}
					})
					if len(got) > 0 {
						break
					}
					k.wait([]*port{{sock: s}}, ms)
				}
				if len(got) != 1 || got[0].on != int32(ifi.Index) || got[0].raw != 0 || k.number && got[0].id != f.id {
					t.Errorf("%s: %+v, want the kernel's stamp of packet %d, by interface %d", to, got, f.id, ifi.Index)
				}
			}
		}
	})
}

func TestNoClock(t *testing.T) {
	for path, want := range map[string]string{"/dev/null": "/dev/null, cannot be read", "/dev/ptp999": "no such file"} {
		if _, err := openSystemClock(path, "lo"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := (&systemCard{link: "/sys/class/net/lo/speed"}).speed(); n != 0 {
		t.Errorf("loopback's link has %d Mbit/s", n)
	}
}
