package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// denier is a world with one server, which denies, and the servers that are asked.
type denier struct {
	asked int
	mono  func() int64
}

func (d *denier) Probe(context.Context, monitor.Target) monitor.Exchange {
	d.asked++
	return monitor.Exchange{Outcome: monitor.OutcomeDenied, Kiss: "DENY", Mono: d.mono()}
}

func (d *denier) Servers() ([]monitor.Server, <-chan struct{}) {
	return []monitor.Server{{Name: "a", Host: "192.0.2.1"}}, nil
}

func (d *denier) At(mono int64, _ string) monitor.Reading {
	return monitor.Reading{True: keptAt.UnixNano() + mono, Known: true, Usable: true}
}

// A monitor with the file that a station keeps: a restart does not make a station
// ask whom it may not ask, and a file that is damaged makes it start anew.
func TestDenyIsKeptOnTheCard(t *testing.T) {
	dir := t.TempDir()
	life := func(after time.Duration, lasts time.Duration) (asked int, shown monitor.Result) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			d := &denier{mono: func() int64 { return int64(time.Since(start)) + 1 }}
			m, err := monitor.New(monitor.Config{Clock: d, Prober: d, Assignments: d, Manners: manners{
				dir: dir, notes: quietNotes(),
				clock: func() (time.Time, bool) { return keptAt.Add(after + time.Since(start)), true },
			}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			m.Run(ctx)
			asked, shown = d.asked, m.Results()[0]
		})
		return asked, shown
	}
	if n, r := life(0, time.Hour); n != 1 || r.Verdict != monitor.Denied {
		t.Fatalf("asked %d times, %s", n, r.Verdict)
	}
	for i := range 3 {
		if n, r := life(time.Duration(i+1)*2*time.Hour, time.Hour); n != 0 || r.Verdict != monitor.Denied {
			t.Errorf("life %d: asked %d times, %s", i+2, n, r.Verdict)
		}
	}
	if n, _ := life(30*time.Hour, time.Minute); n != 1 {
		t.Errorf("asked %d times once it is over", n)
	}
	path := filepath.Join(dir, mannersName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if n, r := life(31*time.Hour, time.Minute); n != 1 || r.Verdict != monitor.Denied {
		t.Errorf("with a damaged file: asked %d times, %s", n, r.Verdict)
	}
}
