package discipline_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
)

func TestWithoutRightsItObserves(t *testing.T) {
	l := newLoop(t, quiet(), -825e6)
	l.k.denied = true
	l.run(200)
	if l.k.asked != 1 || !l.owner.Observing() || l.owner.Steps() != 0 {
		t.Errorf("asked %d times, observing %v", l.k.asked, l.owner.Observing())
	}
	if c := strings.Count(l.log.String(), "observed, not steered"); c != 1 {
		t.Errorf("said %d times: %s", c, &l.log)
	}
	off, known := l.owner.Offset()
	if !known || math.Abs(off-l.k.offset()) > 1e-5 {
		t.Errorf("offset %g s, is %g", off, l.k.offset())
	}
	if s := l.ref.Samples(1); math.Abs(s[0].Offset+825e6) > 1 {
		t.Errorf("sample's offset %g s", s[0].Offset)
	}
}

func TestBrokenKernel(t *testing.T) {
	var log bytes.Buffer
	o := discipline.New(broken{}, gpspps.New(gpspps.Config{}), slog.New(slog.NewTextHandler(&log, nil)))
	for i := range int64(10) {
		o.Tick(i * 1e9)
	}
	if strings.Count(log.String(), "no clock") != 1 {
		t.Errorf("log: %s", &log)
	}
}

type broken struct{}

func (broken) Now() (int64, int64, error)        { return 0, 0, errors.New("no clock") }
func (broken) SetFrequency(float64) error        { return errors.New("no clock") }
func (broken) Step(int64) error                  { return errors.New("no clock") }
func (broken) Report(discipline.Condition) error { return errors.New("no clock") }

func TestObserve(t *testing.T) {
	l := newLoop(t, quiet(), -825e6)
	l.owner = discipline.New(discipline.Observe(l.k), l.ref, nil)
	l.run(200)
	if l.k.asked != 0 || l.owner.Steps() != 0 || !l.owner.Observing() {
		t.Errorf("set %d times, %d steps, observing %v", l.k.asked, l.owner.Steps(), l.owner.Observing())
	}
	if off, known := l.owner.Offset(); !known || math.Abs(off-l.k.offset()) > 1e-5 {
		t.Errorf("offset %g s, is %g", off, l.k.offset())
	}
}
