package access

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// guess tries passwords for a time, one every five seconds from each host, and counts
// those that were looked at.
func guess(t *testing.T, a *Access, hosts []string, d time.Duration) (looked int) {
	t.Helper()
	var all []*visitor
	var forms []string
	for _, from := range hosts {
		v := visitorOf(t, a, from)
		forms = append(forms, "password=a+wrong+password&token="+v.token("/login"))
		all = append(all, v)
	}
	for range int(d / (5 * time.Second)) {
		for i, v := range all {
			switch got := v.raw("/login", forms[i]); got.code {
			case http.StatusForbidden:
				looked++
			case http.StatusTooManyRequests:
				if n, err := strconv.Atoi(got.Get("Retry-After")); err != nil || n < 1 || n > 60 {
					t.Fatalf("Retry-After %q", got.Get("Retry-After"))
				}
			default:
				t.Fatalf("%d", got.code)
			}
		}
		time.Sleep(5 * time.Second)
	}
	return looked
}

func TestBruteForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := claimed(t)
		const d = 10 * time.Minute
		one := hostTries + int(d/hostEvery)
		if n := guess(t, a, []string{far}, d); n > one || n < one-1 {
			t.Errorf("one host: %d in ten minutes, want %d", n, one)
		}
		// An IPv6 host may take any address of its network.
		time.Sleep(d)
		var addrs []string
		for i := range 5 {
			addrs = append(addrs, fmt.Sprintf("[2001:db8::%x]:40000", i+1))
		}
		if n := guess(t, a, addrs, d); n > one || n < one-1 {
			t.Errorf("one host of many addresses: %d in ten minutes, want %d", n, one)
		}
		time.Sleep(time.Hour)
		addrs = nil
		for i := range 25 {
			addrs = append(addrs, fmt.Sprintf("[2001:db8:%x::1]:40000", i+1))
		}
		all := allTries + int(d/allEvery)
		if n := guess(t, a, addrs, d); n > all || n < all-1 {
			t.Errorf("many hosts: %d in ten minutes, want %d", n, all)
		}
		// Whoever is near is not kept out by that, and who knows the password is
		// not by what others at his address tried.
		v := visitorOf(t, a, near)
		if v.login(right); !v.isIn() {
			t.Error("the internet keeps the owner out")
		}
	})
}

// TestRightIsForgiven: an owner who mistypes is not kept waiting afterwards.
func TestRightIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := claimed(t)
		v := visitorOf(t, a, near)
		for range hostTries - 1 {
			v.login("a wrong password")
		}
		for range 5 {
			if v.login(right); !v.isIn() {
				t.Fatal("not logged in")
			}
			v.post("/account", "/logout")
		}
		for range hostTries {
			v.login("a wrong password")
		}
		if got := v.login(right); got.code != http.StatusTooManyRequests || v.isIn() {
			t.Errorf("the right one after too many wrong ones: %d", got.code)
		}
		time.Sleep(hostEvery)
		if v.login(right); !v.isIn() {
			t.Error("not logged in after waiting")
		}
	})
}

// TestCodeIsLimited like a password, and so is the password of a session that
// somebody left open.
func TestCodeIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newWorld(t).options()
		o.Code = code
		a := open(t, o)
		v := visitorOf(t, a, far)
		codes := map[int]int{}
		for range 50 {
			codes[v.post("/claim", "/claim", "password", right, "code", "wrong-code-wrong").code]++
		}
		if codes[403] != hostTries || codes[429] != 50-hostTries {
			t.Errorf("claiming: %v", codes)
		}
		o.Preset = cheap(t, right)
		a = open(t, o)
		clear(codes)
		for range 50 {
			codes[visitorOf(t, a, far).post("/lost", "/lost", "password", right, "code", "wrong-code-wrong").code]++
		}
		if codes[403] != hostTries || codes[429] != 50-hostTries {
			t.Errorf("lost: %v", codes)
		}
		v = visitorOf(t, a, near)
		v.login(right)
		clear(codes)
		for range 50 {
			codes[v.post("/account", "/account/password", "password", right, "current", "a wrong password").code]++
		}
		if codes[403] != hostTries || codes[429] != 50-hostTries {
			t.Errorf("changing: %v", codes)
		}
	})
}

// TestLimiterIsBounded in memory, whoever tries.
func TestLimiterIsBounded(t *testing.T) {
	var l limiter
	now, most := time.Now(), 0
	for i := range 200_000 {
		a := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 4: byte(i >> 16), 5: byte(i >> 8), 6: byte(i)})
		l.try(hostOf(netip.AddrPortFrom(a, 1).String()), i%2 == 0, now)
		most = max(most, len(l.hosts))
		now = now.Add(100 * time.Millisecond)
	}
	if most > 60 {
		t.Errorf("%d hosts are remembered", most)
	}
}

func TestHostOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1/32", "[::ffff:192.0.2.1]:5": "192.0.2.1/32", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5": "fe80::/64", "host(2):1024": "invalid Prefix", "": "invalid Prefix",
	} {
		if got := hostOf(remote).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// TestGate: one at a time, few wait, and not for long.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		var at, most, done, refused atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if g.pass(t.Context(), func() {
					most.Store(max(most.Load(), at.Add(1)))
					time.Sleep(time.Second)
					at.Add(-1)
				}) {
					done.Add(1)
				} else {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if most.Load() != 1 || done.Load() != gateMost || refused.Load() != 20-gateMost {
			t.Errorf("%d at a time, %d done, %d refused", most.Load(), done.Load(), refused.Load())
		}
		g.one <- struct{}{}
		began := time.Now()
		if g.pass(t.Context(), func() {}) || time.Since(began) != gateWait {
			t.Errorf("waited for %v", time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if g.pass(ctx, func() {}) {
			t.Error("who is gone had a turn")
		}
		<-g.one
		if !g.pass(t.Context(), func() {}) {
			t.Error("it stays shut")
		}
	})
}

// TestBusy: who cannot have a turn is told so.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := claimed(t)
		a.gate.one <- struct{}{}
		v := visitorOf(t, a, near)
		if got := v.login(right); got.code != http.StatusServiceUnavailable || got.Get("Retry-After") == "" || !strings.Contains(got.body, "busy") || v.isIn() {
			t.Errorf("%d %s", got.code, got.body)
		}
	})
}
