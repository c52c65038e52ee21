package pulse

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// kernel answers the ioctls of one chip with eight lines; a pipe carries the
// events.
type kernel struct {
	t        testing.TB
	dir      string
	events   int // write end
	request  lineRequest
	config   lineConfig
	high     bool
	gone     bool  // the chip
	rises    int64 // CLOCK_MONOTONIC from which on the line is high; 0 never
	refuse   error
	consumer string
}

func newKernel(t testing.TB) *kernel {
	k := &kernel{t: t, dir: t.TempDir(), events: -1}
	if err := os.WriteFile(k.dir+"/gpiochip0", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.hangUp)
	return k
}

func (k *kernel) ioctl(_ uintptr, request uintptr, arg unsafe.Pointer) error {
	switch request {
	case ioctlChipInfo:
		info := (*chipInfo)(arg)
		info.lines = 8
		copy(info.label[:], "pl061\x1b")
	case ioctlLineInfo:
		info := (*lineInfo)(arg)
		info.flags = flagUsed
		copy(info.consumer[:], k.consumer)
	case ioctlGetLine:
		if k.refuse != nil {
			return k.refuse
		}
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		r := (*lineRequest)(arg)
		r.fd = int32(p[0])
		k.request, k.events = *r, p[1]
	case ioctlSetConfig:
		k.config = *(*lineConfig)(arg)
	case ioctlGetValues:
		if k.gone {
			return unix.ENODEV
		}
		v := (*lineValues)(arg)
		v.bits = 0
		if k.high || k.rises != 0 && new(clock).mono() >= k.rises {
			v.bits = v.mask
		}
	default:
		return unix.ENOTTY
	}
	return nil
}

func (k *kernel) write(b []byte) {
	k.t.Helper()
	if _, err := unix.Write(k.events, b); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kernel) hangUp() {
	if k.events >= 0 {
		unix.Close(k.events)
		k.events = -1
	}
}

type named map[string]uint32

func (n named) line(name string) (string, uint32, bool, error) {
	offset, ok := n[name]
	return "gpiochip0", offset, ok, nil
}

func (n named) all() []string { return []string{"GPIO2", "GPIO\x073"} }

// inDir puts the chips that names gives into the test's directory.
type inDir struct {
	named
	dir string
}

func (d inDir) line(name string) (string, uint32, bool, error) {
	chip, offset, ok, err := d.named.line(name)
	return d.dir + "/" + chip, offset, ok, err
}

func (k *kernel) open(name string) (*line, error) {
	return open(name, system{dev: k.dir, names: inDir{named{"GPIO18": 3}, k.dir}, ioctl: k.ioctl, fast: k.ioctl})
}

func (k *kernel) mustOpen(name string) *line {
	k.t.Helper()
	l, err := k.open(name)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { l.Close() })
	return l
}

func TestOpenRequestsTheLine(t *testing.T) {
	for name, offset := range map[string]uint32{"GPIO18": 3, "gpiochip0:7": 7} {
		k := newKernel(t)
		l := k.mustOpen(name)
		r := k.request
		if r.numLines != 1 || r.offsets[0] != offset || r.eventBufferSize != 16 || cString(r.consumer[:]) != consumer {
			t.Errorf("%s: asked for %d lines, the first %d, buffer %d, as %q", name, r.numLines, r.offsets[0], r.eventBufferSize, cString(r.consumer[:]))
		}
		if r.config.flags != flagInput|flagEdgeRising || r.config.numAttrs != 0 {
			t.Errorf("%s: flags %#x, %d attributes", name, r.config.flags, r.config.numAttrs)
		}
		if l.Name() != name || l.Number() != int(offset) || !strings.Contains(l.String(), "gpiochip0") {
			t.Errorf("got %s, %d, %s", l.Name(), l.Number(), l)
		}
	}
}

// TestReadFails: what cannot be read is no level, and stays so.
func TestReadFails(t *testing.T) {
	k := newKernel(t)
	k.high = true
	l := k.mustOpen("GPIO18")
	if l.Read() != gpio.High || l.Err() != nil {
		t.Errorf("it reads as %v, %v", l.Read(), l.Err())
	}
	k.gone = true
	if l.Read() != gpio.Low || !errors.Is(l.Err(), unix.ENODEV) {
		t.Errorf("of a chip that is gone: %v, %v", l.Read(), l.Err())
	}
}

// TestWhere: the names of one line stand for the same, those of others do not.
func TestWhere(t *testing.T) {
	k := newKernel(t)
	if err := os.Symlink(k.dir+"/gpiochip0", k.dir+"/gpiochip4"); err != nil {
		t.Fatal(err)
	}
	s := system{dev: k.dir, names: inDir{named{"GPIO18": 3}, k.dir}}
	want, err := s.where("GPIO18")
	if err != nil {
		t.Fatal(err)
	}
	for name, same := range map[string]bool{"gpiochip0:3": true, "gpiochip4:3": true, "gpiochip0:4": false, "gpiochip1:3": false} {
		if got, err := s.where(name); err != nil || (got == want) != same {
			t.Errorf("%s is %q, %v; GPIO18 is %q", name, got, err, want)
		}
	}
	if _, err := s.where("GPIO5"); err == nil {
		t.Error("a line that is not there is somewhere")
	}
}

