package main

import (
	"context"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bite is how soon the quickest watchdog of our boards bites: the Raspberry Pi's,
// whose counter has 20 bits of 1/65536 s (bcm2835_wdt).
const bite = 15 * time.Second

// machine is a board with a hardware watchdog, in virtual time. When it is not
// fed the board boots anew.
type machine struct {
	card   *card
	rng    dice
	lives  func(ctx context.Context, m *machine, sign func(), safe bool)
	frozen func(uptime time.Duration) bool // init does not run; nil: never

	resets atomic.Int32
	safe   int // starts in safe mode
	lost   time.Duration
}

// dice are a *rand.Rand that goroutines share.
type dice struct {
	mu  *sync.Mutex
	rng *rand.Rand
}

func newDice() dice { return dice{mu: new(sync.Mutex), rng: rand.New(rand.NewPCG(1, 2))} }

func (d *dice) upTo(n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Int64N(n)
}

// hardwareTimer is the watchdog of one boot.
type hardwareTimer struct {
	m     *machine
	timer *time.Timer
	born  time.Time
}

// Ping takes its time now and then.
func (h *hardwareTimer) Ping() error {
	if h.m.rng.upTo(1000) == 0 {
		time.Sleep(time.Duration(h.m.rng.upTo(int64(8 * time.Second))))
	}
	if f := h.m.frozen; f == nil || !f(time.Since(h.born)) {
		h.timer.Reset(bite)
	}
	return nil
}

// run has the board on for as long as ctx lasts.
func (m *machine) run(ctx context.Context) {
	for ctx.Err() == nil {
		m.boot(ctx)
		m.card.powerCut()
	}
}

func (m *machine) boot(ctx context.Context) {
	ctx, reset := context.WithCancel(ctx)
	var running sync.WaitGroup
	h := &hardwareTimer{m: m, born: time.Now()}
	h.timer = time.AfterFunc(bite, func() { m.resets.Add(1); reset() })
	here, there := net.Pipe()
	defer func() {
		reset()
		here.Close()
		there.Close()
		running.Wait()
		h.timer.Stop()
	}()

	d := &dog{clock: func() time.Duration { return time.Since(h.born) + 3*time.Second }, device: h}
	running.Go(func() { d.feed(ctx) })
	m.pause(ctx, 10*time.Second) // the disks come
	safe := d.watchOver(m.card.disk())
	if safe {
		m.safe++
	}
	m.pause(ctx, 20*time.Second) // /perm, modules
	d.mu.Lock()
	d.watch.begin(d.clock())
	d.mu.Unlock()
	running.Go(func() { d.hear(here) })
	last := time.Now()
	m.lives(ctx, m, func() {
		m.lost = max(m.lost, time.Since(last))
		last = time.Now()
		there.Write([]byte("alive"))
	}, safe)
	<-ctx.Done()
}

// pause lets up to d pass.
func (m *machine) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(m.rng.upTo(int64(d)))):
	}
}

// troubled is an appliance that starts slowly, gives its signs unevenly, stands
// still for half a minute now and then and crashes every few minutes, upon which
// gokrazy starts it again.
func troubled(ctx context.Context, m *machine, sign func(), _ bool) {
	for ctx.Err() == nil {
		m.pause(ctx, time.Second+40*time.Second)
		for crash := time.Now().Add(time.Duration(m.rng.upTo(int64(8 * time.Minute)))); ctx.Err() == nil && time.Now().Before(crash); {
			sign()
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
			m.pause(ctx, 2*time.Second)
			if m.rng.upTo(40) == 0 {
				m.pause(ctx, time.Minute) // half a minute on average
			}
		}
	}
}

func dead(context.Context, *machine, func(), bool) {}

// onlyThePage lives in safe mode alone.
func onlyThePage(ctx context.Context, m *machine, sign func(), safe bool) {
	if safe {
		troubled(ctx, m, sign, safe)
	}
}

// hangsAfter is an appliance that lives for a while each time.
func hangsAfter(d time.Duration) func(context.Context, *machine, func(), bool) {
	return func(ctx context.Context, m *machine, sign func(), safe bool) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		troubled(ctx, m, sign, safe)
	}
}

// TestADay of a board with its watchdog armed: an appliance that is merely in
// trouble is never reset for, one that hangs is so a bounded number of times.
func TestADay(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	for name, c := range map[string]struct {
		lives  func(context.Context, *machine, func(), bool)
		card   string // how it fails
		days   int
		record int // at the end
		resets int
		safe   int
	}{
		"troubled":              {lives: troubled, days: 7},
		"dead":                  {lives: dead, days: 2, resets: safeAfter, safe: 1, record: safeAfter},
		"only the page works":   {lives: onlyThePage, days: 2, resets: safeAfter, safe: 1},
		"hangs after half hour": {lives: hangsAfter(30 * time.Minute), days: 2, resets: safeAfter, safe: 1},
		// A healthy hour in between: no loop, and worth a reset each time.
		"hangs after a day":     {lives: hangsAfter(24 * time.Hour), days: 4, resets: 3},
		"dead, read-only card":  {lives: dead, card: "read-only", days: 2},
		"dead, card that hangs": {lives: dead, card: "hangs", days: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &machine{card: newCard(), rng: newDice(), lives: c.lives}
				hung := make(chan struct{})
				defer close(hung)
				m.card.failWrites = map[string]func(int) error{
					"read-only": readOnly,
					"hangs":     func(int) error { <-hung; return nil },
				}[c.card]
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(c.days)*24*time.Hour)
				defer cancel()
				m.run(ctx)
				if int(m.resets.Load()) != c.resets || m.safe != c.safe {
					t.Errorf("%d resets in %d days, %d safe starts; want %d, %d", int(m.resets.Load()), c.days, m.safe, c.resets, c.safe)
				}
				if c.resets > 0 {
					if got := bootRecord(t, m.card).HungResets; got != c.record {
						t.Errorf("%d resets in the record, want %d", got, c.record)
					}
				}
				t.Logf("%d resets, %d safe starts; the longest pause between two signs %v", int(m.resets.Load()), m.safe, m.lost.Round(time.Second))
				if name == "troubled" && m.lost < time.Minute {
					t.Error("it was not troubled enough to tell anything")
				}
			})
		})
	}
}

// TestInitThatHangs is reset by the hardware, which shows that it bites.
func TestInitThatHangs(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	synctest.Test(t, func(t *testing.T) {
		m := &machine{card: newCard(), rng: newDice(), lives: troubled}
		m.frozen = func(up time.Duration) bool { return m.resets.Load() == 0 && up > time.Hour }
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		m.run(ctx)
		if int(m.resets.Load()) != 1 || m.safe != 0 {
			t.Errorf("%d resets, %d safe starts", int(m.resets.Load()), m.safe)
		}
	})
}
