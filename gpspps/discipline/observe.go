package discipline

import (
	"fmt"
	"io/fs"
)

// Observe is k as one without rights sees it: it can be read and not set. A
// clock that somebody else looks after is observed so.
func Observe(k Kernel) Kernel { return observed{k} }

type observed struct{ k Kernel }

var errObserved = fmt.Errorf("the clock is only to be observed: %w", fs.ErrPermission)

func (o observed) Now() (mono, diff int64, err error) { return o.k.Now() }

func (observed) SetFrequency(float64) error { return errObserved }

func (observed) Step(int64) error { return errObserved }

func (observed) Report(Condition) error { return errObserved }