func TestEdges(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	if e, ok := l.WaitForEdgeAt(0); ok {
		t.Fatalf("an edge from nowhere: %+v", e)
	}
	if l.WaitForEdge(time.Microsecond) {
		t.Fatal("an edge from nowhere")
	}
	k.write(eventBytes(5_000_000_001, 1))
	k.write(eventBytes(6_000_000_002, 2))
	if e, ok := l.WaitForEdgeAt(0); !ok || e != (Event{5_000_000_001, 1}) {
		t.Fatalf("looking gave %+v, %v", e, ok)
	}
	if e, ok := l.WaitForEdgeAt(time.Nanosecond); !ok || e != (Event{6_000_000_002, 2}) {
		t.Fatalf("a short wait gave %+v, %v", e, ok)
	}
	done := make(chan Event)
	go func() {
		e, _ := l.WaitForEdgeAt(-1)
		done <- e
	}()
	k.write(eventBytes(7_000_000_003, 5))
	if e := <-done; e != (Event{7_000_000_003, 5}) {
		t.Fatalf("waiting for ever gave %+v", e)
	}
	if err := l.Err(); err != nil {
		t.Error(err)
	}
}

func TestWaitAllocatesNothing(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	b := eventBytes(1, 1)
	if n := testing.AllocsPerRun(100, func() {
		k.write(b)
		if _, ok := l.WaitForEdgeAt(time.Second); !ok {
			t.Error("no edge")
		}
		l.WaitForEdgeAt(time.Microsecond)
	}); n != 0 {
		t.Errorf("%v allocations for an edge and a timeout", n)
	}
}

// waiting returns once another goroutine holds the lock of the wait.
func waiting(l *line) {
	for l.wait.TryLock() {
		l.wait.Unlock()
	}
}

func TestHaltAndCloseEndAWait(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	done := make(chan bool)
	wait := func() { done <- l.WaitForEdge(-1) }
	go wait()
	waiting(l)
	if err := l.Halt(); err != nil {
		t.Fatal(err)
	}
	if <-done {
		t.Error("an edge after Halt")
	}
	k.write(eventBytes(1, 1))
	if !l.WaitForEdge(-1) {
		t.Error("no edge in the wait after a halted one")
	}
	go wait()
	waiting(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if <-done {
		t.Error("an edge after Close")
	}
	if l.WaitForEdge(-1) || !errors.Is(l.Err(), errClosed) {
		t.Errorf("a closed line says %v", l.Err())
	}
}

func TestSourceOverLine(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	s := NewSource(l)
	k.write(eventBytes(1e9, 1))
	k.write(eventBytes(4e9, 4))
	for _, want := range []int64{1e9, 4e9} {
		if p, err := s.Read(t.Context()); err != nil || p.Mono != want {
			t.Fatalf("got %+v, %v", p, err)
		}
	}
	if s.Lost() != 2 {
		t.Errorf("%d lost, want 2", s.Lost())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Read(ctx)
		done <- err
	}()
	waiting(l)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	k.hangUp()
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "GPIO18") || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a chip that went away: %v", err)
	}
}

func TestShortEvent(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	k.write(make([]byte, 16))
	if l.WaitForEdge(-1) || l.Err() == nil || !strings.Contains(l.Err().Error(), "16 bytes") {
		t.Errorf("half an event: %v", l.Err())
	}
}

