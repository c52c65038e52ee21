package bench_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/bench"
)

// compared is a scenario on both sides.
type compared struct {
	name         string
	chrony       []bench.ChronyResult // at each poll
	live, lagged bench.Accuracy
	holdover     []bench.Accuracy // at the first of bench.Horizons, the same cuts as chrony's
	days         bench.Accuracy   // in holdovers of a day with other noise, if there were any
	settle       float64          // as chrony's
	begun        bench.Start
}

// figure is a measured one and its standard error.
type figure struct{ value, sigma float64 }

// over is the ratio. The errors count as independent, though the same noise
// moves both.
func (f figure) over(g figure) figure {
	r := f.value / g.value
	return figure{r, r * math.Hypot(f.sigma/f.value, g.sigma/g.value)}
}

// geometric is the geometric mean.
func geometric(list []figure) figure {
	log, square := 0.0, 0.0
	for _, f := range list {
		log += math.Log(f.value)
		square += f.sigma * f.sigma / (f.value * f.value)
	}
	n := float64(len(list))
	mean := math.Exp(log / n)
	return figure{mean, mean * math.Sqrt(square) / n}
}

func rms(a bench.Accuracy) figure { return figure{a.RMS, a.Sigma} }

func clock(r bench.ChronyResult) figure { return figure{r.Clock, r.ClockSigma} }

// held is chrony's error in holdover at one of bench.Horizons.
func held(i int) func(bench.ChronyResult) figure {
	return func(r bench.ChronyResult) figure { return figure{value: r.Holdover[i]} }
}

// best is the smallest over all polls, and its poll; NaN if there is none.
func (c compared) best(of func(bench.ChronyResult) figure) (out figure, poll int) {
	out, poll = figure{math.NaN(), math.NaN()}, -1
	for _, r := range c.chrony {
		if f := of(r); f.value < out.value || math.IsNaN(out.value) {
			out, poll = f, r.Poll
		}
	}
	return out, poll
}

// usual is that of the default poll; NaN if there is none.
func (c compared) usual(of func(bench.ChronyResult) figure) figure {
	for _, r := range c.chrony {
		if r.Poll == defaultPoll {
			return of(r)
		}
	}
	return figure{math.NaN(), math.NaN()}
}

// Columns of the table.
const (
	colName = iota
	colWhat
	colRMS
	colSigma
	colBelieved
	colReport
	colRandom
	colUncertainty
	colBound
	colSettled
	colHeld
	colLost = colHeld + len(bench.Horizons)
	columns = colLost + 1
)

// row is one of the table: text by column.
type row [columns]string

func (r *row) figure(f figure, format string) {
	r[colRMS], r[colSigma] = fmt.Sprintf(format, f.value), fmt.Sprintf(format, f.sigma)
}

// chronyRows are what chrony makes of the scenario.
func (c compared) chronyRows() (out []row) {
	_, best := c.best(clock)
	for _, r := range c.chrony {
		line := row{colName: c.name, colWhat: fmt.Sprintf("chrony, poll %d", r.Poll)}
		if r.Poll == defaultPoll {
			line[colWhat] += " (default)"
		}
		if r.Poll == best {
			line[colWhat] += " (best)"
		}
		line.figure(figure{r.Clock * 1e9, r.ClockSigma * 1e9}, "%.1f")
		line[colBelieved] = fmt.Sprintf("%.1f", r.Estimate*1e9)
		if want, ok := reported[c.name][r.Poll]; ok {
			line[colReport] = fmt.Sprintf("%.2f", r.Clock*1e9/want)
		}
		line[colSettled] = fmt.Sprintf("%.0f", r.Settle)
		for i := range r.Holdover {
			if r.Cuts[i] > 0 {
				line[colHeld+i] = micros(r.Holdover[i])
			}
		}
		line[colLost] = fmt.Sprintf("%d/%d", r.Lost, r.Late)
		out = append(out, line)
	}
	return out
}

