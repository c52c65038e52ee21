package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// traceLosses is how many requests in a row have to be lost, after one that
	// was answered, for the path to be looked at: one is lost every now and then.
	traceLosses = 2
	// traceEvery is the least time between two traces to one target.
	traceEvery = 10 * time.Minute
	// tracesMinute is how many begin within a minute at the most: routers answer
	// with the little that their other work leaves them.
	tracesMinute = 6
	// tracesAtOnce leaves the workers to the exchanges.
	tracesAtOnce  = 2
	traceDeadline = 2 * TraceTimeout
	// pathKept is how long a path is shown, the server's answering again or not,
	// pathsKept how many are.
	pathKept  = 24 * time.Hour
	pathsKept = 500
)

// trail is what a target's silence has led to.
type trail struct {
	answered bool // once, and the path of the silence since was not looked at
	lost     int  // silent exchanges in a row
	traced   time.Time
	path     *Path
}

// heard takes the outcome of an exchange and says whether the path is to be
// looked at now.
func (l *trail) heard(o Outcome) bool {
	switch o {
	case OutcomeTimeout, OutcomeUnreachable:
		l.lost++
	case OutcomeOK, OutcomeUnsynchronized, OutcomeInvalid:
		l.answered, l.lost = true, 0
	case OutcomeRefused, OutcomeDenied, OutcomeRateLimited:
		l.lost = 0
	}
	return l.answered && l.lost >= traceLosses
}

// tracing is which paths are looked at.
type tracing struct {
	wanted []*target // since the loop's last turn; what cannot be now waits for the target's next loss
	flying int
	begun  [tracesMinute]time.Time // of the last ones, a ring
	n      int
	kept   []*target // with a path, the oldest first
}

// result is what is known of a target now.
func (t *target) result() Result {
	r := t.judge.result()
	r.Path = t.trail.path
	return r
}

// trace begins to look at the paths that are wanted, as far as that is polite.
func (m *Monitor) trace(ctx context.Context, now time.Time) {
	for _, t := range m.tracing.wanted {
		if m.mayTrace(t, now) {
			m.tracing.begun[m.tracing.n%tracesMinute] = now
			m.tracing.n++
			m.tracing.flying++
			t.trail.traced, t.trail.answered = now, false
			t.pace.busy = true
			m.flying++
			go m.look(ctx, t, t.target())
		}
	}
	m.tracing.wanted = nil
}

func (m *Monitor) mayTrace(t *target, now time.Time) bool {
	w := &m.tracing
	switch {
	case t.gone || t.pace.busy || m.flying >= maxWorkers || w.flying >= tracesAtOnce:
	case t.plan.denied || t.plan.interval > t.plan.asked || t.pace.until.After(now):
		// Who wants fewer requests gets none that it did not want.
	case !t.trail.traced.IsZero() && now.Sub(t.trail.traced) < traceEvery:
	case w.n >= tracesMinute && now.Sub(w.begun[w.n%tracesMinute]) < time.Minute:
	default:
		return true
	}
	return false
}

// look runs in a goroutine of its own and touches nothing of the monitor's.
func (m *Monitor) look(ctx context.Context, t *target, what Target) {
	a := arrival{t: t, path: &Path{To: what.Addr}}
	defer func() {
		if p := recover(); p != nil {
			a.path.End, a.path.Detail = PathUnavailable, fmt.Sprint(p)
		}
		m.done <- a
	}()
	ctx, cancel := context.WithTimeout(ctx, traceDeadline)
	defer cancel()
	*a.path = m.cfg.Tracer.Trace(ctx, what)
}

// traced takes a path. Its packets count as requests: all of them for the
// station, those that may have arrived for the address.
func (m *Monitor) traced(t *target, p *Path, now time.Time) {
	m.tracing.flying--
	t.pace.busy = false
	if p.Passed > 0 {
		t.pace.last = now
	}
	for range p.Passed {
		t.pace.take(now)
	}
	for range p.Packets {
		m.global.take(now)
	}
	if t.gone {
		return
	}
	what := t.target()
	p.To, p.At = what.Addr, now.UTC()
	if r := m.cfg.Clock.At(m.mono(now), what.ID); r.Known {
		p.At = time.Unix(0, r.True).UTC()
	}
	if len(p.Detail) > maxDetail {
		p.Detail = strings.ToValidUTF8(p.Detail[:maxDetail], "")
	}
	m.forgetPath(t)
	t.trail.path = p
	m.tracing.kept = append(m.tracing.kept, t)
	m.forgetPaths(now)
	m.show(t.result())
	m.cfg.Log.Info("path", "server", what.ID, "address", what.Addr, "path", p.String())
}

// forgetPaths drops those that are too old or too many.
func (m *Monitor) forgetPaths(now time.Time) {
	for k := m.tracing.kept; len(k) > 0 && (len(k) > pathsKept || now.Sub(k[0].trail.traced) >= pathKept); k = m.tracing.kept {
		t := k[0]
		m.forgetPath(t)
		m.show(t.result())
	}
}

func (m *Monitor) forgetPath(t *target) {
	if t.trail.path == nil {
		return
	}
	t.trail.path = nil
	m.tracing.kept = slices.DeleteFunc(m.tracing.kept, func(u *target) bool { return u == t })
}