func TestPinIn(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	k.write(eventBytes(1, 1)) // from before In: dropped
	if err := l.In(gpio.PullDown, gpio.BothEdges); err != nil {
		t.Fatal(err)
	}
	if want := uint64(flagInput | flagEdgeRising | flagEdgeFalling | flagPullDown); k.config.flags != want {
		t.Errorf("flags %#x, want %#x", k.config.flags, want)
	}
	if l.Pull() != gpio.PullDown || l.DefaultPull() != gpio.PullNoChange {
		t.Errorf("pull %s, by default %s", l.Pull(), l.DefaultPull())
	}
	k.write(eventBytes(2, 2))
	if e, ok := l.WaitForEdgeAt(-1); !ok || e.Seq != 2 {
		t.Errorf("after In came %+v, %v", e, ok)
	}
	if l.Read() != gpio.Low || l.Function() != string(gpio.IN_LOW) {
		t.Errorf("low reads as %s", l.Function())
	}
	k.high = true
	if l.Read() != gpio.High || l.Function() != string(gpio.IN_HIGH) {
		t.Errorf("high reads as %s", l.Function())
	}
	if err := l.In(gpio.Pull(9), gpio.RisingEdge); err == nil {
		t.Error("a pull that does not exist was accepted")
	}
	if err := l.In(gpio.Float, gpio.Edge(9)); err == nil {
		t.Error("an edge that does not exist was accepted")
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse error
		want   []string
	}{
		{"", nil, []string{"1 to 64 characters", "GPIO18"}},
		{strings.Repeat("x", 65), nil, []string{"1 to 64 characters"}},
		{"GPIO81", nil, []string{`"GPIO81"`, "GPIO2, GPIO?3", "gpiochip0:18"}},
		{"gpiochip0:8", nil, []string{"gpiochip0 (pl061?) has 8 lines", "gpiochip0:0 to gpiochip0:7"}},
		{"gpiochip0:-1", nil, []string{`"gpiochip0:-1" is no chip and line`, "gpiochip0:18"}},
		{"gpiochip0:", nil, []string{"is no chip and line"}},
		{"gpiochip../../x:1", nil, []string{"is no chip and line"}},
		{"chip0:1", nil, []string{"is no chip and line"}},
		{"gpiochip4:1", nil, []string{"there is no", "gpiochip4", "there are gpiochip0"}},
		{"GPIO18", unix.EBUSY, []string{"line 3", "in use by \"pps-gpio\"", "config.txt"}},
		{"GPIO18", unix.EINVAL, []string{"Linux 5.10"}},
		{"GPIO18", unix.ENXIO, []string{"raises no interrupt"}},
		{"GPIO18", unix.EIO, []string{"line 3", "input/output error"}},
	} {
		k := newKernel(t)
		k.refuse, k.consumer = c.refuse, "pps-gpio"
		_, err := k.open(c.name)
		if err == nil {
			t.Errorf("%q: opened", c.name)
			continue
		}
		if c.refuse != nil && !errors.Is(err, c.refuse) {
			t.Errorf("%q: %v does not wrap %v", c.name, err, c.refuse)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v\nlacks %q", c.name, err, want)
			}
		}
	}
}

func TestListIsBounded(t *testing.T) {
	s := list(strings.Split(strings.Repeat("X ", 53)+"X", " "))
	if strings.Count(s, "X") != 16 || !strings.HasSuffix(s, "and 38 more") {
		t.Errorf("got %q", s)
	}
}

// On a machine without a line of that name Open must say so, whatever chips
// the machine has.
func TestOpenOnThisMachine(t *testing.T) {
	_, err := Open("no such line")
	if err == nil || !strings.Contains(err.Error(), `"no such line"`) || !strings.Contains(err.Error(), "gpiochip0:18") {
		t.Errorf("got %v", err)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"GPIO18", "gpiochip0:3", "gpiochip0:", ":", "", "gpiochip99999:1", "gpiochip0:99999", "gpiochip/../0:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := system{dev: "/dev", names: named{}}
		path, offset, err := s.find(name)
		if err != nil {
			return
		}
		rest, ok := strings.CutPrefix(path, "/dev/gpiochip")
		if !ok || rest == "" || strings.Trim(rest, "0123456789") != "" || offset > 65535 {
			t.Errorf("%q became %s, line %d", name, path, offset)
		}
	})
}

// TestWatch on the machine's own clock: wherever the edge is seen, that is where
// it was, as closely as is said. A machine that is busy may not see it.
func TestWatch(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	for seen := 0; seen < 5; {
		now := l.Now()
		k.rises = now + int64(3*time.Millisecond)
		from := now + int64(2*time.Millisecond)
		c, ok := l.Watch(from, k.rises+int64(5*time.Millisecond))
		if !ok {
			continue
		}
		seen++
		if d := c.At - k.rises; c.Gap <= 0 || max(d, -d) > c.Gap/2+1 {
			t.Errorf("seen %d ns from where it was, in readings that took %d ns", d, c.Gap)
		}
	}
	if _, ok := l.Watch(l.Now(), l.Now()+int64(time.Millisecond)); ok {
		t.Error("an edge from before the first reading was seen")
	}
	k.rises = 0
	before := l.Now()
	if _, ok := l.Watch(before, before+int64(time.Millisecond)); ok || l.Now() < before+int64(time.Millisecond) {
		t.Error("an edge from nowhere, or too short a watch")
	}
	l.Close()
	if _, ok := l.Watch(l.Now(), l.Now()+int64(time.Second)); ok {
		t.Error("an edge of a closed line")
	}
}

func TestWatchAllocatesNothing(t *testing.T) {
	k := newKernel(t)
	l := k.mustOpen("GPIO18")
	if n := testing.AllocsPerRun(20, func() { l.Watch(l.Now(), l.Now()+50_000) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLine(b *testing.B) {
	b.ReportAllocs()
	k := newKernel(b)
	s := NewSource(k.mustOpen("GPIO18"))
	edge := eventBytes(1e9, 0)
	for b.Loop() {
		k.write(edge)
		if _, err := s.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
