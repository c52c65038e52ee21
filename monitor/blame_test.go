package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// episode lets a station with n right servers meet troubles for about an hour:
// the given kind, three times.
func episode(t *testing.T, seed uint64, n, kind int) *campaign {
	c := newCampaign(seed, n)
	c.run(t, floorPublic, func() {
		if c.rnd.IntN(8) > 0 { // else the station starts in trouble
			time.Sleep(5 * time.Minute)
		}
		for range 3 {
			lasts := c.sizeOf(time.Minute, 30*time.Minute)
			c.strike(kind, lasts)
			time.Sleep(lasts)
			c.recover()
			time.Sleep(5 * time.Minute)
			c.called(honest)
			time.Sleep(c.sizeOf(time.Second, 10*time.Minute))
		}
	})
	return c
}

// blameTable sums up episodes, in Markdown.
type blameTable map[string]*tallied

func (b blameTable) add(c *campaign) {
	for name, n := range c.counts {
		if b[name] == nil {
			b[name] = &tallied{}
		}
		b[name].plus(*n)
	}
}

func (b blameTable) sum() (all tallied) {
	for _, n := range b {
		all.plus(*n)
	}
	return all
}

func (b blameTable) String() string {
	var s strings.Builder
	s.WriteString("| trouble on the station's side | exchanges | judged | wrongly convicted | doubtful | not judged | checks by the pool's rule | wrongly left out by it |\n|---|---|---|---|---|---|---|---|\n")
	row := func(name string, n *tallied) {
		fmt.Fprintf(&s, "| %s | %d | %d | %d | %s | %s | %d | %d |\n", name, n.exchanges, n.judged, n.wrong,
			percent(n.doubtful, n.exchanges), percent(n.unjudged, n.exchanges), n.checks, n.poolWrong)
	}
	for i := -1; i <= len(troubles); i++ {
		name := honest
		switch {
		case i == len(troubles):
			name = "three at once"
		case i >= 0:
			name = troubles[i].name
		}
		if b[name] != nil {
			row(name, b[name])
		}
	}
	all := b.sum()
	row("all", &all)
	return s.String()
}

// No trouble of the station's own convicts a right server.
func TestNoFalseBlame(t *testing.T) {
	table := blameTable{}
	for kind := range len(troubles) + 1 {
		c := episode(t, uint64(kind), 100, kind)
		for _, w := range c.wrongs {
			t.Error(w)
		}
		table.add(c)
	}
	t.Logf("\n%s", table)
	if all := table.sum(); all.judged < 100_000 || all.poolWrong == 0 {
		t.Errorf("a campaign without teeth: %+v", all)
	}
}
