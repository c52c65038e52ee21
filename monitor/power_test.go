package monitor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrongs are the ways in which a server is wrong that power is measured for.
var wrongs = []struct {
	name string
	far  float64 // seconds
	as   Verdict
	set  func(s *member)
}{
	{name: "10 ms", far: 10 * ms},
	{name: "25 ms", far: 25 * ms},
	{name: "30 ms", far: 30 * ms},
	{name: "50 ms", far: 50 * ms},
	{name: "100 ms", far: 100 * ms},
	{name: "500 ms", far: 500 * ms},
	{name: "1 s", far: 1},
	{name: "drifts by 50 ppm", as: Off, set: func(s *member) { s.drift = 50e-6 }},
	{name: "dead", as: Unreachable, set: func(s *member) { s.dead = true }},
	{name: "not synchronised", as: Unsynchronized, set: func(s *member) { s.unsure = true }},
}

var powerRTT = []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond, 300 * time.Millisecond}

const powerRounds = 95

// found is after how many rounds each of some seeds' servers was convicted, 0
// never; and after how many of the pool's checks it was left out.
type found struct{ ours, pool []int }

func (f found) String() string {
	show := func(list []int) string {
		list = slices.Clone(list)
		for i, n := range list {
			if n == 0 {
				list[i] = 1 << 30
			}
		}
		slices.Sort(list)
		say := func(n int) string {
			if n == 1<<30 {
				return "-"
			}
			return fmt.Sprint(n)
		}
		if list[0] == list[len(list)-1] {
			return say(list[0])
		}
		return say(list[len(list)/2]) + " (" + say(list[0]) + " to " + say(list[len(list)-1]) + ")"
	}
	return show(f.ours) + " / " + show(f.pool)
}

// power lets one server for each round-trip time go wrong, with others beside it.
func power(t *testing.T, others, seeds int) (table [][]found, right tallied) {
	table = make([][]found, len(wrongs))
	for i, w := range wrongs {
		table[i] = make([]found, len(powerRTT))
		for seed := range seeds {
			// One of each round-trip time among many; alone with few.
			together := others >= 20
			for k := 0; k < len(powerRTT); k++ {
				c := newCampaign(uint64(seed*1000+i*10+k), others)
				list := powerRTT[k : k+1]
				if together {
					list = powerRTT
				}
				for j, rtt := range list {
					s := c.join(fmt.Sprint("wrong ", j), rtt, false)
					s.failed = 10*time.Minute + time.Duration(c.rnd.IntN(64))*time.Second
					s.lopsided = 0.6 * (c.rnd.Float64() - 0.5)
					if s.far = w.far; (seed+j)%2 == 1 {
						s.far = -s.far
					}
					if w.set != nil {
						w.set(s)
					}
				}
				if others < 20 {
					for j, s := range c.members[:others] {
						s.rtt = powerRTT[min(j, 1)] // 5 and 50 ms
						s.offset, s.refID = s.offset/5, uint32(j+1)
					}
				}
				c.run(t, DefaultInterval, func() { time.Sleep(11*time.Minute + powerRounds*DefaultInterval) })
				for _, n := range c.counts {
					right.plus(*n)
				}
				for _, w := range c.wrongs {
					t.Error(w)
				}
				for j, s := range c.members[others:] {
					f := &table[i][k+j]
					f.ours, f.pool = append(f.ours, s.found), append(f.pool, s.pool.found)
				}
				if together {
					break
				}
			}
		}
	}
	return table, right
}

func powerTable(table [][]found) string {
	var s strings.Builder
	s.WriteString("| the server's fault |")
	for _, rtt := range powerRTT {
		fmt.Fprintf(&s, " RTT %d ms |", rtt.Milliseconds())
	}
	s.WriteString("\n|---|" + strings.Repeat("---|", len(powerRTT)) + "\n")
	for i, w := range wrongs {
		fmt.Fprintf(&s, "| %s |", w.name)
		for _, f := range table[i] {
			fmt.Fprintf(&s, " %s |", f)
		}
		s.WriteByte('\n')
	}
	return s.String()
}

// What can be proven is found, and soon; what cannot be is not.
func TestPower(t *testing.T) {
	for _, others := range []int{40, 2, 0} {
		table, right := power(t, others, powerSeeds)
		t.Logf("rounds until convicted / checks until left out by the pool's rule, with %d right servers beside it:\n\n%s", others, powerTable(table))
		share := func(part int) float64 { return float64(part) / float64(max(right.near, 1)) }
		if others > 0 {
			t.Logf("right servers at RTT <= 50 ms beside them, %d exchanges: %.2f %% doubtful, %.2f %% not judged",
				right.near, 100*share(right.nearDoubtful), 100*share(right.nearUnjudged))
		}
		if share(right.nearDoubtful) > 0.01 || share(right.nearUnjudged) > 0.01 {
			t.Error("more than one in a hundred exchanges over an honest near path tells nothing")
		}
		for i, w := range wrongs {
			for k, rtt := range powerRTT {
				soonest, latest := slices.Min(table[i][k].ours), slices.Max(table[i][k].ours)
				switch {
				case w.set != nil && soonest == 0:
					t.Errorf("%s, RTT %s, %d others: not found in %d rounds", w.name, rtt, others, powerRounds)
				case w.as == Unsynchronized && latest > 1, w.as == Unreachable && latest > deadWithin:
					t.Errorf("%s, RTT %s, %d others: found after %d rounds", w.name, rtt, others, latest)
				case w.set != nil:
				case w.far <= 10*ms && latest != 0:
					t.Errorf("%s, RTT %s, %d others: convicted of it", w.name, rtt, others)
				case w.far > provable(rtt, others) && (soonest == 0 || latest > offWithin):
					t.Errorf("%s, RTT %s, %d others: found after %d to %d rounds, want %d at the most", w.name, rtt, others, soonest, latest, offWithin)
				}
			}
		}
	}
}

const (
	offWithin = 8 // rounds
	// deadWithin is longer than three for the losses of an honest path, which
	// make the station wait.
	deadWithin = 30
)

// provable is the error from which on a server is found for sure, seconds: the
// limit, half the round trip and what its lopsided part of 0.3 hides, 5 ms of
// the server's own and as much of queues, and how wide the others' middle is.
func provable(rtt time.Duration, others int) float64 {
	p := DefaultLimit + 0.65*rtt.Seconds() + 10*ms
	switch {
	case others >= 20:
		p += 10 * ms
	case others > 0:
		p += 0.65 * powerRTT[1].Seconds() // of the farther of two
	}
	return p
}
