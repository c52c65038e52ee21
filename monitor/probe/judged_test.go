package probe

import (
	"context"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// systemIsTrue is a reference that knows the system's clock to be right.
type systemIsTrue struct{}

func (systemIsTrue) At(mono int64, _ string) monitor.Reading {
	c := SystemClock()
	return monitor.Reading{
		True: mono + readDiff(c).diff, Known: true, Usable: true, Final: true, Bound: 1e-3, Uncertainty: 1e-4,
	}
}

type assigned []monitor.Server

func (a assigned) Servers() ([]monitor.Server, <-chan struct{}) { return a, nil }

type results chan monitor.Result

func (c results) Put(_ monitor.Exchange, r monitor.Result) { c <- r }

// From a server on the wire to a verdict: one that answers with a wrong origin
// every time is invalid after three exchanges; one that does so now and then,
// as a late or forged packet in place of a lost reply looks, never is.
func TestStraysJudged(t *testing.T) {
	t.Parallel()
	always, sometimes := serve(t, ""), serve(t, "")
	if err := always.Set("origin", "wrong"); err != nil {
		t.Fatal(err)
	}
	n := 0
	sometimes.Behave(ntptest.Raw(func(_, reply []byte) [][]byte {
		if n++; n%2 == 0 {
			reply[24] ^= 0xff
		}
		return [][]byte{reply}
	}))
	server := func(name string, s *ntptest.Server) monitor.Server {
		return monitor.Server{Name: name, Host: s.Addr().Addr().String(), Port: s.Addr().Port(), Interval: 2 * time.Second}
	}
	got := make(results, 100)
	m, err := monitor.New(monitor.Config{
		Clock: systemIsTrue{}, Prober: prober(t, Timeout(brief)), Sink: got,
		Assignments: assigned{server("always", always), server("sometimes", sometimes)},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	final := map[string][]monitor.Verdict{}
	for len(final["always"]) < 3 || len(final["sometimes"]) < 4 {
		select {
		case r := <-got:
			if name := r.Target.Server.Name; !r.Provisional {
				final[name] = append(final[name], r.Verdict)
			}
		case <-ctx.Done():
			t.Fatalf("only %v", final)
		}
	}
	for _, v := range final["sometimes"] {
		if v != monitor.OK {
			t.Errorf("sometimes: %v, want ok all the time", final["sometimes"])
			break
		}
	}
	list := final["always"]
	if list[0] == monitor.Invalid || list[1] == monitor.Invalid || m.Results()[0].Verdict != monitor.Invalid {
		t.Errorf("always: %v, then %s; want invalid from the third on", list, m.Results()[0].Verdict)
	}
}
