package button

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// fakePin is periph's, which knows no errors.
type fakePin struct {
	gpiotest.Pin
	mu  sync.Mutex
	err error
}

func (p *fakePin) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *fakePin) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func newPin(l gpio.Level) *fakePin {
	return &fakePin{Pin: gpiotest.Pin{N: "GPIO5", L: l, EdgesChan: make(chan gpio.Level, 64)}}
}

// step is that the line is at a level for a time.
type step struct {
	low   bool
	lasts time.Duration
}

func down(d time.Duration) step { return step{true, d} }
func open(d time.Duration) step { return step{false, d} }

// bounces are contacts that open and close some times.
func bounces(n int) (list []step) {
	for i := range n {
		list = append(list, down(time.Duration(1+i%3)*time.Millisecond), open(2*time.Millisecond))
	}
	return list
}

func all(parts ...any) (list []step) {
	for _, p := range parts {
		switch p := p.(type) {
		case step:
			list = append(list, p)
		case []step:
			list = append(list, p...)
		}
	}
	return list
}

// TestWait lives what buttons, short circuits and people do.
func TestWait(t *testing.T) {
	const s = time.Second
	shaky := []step{} // a short circuit that comes and goes
	for i := range 400 {
		shaky = append(shaky, down(time.Duration(i%90)*100*time.Millisecond), open(time.Duration(1+i%7*40)*time.Millisecond))
	}
	for name, c := range map[string]struct {
		steps []step
		reset bool
		shown string
	}{
		"nobody":                        {all(open(time.Hour)), false, ""},
		"held":                          {all(open(3*s), down(12*s), open(5*s)), true, "counting enough up"},
		"held, with bounces":            {all(open(3*s), bounces(5), down(12*s), bounces(7), open(5*s)), true, "counting enough up"},
		"held at power-on":              {all(down(11*s), open(5*s)), true, "counting enough up"},
		"touched":                       {all(open(3*s), down(2*s), open(60*s)), false, "counting up"},
		"let go too soon":               {all(open(3*s), down(9800*time.Millisecond), open(60*s)), false, "counting up"},
		"just enough":                   {all(open(3*s), down(10200*time.Millisecond), open(5*s)), true, "counting enough up"},
		"just not too long":             {all(open(3*s), down(19800*time.Millisecond), open(5*s)), true, "counting enough up"},
		"too long":                      {all(open(3*s), down(20200*time.Millisecond), open(60*s)), false, "counting enough too-long up"},
		"too long, and anew":            {all(open(3*s), down(30*s), open(2*s), down(12*s), open(5*s)), true, "counting enough too-long up counting enough up"},
		"a break":                       {all(open(3*s), down(8*s), open(5*time.Millisecond), down(8*s), open(60*s)), false, "counting up counting up"},
		"a break after enough":          {all(open(3*s), down(12*s), open(700*time.Millisecond), down(3*s), open(60*s)), false, "counting enough up counting up"},
		"a moment's spike after enough": {all(open(3*s), down(12*s), open(700*time.Millisecond), down(2*time.Millisecond), open(60*s)), false, "counting enough up"},
		"stuck from the start":          {all(down(2 * time.Hour)), false, "counting enough too-long up"},
		"a short circuit later":         {all(open(100*s), down(2*time.Hour)), false, "counting enough too-long up"},
		"one that ends after hours":     {all(open(100*s), down(2*time.Hour), open(100*s)), false, "counting enough too-long up"},
		"one that comes and goes":       {shaky, false, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPin(!gpio.Level(c.steps[0].low))
				ctx, cancel := context.WithCancel(t.Context())
				type result struct {
					reset bool
					err   error
				}
				done := make(chan result, 1)
				var shown []string
				go func() {
					reset, err := Wait(ctx, p, func(ph Phase) {
						shown = append(shown, map[Phase]string{Up: "up", Counting: "counting", Enough: "enough", TooLong: "too-long"}[ph])
					})
					done <- result{reset, err}
				}()
				for i, x := range c.steps {
					if i > 0 {
						select {
						case p.EdgesChan <- !gpio.Level(x.low):
						default: // as the kernel drops what nobody reads
						}
						p.Out(!gpio.Level(x.low))
					}
					time.Sleep(x.lasts)
				}
				cancel()
				got := <-done
				if text := strings.Join(shown, " "); got.reset != c.reset || got.err != nil || c.shown != "*" && text != c.shown {
					t.Errorf("reset %v, %v, shown %q; want %v, %q", got.reset, got.err, text, c.reset, c.shown)
				}
			})
		})
	}
}

// TestLevelsAlone: an edge that was missed changes nothing, since the level is read.
func TestLevelsAlone(t *testing.T) {
	for held, want := range map[time.Duration]bool{12 * time.Second: true, 9 * time.Second: false, 22 * time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPin(gpio.High)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan bool, 1)
			go func() {
				reset, _ := Wait(ctx, p, func(Phase) {})
				done <- reset
			}()
			time.Sleep(3 * time.Second)
			p.Out(gpio.Low)
			time.Sleep(held)
			p.Out(gpio.High)
			time.Sleep(10 * time.Second)
			cancel()
			if got := <-done; got != want {
				t.Errorf("held for %v: %v", held, got)
			}
		})
	}
}

// TestLineFails: what a line says that cannot be read is no press, and its end none that
// ends.
func TestLineFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPin(gpio.High)
		gone := errors.New("no such device")
		time.AfterFunc(5*time.Second, func() { p.Out(gpio.Low) })
		time.AfterFunc(17*time.Second, func() {
			p.fail(gone)
			p.Out(gpio.High)
		})
		last := Phase(-1)
		if reset, err := Wait(t.Context(), p, func(ph Phase) { last = ph }); reset || !errors.Is(err, gone) || last != Up {
			t.Errorf("%v, %v, shown %v", reset, err, last)
		}
	})
}

// TestNoise: a line that picks up a hundred thousand edges is not looked at as often.
func TestNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &noisy{fakePin: newPin(gpio.High)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if reset, err := Wait(ctx, p, func(Phase) {}); reset || err != nil {
			t.Error(reset, err)
		}
		if most := int(10 * time.Second / pace); p.looks > most+1 {
			t.Errorf("%d looks in 10 s, want %d at the most", p.looks, most)
		}
	})
}

// noisy has an edge whenever one is waited for.
type noisy struct {
	*fakePin
	looks int
}

func (n *noisy) WaitForEdge(time.Duration) bool { n.looks++; return true }
func (n *noisy) Read() gpio.Level               { return n.looks%2 == 0 }
func (n *noisy) String() string                 { return fmt.Sprint(n.Name()) }
