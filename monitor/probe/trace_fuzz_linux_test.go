package probe

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/monitor"
)

// control writes a control message.
func control(level, typ int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, typ
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

// extended is a struct sock_extended_err and the address behind it.
func extended(no uint32, origin, typ, code uint8, from []byte) []byte {
	b := make([]byte, 16)
	binary.NativeEndian.PutUint32(b, no)
	b[4], b[5], b[6] = origin, typ, code
	return append(b, from...)
}

func sockaddr(a string) []byte {
	addr := netip.MustParseAddr(a)
	if addr.Is4() {
		b := make([]byte, 16)
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		copy(b[4:], addr.AsSlice())
		return b
	}
	b := make([]byte, 28)
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	copy(b[8:], addr.AsSlice())
	return b
}

// FuzzErrorQueue has a trace and an exchange under way take what an error queue
// may hold. Whatever it says, hops stay what they can be.
func FuzzErrorQueue(f *testing.F) {
	ns := make([]byte, 48)
	binary.NativeEndian.PutUint64(ns, 1e9)
	stamped := control(unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, ns)
	f.Add(append(control(unix.SOL_IP, unix.IP_RECVERR, extended(113, unix.SO_EE_ORIGIN_ICMP, 11, 0, sockaddr("198.51.100.1"))), stamped...), uint8(1), uint8(48), false)
	f.Add(control(unix.SOL_IP, unix.IP_RECVERR, extended(113, unix.SO_EE_ORIGIN_ICMP, 3, 13, sockaddr("198.51.100.1"))), uint8(2), uint8(48), false)
	f.Add(control(unix.SOL_IP, unix.IP_RECVERR, extended(111, unix.SO_EE_ORIGIN_ICMP, 3, 3, sockaddr("192.0.2.1"))), uint8(4), uint8(0), false)
	f.Add(control(unix.SOL_IP, unix.IP_RECVERR, extended(113, unix.SO_EE_ORIGIN_ICMP, 3, 1, sockaddr("127.0.0.1"))), uint8(3), uint8(48), false)
	f.Add(control(unix.SOL_IP, unix.IP_RECVERR, extended(90, unix.SO_EE_ORIGIN_LOCAL, 0, 0, nil)), uint8(1), uint8(48), false)
	f.Add(append(stamped, control(unix.SOL_IPV6, unix.IPV6_RECVERR, extended(113, unix.SO_EE_ORIGIN_ICMP6, 3, 0, sockaddr("2001:db8::9")))...), uint8(1), uint8(48), true)
	f.Add(control(unix.SOL_IPV6, unix.IPV6_RECVERR, extended(113, unix.SO_EE_ORIGIN_ICMP6, 1, 4, sockaddr("2001:db8::1"))), uint8(5), uint8(8), true)
	f.Add([]byte{1, 2, 3}, uint8(0), uint8(255), false)
	f.Fuzz(func(t *testing.T, oob []byte, which, quoted uint8, v6 bool) {
		q := parseQueued(oob)
		if q.stamp != 0 && q.err != nil || q.stamp < 0 || q.heard < 0 {
			t.Fatalf("%+v", q)
		}
		to := one
		if v6 {
			to = six
		}
		tr := &transport{clock: &virtual{real: 1e18, mono: 1}, timeout: DefaultTimeout, count: &counters{}, sky: newSky()}
		p := &port{sock: &antenna{air: &air{news: make(chan struct{}, 1)}}, stamped: map[uint32]*flight{}}
		r := &ramp{t: tr, to: endpointOf(to.Addr, 0), stop: hopsMost, path: monitor.Path{To: to.Addr, End: monitor.PathSilent}}
		var flights []*flight
		for hop := range 5 { // 0 is an exchange's, which may go all the way
			fl := &flight{to: r.to, hops: uint8(hop), on: p, id: uint32(hop), before: 1e18, after: 1e18, done: make(chan struct{})}
			fl.request, fl.cookie = newRequest()
			p.stamped[fl.id] = fl
			tr.sky.add(fl)
			flights = append(flights, fl)
			if hop > 0 {
				r.flying = append(r.flying, &step{hop: hop, f: fl, sent: time.Unix(1, 0), over: time.Unix(2, 0)})
				r.path.Hops = append(r.path.Hops, monitor.Hop{})
				r.path.Packets, r.path.Passed = r.path.Packets+1, r.path.Passed+1
			}
		}
		q.to = r.to
		if which&8 != 0 {
			q.to.port++
		}
		fl := flights[int(which&7)%len(flights)]
		q.quoted = append(fl.request[:], make([]byte, 255)...)[:quoted]
		tr.report(p, &q)
		over := 0
		for _, s := range append([]*step(nil), r.flying...) {
			select {
			case <-s.f.done:
				over++
				r.take(s)
			default:
			}
		}
		if over > 1 && len(r.again) != over || over == 1 && quoted < packetSize {
			t.Errorf("%d packets of the trace are over, %d to be sent again, %d bytes quoted", over, len(r.again), quoted)
		}
		if q.to != r.to && over != 0 {
			t.Error("a packet to another port")
		}
		if r.path.Packets < r.path.Passed || r.path.Passed < 0 || len(r.path.Hops) != 4 || r.path.String() == "" {
			t.Errorf("%+v", r.path)
		}
		for i, h := range r.path.Hops {
			if h.Addr.IsValid() && (i+1 != int(fl.hops) || h.Addr != q.err.from.Unmap() || h.RTT < 0 || h.RTT > time.Second) {
				t.Errorf("hop %d: %+v of %+v", i+1, h, q.err)
			}
		}
		r.path.Inside()
		for _, f := range flights {
			tr.end(f, errClosed)
		}
		if k := &tr.sky; len(k.cookies)+len(k.servers)+len(k.traces)+len(p.stamped) != 0 || k.n != 0 {
			t.Errorf("left: %d cookies, %d servers, %d traces", len(k.cookies), len(k.servers), len(k.traces))
		}
	})
}
