//go:build bench && linux

package bench

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// number is an environment variable or what it is without.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// quantile of the absolute values.
func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	s := make([]float64, len(list))
	for i, v := range list {
		s[i] = math.Abs(v)
	}
	slices.Sort(s)
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if len(s) == 0 {
		return math.NaN()
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// figures are those of every run by what they are of.
type figures map[string][]float64

func (f figures) add(name string, v float64) { f[name] = append(f[name], v) }
func (f figures) of(name string) float64     { return median(f[name]) }

// spread is the smallest and the largest.
func (f figures) spread(name string) string {
	return fmt.Sprintf("%.2f-%.2f", slices.Min(f[name]), slices.Max(f[name]))
}

// methods are measured for BENCH_SECONDS each, those that no gate is about for
// half of that.
var methods = []struct {
	name, title string
	gated       bool
}{
	{"basic", "ours, basic", false},
	{"interleaved", "ours, interleaved", true},
	{"plain", "beevik/ntp", false},
	{"chrony basic", "chronyd client", false},
	{"chrony xleave", "chronyd client, xleave", true},
}

// rate is how many exchanges a second each client has when it is measured how
// wrong they are: the most that chronyd can be told to have.
const rate = 16

const us = 1e6

func TestProbe(t *testing.T) {
	runs, seconds := number("BENCH_RUNS", 7), number("BENCH_SECONDS", 12)
	w := newWorld(t)
	f := figures{}
	for i := range runs {
		for _, burners := range []int{0, 4} {
			stop := w.burn(burners)
			for j := range methods {
				method := methods[(i+j)%len(methods)] // none is always the first
				m, long := method.name, seconds
				if !method.gated {
					long = max(seconds/2, 1)
				}
				var got accuracy
				switch d := time.Duration(long) * time.Second; m {
				case "chrony basic", "chrony xleave":
					got = w.chronyClient(m == "chrony xleave", d)
				default:
					w.child(w.near, role{Do: "accuracy", Method: m, N: rate * long, Rate: rate}, &got)
				}
				name := fmt.Sprintf("%s %d ", m, burners)
				f.add(name+"p50", us*quantile(got.Offsets, 0.5))
				f.add(name+"p99", us*quantile(got.Offsets, 0.99))
				f.add(name+"delay", us*quantile(got.Delays, 0.5))
				f.add(name+"n", float64(len(got.Offsets)))
			}
			stop()
		}
		order := []string{"basic", "plain"}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, m := range order {
			var got load
			w.child(w.near, role{Do: "load", Method: m, N: 1000 * min(seconds, 6), Rate: 1000, Workers: 256}, &got)
			f.add(m+" stamp p50", us*quantile(got.Stamps, 0.5))
			f.add(m+" stamp p99", us*quantile(got.Stamps, 0.99))
			f.add(m+" cpu", us*got.CPU/float64(got.Sent))
			f.add(m+" lost", float64(got.Lost))
		}
		var got load
		w.child(w.near, role{Do: "most", Method: "basic", N: 40_800 * min(seconds, 5), Rate: 40_800, Workers: 256}, &got)
		f.add("rate", float64(got.Sent)/got.Seconds)
		f.add("rate cores", got.CPU/got.Seconds)
		f.add("rate lost", float64(got.Lost))
		w.child(w.near, role{Do: "targets", Method: "interleaved", N: targets * 2, Rate: targets / 8, Workers: 320}, &got)
		f.add("rss", got.RSS)
		f.add("rss lost", float64(got.Lost))
	}
	report(t, f, runs)
	gates(t, f)
}

func report(t *testing.T, f figures, runs int) {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "error of the offset, us (median of %d runs)\tidle p50\tp99\t(of all runs)\tdelay\t4 burners p50\tp99\t(of all runs)\tdelay\texchanges\n", runs)
	for _, m := range methods {
		fmt.Fprint(tw, m.title)
		for _, burners := range []int{0, 4} {
			n := fmt.Sprintf("%s %d ", m.name, burners)
			fmt.Fprintf(tw, "\t%.2f\t%.2f\t%s\t%.1f", f.of(n+"p50"), f.of(n+"p99"), f.spread(n+"p99"), f.of(n+"delay"))
		}
		fmt.Fprintf(tw, "\t%.0f\n", f.of(m.name+" 0 n"))
	}
	tw.Flush()
	fmt.Fprintln(&b)
	fmt.Fprintln(tw, "1,000 exchanges a second\tT1's error p50, us\tp99\tCPU each, us\tlost")
	for _, m := range []string{"basic", "plain"} {
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.1f\t%.0f\n", map[string]string{"basic": "ours", "plain": "beevik/ntp"}[m],
			f.of(m+" stamp p50"), f.of(m+" stamp p99"), f.of(m+" cpu"), slices.Max(f[m+" lost"]))
	}
	tw.Flush()
	fmt.Fprintf(&b, "\nmost: %.0f exchanges a second at %.2f cores, %.0f lost\n", f.of("rate"), f.of("rate cores"), slices.Max(f["rate lost"]))
	fmt.Fprintf(&b, "%d targets: %.1f MB resident, %.0f lost\n", targets, f.of("rss"), slices.Max(f["rss lost"]))
	t.Log("\n" + b.String())
}

// gates holds the figures against what was set out to be reached.
func gates(t *testing.T, f figures) {
	for _, g := range []struct {
		name        string
		value, most float64
	}{
		{"interleaved p99, idle, in those of chronyd's", f.of("interleaved 0 p99") / f.of("chrony xleave 0 p99"), 1.5},
		{"interleaved p99 with 4 burners, us", f.of("interleaved 4 p99"), 0.6},
		{"p99 of T1's error, in those of beevik's", f.of("basic stamp p99") / f.of("plain stamp p99"), 0.1},
		{"CPU an exchange, in those of beevik's", f.of("basic cpu") / f.of("plain cpu"), 0.7},
		{"40,000 a second over what was reached", 40_000 / f.of("rate"), 1},
		{"cores for that", f.of("rate cores"), 1},
		{"lost of them", slices.Max(f["rate lost"]), 0},
		{"MB for 10,000 targets", f.of("rss"), 20},
	} {
		if g.value <= g.most {
			t.Logf("ok: %s: %.3g, at most %.3g", g.name, g.value, g.most)
		} else {
			t.Errorf("%s: %.3g, at most %.3g", g.name, g.value, g.most)
		}
	}
}
