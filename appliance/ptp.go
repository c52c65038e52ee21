package main

import (
	"context"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/ptp"
)

// ptpClock is what is needed of a *ptp.Clock.
type ptpClock interface {
	Name() string
	Read() (mono, time int64, half float64, err error)
	Close() error
}

func openPTP(path string) (ptpClock, error) {
	c, err := ptp.Open(path)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// readPTP takes the time from a PTP hardware clock, once a second. A clock that is
// not there, or does not read, is looked for again.
func (s *station) readPTP(ctx context.Context, c config.PTP, open func(path string) (ptpClock, error)) error {
	const topic = "PTP clock"
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		clock, err := open(c.Device)
		if err == nil {
			s.log.Info("taking the time from a PTP clock", "device", c.Device, "name", clock.Name(), "bound", c.Bound)
			for err == nil && ctx.Err() == nil {
				var mono, at int64
				var half float64
				if mono, at, half, err = clock.Read(); err != nil {
					break
				}
				s.notes.set(topic, "")
				s.ref.AddMark(gpspps.Mark{Source: gpspps.SourcePTP, Mono: mono, Time: at - int64(c.Ahead), HalfWidth: half + c.Bound})
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
			clock.Close()
		}
		if err != nil && ctx.Err() == nil {
			s.notes.set(topic, fmt.Sprintf("The PTP clock cannot be read: %v.", err))
			wait(ctx, again)
		}
	}
	return nil
}
