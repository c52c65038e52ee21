package probe

// Clock is the station's two clocks, ns: CLOCK_REALTIME since the Unix epoch,
// CLOCK_MONOTONIC since some instant that does not change.
type Clock interface {
	Realtime() int64
	Monotonic() int64
}

const (
	// stepTolerance is how far REALTIME may move against MONOTONIC during a
	// good exchange before it is void, ns, beyond what the two readings may be
	// wrong by. Slewing moves both alike, so hardly anything but noise is left;
	// what is tolerated goes into StampError.
	stepTolerance = 1_000_000
	// stampSlack is how far outside the user-space stamps around it a kernel
	// stamp may lie and still be believed, ns.
	stampSlack = 10_000
	// A reading is repeated for as long as it was interrupted, at most so often.
	diffTries = 5
	diffGood  = 2_000 // ns
)

// diffReading is REALTIME minus MONOTONIC, and the half-width of the bracket it
// was read in, ns.
type diffReading struct{ diff, spread int64 }

func readDiff(c Clock) diffReading {
	var best diffReading
	for i := range diffTries {
		m1 := c.Monotonic()
		r := c.Realtime()
		m2 := c.Monotonic()
		d := diffReading{r - (m1 + (m2-m1)/2), (m2 - m1 + 1) / 2}
		if i == 0 || d.spread < best.spread {
			best = d
		}
		if best.spread <= diffGood {
			break
		}
	}
	return best
}

// combine returns the difference that held during an exchange and the
// half-width of what it may be wrong by, ns. A step too small to be told from
// the readings' own width may have happened all the same, so the other reading
// and all that it leaves open lie within.
func combine(before, after diffReading) (diff, err int64) {
	good, other := before, after
	if after.spread < before.spread {
		good, other = after, before
	}
	return good.diff, max(good.spread, abs(other.diff-good.diff)+other.spread)
}

// stepped returns by how much REALTIME moved against MONOTONIC between the
// readings, ns; 0 if their brackets explain it.
func stepped(before, after diffReading) int64 {
	moved := after.diff - before.diff
	if abs(moved) <= before.spread+after.spread {
		return 0
	}
	return moved
}

func abs(v int64) int64 { return max(v, -v) }