// ourRows are what the reference makes of it.
func (c compared) ourRows() []row {
	locked := func(what string, a bench.Accuracy) row {
		line := row{colName: c.name, colWhat: what, colRandom: share(a.Random), colUncertainty: share(a.Uncertainty), colBound: fmt.Sprintf("%.6f", a.Bound)}
		line.figure(figure{a.RMS * 1e9, a.Sigma * 1e9}, "%.1f")
		return line
	}
	holdover := func(line row, of func(bench.Accuracy) string) row {
		for i, a := range c.holdover {
			line[colHeld+i] = of(a)
		}
		return line
	}
	wrong := func(a bench.Accuracy) string { return micros(a.RMS) }
	random := func(a bench.Accuracy) string { return share(a.Random) }
	live := locked("live", c.live)
	live[colSettled] = fmt.Sprintf("%.0f", c.settle)
	out := []row{
		holdover(live, wrong),
		locked("lagged 32 s", c.lagged),
		holdover(row{colName: c.name, colWhat: "holdover, random covers"}, random),
		holdover(row{colName: c.name, colWhat: "holdover, uncertainty covers"}, func(a bench.Accuracy) string { return share(a.Uncertainty) }),
		holdover(row{colName: c.name, colWhat: "holdover, bound covers"}, func(a bench.Accuracy) string { return share(a.Bound) }),
		holdover(row{colName: c.name, colWhat: "holdover, random / RMS"}, times),
	}
	if c.days.Count > 0 {
		const day = colHeld + len(bench.Horizons) - 1
		out = append(out,
			row{colName: c.name, colWhat: "other days", day: wrong(c.days)},
			row{colName: c.name, colWhat: "other days, random covers", day: random(c.days)},
			row{colName: c.name, colWhat: "other days, random / RMS", day: times(c.days)})
	}
	both := func(f func(float64) int) string { return fmt.Sprintf("%d/%d", f(0.95), f(1)) }
	return append(out, row{colName: c.name, colWhat: "starts, locked 95 %/all", colSettled: both(c.begun.Lock)},
		row{colName: c.name, colWhat: "starts, settled 95 %/all", colSettled: both(c.begun.Settle)})
}

func share(v float64) string { return fmt.Sprintf("%.3f", v) }

// times is how many times the error the random part is.
func times(a bench.Accuracy) string { return fmt.Sprintf("%.2f", a.MeanRandom/a.RMS) }

// micros has seconds in microseconds.
func micros(v float64) string {
	if v >= 1e-3 {
		return fmt.Sprintf("%.0f", v*1e6)
	}
	return fmt.Sprintf("%.2f", v*1e6)
}

// ratios are ours over chrony's: of what is live to the best of all polls and
// to the default one, of what is lagged to the best.
type ratios struct {
	live, usual, lagged figure
	held, usualHeld     []figure // at the first of bench.Horizons
}

func (c compared) ratios() (r ratios) {
	best, _ := c.best(clock)
	r.live, r.usual, r.lagged = rms(c.live).over(best), rms(c.live).over(c.usual(clock)), rms(c.lagged).over(best)
	for i, a := range c.holdover {
		best, _ := c.best(held(i))
		r.held = append(r.held, rms(a).over(best))
		r.usualHeld = append(r.usualHeld, rms(a).over(c.usual(held(i))))
	}
	return r
}

// mean is the geometric one of each.
func mean(list []ratios) (m ratios) {
	of := func(f func(ratios) figure) figure {
		var all []figure
		for _, r := range list {
			all = append(all, f(r))
		}
		return geometric(all)
	}
	m.live = of(func(r ratios) figure { return r.live })
	m.usual = of(func(r ratios) figure { return r.usual })
	m.lagged = of(func(r ratios) figure { return r.lagged })
	for i := range list[0].held {
		m.held = append(m.held, of(func(r ratios) figure { return r.held[i] }))
		m.usualHeld = append(m.usualHeld, of(func(r ratios) figure { return r.usualHeld[i] }))
	}
	return m
}

func (r ratios) rows(name string) []row {
	line := func(what string, f figure, held []figure) row {
		out := row{colName: name, colWhat: what}
		out.figure(f, "%.3f")
		for i, h := range held {
			out[colHeld+i] = fmt.Sprintf("%.3f", h.value)
		}
		return out
	}
	return []row{line("live / best chrony", r.live, r.held), line("live / default chrony", r.usual, r.usualHeld), line("lagged / best chrony", r.lagged, nil)}
}

