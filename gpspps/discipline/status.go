package discipline

// Status is what there is to tell of the clock's owner.
type Status struct {
	Observing bool      // the clock is watched, not steered
	Yielded   bool      // because something else keeps setting it
	Steps     int       // by the owner
	Told      Condition // what other programs were told last
	TAI       int       // TAI less UTC as it was set, seconds; 0 not set

	ForeignSteps       int    // by something else
	ForeignAdjustments int    // of its rate or condition, by something else
	Foreign            string // the last of them, for people; empty: none
	ForeignAt          int64  // when it was noticed, CLOCK_MONOTONIC ns; 0 never
}

// Status tells of the last tick.
func (o *Owner) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.foreign
	s := Status{
		Observing: o.watching(), Yielded: f.yielded, Steps: o.steps, Told: o.told, TAI: o.tai,
		ForeignSteps: f.stepped, ForeignAdjustments: f.adjusted, Foreign: f.last,
	}
	if f.last != "" {
		s.ForeignAt = f.lastAt
	}
	return s
}
