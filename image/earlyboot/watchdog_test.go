package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/bootfs"
)

// hardware counts pings.
type hardware struct {
	pings int
	err   error
}

func (h *hardware) Ping() error { h.pings++; return h.err }

// kennel is a dog with a clock that is set by hand and a card.
type kennel struct {
	*dog
	hardware hardware
	card     *card
	now      atomic.Int64
	counted  chan int
}

func newKennel(t *testing.T, c *card) *kennel {
	k := &kennel{dog: &dog{}, card: c, counted: make(chan int, 1)}
	k.clock = func() time.Duration { return time.Duration(k.now.Load()) }
	k.device = &k.hardware
	k.watchOver(c.disk())
	keep := k.keep
	k.keep = func(n int) error {
		err := keep(n)
		k.counted <- n
		return err
	}
	return k
}

// pinged lets d pass and says whether a tick then feeds the watchdog.
func (k *kennel) pinged(d time.Duration) bool {
	k.now.Add(int64(d))
	before := k.hardware.pings
	k.tick()
	return k.hardware.pings > before
}

// asked says whether a number is being kept, or was.
func (k *kennel) asked() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.watch.keeping || len(k.counted) > 0
}

// settle waits for the record to be written and for the dog to know.
func (k *kennel) settle(t *testing.T, want int) {
	t.Helper()
	if n := <-k.counted; n != want {
		t.Errorf("counted %d, want %d", n, want)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		k.mu.Lock()
		keeping := k.watch.keeping
		k.mu.Unlock()
		if !keeping {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the record is still being written")
		}
		runtime.Gosched()
	}
}

func hungCard(t *testing.T, n int) *card {
	t.Helper()
	c := newCard()
	if err := bootfs.OpenState(c).StoreBoot(bootfs.Boot{PermMade: true, HungResets: n}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDogCountsBeforeItBites(t *testing.T) {
	for name, c := range map[string]*card{"fresh card": newCard(), "card with a record": hungCard(t, 0)} {
		made := len(c.pages) > 0
		k := newKennel(t, c)
		if !k.pinged(patience) || !k.pinged(time.Second) {
			t.Errorf("%s: not fed before the reset is counted", name)
		}
		k.settle(t, 1)
		if k.pinged(time.Second) || k.pinged(time.Hour) {
			t.Errorf("%s: fed, though nothing was heard", name)
		}
		c.powerCut()
		if got, want := bootRecord(t, c), (bootfs.Boot{PermMade: made, HungResets: 1}); got != want {
			t.Errorf("%s: record %+v, want %+v", name, got, want)
		}
		k.sign()
		if !k.pinged(time.Second) {
			t.Errorf("%s: not fed, though it came back", name)
		}
		k.settle(t, 0)
		if got := bootRecord(t, c).HungResets; got != 0 {
			t.Errorf("%s: %d resets in the record", name, got)
		}
	}
}

func TestDogWithoutARecord(t *testing.T) {
	damaged := hungCard(t, 1)
	damaged.damage()
	unreadable := hungCard(t, 1)
	unreadable.failReads = syscall.EIO
	for name, c := range map[string]*card{"damaged": damaged, "unreadable": unreadable, "given up": hungCard(t, safeAfter)} {
		k := newKennel(t, c)
		before := c.writes
		for range 100 {
			if !k.pinged(time.Hour) {
				t.Fatalf("%s: left to the watchdog", name)
			}
		}
		if k.asked() || c.writes != before {
			t.Errorf("%s: a number was to be kept", name)
		}
	}
	k := newKennel(t, newCard())
	k.watchOver(&stationDisk{})
	for range 3 {
		if !k.pinged(time.Hour) {
			t.Error("no state partition: left to the watchdog")
		}
	}
	if k.asked() {
		t.Error("no state partition: a number was to be kept")
	}

	c := hungCard(t, 1)
	c.failWrites = readOnly
	k = newKennel(t, c)
	for n := range 100 {
		if !k.pinged(time.Hour) {
			t.Fatal("read-only: left to the watchdog")
		}
		if n == 0 {
			k.settle(t, 2)
		}
	}
}

// TestDogInSafeMode takes the count back when the page has answered, so that
// switching the station off and on tries again.
func TestDogInSafeMode(t *testing.T) {
	for n, want := range map[int]bool{0: false, safeAfter - 1: false, safeAfter: true, safeAfter + 9: true} {
		k := newKennel(t, hungCard(t, n))
		if got := (&dog{clock: k.clock}).watchOver(k.card.disk()); got != want {
			t.Errorf("after %d resets: safe %v", n, got)
		}
	}
	c := hungCard(t, safeAfter)
	k := newKennel(t, c)
	if !k.pinged(time.Hour) || k.asked() {
		t.Error("silent in safe mode: not fed, or counted")
	}
	k.sign()
	if !k.pinged(time.Second) {
		t.Error("not fed")
	}
	k.settle(t, 0)
	c.powerCut()
	if got := bootRecord(t, c); got != (bootfs.Boot{PermMade: true}) {
		t.Errorf("record %+v", got)
	}
	if !k.pinged(24 * time.Hour) {
		t.Error("left to the watchdog in safe mode")
	}
}

func TestDogBeforeTheCardIsFound(t *testing.T) {
	k := newKennel(t, newCard())
	k.watch = nil
	for range 3 {
		if !k.pinged(time.Hour) {
			t.Error("not fed")
		}
	}
}

func TestDogFeedsOnWhenPingsFail(t *testing.T) {
	k := newKennel(t, newCard())
	k.hardware.err = errors.New("bad device")
	for range 3 {
		if !k.pinged(time.Second) {
			t.Error("given up")
		}
	}
	if k.trouble != "bad device" {
		t.Errorf("trouble %q", k.trouble)
	}
	k.hardware.err = nil
	if !k.pinged(time.Second) || k.trouble != "" {
		t.Errorf("trouble %q", k.trouble)
	}
}

// heard waits until the dog has heard something at its present instant.
func (k *kennel) heard(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		k.mu.Lock()
		heard := k.watch.heard == k.clock()
		k.mu.Unlock()
		if heard {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not heard")
		}
		runtime.Gosched()
	}
}

func TestAliveSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "tc") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "run", "alive")
	k := newKennel(t, newCard())
	k.now.Store(int64(time.Minute))
	k.listen(path)
	k.heard(t) // the patience has begun anew
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", st, err)
	}
	// As the appliance does it, and as a newer one might.
	for _, text := range []string{"alive", strings.Repeat("a longer sign of life ", 50), "x"} {
		c, err := net.Dial("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		if !k.pinged(patience - time.Second) {
			t.Errorf("%.20q: starved while waiting", text)
		}
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		k.heard(t)
		c.Close()
	}
	if !k.pinged(patience) {
		t.Error("starved though it was heard of")
	}
}

func TestDeafDogFeedsRegardless(t *testing.T) {
	for name, path := range map[string]string{
		"no directory":  "/dev/null/alive",
		"no room":       filepath.Join(t.TempDir(), strings.Repeat("x", 120)),
		"taken already": t.TempDir(),
	} {
		c := newCard()
		k := newKennel(t, c)
		k.listen(path)
		for range 100 {
			if !k.pinged(time.Hour) {
				t.Fatalf("%s: left to the watchdog", name)
			}
		}
		if k.asked() || c.writes != 0 {
			t.Errorf("%s: a number was to be kept", name)
		}
	}
}
