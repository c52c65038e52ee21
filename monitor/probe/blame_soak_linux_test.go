//go:build soak

package probe

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// TestBlameInNamespace may take the link away, since it is a namespace's own.
func TestBlameInNamespace(t *testing.T) {
	t.Parallel()
	inNamespace(t, blame)
}

// verdicts are those that each server was given, and how often.
type verdicts struct {
	mu  sync.Mutex
	all map[string]map[monitor.Verdict]int
	why map[monitor.Verdict]string // the last reason for each
}

func (v *verdicts) Put(_ monitor.Exchange, r monitor.Result) {
	v.mu.Lock()
	defer v.mu.Unlock()
	name := r.Target.Server.Name
	if v.all[name] == nil {
		v.all[name] = map[monitor.Verdict]int{}
	}
	v.all[name][r.Verdict]++
	v.why[r.Verdict] = name + ": " + r.Reason
}

func (v *verdicts) count(name string, as monitor.Verdict) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.all[name][as]
}

// blame lets real packets meet what a station's side does to them: no right
// server is convicted, and the wrong ones are once that is over.
func blame(t *testing.T) {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list assigned
	var servers []*ntptest.Server
	for i := range 10 {
		s := serve(t, fmt.Sprintf("127.0.%d.1:0", i+1)) // networks of their own
		servers = append(servers, s)
		name := fmt.Sprint("right ", i)
		switch i {
		case 8:
			name = "ahead"
			s.Behave(ntptest.Offset(80 * time.Millisecond))
		case 9:
			name = "dead"
			s.Behave(ntptest.Dead())
		}
		list = append(list, monitor.Server{Name: name, Host: s.Addr().Addr().String(), Port: s.Addr().Port(), Interval: 2 * time.Second})
	}
	said := &verdicts{all: map[string]map[monitor.Verdict]int{}, why: map[monitor.Verdict]string{}}
	m, err := monitor.New(monitor.Config{Clock: systemIsTrue{}, Prober: prober(t, Timeout(300*time.Millisecond)), Sink: said, Assignments: list})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	all := func(b func() ntptest.Behaviour) {
		for _, s := range servers[:8] {
			s.Behave(ntptest.Right(), b())
		}
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for limit := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Errorf("%s: not within a minute; %v, %v", what, said.all, said.why)
				return
			}
		}
	}
	right := func(as monitor.Verdict, more int) func() bool {
		var was [8]int
		for i := range was {
			was[i] = said.count(fmt.Sprint("right ", i), as) + more
		}
		return func() bool {
			for i, n := range was {
				if said.count(fmt.Sprint("right ", i), as) < n {
					return false
				}
			}
			return true
		}
	}
	until("the first verdicts", right(monitor.OK, 2))

	all(func() ntptest.Behaviour { return ntptest.Path(200*time.Millisecond, 0) })
	// What was seen before it is known better, and leaves no doubt.
	until("a lopsided path", right(monitor.OK, 3))
	n := 0
	all(func() ntptest.Behaviour {
		k := n
		n++
		return ntptest.Raw(func(_, reply []byte) [][]byte {
			if k++; k%4 < 2 { // two losses in a row, not of all at once
				return nil
			}
			return [][]byte{reply}
		})
	})
	until("losses", right(monitor.OK, 4))
	all(func() ntptest.Behaviour { return ntptest.Dead() })
	until("nothing answers", right(monitor.NotJudged, 2))
	all(func() ntptest.Behaviour { return ntptest.Right() })
	until("all is well", right(monitor.OK, 1))
	if err := netlink.LinkSetDown(lo); err != nil {
		t.Fatal(err)
	}
	until("no link", right(monitor.NotJudged, 2))
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	until("the link is back", right(monitor.OK, 1))

	until("ahead is off", func() bool { return said.count("ahead", monitor.Off) > 0 })
	until("dead is unreachable", func() bool { return said.count("dead", monitor.Unreachable) > 0 })
	said.mu.Lock()
	defer said.mu.Unlock()
	for i := range 8 {
		for v, n := range said.all[fmt.Sprint("right ", i)] {
			if v != monitor.OK && v != monitor.Doubtful && v != monitor.NotJudged {
				t.Errorf("right %d was %s %d times, last %q", i, v, n, said.why[v])
			}
		}
	}
	t.Log(said.all)
}
