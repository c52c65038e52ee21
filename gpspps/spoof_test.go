package gpspps_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// attack is one row of the spoof table.
type attack struct {
	name     string
	sim      func(seed int64) *gpstest.Sim
	fault    gpstest.Fault // its From and To are set by the row
	after    int           // seconds of honest time before; 0: it is there from the start
	lasts    int           // seconds
	servers  int
	alter    func(w *world)
	unsteady bool // the servers' paths are
	away     bool // it is in holdover when the attack begins

	// What is allowed: seconds for which a reading was served as locked or in
	// holdover with the truth outside of its bound, and by how much, seconds.
	wrong  int
	beyond float64
	during gpspps.State // at its end
	says   string       // in the reason then
	back   int          // seconds until locked again after its end at the most; 0: is not waited for
}

// seen is what was served during an attack.
type seen struct {
	first   int     // second of the attack in which a wrong reading was served first, -1 never
	wrong   int     // seconds for which one was
	beyond  float64 // the most by which the truth was outside of a bound, seconds
	locked  int     // seconds served as locked
	left    int     // second in which it was not locked first, -1 never
	largest float64 // error served within its bound, seconds
	state   gpspps.State
	reason  string
	back    int // seconds after the end until locked again, -1 not
}

// watch notes one reading s seconds into the attack.
func (o *seen) watch(w *world, s int, r gpspps.Reading) {
	if r.State == gpspps.StateLocked {
		o.locked++
	} else if o.left < 0 {
		o.left = s
	}
	if !r.Known || r.State != gpspps.StateLocked && r.State != gpspps.StateHoldover {
		return
	}
	e := math.Abs(w.off(r))
	if e <= r.Bound {
		o.largest = max(o.largest, e)
		return
	}
	if o.first < 0 {
		o.first = s
	}
	o.wrong++
	o.beyond = max(o.beyond, e-r.Bound)
}

func (a attack) run(t *testing.T) seen {
	sim := a.sim(11)
	sim.Lat, sim.Lon, sim.PositionM = 47.1, -179.9999, 4
	a.fault.From, a.fault.To = a.after, a.after+a.lasts
	sim.Faults = append(sim.Faults, a.fault)
	w := newWorld(t, sim, gpspps.Config{Survey: &gpspps.Survey{Lat: sim.Lat, Lon: sim.Lon}})
	w.right(a.servers)
	for i := range w.servers {
		w.servers[i].steady = !a.unsteady
	}
	if a.alter != nil {
		a.alter(w)
	}
	w.each = func(_ int, now int64) { w.honest(w.ref.At(now, "")) }
	w.run(a.after)
	if a.after > 0 && !a.away {
		w.want(gpspps.StateLocked, "")
	}
	o := seen{first: -1, left: -1, back: -1}
	w.each = func(n int, now int64) { o.watch(w, n-a.after, w.ref.At(now, "")) }
	w.run(a.lasts)
	r := w.now()
	o.state, o.reason = r.State, r.Reason
	if a.back == 0 {
		return o
	}
	w.each = func(n int, now int64) {
		r := w.ref.At(now, "")
		if o.back < 0 && r.State == gpspps.StateLocked && math.Abs(w.off(r)) <= r.Bound {
			o.back = n - a.after - a.lasts
		}
		if o.back >= 0 {
			w.honest(r)
		}
	}
	w.run(a.back + 120)
	return o
}

