package recent

import (
	"fmt"
	"math"
	"testing"

	"github.com/truechimer/truechimer/monitor"
)

func exchange(target string, mono int64, offset float64, v monitor.Verdict) (monitor.Exchange, monitor.Result) {
	score := 20.0
	return monitor.Exchange{Target: target, Mono: mono, Outcome: monitor.OutcomeOK},
		monitor.Result{Verdict: v, Latest: &monitor.Measurement{Offset: offset, Uncertainty: 1e-4}, Score: &score}
}

// TestRecent: the last Kept are there in their order, each once, with its final verdict.
func TestRecent(t *testing.T) {
	var r Recent
	for i := range 3 * Kept {
		r.Put(exchange("a", int64(i+1), float64(i), monitor.Doubtful))
		if i >= 2 {
			r.Put(exchange("a", int64(i-1), float64(i-2), monitor.OK)) // final, two later
		}
	}
	r.Put(exchange("a", 1, 99, monitor.Off)) // forgotten
	list := r.Of("a")
	if len(list) != Kept {
		t.Fatalf("%d points", len(list))
	}
	for i, p := range list {
		want := monitor.OK
		if i >= Kept-2 {
			want = monitor.Doubtful
		}
		if p.Mono != int64(2*Kept+i+1) || p.Offset != float64(2*Kept+i) || p.Verdict != want || p.Score != 20 {
			t.Errorf("point %d: %+v", i, p)
		}
	}
	if r.Of("b") != nil {
		t.Error("a target that nobody asked")
	}
}

// TestNoReply: a request without a reply is a point without an offset.
func TestNoReply(t *testing.T) {
	var r Recent
	x, res := exchange("a", 1, 1, monitor.Unreachable)
	x.Outcome, res.Score = monitor.OutcomeTimeout, nil
	r.Put(x, res)
	r.Put(monitor.Exchange{Target: "a"}, res) // nothing was asked
	if l := r.Of("a"); len(l) != 1 || !math.IsNaN(l[0].Offset) || !math.IsNaN(l[0].Score) {
		t.Errorf("%+v", l)
	}
}

// TestManyTargets: memory is bounded. Those that are asked stay, and new ones take
// the place of those that are not.
func TestManyTargets(t *testing.T) {
	var r Recent
	for i := range mostTargets + 100 {
		r.Put(exchange(fmt.Sprint(i), int64(i+1), 0, monitor.OK))
	}
	if len(r.targets) != mostTargets || r.Of("0") == nil || r.Of(fmt.Sprint(mostTargets)) != nil {
		t.Errorf("%d targets", len(r.targets))
	}
	later := abandoned + search
	for i := range mostTargets {
		if i != 7 {
			r.Put(exchange(fmt.Sprint(i), later, 0, monitor.OK))
		}
	}
	for range 2 {
		r.Put(exchange("new", later+1, 0, monitor.OK))
	}
	r.Put(exchange("one too many", later+2, 0, monitor.OK))
	if len(r.targets) != mostTargets || r.Of("new") == nil || r.Of("7") != nil || r.Of("one too many") != nil {
		t.Errorf("%d targets: %v, %v", len(r.targets), r.Of("new"), r.Of("7"))
	}
}
