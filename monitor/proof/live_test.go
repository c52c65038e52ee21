package proof

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
	"github.com/truechimer/truechimer/monitor/probe"
)

// systemIsTrue is a reference that knows the system's clock to be right.
type systemIsTrue struct{}

func (systemIsTrue) At(mono int64, _ string) monitor.Reading {
	c := probe.SystemClock()
	before := c.Monotonic()
	diff := c.Realtime() - before
	return monitor.Reading{
		True: mono + diff, Known: true, Usable: true, Final: true,
		Bound: 1e-3 + float64(c.Monotonic()-before)/1e9, Uncertainty: 1e-4,
	}
}

type assigned []monitor.Server

func (a assigned) Servers() ([]monitor.Server, <-chan struct{}) { return a, nil }

// gathered is a station as far as its proofs are concerned.
type gathered struct {
	mu    sync.Mutex
	c     Collector
	right int // exchanges with the right server that were kept with their packets
	found map[string][]Evidence
	why   string
	done  chan struct{}
}

func (g *gathered) Put(x monitor.Exchange, r monitor.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Target.Server.Name == "right" && (x.Wire != nil || r.Evidence != nil) {
		g.right++
	}
	if list := g.c.Put(x, r); list != nil && g.found == nil {
		g.found, g.why = map[string][]Evidence{r.Target.Server.Name: list}, r.Reason
		close(g.done)
	}
}

// TestFromTheWireToTheJudge has a server on the wire that lies by 10 s, which no
// busy machine makes up, asked by the real prober and judged by the real monitor
// until it is off; what is then written down proves it anew.
func TestFromTheWireToTheJudge(t *testing.T) {
	t.Parallel()
	serve := func(b ...ntptest.Behaviour) monitor.Server {
		s, err := ntptest.Start("", b...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return monitor.Server{Host: s.Addr().Addr().String(), Port: s.Addr().Port(), Interval: 2 * time.Second, Limit: 5}
	}
	wrong, right := serve(ntptest.Offset(10*time.Second)), serve()
	wrong.Name, right.Name = "wrong", "right"
	prober := probe.New()
	t.Cleanup(func() { prober.Close() })
	sink := &gathered{c: collecting(), done: make(chan struct{})}
	m, err := monitor.New(monitor.Config{
		Clock: systemIsTrue{}, Prober: prober, Sink: sink, Assignments: assigned{wrong, right},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	select {
	case <-sink.done:
	case <-ctx.Done():
		t.Errorf("no proof in a minute: %+v", m.Results())
	}
	results := m.Results()
	cancel()
	<-ended
	if t.Failed() {
		return
	}
	if sink.right > 0 {
		t.Errorf("packets of %d exchanges with a right server were kept", sink.right)
	}
	list := sink.found["wrong"]
	var off monitor.Target
	for _, r := range results {
		if r.Verdict == monitor.Off {
			off = r.Target
		}
	}
	if off.Server.Name != "wrong" || len(list) < 3 {
		t.Fatalf("off: %+v, by %d exchanges", off, len(list))
	}
	s, err := New(Station{ID: "here", Key: KeyOf(signer("here")), Software: "test"}, off, sink.why, list)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Sign(s, signer("here"))
	if err != nil {
		t.Fatal(err)
	}
	c := opened(t, "here", b)
	if !c.Finding.Proven || c.Finding.Reason != sink.why || c.Statement.Server.Address != off.Addr {
		t.Fatalf("%+v, the station said %q", c.Finding, sink.why)
	}
	for _, x := range c.Statement.Exchanges {
		if bytes.Equal(x.Request[40:], make([]byte, 8)) || x.Request[0] != 4<<3|3 || x.T1 > x.T4 {
			t.Errorf("%+v", x)
		}
	}

	// A second station has seen the same; one that is not told the truth by its
	// reference has not.
	for shift, agree := range map[time.Duration]bool{0: true, 40 * time.Second: false} {
		var other []Evidence
		for _, e := range list {
			e.Reading.True -= int64(shift)
			x := *e.Exchange.Wire
			x.Request[47]++ // another station's cookie
			x.Reply[31]++
			e.Exchange.Wire = &x
			other = append(other, e)
		}
		s, err := New(Station{ID: "there", Key: KeyOf(signer("there")), Software: "test"}, off, sink.why, other)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Sign(s, signer("there"))
		if err != nil {
			t.Fatal(err)
		}
		got := Agree([]Case{c, opened(t, "there", b)}, DefaultDrift)
		if len(got) != 1 || got[0].Stations != 2 || (got[0].Conflict == "") != agree {
			t.Errorf("shifted by %v: %+v", shift, got)
		}
	}
}
