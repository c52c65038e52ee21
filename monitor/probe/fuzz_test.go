package probe

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

var anyAddr = netip.MustParseAddrPort("127.0.0.1:123")

// FuzzReply feeds one packet to an exchange, by way of beevik/ntp. Nothing in it
// waits: the clocks are virtual, and some 50,000 packets a second go through.
//
// Fuzz it by count, -fuzztime 500000x. On a busy machine a duration may end in
// "context deadline exceeded" without any input having failed: Go's coordinator
// then takes the end of its own time for an error (go.dev/issue/75804).
func FuzzReply(f *testing.F) {
	seed := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	const right = "240100ec000000000000000753494d00ee000000000000000000000000000000ee9c66e600000000ee9c66e600100000"
	f.Add(seed(right), true, int64(1e6), int64(1e18))
	f.Add(seed("24018080"+right[8:]), true, int64(1e6), int64(1e18))                      // exponents
	f.Add(seed("e40000e8"+right[8:24]+"52415445"+right[32:]), true, int64(1e6), int64(0)) // RATE
	f.Add(seed(right+"00000000"), true, int64(1e6), int64(1e18))                          // crypto-NAK
	f.Add(seed(right+"0104000001040000"), true, int64(1e6), int64(1e18))                  // extension fields of no length
	f.Add(seed(right[:90]), true, int64(1), int64(-1))
	f.Add(seed(right), false, int64(4e9), int64(1e18))
	f.Add([]byte("$\x01000000000000000000000000000000\x000000001\x800000000"), true, int64(1e6), int64(1e18)) // half an era from T2 to T3
	f.Add(seed(right), true, int64(1), int64(-30))                                                            // the clock before 1970
	f.Add([]byte{}, false, int64(0), int64(0))

	f.Fuzz(func(t *testing.T, data []byte, cookie bool, rtt, clock int64) {
		if rtt < 0 || rtt > int64(DefaultTimeout) {
			rtt = 0
		}
		v := &virtual{real: clock, mono: 1e9}
		w := &script{clock: v, replies: []func([]byte) ([]byte, error){func(request []byte) ([]byte, error) {
			v.pass(time.Duration(rtt))
			b := append([]byte(nil), data...)
			if cookie && len(b) >= offOrigin+8 {
				copy(b[offOrigin:], request[offTransmit:])
			}
			return b, nil
		}}}
		p := over(w)
		x := p.Probe(context.Background(), monitor.Target{Addr: anyAddr})
		if n := p.Counters().Panics; n != 0 {
			t.Fatalf("%d panics reached beevik: %s", n, x.Detail)
		}
		if x.Outcome == monitor.OutcomeOK && (x.T1 <= 0 || x.T4 <= 0) {
			// No clock says so: what is wrong with the stamps is the station's.
			if x.Finding != monitor.FindingInternal {
				t.Errorf("finding %q with the clock before 1970", x.Finding)
			}
		} else {
			agree(t, x)
		}
		switch x.Outcome {
		case monitor.OutcomeOK:
			if d := x.Delay(); d > DefaultTimeout.Seconds() || x.T3 < x.T2 {
				t.Errorf("ok with delay %g, T2 %d, T3 %d", d, x.T2, x.T3)
			}
			if !cookie || len(data) < packetSize || data[0]&7 != modeServer || data[0]>>6 == 3 ||
				data[1] == 0 || data[1] > 15 || binary.BigEndian.Uint64(data[40:48]) == 0 {
				t.Errorf("ok for %x", data)
			}
		case monitor.OutcomeUnsynchronized, monitor.OutcomeDenied, monitor.OutcomeRateLimited, monitor.OutcomeInvalid, monitor.OutcomeStray:
			if x.Detail == "" {
				t.Errorf("%s without a reason", x.Outcome)
			}
			if known := cookie && len(data) >= offOrigin+8; known == (x.Outcome == monitor.OutcomeStray) {
				t.Errorf("%s of a packet, its cookie right: %v", x.Outcome, known)
			}
		default:
			// Notably not internal: beevik must not refuse what was found good.
			t.Errorf("outcome %s %q of a packet", x.Outcome, x.Detail)
		}
	})
}

// FuzzEra turns an instant into an NTP time stamp and back.
func FuzzEra(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(at("2036-02-07T06:28:16Z"), at("2036-02-07T06:28:15Z"))
	f.Add(at("2090-01-01T00:00:00Z"), int64(-1))
	f.Fuzz(func(t *testing.T, when, clock int64) {
		from, to := at("2008-01-20T00:00:00Z"), at("2094-01-18T00:00:00Z")
		when = from + int64(uint64(when)%uint64(to-from))
		if got := unixNano(ntpTime(when), pivot(clock)); got != when {
			t.Errorf("%v with the clock at %v came back as %v", time.Unix(0, when).UTC(), time.Unix(0, clock).UTC(), time.Unix(0, got).UTC())
		}
	})
}

func TestKissCode(t *testing.T) {
	for in, want := range map[string]string{
		"RATE": "RATE", "DENY": "DENY", "XYZ\x00": "XYZ", "\x00\x00\x00\x00": "", "A\x00B\x00": "",
		"\x00RAT": "", "<b>!": "", "RA E": "", "\xffABC": "", "abc1": "abc1",
	} {
		if got := kissCode(binary.BigEndian.Uint32([]byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
