package pulse

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// machine is a simulated one whose line gives pulses. Times are ns.
type machine struct {
	rand    *rand.Rand
	late    float64 // the shortest an interrupt takes
	tail    float64 // mean of what comes on top, exponential
	warm    float64 // by how much less it takes while the line is watched
	wander  float64 // of the pulse, from second to second, standard deviation
	reading float64 // how long one takes
	missed  float64 // share of edges that are not seen
	held    float64 // share of edges around which the machine does something else for 30 µs
	n       int64
}

// next is the next second, and where its edge really was.
func (m *machine) next() (s Second, edge float64) {
	m.n++
	edge = float64(m.n)*1e9*(1+20e-6) + m.wander*m.rand.NormFloat64() + 10*m.rand.NormFloat64()
	s.Watched = m.n%2 == 0
	late := m.late + m.tail*m.rand.ExpFloat64()
	if s.Watched {
		late -= m.warm
	}
	s.Stamp = int64(edge + late)
	if !s.Watched || m.rand.Float64() < m.missed {
		return s, edge
	}
	// The reading sees the line in the middle of its time.
	before := edge - m.reading*m.rand.Float64()
	after := before + m.reading
	if m.rand.Float64() < m.held {
		after += 30e3
	}
	from, to := before-m.reading/2, after+m.reading/2
	s.Seen = Crossing{At: int64((from + to) / 2), Gap: int64(to - from)}
	return s, edge
}

func (m *machine) run(l *Lateness, seconds int) Result {
	for range seconds {
		s, _ := m.next()
		l.Add(s)
	}
	return l.Result()
}

func newMachine(seed uint64) *machine {
	return &machine{rand: rand.New(rand.NewPCG(seed, 1)), late: 11e3, tail: 1e3, reading: 1200}
}

// TestLatenessIsFound within a microsecond after five minutes: of a Raspberry Pi
// 5's 11.7 µs as of nothing, with interrupts that are late only, readings that
// miss, and a machine that has other things to do.
func TestLatenessIsFound(t *testing.T) {
	const median = 0.693147 // of an exponential distribution of mean 1
	for name, change := range map[string]func(*machine){
		"as a Pi 5":     func(*machine) {},
		"as a Pi 4":     func(m *machine) { m.late, m.tail, m.reading = 3.4e3, 500, 900 },
		"no lateness":   func(m *machine) { m.late, m.tail = 0, 200 },
		"long tail":     func(m *machine) { m.tail = 4e3 },
		"warmed up":     func(m *machine) { m.warm = 5e3 },
		"missed edges":  func(m *machine) { m.missed = 0.3 },
		"a busy system": func(m *machine) { m.held, m.tail = 0.2, 3e3 },
		"slow readings": func(m *machine) { m.reading = 6e3 },
		"60 µs, loaded": func(m *machine) { m.late, m.tail = 55e3, 7e3 },
		"receiver's ns": func(m *machine) { m.wander = 60 },
	} {
		t.Run(name, func(t *testing.T) {
			worst := 0.
			for seed := range uint64(50) {
				m := newMachine(seed)
				change(m)
				var l Lateness
				if r := m.run(&l, 2*needed-8); r.Known {
					t.Fatalf("known after less than four minutes: %+v", r)
				}
				r := m.run(&l, 480)
				if !r.Known {
					t.Fatalf("not known: %+v", r)
				}
				quiet, watched := m.late+median*m.tail, m.late-m.warm+median*m.tail
				for _, e := range []float64{r.Late*1e9 - quiet, r.Watched*1e9 - watched} {
					worst = max(worst, math.Abs(e))
					if math.Abs(e) > r.Error*1e9 {
						t.Errorf("wrong by %.0f ns, its error is said to be %.0f", e, r.Error*1e9)
					}
				}
				if r.Error > 8e-6 {
					t.Errorf("found to %g s only", r.Error)
				}
			}
			t.Logf("wrong by %.0f ns at most", worst)
			// Interrupts that vary by more are no better known after that time.
			m := newMachine(0)
			if change(m); worst > 1000 && m.tail <= 1e3 {
				t.Errorf("wrong by %.0f ns", worst)
			}
		})
	}
}

