package network

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cord is a link in virtual time: what one end sends, all others hear.
type cord struct {
	mu   sync.Mutex
	ends []*cordEnd
}

type cordEnd struct {
	cord *cord
	c    chan arp
	sent []arp
	at   []time.Time
}

func (c *cord) plug() *cordEnd {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &cordEnd{cord: c, c: make(chan arp, 1000)}
	c.ends = append(c.ends, e)
	return e
}

func (e *cordEnd) send(p arp) error {
	e.cord.mu.Lock()
	defer e.cord.mu.Unlock()
	e.sent, e.at = append(e.sent, p), append(e.at, time.Now())
	p, ok := parseARP(append(p.bytes(), make([]byte, 18)...)) // as Ethernet pads it
	if !ok {
		return errors.New("what was sent is no ARP")
	}
	for _, o := range e.cord.ends {
		if o != e {
			o.c <- p
		}
	}
	return nil
}

func (e *cordEnd) receive(ctx context.Context, d time.Duration) (arp, bool, error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case p := <-e.c:
		return p, true, nil
	default:
	}
	select {
	case <-ctx.Done():
		return arp{}, false, ctx.Err()
	case p := <-e.c:
		return p, true, nil
	case <-t.C:
		return arp{}, false, nil
	}
}

var claimed = netip.MustParseAddr("192.0.2.7")

func newClaim(w wire, own byte) *claim {
	return &claim{wire: w, own: hardware{2, 0, 0, 0, 0, own}, address: claimed, times: usualClaim(), random: func() float64 { return 0.5 }}
}

// TestClaim: an address that nobody has is asked for three times, taken after
// the time that RFC 5227 gives, and told of twice.
func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cord
		e := c.plug()
		cl := newClaim(e, 1)
		start := time.Now()
		if err := cl.probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 5500*time.Millisecond { // 0.5 + 2 times 1.5 + 2
			t.Errorf("it took %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := cl.hold(ctx, false, func(*taken) { t.Error("a conflict with nobody") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		zero := netip.IPv4Unspecified()
		want := []arp{
			{from: cl.own, sender: zero, target: claimed}, {from: cl.own, sender: zero, target: claimed}, {from: cl.own, sender: zero, target: claimed},
			{from: cl.own, sender: claimed, target: claimed}, {from: cl.own, sender: claimed, target: claimed},
		}
		if !slices.Equal(e.sent, want) || e.at[4].Sub(e.at[3]) != 2*time.Second {
			t.Errorf("sent %v at %v", e.sent, e.at)
		}
	})
}

// TestClaimIsTaken: whoever has the address, or asks for it as well, has it.
func TestClaimIsTaken(t *testing.T) {
	other := hardware{2, 0, 0, 0, 0, 9}
	for name, c := range map[string]struct {
		p    arp
		want bool
	}{
		"an answer":           {arp{reply: true, from: other, sender: claimed, target: netip.IPv4Unspecified()}, true},
		"an announcement":     {arp{from: other, sender: claimed, target: claimed}, true},
		"a question of it":    {arp{from: other, sender: claimed, target: netip.MustParseAddr("192.0.2.1")}, true},
		"another's probe":     {arp{from: other, sender: netip.IPv4Unspecified(), target: claimed}, true},
		"a question about it": {arp{from: other, sender: netip.MustParseAddr("192.0.2.1"), target: claimed}, false},
		"our own, come back":  {arp{from: hardware{2, 0, 0, 0, 0, 1}, sender: netip.IPv4Unspecified(), target: claimed}, false},
		"another address":     {arp{from: other, sender: netip.MustParseAddr("192.0.2.8"), target: netip.MustParseAddr("192.0.2.8")}, false},
	} {
		for _, late := range []time.Duration{0, 4 * time.Second, 5499 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				var k cord
				e, o := k.plug(), k.plug()
				go func() {
					time.Sleep(late)
					_ = o.send(c.p)
				}()
				err := newClaim(e, 1).probe(t.Context())
				who, is := errors.AsType[*taken](err)
				if is != c.want || is && who.by != other || !is && err != nil {
					t.Errorf("%s after %v: %v", name, late, err)
				}
			})
		}
	}
}

// TestClaimDefends: one conflict is answered, a second within ten seconds ends it,
// and a person's address is kept and defended once in that time.
func TestClaimDefends(t *testing.T) {
	for _, stubborn := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var k cord
			e, o := k.plug(), k.plug()
			var told []string
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- newClaim(e, 1).hold(ctx, stubborn, func(who *taken) {
					if who == nil {
						told = append(told, "quiet")
					} else {
						told = append(told, who.Error())
					}
				})
			}()
			steal := func() {
				time.Sleep(time.Second)
				_ = o.send(arp{from: hardware{2, 0, 0, 0, 0, 9}, sender: claimed, target: claimed})
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			steal()
			time.Sleep(9 * time.Second)
			steal() // ten seconds later: as the first
			if len(ended) != 0 || len(told) != 2 {
				t.Fatalf("given up after two in ten seconds: %q", told)
			}
			steal()
			if (len(ended) == 1) == stubborn {
				t.Errorf("stubborn %v, ended %d", stubborn, len(ended))
			}
			if stubborn {
				for range 1000 {
					steal()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := len(e.sent); n < 90 || n > 110 {
					t.Errorf("%d packets against 1000 of another", n)
				}
				if told[len(told)-1] != "quiet" || !strings.Contains(told[0], "02:00:00:00:00:09") {
					t.Errorf("told %q", told)
				}
			}
			cancel()
			<-ended
		})
	}
}

// TestLinkLocalAddresses: they are the same each time, of the usable part, and
// not the same for everybody.
func TestLinkLocalAddresses(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for n := range 2000 {
		a := linkLocalAddress(hardware{1, 2, 3, 4, 5, byte(n % 7)}, n/7)
		if b := a.As4(); !linkLocalNet.Contains(a) || b[2] == 0 || b[2] == 255 {
			t.Errorf("%d: %s", n, a)
		}
		seen[a] = true
	}
	if len(seen) < 1900 {
		t.Errorf("only %d different ones", len(seen))
	}
	if a := linkLocalAddress(hardware{1}, 0); a != linkLocalAddress(hardware{1}, 0) {
		t.Error("it changes")
	}
}

func FuzzARP(f *testing.F) {
	f.Add(arp{from: hardware{1, 2, 3, 4, 5, 6}, sender: claimed, target: claimed}.bytes())
	f.Add(append(arp{reply: true, sender: netip.IPv4Unspecified(), target: claimed}.bytes(), make([]byte, 18)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parseARP(b)
		if !ok {
			return
		}
		if !p.sender.Is4() || !p.target.Is4() {
			t.Errorf("%+v", p)
		}
		if again, ok := parseARP(p.bytes()); !ok || again != p {
			t.Errorf("%+v became %+v", p, again)
		}
	})
}
