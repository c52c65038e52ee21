// Package recent remembers the last exchanges with each server, in memory that does
// not grow: what a small picture beside each server is drawn from, also where there
// is no journal.
package recent

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

const (
	// Kept is how many exchanges with a server are remembered.
	Kept = 48
	// mostTargets bounds the servers, 1.2 KB each. When there are as many, one that
	// was not asked for abandoned makes room, which is looked for once every search.
	mostTargets = 4096
	abandoned   = int64(time.Hour)
	search      = int64(time.Minute)
)

// Point is one exchange.
type Point struct {
	Mono        int64   // CLOCK_MONOTONIC at its middle, ns
	Offset      float64 // server minus true time by it alone, seconds; NaN not measured
	Uncertainty float64 // half-width of a 95 % interval, seconds; NaN not known
	Score       float64 // after it; NaN not known
	Verdict     monitor.Verdict
}

// point is a Point as it is kept.
type point struct {
	mono                       int64
	offset, uncertainty, score float32
	verdict                    uint8 // its place in verdicts
}

var verdicts = []monitor.Verdict{
	monitor.NotJudged, monitor.OK, monitor.Doubtful, monitor.Off, monitor.Unsynchronized, monitor.Unreachable,
	monitor.Refused, monitor.Denied, monitor.RateLimited, monitor.Invalid,
}

// Recent is what is remembered. The zero value remembers nothing yet; its methods may
// be called from several goroutines.
type Recent struct {
	mu       sync.Mutex
	targets  map[string]*ring
	searched int64 // CLOCK_MONOTONIC ns
}

type ring struct {
	points [Kept]point
	n      int // that were put, ever
}

func (r *ring) last() *point { return &r.points[(r.n-1)%Kept] }

// Put takes an exchange and the verdict drawn from it. The final verdict on one
// replaces its provisional one.
func (r *Recent) Put(x monitor.Exchange, res monitor.Result) {
	if x.Mono == 0 {
		return // nobody was asked yet
	}
	p := point{mono: x.Mono, offset: unknown, uncertainty: unknown, score: unknown, verdict: uint8(max(slices.Index(verdicts, res.Verdict), 0))}
	if m := res.Latest; m != nil && x.Outcome == monitor.OutcomeOK {
		p.offset, p.uncertainty = float32(m.Offset), float32(m.Uncertainty)
	}
	if res.Score != nil {
		p.score = float32(*res.Score)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.targets[x.Target]
	if t == nil {
		if r.targets == nil {
			r.targets = map[string]*ring{}
		}
		if len(r.targets) >= mostTargets && !r.forget(p.mono) {
			return
		}
		t = &ring{}
		r.targets[x.Target] = t
	}
	for i := range min(t.n, Kept) {
		if old := &t.points[(t.n-1-i)%Kept]; old.mono == p.mono {
			*old = p
			return
		} else if old.mono < p.mono {
			break
		}
	}
	if t.n > 0 && p.mono < t.last().mono {
		return // its provisional verdict is forgotten
	}
	t.points[t.n%Kept] = p
	t.n++
}

var unknown = float32(math.NaN())

// forget makes room, if there is a target that nobody asks any more.
func (r *Recent) forget(now int64) bool {
	if r.searched != 0 && now-r.searched < search {
		return false
	}
	for id, t := range r.targets {
		if now-t.last().mono > abandoned {
			delete(r.targets, id)
			return true
		}
	}
	r.searched = now
	return false
}

// Of are the last exchanges with a target, the oldest first.
func (r *Recent) Of(target string) []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.targets[target]
	if t == nil {
		return nil
	}
	list := make([]Point, 0, Kept)
	for i := max(0, t.n-Kept); i < t.n; i++ {
		p := t.points[i%Kept]
		list = append(list, Point{p.mono, float64(p.offset), float64(p.uncertainty), float64(p.score), verdicts[p.verdict]})
	}
	return list
}
