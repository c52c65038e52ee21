package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/gpspps"
)

// kept is what the station remembers of time while it is switched off.
type kept struct {
	Good           time.Time `json:"good"`                      // a time that has been
	Frequency      float64   `json:"frequency_ppm"`             // of the oscillator left alone; positive: it runs fast
	FrequencyError float64   `json:"frequency_uncertainty_ppm"` // half-width of 95 %
	GPSLessUTC     int       `json:"gps_minus_utc_s"`           // at Good; 0 unknown
}

const (
	keptName = "clock"
	keptHead = "truechimer clock 1"
	keptMost = 512 // bytes

	keptPPM   = 500 // 1e-6; no clock can be steered by more
	keptVague = 10  // 1e-6; a frequency known no better is not worth having
	keptYears = 20  // after the build; a later time has been nobody's
	leapLeast = 10  // seconds; a count of leap seconds outside of this
	leapMost  = 40  // and this is none
)

// bytes is the file.
func (k kept) bytes() ([]byte, error) {
	body, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return durable.Summed(keptHead, body), nil
}

// parseKept reads a file that may hold anything.
func parseKept(b []byte, build time.Time) (k kept, err error) {
	body, err := durable.Unsummed(keptHead, b, keptMost)
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(body, &k); err != nil {
		return kept{}, fmt.Errorf("it is damaged: %w", err)
	}
	switch {
	case !(math.Abs(k.Frequency) <= keptPPM) || !(k.FrequencyError >= 0 && k.FrequencyError <= keptVague):
		err = fmt.Errorf("a frequency of %g ± %g ppm", k.Frequency, k.FrequencyError)
	case k.GPSLessUTC != 0 && (k.GPSLessUTC < leapLeast || k.GPSLessUTC > leapMost):
		err = fmt.Errorf("%d leap seconds", k.GPSLessUTC)
	case k.Good.Before(build.AddDate(-keptYears, 0, 0)) || k.Good.After(build.AddDate(keptYears, 0, 0)):
		err = fmt.Errorf("the time %s", k.Good.Format(time.RFC3339))
	default:
		k.Good = k.Good.UTC()
		return k, nil
	}
	return kept{}, fmt.Errorf("it cannot be right: %w", err)
}

// confirms says whether a fix counts the leap seconds that there were and are:
// until the quarter in which they were last counted ends, there can be no other
// (ITU-R TF.460: at the end of June or December, in need of March or September).
func (k kept) confirms(f gpspps.Fix) bool {
	next := time.Date(k.Good.Year(), (k.Good.Month()-1)/3*3+4, 1, 0, 0, 0, 0, time.UTC)
	return k.GPSLessUTC != 0 && f.Leap == k.GPSLessUTC && !f.Time.Before(k.Good) && f.Time.Before(next)
}

// pivot is the earliest date that a receiver's count of weeks may be taken to
// mean. It need not be later than half a turn of that count before the last
// good time, and then one that was not as good as it looked does no harm.
func (k kept) pivot(build time.Time) time.Time {
	if p := k.Good.AddDate(-10, 0, 0); p.After(build) {
		return p
	}
	return build
}

const (
	keepSettled = 15 * time.Minute // of a lock without a break, until what it tells is worth keeping
	keepEvery   = time.Hour        // at the most: a card wears out
	keepGood    = 24 * time.Hour   // a time so much later is news
	keepAtEnd   = time.Hour        // and at the end one so much later
	keepPPM     = 0.05             // a frequency so different is
)

// clockMemory keeps the file in dir; without a dir it keeps nothing.
type clockMemory struct {
	dir   string
	notes *notes

	mu      sync.Mutex
	at      kept  // as it was at the start
	written kept  // as it is on the card; zero: nothing is
	now     kept  // as it would be written; zero: nothing is worth it
	since   int64 // since when there is a lock without a break, 0 there is none
	wrote   int64 // when, CLOCK_MONOTONIC ns; 0 not since the start
}