// TestLatenessIsDeclined where it cannot be found.
func TestLatenessIsDeclined(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*machine)
		want   string
	}{
		"an emulator's pulse": {func(m *machine) { m.wander, m.reading = 700e3, 8e3 }, "vary by"},
		"a worse pulse":       {func(m *machine) { m.wander = 5e6 }, "comes too unevenly"},
		"an emulator's calls": {func(m *machine) { m.reading = 15e3 }, "reads the line only every 15 µs"},
		"never seen":          {func(m *machine) { m.missed = 1 }, "was seen 0 times"},
		"hardly ever seen":    {func(m *machine) { m.missed = 0.8 }, "comes too unevenly"},
		"always held up":      {func(m *machine) { m.held = 0.9 }, "reads the line only every 1"},
		"before the edge":     {func(m *machine) { m.late = -30e3 }, "before the edge"},
		"no interrupt":        {func(m *machine) { m.late = 400e3 }, "no interrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(7)
			c.change(m)
			var l Lateness
			r := m.run(&l, 900)
			if r.Known || !strings.Contains(r.Declined, c.want) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// TestLatenessBeginsAnew when the processor's speed changes, and not otherwise.
func TestLatenessBeginsAnew(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*machine)
		want   string
	}{
		"slower":         {func(m *machine) { m.late += 8e3 }, "µs late, no longer 11"},
		"faster":         {func(m *machine) { m.late -= 6e3 }, "µs late, no longer 11"},
		"less even":      {func(m *machine) { m.tail = 9e3 }, "µs"},
		"seen no more":   {func(m *machine) { m.missed = 1 }, "not seen any more"},
		"nothing at all": {func(*machine) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(3)
			var l Lateness
			m.run(&l, 600)
			c.change(m)
			anew := false
			for range 3 * needed {
				m.run(&l, 1)
				anew = anew || !l.Result().Known
			}
			if r := l.Result(); anew != (c.want != "") || !strings.Contains(r.Restart, c.want) {
				t.Errorf("begun anew: %v, %+v", anew, r)
			}
			if c.want == "" {
				if r := m.run(&l, 86400); r.Restart != "" {
					t.Errorf("in a day in which nothing happened: %q", r.Restart)
				}
				return
			}
			m.missed = 0
			if r := m.run(&l, 4*needed); !r.Known && r.Declined == "" {
				t.Errorf("not found anew: %+v", r)
			}
		})
	}
}

// TestLatenessOfGaps: pulses that stay away, or come between, make no figure.
func TestLatenessOfGaps(t *testing.T) {
	m := newMachine(5)
	var l Lateness
	for n := range 1200 {
		s, _ := m.next()
		switch n % 10 {
		case 3:
			continue
		case 6:
			s.Stamp += 300e6
			s.Seen = Crossing{}
		}
		l.Add(s)
	}
	if r := l.Result(); !r.Known || math.Abs(r.Late-11.69e-6) > 1e-6 {
		t.Errorf("got %+v", r)
	}
}

func FuzzLateness(f *testing.F) {
	f.Add(int64(1e9), int64(1e9), int64(500), uint8(3))
	f.Fuzz(func(t *testing.T, stamp, at, gap int64, kind uint8) {
		var l Lateness
		for i := range int64(600) {
			s := Second{Stamp: i*stamp + at, Watched: kind&1 != 0 || i%2 == 0}
			if kind&2 != 0 {
				s.Seen = Crossing{At: at + i, Gap: gap}
			}
			l.Add(s)
			if r := l.Result(); r.Known && !(r.Error > 0 && r.Late <= mostLate && r.Late >= -r.Error) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func BenchmarkLateness(b *testing.B) {
	b.ReportAllocs()
	m := newMachine(1)
	var l Lateness
	m.run(&l, 1000)
	for b.Loop() {
		s, _ := m.next()
		l.Add(s)
		if !l.Result().Known {
			b.Fatal("not known")
		}
	}
}