// table has both sides of all beside each other.
func table(all []compared) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	put := func(rows ...row) {
		for _, r := range rows {
			r[colWhat] = fmt.Sprintf("%-28s", r[colWhat])
			fmt.Fprintln(w, strings.Join(r[:], "\t")+"\t")
		}
	}
	head, units := row{colRMS: "RMS", colBelieved: "believed", colReport: "of", colRandom: "random", colUncertainty: "uncertainty", colBound: "bound", colSettled: "settled", colHeld: "holdover", colLost: "lost/"},
		row{colRMS: "ns", colSigma: "±", colBelieved: "ns", colReport: "report", colRandom: "covers", colUncertainty: "covers", colBound: "covers", colSettled: "s", colLost: "late"}
	for i, h := range []string{"1 min", "10 min", "60 min", "24 h"} {
		units[colHeld+i] = h
	}
	head[colHeld+1] = "RMS µs"
	put(head, units)
	var list []ratios
	for _, c := range all {
		r := c.ratios()
		list = append(list, r)
		put(c.chronyRows()...)
		put(c.ourRows()...)
		put(r.rows(c.name)...)
		put(row{})
	}
	put(mean(list).rows("mean")...)
	w.Flush()
	return b.String()
}

// fine is a scenario in which every target is just met.
func fine(name string) compared {
	c := compared{name: name, begun: bench.Scenarios()[0].Starts(1, gpspps.Config{}), live: bench.Accuracy{RMS: 0.74e-9, Sigma: 0.01e-9}, lagged: bench.Accuracy{RMS: 0.44e-9, Sigma: 0.01e-9}}
	for i := range bench.Horizons {
		c.holdover = append(c.holdover, bench.Accuracy{RMS: float64(i + 1)})
	}
	for poll := range 5 {
		r := bench.ChronyResult{Trace: name, Poll: poll, Clock: 2e-9, Estimate: 3e-9, ClockSigma: 0.01e-9, Holdover: [4]float64{2, 4, 6, 8}, Cuts: [4]int{1, 1, 1, 1}}
		if poll == 3 {
			r.Clock = 1e-9
		}
		c.chrony = append(c.chrony, r)
	}
	return c
}

func TestMissed(t *testing.T) {
	for what, tt := range map[string]struct {
		change  func(*compared)
		allowed float64
		want    string
	}{
		"fine":             {func(c *compared) {}, 0, ""},
		"live":             {func(c *compared) { c.live.RMS = 0.86e-9 }, 0, "first, live: 0.860"},
		"live, by chance":  {func(c *compared) { c.live.RMS = 0.86e-9 }, 2, "mean, live: 0.798"},
		"mean, by chance":  {func(c *compared) { c.live.RMS = 0.77e-9 }, 2, ""},
		"mean":             {func(c *compared) { c.live.RMS = 0.77e-9 }, 0, "mean, live: 0.755"},
		"lagged":           {func(c *compared) { c.lagged.RMS = 0.46e-9 }, 0, "first, lagged: 0.460"},
		"lagged by far":    {func(c *compared) { c.lagged.RMS = 0.48e-9 }, 2, "first, lagged: 0.480"},
		"no number":        {func(c *compared) { c.live.RMS = math.NaN() }, 0, "first, live: NaN"},
		"no chrony":        {func(c *compared) { c.chrony = nil }, 0, "first, lagged: NaN"},
		"not as in report": {func(c *compared) { c.name = "A" }, 0, "A, chrony poll 0: 2.0 ± 0.0 ns, reported are 131"},
	} {
		first, second := fine("first"), fine("second")
		tt.change(&first)
		got := strings.Join(missed([]compared{first, second}, tt.allowed), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", what, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	got := strings.Join(strings.Fields(table([]compared{fine("first"), fine("second")})), " ")
	for _, want := range []string{
		"first chrony, poll 3 (best) 1.0 0.0 3.0 0 2000000 4000000 6000000 8000000 0/0",
		"second chrony, poll 4 (default) 2.0 0.0 3.0 0",
		"first live 0.7 0.0",
		"second live / best chrony 0.740 0.012 0.500 0.500 0.500 0.500",
		"mean live / default chrony 0.370 0.004 0.500 0.500 0.500 0.500 mean lagged / best chrony 0.440 0.008",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
