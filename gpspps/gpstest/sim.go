package gpstest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// Sim is a receiver, its pulse and a station's monotonic clock in virtual
// time: what happened in second n, with stamps of that clock. Set the fields
// before the first call; the same fields give the same events, in whatever
// order they are asked for. Not safe for use by several goroutines.
type Sim struct {
	Start time.Time // UTC of second 0, a whole second
	Mono  int64     // CLOCK_MONOTONIC at Start, ns
	Seed  int64

	// The station's clock, as in Oscillator.
	FreqPPM, RWFM, WFM, FlickerFM, DriftPPBDay, ThermalPPB, ThermalPeriodS float64

	// The pulse: its stamp is MonoAt the second, plus these.
	LatencyS  float64 // always late by this, seconds
	WhiteS    float64 // standard deviation of white noise, seconds
	JitterS   float64 // mean of a one-sided (exponential) lateness, seconds
	TailP     float64 // share of pulses, 0..1, that are late by an interrupt held back
	TailS     float64 // mean of that lateness (exponential), seconds
	SawtoothS float64 // half the receiver's clock granularity, seconds: a slow sawtooth
	// Its period, seconds; 0 is the golden ratio's beat, some 26 s. A long one is
	// what receivers make whose crystal is near a whole multiple of a hertz.
	SawtoothPeriodS float64
	// What the receiver says of it, as a share: 0 nothing, 1 the truth, -1 the
	// truth with the wrong sign.
	Announced float64
	MissP     float64 // share of pulses that do not come, 0..1
	LostP     float64 // share of pulses lost after the source counted them (a gap in Seq), 0..1
	DoubleP   float64 // share of seconds with a second edge, 0..1

	// The burst of sentences that names the second.
	FixDelayS  float64 // earliest, seconds after the second; 0 means 0.06
	FixJitterS float64 // up to this much later, seconds; 0 means 0.06, negative none
	FixMissP   float64 // share of seconds without a burst, 0..1
	// Where the antenna is, if the receiver says so: degrees, and the standard
	// deviation of what it says, metres; 0 means that it says nothing.
	Lat, Lon, PositionM float64
	LeapUTC             bool // the receiver vouches for its leap seconds (and is wrong about it under gps leap N)

	Faults []Fault

	// BatchP is the share of seconds in which the station begins to stand still
	// for BatchS seconds: what comes meanwhile is delivered all at once after it.
	BatchP float64
	BatchS int

	osc *Oscillator
	seq []uint32 // edges counted at the source before second n
}

// Fault is something wrong for a while.
type Fault struct {
	From, To    int     // seconds: From <= n < To; To 0 means for ever
	Command     string  // as Receiver.Set takes it, "gps leap -1"; "" none
	ShiftS      int     // the sentences name a second this far ahead: a spoofer, or -1024*7*86400 for a rolled over week
	PulseShiftS float64 // the edge comes this much later, seconds
	PulseRamp   float64 // the edge comes later and later since From, seconds a second
	NorthM      float64 // the position is this much further north, metres
	Jammed      bool    // the receiver says that it is being jammed
	Spoofed     bool    // the receiver says that its signals are not the satellites'
}

func (s *Sim) oscillator() *Oscillator {
	if s.osc == nil {
		s.osc = &Oscillator{FreqPPM: s.FreqPPM, RWFM: s.RWFM, WFM: s.WFM, FlickerFM: s.FlickerFM, DriftPPBDay: s.DriftPPBDay,
			ThermalPPB: s.ThermalPPB, ThermalPeriodS: s.ThermalPeriodS, Seed: s.Seed}
	}
	return s.osc
}

// MonoAt is the station's CLOCK_MONOTONIC at the true time t, ns.
func (s *Sim) MonoAt(t time.Time) int64 {
	return s.monoAfter(t.Sub(s.Start), 0)
}

func (s *Sim) monoAfter(d time.Duration, extra float64) int64 {
	return s.Mono + int64(d) + int64(math.Round((s.oscillator().Error(d.Seconds())+extra)*1e9))
}

// TrueAt is the true time at an instant of the station's CLOCK_MONOTONIC, UTC
// ns since the Unix epoch.
func (s *Sim) TrueAt(mono int64) int64 {
	d := time.Duration(mono - s.Mono)
	t := d
	// Each pass shrinks the error by the frequency error, at most some 1e-3.
	for range 6 {
		t = d - time.Duration(math.Round(s.oscillator().Error(t.Seconds())*1e9))
	}
	return s.Start.UnixNano() + int64(t)
}

// ErrorAt is the station's monotonic clock minus true time since Start, seconds.
func (s *Sim) ErrorAt(t time.Time) float64 { return s.oscillator().Error(t.Sub(s.Start).Seconds()) }

// FrequencyPPM is the oscillator's true frequency error in second n, 1e-6;
// positive gains.
func (s *Sim) FrequencyPPM(n int) float64 { return s.oscillator().FrequencyAt(n) * 1e6 }

