package probe

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/truechimer/truechimer/monitor"
)

func TestICMPFinding(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tt := range []struct {
		e    icmpError
		want monitor.Finding
	}{
		{icmpError{from: four, typ: 3, code: 0}, monitor.FindingICMPNet},
		{icmpError{from: four, typ: 3, code: 1}, monitor.FindingICMPHost},
		{icmpError{from: four, typ: 3, code: 2}, monitor.FindingICMPOther}, // protocol
		{icmpError{from: four, typ: 3, code: 3}, monitor.FindingICMPPort},
		{icmpError{from: four, typ: 3, code: 4}, monitor.FindingICMPOther}, // fragmentation needed
		{icmpError{from: four, typ: 3, code: 6}, monitor.FindingICMPNet},
		{icmpError{from: four, typ: 3, code: 7}, monitor.FindingICMPHost},
		{icmpError{from: four, typ: 3, code: 9}, monitor.FindingICMPAdmin},
		{icmpError{from: four, typ: 3, code: 10}, monitor.FindingICMPAdmin},
		{icmpError{from: netip.MustParseAddr("::ffff:192.0.2.1"), typ: 3, code: 13}, monitor.FindingICMPAdmin},
		{icmpError{from: four, typ: 11, code: 0}, monitor.FindingTTLExceeded},
		{icmpError{from: four, typ: 11, code: 1}, monitor.FindingICMPOther}, // of fragments
		{icmpError{from: four, typ: 12, code: 0}, monitor.FindingICMPOther},
		{icmpError{from: four, typ: 1, code: 4}, monitor.FindingICMPOther}, // IPv6's numbers
		{icmpError{from: six, typ: 1, code: 0}, monitor.FindingICMPNet},
		{icmpError{from: six, typ: 1, code: 1}, monitor.FindingICMPAdmin},
		{icmpError{from: six, typ: 1, code: 3}, monitor.FindingICMPHost},
		{icmpError{from: six, typ: 1, code: 4}, monitor.FindingICMPPort},
		{icmpError{from: six, typ: 1, code: 6}, monitor.FindingICMPAdmin},
		{icmpError{from: six, typ: 3, code: 0}, monitor.FindingTTLExceeded},
		{icmpError{from: six, typ: 2, code: 0}, monitor.FindingICMPOther}, // packet too big
		{icmpError{errno: syscall.ECONNREFUSED}, monitor.FindingICMPPort},
		{icmpError{errno: syscall.EHOSTUNREACH}, monitor.FindingICMPHost},
		{icmpError{errno: hostIsolated}, monitor.FindingICMPHost}, // on Linux
		{icmpError{errno: syscall.ENETUNREACH}, monitor.FindingICMPNet},
		{icmpError{errno: syscall.ENOPROTOOPT}, monitor.FindingICMPOther},
		{icmpError{errno: syscall.EMSGSIZE, local: true}, monitor.FindingSendError},
	} {
		if got := tt.e.finding(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.e, got, tt.want)
		}
	}
}
