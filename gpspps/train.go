package gpspps

import "math"

const (
	edgeGate   = 0.05 // seconds; an edge further from the second is none of the train's
	trainLost  = 3    // seconds without an edge in place until another train may begin
	trainEdges = 64   // edges kept
)

// train follows edges that come once a second, before it is known which
// seconds they mark: it counts them.
type train struct {
	edges   []edge
	since   int64 // instant of the first edge of the train
	doubled int64 // instant of the last edge that did not belong, 0 none
}

type edge struct {
	mono  int64
	count int64 // seconds since the train's first edge
}

// add says whether the edge belongs to the train.
func (t *train) add(mono int64) bool {
	if len(t.edges) == 0 {
		t.begin(mono)
		return true
	}
	last := t.edges[len(t.edges)-1]
	dt := float64(mono-last.mono) * 1e-9
	k := math.Round(dt)
	if k >= 1 && math.Abs(dt-k) <= edgeGate {
		if k > trainLost {
			t.begin(mono)
			return true
		}
		if len(t.edges) >= trainEdges {
			t.edges = append(t.edges[:0], t.edges[1:]...)
		}
		t.edges = append(t.edges, edge{mono, last.count + int64(k)})
		return true
	}
	if dt > trainLost {
		t.begin(mono)
		return true
	}
	t.doubled = mono
	return false
}

func (t *train) begin(mono int64) {
	*t = train{edges: append(t.edges[:0], edge{mono, 0}), since: mono, doubled: t.doubled}
}

// twice says whether edges came lately that did not belong.
func (t *train) twice() bool {
	return t.doubled != 0 && seconds(t.doubled, t.last()) < delaySpan && t.doubled > t.since-1e9
}

// last is the newest edge's instant, 0 if there is none.
func (t *train) last() int64 {
	if len(t.edges) == 0 {
		return 0
	}
	return t.edges[len(t.edges)-1].mono
}

// before is the newest edge at or before mono.
func (t *train) before(mono int64) (edge, bool) {
	for i := len(t.edges) - 1; i >= 0; i-- {
		if t.edges[i].mono <= mono {
			return t.edges[i], true
		}
	}
	return edge{}, false
}

// from are the edges at or after mono.
func (t *train) from(mono int64) []edge {
	for i, e := range t.edges {
		if e.mono >= mono {
			return t.edges[i:]
		}
	}
	return nil
}