// Second is what comes in that belongs to second n: the edges at its start, in
// order, and the burst that names it, nil if none came. It panics for n < 0 and
// for a fault command nobody understands.
func (s *Sim) Second(n int) (pulses []gpspps.Pulse, fix *gpspps.Fix) {
	p, f := s.second(n)
	for len(s.seq) <= n {
		k := len(s.seq)
		if k == 0 {
			s.seq = append(s.seq, 0)
			continue
		}
		before, _ := s.second(k - 1)
		s.seq = append(s.seq, s.seq[k-1]+uint32(len(before.stamps)))
	}
	for i, at := range p.stamps {
		if i == 0 && p.lost {
			continue
		}
		pulses = append(pulses, gpspps.Pulse{Mono: at, Seq: s.seq[n] + uint32(i) + 1})
	}
	return pulses, f
}

// edges of one second: stamps are those the source counted, the first of which
// may be lost on its way.
type edges struct {
	stamps []int64
	lost   bool
}

func (s *Sim) second(n int) (edges, *gpspps.Fix) {
	if n < 0 {
		panic(fmt.Sprintf("gpstest: second %d lies before the start", n))
	}
	f := healthy()
	named, late := 0, 0.0
	for _, x := range s.Faults {
		if !x.in(n) {
			continue
		}
		if x.Command != "" {
			if err := f.set(x.Command); err != nil {
				panic(fmt.Sprintf("gpstest: fault %q: %v", x.Command, err))
			}
		}
		named += x.ShiftS
		late += x.PulseShiftS + x.PulseRamp*float64(n-x.From)
	}
	rng := rand.New(rand.NewPCG(uint64(s.Seed), streamSecond+uint64(n)))
	e, fix := s.pulses(n, &f, late, rng), s.fix(n, &f, named, rng)
	if fix != nil {
		s.warn(n, fix)
		s.locate(n, fix, rng)
	}
	return e, fix
}

func (s *Sim) pulses(n int, f *faults, late float64, rng *rand.Rand) (e edges) {
	// Every number is drawn every second, so that one fault does not change
	// the noise of the rest.
	late += s.LatencyS + s.WhiteS*rng.NormFloat64() + s.JitterS*rng.ExpFloat64()
	tail, tailS := rng.Float64(), rng.ExpFloat64()
	miss, lost, double, again := rng.Float64(), rng.Float64(), rng.Float64(), 0.1+0.3*rng.Float64()
	if tail < s.TailP {
		late += s.TailS * tailS
	}
	late += s.sawtooth(n)
	count := f.edges()
	if count == 1 && double < s.DoubleP {
		count = 2
	}
	if count == 0 || miss < s.MissP {
		return e
	}
	e.lost = lost < s.LostP
	at := time.Duration(n) * time.Second
	e.stamps = append(e.stamps, s.monoAfter(at, late))
	if count == 2 {
		e.stamps = append(e.stamps, s.monoAfter(at+time.Duration(again*1e9), late))
	}
	return e
}

// sawtooth is how late the pulse of second n comes by the receiver's clock.
func (s *Sim) sawtooth(n int) float64 {
	// The golden ratio's beat fills the range evenly and never repeats.
	x := float64(n) * (math.Sqrt(5) - 1) / 2 / 16
	if s.SawtoothPeriodS != 0 {
		x = float64(n) / s.SawtoothPeriodS
	}
	return s.SawtoothS * (2*(x-math.Floor(x)) - 1)
}

func (s *Sim) fix(n int, f *faults, named int, rng *rand.Rand) *gpspps.Fix {
	delay, jitter := s.FixDelayS, s.FixJitterS
	if delay == 0 {
		delay = 0.06
	}
	if jitter == 0 {
		jitter = 0.06
	}
	delay += max(jitter, 0) * rng.Float64()
	if rng.Float64() < s.FixMissP || f.off || f.garbage {
		return nil
	}
	valid, mode := f.fix()
	return &gpspps.Fix{
		Mono:    s.monoAfter(time.Duration(n)*time.Second+time.Duration(delay*1e9), 0),
		Time:    s.Start.Add(time.Duration(n+named+f.shift()) * time.Second),
		Valid:   valid,
		Mode:    mode,
		Used:    f.sats,
		Seen:    f.seen(),
		LeapUTC: s.LeapUTC && valid,
		// It is said of the pulse to come.
		Sawtooth: s.Announced * s.sawtooth(n+1),
	}
}

// Run gives the events of the seconds from <= n < to in the order of their
// stamps. Either function may be nil.
func (s *Sim) Run(from, to int, pulse func(gpspps.Pulse), fix func(gpspps.Fix)) {
	for n := from; n < to; n++ {
		pulses, f := s.Second(n)
		for _, p := range pulses {
			if f != nil && f.Mono < p.Mono {
				if fix != nil {
					fix(*f)
				}
				f = nil
			}
			if pulse != nil {
				pulse(p)
			}
		}
		if f != nil && fix != nil {
			fix(*f)
		}
	}
}
