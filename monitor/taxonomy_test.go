package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// proper is an exchange over 20 ms with a server that says all that it should.
func proper() Exchange {
	const t = int64(1.7e18)
	return Exchange{
		Addr: netip.MustParseAddrPort("198.51.100.7:123"), Outcome: OutcomeOK,
		T1: t, T2: t + 10e6, T3: t + 11e6, T4: t + 21e6, Mono: 1e12 + 10_500_000, Diff: t - 1e12, StampError: 2e-6,
		Version: 4, Stratum: 2, RefID: 0xc6336401, ReferenceTime: t - 100e9, RootDelay: 0.01, RootDispersion: 0.002,
	}
}

func TestStampFinding(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Exchange)
		want   Finding
	}{
		{"proper", func(*Exchange) {}, FindingOK},
		{"no receive time", func(x *Exchange) { x.T2 = 0 }, FindingBadTimestamps},
		{"no transmit time", func(x *Exchange) { x.T3 = 0 }, FindingBadTimestamps},
		{"backwards", func(x *Exchange) { x.T3 = x.T2 - 1 }, FindingBadTimestamps},
		{"no way there and back", func(x *Exchange) { x.T2, x.T3 = x.T1, x.T4 }, FindingOK},
		{"worked for longer than that, as far as a slewed clock may say so", func(x *Exchange) { x.T2, x.T3 = x.T1, x.T4+2e6 }, FindingOK},
		{"worked for longer than that", func(x *Exchange) { x.T3 += 25e6 }, FindingNegativeDelay},
		{"worked for 4 s", func(x *Exchange) { x.T3 = x.T2 + 4e9 }, FindingNegativeDelay},
		{"worked for more than 4 s", func(x *Exchange) { x.T3 = x.T2 + 4e9 + 1 }, FindingProc},
		{"our own stamps backwards", func(x *Exchange) { x.T1, x.T4 = x.T4, x.T1 }, FindingInternal},
	} {
		x := proper()
		tt.change(&x)
		if got := x.StampFinding(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	own := []netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.168.1.2"),
		netip.MustParseAddr("2001:db8::9"), {},
	}
	for _, tt := range []struct {
		name   string
		change func(*Exchange)
		want   []Warning
	}{
		{"proper", func(*Exchange) {}, nil},
		{"no reference time", func(x *Exchange) { x.ReferenceTime = 0 }, []Warning{WarnReftimeZero}},
		{"set just as it answered", func(x *Exchange) { x.ReferenceTime = x.T3 }, nil},
		{"set after it answered", func(x *Exchange) { x.ReferenceTime = x.T3 + 1 }, []Warning{WarnReftimeFuture}},
		{"interleaved, set before it came here", func(x *Exchange) { x.Interleaved, x.T3, x.ReferenceTime = true, x.T2, x.T2+21e6 }, nil},
		{"interleaved, set after", func(x *Exchange) { x.Interleaved, x.T3, x.ReferenceTime = true, x.T2, x.T2+21e6+1 }, []Warning{WarnReftimeFuture}},
		{"set 36 hours ago", func(x *Exchange) { x.ReferenceTime = x.T3 - 131072e9 }, nil},
		{"set longer ago", func(x *Exchange) { x.ReferenceTime = x.T3 - 131073e9 }, []Warning{WarnStaleRef}},
		{"version 3", func(x *Exchange) { x.Version = 3 }, []Warning{WarnVersionLow}},
		{"a second more", func(x *Exchange) { x.Leap = 1 }, []Warning{WarnLeapPending}},
		{"a second less", func(x *Exchange) { x.Leap = 2 }, []Warning{WarnLeapPending}},
		{"root distance", func(x *Exchange) { x.RootDelay, x.RootDispersion = 2, 0.5 }, nil},
		{"root distance too far", func(x *Exchange) { x.RootDelay, x.RootDispersion = 2, 0.51 }, []Warning{WarnRootDistance}},
		{"delay twice the limit", func(x *Exchange) { x.T4 = x.T1 + 51e6 }, nil},
		{"delay more than that", func(x *Exchange) { x.T4 = x.T1 + 52e6 }, []Warning{WarnTooWide}},
		{"follows our address", func(x *Exchange) { x.RefID = 0xcb007109 }, []Warning{WarnLoop}},
		{"follows our IPv6 address", func(x *Exchange) { x.RefID = AddressRefID(own[3]) }, []Warning{WarnLoop}},
		{"the same letters at stratum 1", func(x *Exchange) { x.RefID, x.Stratum = 0xcb007109, 1 }, nil},
		{"follows somebody's 192.168.1.2", func(x *Exchange) { x.RefID = 0xc0a80102 }, nil},
		{"follows 192.168.1.2, and is near", func(x *Exchange) {
			x.RefID, x.Addr = 0xc0a80102, netip.MustParseAddrPort("10.0.0.1:123")
		}, []Warning{WarnLoop}},
		{"follows its own clock", func(x *Exchange) { x.RefID = 0x7f000001 }, nil},
		{"all at once", func(x *Exchange) {
			x.ReferenceTime, x.Version, x.Leap, x.RootDispersion, x.T4 = 0, 1, 1, 16, x.T1+2e9
		}, []Warning{WarnReftimeZero, WarnVersionLow, WarnLeapPending, WarnRootDistance, WarnTooWide}},
		{"no proper reply", func(x *Exchange) { x.Outcome, x.ReferenceTime = OutcomeUnsynchronized, 0 }, nil},
	} {
		x := proper()
		tt.change(&x)
		if got := x.Warnings(DefaultLimit, own); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The last is the start of `printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1' | md5sum`.
func TestAddressRefID(t *testing.T) {
	for a, want := range map[string]uint32{"192.0.2.1": 0xc0000201, "::ffff:192.0.2.1": 0xc0000201, "::1": 0xcf404dc8} {
		if got := AddressRefID(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %08x, want %08x", a, got, want)
		}
	}
}

func TestClaims(t *testing.T) {
	x := proper()
	if d := x.RootDistance(); d != 0.007 {
		t.Errorf("root distance %g", d)
	}
	if age, ok := x.ReferenceAge(); !ok || age != 100.011 {
		t.Errorf("reference age %g, known %v", age, ok)
	}
}

func TestLookupFinding(t *testing.T) {
	for _, tt := range []struct {
		err   error
		found bool
		want  Finding
	}{
		{nil, false, FindingDNSEmpty},
		{nil, true, FindingDNSUnusable},
		{fmt.Errorf("so: %w", &net.DNSError{IsNotFound: true}), false, FindingDNSNotFound},
		{&net.DNSError{IsTimeout: true}, false, FindingDNSTimeout},
		{&net.DNSError{Err: "server misbehaving"}, false, FindingDNSError},
		{errors.New("the resolver failed"), false, FindingDNSError},
	} {
		if got := LookupFinding(tt.err, tt.found); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

// resolves is a resolver with one answer, and all else that a monitor needs.
type resolves struct {
	noNet
	addrs []netip.Addr
	err   error
	found chan Finding
}

func (r resolves) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return r.addrs, r.err
}

func (r resolves) Servers() ([]Server, <-chan struct{}) {
	return []Server{{Name: "a", Host: "ntp.example", Remote: true}}, nil
}

func (r resolves) Put(x Exchange, _ Result) {
	if x.Outcome == OutcomeResolveError {
		select {
		case r.found <- x.Finding:
		default:
		}
	}
}

func TestLookupFindingOfAMonitor(t *testing.T) {
	for want, r := range map[Finding]resolves{
		FindingDNSNotFound: {err: &net.DNSError{IsNotFound: true}},
		FindingDNSEmpty:    {},
		FindingDNSUnusable: {addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, // of a list from elsewhere
	} {
		synctest.Test(t, func(t *testing.T) {
			r.found = make(chan Finding, 1)
			m, err := New(Config{Clock: r, Prober: r, Resolver: r, Assignments: r, Sink: r})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			ended := make(chan error)
			go func() { ended <- m.Run(ctx) }()
			if got := <-r.found; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			cancel()
			<-ended
		})
	}
}

func TestStampSource(t *testing.T) {
	for want, x := range map[string]Exchange{"user": {}, "kernel": {Kernel: true}, "mixed": {Kernel: true, Card: 1}, "hw": {Kernel: true, Card: 2}} {
		if got := StampSource(x.Kernel, x.Card); got != want {
			t.Errorf("%v, %d: %s, want %s", x.Kernel, x.Card, got, want)
		}
	}
}
