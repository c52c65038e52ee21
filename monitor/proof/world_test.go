package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

const (
	ms    = 1e-3
	begin = int64(1782914602e9) // 2026-07-01T14:03:22Z
)

var target = monitor.Target{
	ID: "pool/ipv4", Addr: netip.MustParseAddrPort("192.0.2.1:123"),
	Server: monitor.Server{Name: "pool", Host: "ntp.example.net", Port: 123, Limit: 25 * ms},
}

// signer is a station's key, the same every time.
func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// had is one exchange.
type had struct {
	at     float64 // seconds after begin
	offset float64
	delay  float64 // half of it each way
	bound  float64 // of the reference
	inter  bool    // in interleaved mode
}

func ns(s float64) int64 { return int64(s * 1e9) }

func toNTP(at int64) uint64 {
	return uint64(uint32(at/1e9+2208988800))<<32 | uint64(at%1e9)<<32/1e9
}

// evidence is an exchange as the monitor hands it over.
func evidence(t testing.TB, by string, h had) Evidence {
	t.Helper()
	var w monitor.Wire
	cookie := sha256.Sum256([]byte(by + time.Unix(0, ns(h.at)).String()))
	w.Request[0] = 4<<3 | 3
	copy(w.Request[40:], cookie[:8])
	middle := begin + ns(h.at)
	x := monitor.Exchange{
		Target: target.ID, Addr: target.Addr, Outcome: monitor.OutcomeOK, Stratum: 1, Kernel: true, StampError: 2e-6, TTL: 57,
		T1: middle - ns(h.delay/2), T4: middle + ns(h.delay/2), Mono: 1e12 + ns(h.at),
	}
	x.Diff = middle - x.Mono
	w.Reply[0], w.Reply[1] = 4<<3|4, 1
	copy(w.Reply[24:], w.Request[40:])
	stamp := toNTP(middle + ns(h.offset))
	binary.BigEndian.PutUint64(w.Reply[32:], stamp)
	binary.BigEndian.PutUint64(w.Reply[40:], stamp)
	if h.inter {
		copy(w.Request[32:], cookie[8:16])
		copy(w.Reply[24:], cookie[8:16])
		binary.BigEndian.PutUint64(w.Reply[40:], stamp-7<<32) // of the one before
	}
	x.Wire = &w
	// The packet tells the time in 2^-32 s.
	x.T2 = middle + ns(h.offset)
	x.T2 = (x.T2/1e9)*1e9 + int64((stamp&0xffffffff*1e9+1<<31)>>32)
	x.T3 = x.T2
	return Evidence{monitor.Evidence{Exchange: x, Reading: monitor.Reading{
		True: middle, Known: true, Usable: true, Final: true, Uncertainty: h.bound / 3, Bound: h.bound,
	}}, "gps+pps", "locked"}
}

// row are exchanges of a minute each with a server that is 80 ms ahead.
func row(n int) []had {
	var list []had
	for i := range n {
		list = append(list, had{at: 60 * float64(i), offset: 80 * ms, delay: 20 * ms, bound: 1e-5})
	}
	return list
}

// statement is what a station says of exchanges.
func statement(t testing.TB, by string, list ...had) *Statement {
	t.Helper()
	var all []Evidence
	for _, h := range list {
		all = append(all, evidence(t, by, h))
	}
	s, err := New(Station{ID: "7f3a9c0e5b1d48f2", Key: KeyOf(signer(by)), KeyKept: true, Software: "truechimer v0.1.0"},
		target, "80 ms ahead, more than 25 ms: no path can explain it", all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// file is a statement signed.
func file(t testing.TB, by string, list ...had) []byte {
	t.Helper()
	b, err := Sign(statement(t, by, list...), signer(by))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opened is a file taken up by a reader.
func opened(t testing.TB, name string, b []byte) Case {
	t.Helper()
	s, err := Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return Case{name, s, Judge(s)}
}