// remember reads what was kept.
func remember(dir string, build time.Time, n *notes) *clockMemory {
	m := &clockMemory{dir: dir, notes: n}
	if dir == "" {
		return m
	}
	f, err := os.Open(filepath.Join(dir, keptName))
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(f, keptMost+1)); err == nil {
			m.at, err = parseKept(b, build)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.say(slog.LevelWarn, "what was kept of the clock", fmt.Sprintf("cannot be used: %v", err))
	}
	m.written = m.at
	return m
}

// frequency is how fast the oscillator was, ppm; NaN unknown.
func (m *clockMemory) frequency() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.written.Good.IsZero() {
		return math.NaN()
	}
	return m.written.Frequency
}

// tick is called once a second with what the reference knows.
func (m *clockMemory) tick(r gpspps.Reading, info gpspps.Info, l gpspps.Leap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	utc := time.Unix(0, r.True).UTC()
	if r.Known && r.Source == gpspps.SourceQuorum {
		m.doubt(utc)
	}
	pulse := r.Source == gpspps.SourceGPSPPS || r.Source == gpspps.SourcePPS
	if !r.Known || !pulse || r.State != gpspps.StateLocked || !(info.FrequencyUncertaintyPPM <= keptVague) || !(math.Abs(info.FrequencyPPM) <= keptPPM) {
		m.since = 0
		return
	}
	if m.since == 0 {
		m.since = r.Mono
	}
	if r.Mono-m.since < int64(keepSettled) {
		return
	}
	m.now = kept{
		Good: utc.Truncate(time.Second), GPSLessUTC: l.GPSLessUTC,
		Frequency: round3(info.FrequencyPPM), FrequencyError: round3(info.FrequencyUncertaintyPPM),
	}
	if m.wrote == 0 || r.Mono-m.wrote >= int64(keepEvery) {
		if m.news(keepGood) {
			m.write()
			m.wrote = r.Mono
		}
	}
}

// round3 leaves what is worth writing.
func round3(ppm float64) float64 { return math.Round(ppm*1e3) / 1e3 }

// news says whether there is something to write; of the time alone it is news
// once it is so much later.
func (m *clockMemory) news(later time.Duration) bool {
	a, b := m.written, m.now
	return !b.Good.IsZero() && (a.Good.IsZero() || math.Abs(a.Frequency-b.Frequency) >= keepPPM || a.GPSLessUTC != b.GPSLessUTC || b.Good.Sub(a.Good) >= later || b.Good.Before(a.Good))
}

// end writes what is worth it at the end.
func (m *clockMemory) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.news(keepAtEnd) {
		m.write()
	}
}

// doubt forgets a last good time that most servers know to be still to come: a
// receiver had been believed that lied. It counts no more from the next start.
func (m *clockMemory) doubt(utc time.Time) {
	if m.written.Good.Sub(utc) < keepGood || m.dir == "" {
		return
	}
	m.notes.say(slog.LevelError, "last good time", fmt.Sprintf("forgotten: it was %s, which most servers say is still to come", m.written.Good.Format(time.RFC3339)))
	m.failed(durable.Remove(filepath.Join(m.dir, keptName)))
	m.written, m.now = kept{}, kept{}
}

func (m *clockMemory) write() {
	if m.dir == "" {
		return
	}
	b, err := m.now.bytes()
	if err == nil {
		err = os.MkdirAll(m.dir, 0o700)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(m.dir, keptName), b)
	}
	if !m.failed(err) {
		m.written = m.now
	}
}

// failed tells of a card that cannot be written: others tell people.
func (m *clockMemory) failed(err error) bool {
	text := ""
	if err != nil {
		text = fmt.Sprintf("cannot be kept: %v", err)
	}
	m.notes.say(slog.LevelWarn, "the clock's frequency", text)
	return err != nil
}