// TestSpoofTable runs every attack and prints what was served meanwhile.
func TestSpoofTable(t *testing.T) {
	oneOperator := func(w *world) {
		w.wrong(0.075, 3)
		for i := range w.servers {
			w.servers[i].group = "198.51.100.0/24"
		}
	}
	oneUpstream := func(w *world) {
		w.wrong(0.075, 3)
		for i := range w.servers {
			w.servers[i].upstream = "refid 47505300"
		}
	}
	ramp := gpstest.Fault{PulseRamp: 1e-6}
	noLeap := func(sim func(int64) *gpstest.Sim) func(int64) *gpstest.Sim {
		return func(seed int64) *gpstest.Sim {
			s := sim(seed)
			s.LeapUTC = false
			return s
		}
	}
	lost := func(w *world) {
		w.sim.Faults = append(w.sim.Faults, gpstest.Fault{From: 1200, To: 1800, Command: "gps off"})
	}
	const suspect, holdover, locked = gpspps.StateSuspect, gpspps.StateHoldover, gpspps.StateLocked
	rows := []attack{
		{name: "1 s ahead", sim: pi, fault: gpstest.Fault{ShiftS: 1}, after: 600, lasts: 600, during: suspect, says: "jumped 1 s ahead", back: 10},
		{name: "1 s back", sim: pi, fault: gpstest.Fault{ShiftS: -1}, after: 600, lasts: 600, during: suspect, says: "jumped 1 s back", back: 10},
		{name: "120 s ahead", sim: pi, fault: gpstest.Fault{ShiftS: 120}, after: 600, lasts: 600, during: suspect, says: "jumped 120 s ahead", back: 10},
		{name: "120.3 s ahead, pulses too", sim: pi, fault: gpstest.Fault{ShiftS: 120, PulseShiftS: -0.3}, after: 600, lasts: 600, during: suspect, back: 30},
		{name: "120 s ahead, 4 servers", sim: pi, fault: gpstest.Fault{ShiftS: 120}, after: 600, lasts: 600, servers: 4, during: suspect, back: 10},
		{name: "1024 weeks ahead", sim: pi, fault: gpstest.Fault{ShiftS: 1024 * 7 * 86400}, after: 600, lasts: 600, during: suspect, back: 10},
		{name: "1024 weeks back", sim: pi, fault: gpstest.Fault{ShiftS: -1024 * 7 * 86400}, after: 600, lasts: 600, during: holdover, says: "nothing that makes sense", back: 30},

		{name: "1 µs a second, quiet pulse", sim: quiet, fault: ramp, after: 900, lasts: 7200, during: suspect, says: "run away"},
		{name: "1 µs a second, a Pi's pulse", sim: pi, fault: ramp, after: 900, lasts: 7200, during: suspect, says: "run away"},
		{name: "1 µs a second, a VM's pulse", sim: emulated, fault: ramp, after: 900, lasts: 7200, during: locked, beyond: 0.01, wrong: 7200},
		{name: "1 µs a second, a VM, 4 servers", sim: emulated, fault: ramp, after: 900, lasts: 18000, servers: 4, during: suspect, says: "disputed", beyond: 0.015, wrong: 12000},
		{name: "1 µs a second, quiet, 4 servers", sim: quiet, fault: ramp, after: 900, lasts: 7200, servers: 4, during: holdover, says: "4 servers keep pace with that clock"},
		{name: "1 µs a second, a Pi, 4 servers", sim: pi, fault: ramp, after: 900, lasts: 7200, servers: 4, during: holdover, says: "4 servers keep pace with that clock"},
		{name: "1 µs a second, a Pi, 4 unsteady servers", sim: pi, fault: ramp, after: 1800, lasts: 6 * 3600, servers: 4, unsteady: true, during: holdover, says: "servers keep pace with that clock"},
		{name: "0.2 µs a second, a Pi, 4 servers", sim: pi, fault: gpstest.Fault{PulseRamp: 2e-7}, after: 900, lasts: 60000, servers: 4, during: suspect, says: "disputed", beyond: 0.012, wrong: 60000},

		{name: "30 µs late at once", sim: quiet, fault: gpstest.Fault{PulseShiftS: 30e-6}, after: 600, lasts: 600, during: locked, back: 30},
		{name: "60 µs late at once", sim: quiet, fault: gpstest.Fault{PulseShiftS: 60e-6}, after: 600, lasts: 600, during: suspect, back: 30},
		{name: "100 µs late at once", sim: quiet, fault: gpstest.Fault{PulseShiftS: 100e-6}, after: 600, lasts: 600, during: suspect, says: "µs late by", back: 30},
		{name: "100 µs early at once, a Pi", sim: pi, fault: gpstest.Fault{PulseShiftS: -100e-6}, after: 600, lasts: 600, during: suspect, back: 75},
		{name: "100 µs late for 20 min", sim: quiet, fault: gpstest.Fault{PulseShiftS: 100e-6}, after: 600, lasts: 1200, during: locked},
		{name: "200 µs late after 10 min of jamming", sim: quiet, fault: gpstest.Fault{PulseShiftS: 200e-6}, after: 1800, lasts: 600, away: true, alter: lost, during: locked},

		{name: "jammed, says so", sim: pi, fault: gpstest.Fault{Jammed: true, PulseRamp: 1e-7}, after: 600, lasts: 600, during: holdover, says: "jammed", back: 90},
		{name: "spoofed, says so", sim: pi, fault: gpstest.Fault{Spoofed: true, PulseRamp: 1e-7}, after: 600, lasts: 600, during: suspect, says: "not the satellites'", back: 90},
		{name: "moved antenna", sim: pi, fault: gpstest.Fault{NorthM: 5000}, after: 600, lasts: 1200, during: suspect, says: "somewhere else than surveyed", back: 220},
		{name: "moved antenna, 4 servers", sim: pi, fault: gpstest.Fault{NorthM: 150}, after: 600, lasts: 1200, servers: 4, during: suspect, says: "somewhere else than surveyed", back: 220},
		{name: "moved antenna at a cold start", sim: pi, fault: gpstest.Fault{NorthM: 5000}, lasts: 1200, during: suspect, says: "somewhere else than surveyed", back: 220},

		{name: "old leap count until the almanac came", sim: noLeap(pi), fault: gpstest.Fault{Command: "gps leap -1"}, lasts: 750, during: gpspps.StateNumbering, says: "leap seconds unconfirmed", back: 950},
		{name: "old leap count for ever, 1 server", sim: noLeap(pi), fault: gpstest.Fault{Command: "gps leap -1"}, lasts: 7200, servers: 1, during: gpspps.StateNumbering, says: "leap seconds unconfirmed"},
		{name: "old leap count for ever, 3 servers", sim: noLeap(pi), fault: gpstest.Fault{Command: "gps leap -1"}, lasts: 7200, servers: 3, during: locked, says: "leap seconds unconfirmed"},
		{name: "old leap count for ever, nobody else", sim: noLeap(pi), fault: gpstest.Fault{Command: "gps leap -1"}, lasts: 1200, during: locked, beyond: 1, wrong: 300},

		{name: "3 servers of a network 75 ms off", sim: pi, after: 600, lasts: 3600, alter: oneOperator, during: locked},
		{name: "3 servers of an upstream 75 ms off", sim: pi, after: 600, lasts: 3600, alter: oneUpstream, during: locked},
	}
	var table strings.Builder
	tab := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "attack\tlocked s of\tleft after s\twrong first s\tfor s\tby more than the bound\tlargest error in bound\tat its end\tback after s\t")
	for _, a := range rows {
		t.Run(a.name, func(t *testing.T) {
			o := a.run(t)
			fmt.Fprintf(tab, "%s\t%d of %d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t\n", a.name, o.locked, a.lasts, orNever(o.left), orNever(o.first),
				o.wrong, micro(o.beyond), micro(o.largest), o.state, orNever(o.back))
			if o.wrong > a.wrong || o.beyond > a.beyond {
				t.Errorf("served wrong for %d s by up to %s more than the bound, want %d s and %s at the most", o.wrong, micro(o.beyond), a.wrong, micro(a.beyond))
			}
			if o.state != a.during || !strings.Contains(o.reason, a.says) {
				t.Errorf("at the end %s (%s), want %s (%s)", o.state, o.reason, a.during, a.says)
			}
			if a.back > 0 && (o.back < 0 || o.back > a.back) {
				t.Errorf("locked again after %d s, want %d at the most", o.back, a.back)
			}
		})
	}
	tab.Flush()
	t.Logf("\n%s", table.String())
}

func orNever(s int) string {
	if s < 0 {
		return "-"
	}
	return fmt.Sprint(s)
}

func micro(s float64) string { return fmt.Sprintf("%.1f µs", s*1e6) }
