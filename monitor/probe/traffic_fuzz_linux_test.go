package probe

import (
	"net/netip"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// FuzzTraffic has the loop take whatever may come in whatever order: each byte
// of the plan is a packet, a report or a stamp, from one of a few places.
func FuzzTraffic(f *testing.F) {
	right := answer(make([]byte, packetSize), 1e18, 1e18)
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, right, uint32(0))
	f.Add([]byte{1, 1, 1, 65, 66, 129, 200, 255}, right[:40], uint32(1))
	f.Add([]byte{9, 17, 33}, []byte{}, uint32(1<<31))
	f.Fuzz(func(t *testing.T, plan, data []byte, id uint32) {
		if len(plan) > 500 {
			return
		}
		var count counters
		tr := &transport{clock: &virtual{real: 1e18, mono: 1}, timeout: DefaultTimeout, count: &count, sky: newSky()}
		s := &antenna{air: &air{news: make(chan struct{}, 1)}}
		p := &port{sock: s, stamped: map[uint32]*flight{}}
		now := time.Unix(1e9, 0)
		// A card's stamps are wanted where the third byte says so.
		if len(plan) > 2 && plan[2]&1 == 1 {
			tr.cards = newCards([]string{"eth0"}, (&simCard{clock: steady(0, 0)}).open, tr.clock, &count)
			defer tr.cards.close()
		}
		var flights []*flight
		places := []endpoint{endpointOf(one.Addr, 0), endpointOf(two.Addr, 0), endpointOf(six.Addr, 0), {}}
		for i := range 6 {
			fl := &flight{to: places[i%3], done: make(chan struct{}), on: p, id: uint32(i), before: 1e18, after: 1e18, deadline: now.Add(time.Duration(i) * time.Second)}
			fl.cookie = uint64(i + 1)
			fl.request[offTransmit+7] = byte(i + 1)
			if i%2 == 0 {
				fl.second = uint64(i + 101)
			}
			if tr.cards != nil && i != 3 { // which is a trace's
				fl.card = tr.cards.begin()
			}
			p.stamped[fl.id] = fl
			tr.sky.add(fl)
			flights = append(flights, fl)
		}
		for _, what := range plan {
			from, which := places[what>>2&3], flights[int(what>>4)%len(flights)]
			b := append([]byte(nil), data...)
			if what>>7 == 1 && len(b) >= offOrigin+8 {
				copy(b[offOrigin:], which.request[offTransmit:])
				if what&3 == 1 {
					b[offOrigin+7] += 100
				}
			}
			switch what & 3 {
			case 0, 1:
				tr.arrived(p, &datagram{from: from, data: b[:min(len(b), readSize)], dropped: id, raw: int64(id), on: cardIndex}, 1e18, now)
			case 2:
				tr.report(p, &queued{to: from, quoted: b, err: refusedBy("192.0.2.1")})
			case 3:
				q := queued{stamp: 1e18, id: id % 8, on: int32(id>>3&1) + cardIndex - 1}
				if what>>4&1 == 1 {
					q.stamp, q.raw = 0, 1e18
				}
				tr.report(p, &q)
			}
			now = now.Add(time.Duration(what) * time.Millisecond)
			tr.expire(now)
		}
		tr.expire(now.Add(time.Hour))
		tr.expire(now.Add(time.Hour + cardWait))
		for i, fl := range flights {
			select {
			case <-fl.done:
			default:
				t.Fatalf("flight %d has not ended", i)
			}
			if fl.got == (fl.err != nil) {
				t.Errorf("flight %d: reply %v, %v", i, fl.got, fl.err)
			}
			if fl.strays > maxStrays {
				t.Errorf("flight %d: %d strays", i, fl.strays)
			}
		}
		if k := &tr.sky; len(k.cookies)+len(k.servers)+len(k.traces)+len(p.stamped) != 0 || k.waiting != (line{}) || k.stamping != (line{}) || k.n != 0 {
			t.Errorf("left: %d cookies, %d servers, %d stamps", len(k.cookies), len(k.servers), len(p.stamped))
		}
		var x monitor.Exchange
		for _, fl := range flights {
			if fl.got && fl.card != nil {
				tr.cards.settle(fl)
			}
			if fl.got {
				classify(&x, fl.header(), kernelStamps(fl.before, fl.after, fl.tx, fl.rx, fl.read))
			}
		}
	})
}

func FuzzEndpoint(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, uint16(123), uint32(0))
	f.Add([]byte("0123456789abcdef"), uint16(65535), uint32(7))
	f.Fuzz(func(t *testing.T, ip []byte, port uint16, scope uint32) {
		a, ok := netip.AddrFromSlice(ip)
		if !ok || a.Is4In6() {
			return
		}
		if a.Is4() {
			scope = 0
		}
		b := &buffers{}
		e, got := endpointOf(netip.AddrPortFrom(a, port), scope), endpoint{}
		e.write(&b.name[0], a.Is6())
		if got.read(&b.name[0]); got != e || got.is6() != a.Is6() {
			t.Errorf("%v came back as %v", e, got)
		}
	})
}
