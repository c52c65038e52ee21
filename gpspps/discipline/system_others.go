//go:build unix && !linux

package discipline

// System is the machine's own clock. It is only read: a station, which steers
// its clock, runs Linux.
func System() (Kernel, error) { return clocks{}, nil }

type clocks struct{}

func (clocks) Now() (mono, diff int64, err error) { return readClocks() }
func (clocks) SetFrequency(float64) error         { return errObserved }
func (clocks) Step(int64) error                   { return errObserved }
func (clocks) Report(Condition) error             { return errObserved }
