package web

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor/journal"
)

// Bounds of lists that the source gives.
const (
	maxSatellites  = 64
	maxPredictions = 8
	maxStability   = 32
	maxMinutes     = 24*60 + 1
)

// tidyReference keeps the contract in what is beside the reference's state.
func tidyReference(r *status.Reference) {
	satellites := []status.Satellite{}
	within := func(v *int, least, most int) *int {
		if v == nil || *v < least || *v > most {
			return nil
		}
		return v
	}
	for _, x := range r.Satellites[:min(len(r.Satellites), maxSatellites)] {
		x.System = word(x.System, status.Systems, "")
		x.Elevation, x.Azimuth, x.CN0 = within(x.Elevation, 0, 90), within(x.Azimuth, 0, 359), within(x.CN0, 1, 99)
		satellites = append(satellites, x)
	}
	r.Satellites = satellites
	predictions := []status.Prediction{}
	for _, x := range r.Predictions[:min(len(r.Predictions), maxPredictions)] {
		if finite(x.After) && finite(x.Uncertainty) {
			predictions = append(predictions, x)
		}
	}
	r.Predictions = predictions
	stability := []status.Deviation{}
	for _, x := range r.Stability[:min(len(r.Stability), maxStability)] {
		if finite(x.Interval) && x.Interval > 0 && finite(x.Deviation) && x.Deviation >= 0 {
			stability = append(stability, x)
		}
	}
	r.Stability = stability
}

// tidyTracking is a copy that keeps it.
func tidyTracking(t *status.Tracking) *status.Tracking {
	if t == nil {
		return nil
	}
	v := *t
	v.ReferenceID, v.ReferenceName = clean(v.ReferenceID, maxWord), clean(v.ReferenceName, maxWord)
	v.LeapStatus = word(v.LeapStatus, status.LeapStatuses, "Not synchronised")
	for _, p := range []**float64{
		&v.SystemTime, &v.LastOffset, &v.RMSOffset, &v.Frequency, &v.ResidualFrequency, &v.Skew, &v.RootDelay, &v.RootDispersion, &v.UpdateInterval,
	} {
		*p = known(*p)
	}
	if v.RefTime != nil {
		at := instant(*v.RefTime)
		if v.RefTime = &at; at.IsZero() {
			v.RefTime = nil
		}
	}
	return &v
}

// aboutRef is what there is to see of the reference beside its state.
type aboutRef struct {
	Predictions []fact
	Day         *plot
	Jitter      *linePlot
	Stability   *linePlot
	Deviations  []fact
	Sky         *sky
	Tracking    []fact
	Held        bool // in holdover
	Files       []link
}

func newAboutRef(s status.Status, minutes []status.Minute) aboutRef {
	r := s.Reference
	v := aboutRef{Sky: drawSky(r.Satellites), Tracking: trackingFacts(s.Tracking), Held: r.Holdover != nil && *r.Holdover > 0}
	for _, p := range r.Predictions {
		v.Predictions = append(v.Predictions, fact{"In " + strings.TrimSuffix(health.Span(p.After), " 0 min"), "± " + health.Seconds(p.Uncertainty, 2), ""})
	}
	for i := range v.Predictions {
		v.Predictions[i].Name = strings.NewReplacer(" 0 s", "", "1 d 0 h", "a day", "In 1 min", "In a minute", "In 1 h", "In an hour").Replace(v.Predictions[i].Name)
	}
	if len(minutes) > 10 { // before that the plot of pulses shows as much
		day, jitter, together := coarser(minutes[max(0, len(minutes)-maxMinutes):])
		if v.Day = drawPlot(day); v.Day != nil {
			v.Day.Caption = fmt.Sprintf("Means over %d min, of %d minutes in all, with the uncertainty.", together, min(len(minutes), maxMinutes))
		}
		v.Jitter = drawJitter(jitter)
	}
	v.Stability = drawStability(r.Stability)
	for _, d := range r.Stability {
		v.Deviations = append(v.Deviations, fact{health.Seconds(d.Interval, 3), strings.Replace(strconv.FormatFloat(d.Deviation, 'e', 2, 64), "-", "−", 1), grouped(uint64(max(d.Count, 0)))})
	}
	return v
}

// dayDots is how many means a day is drawn with.
const dayDots = 288

// coarser puts minutes together, so many that dayDots are left: the mean of their means
// and of their jitter, as samples each, and the greatest uncertainty.
func coarser(minutes []status.Minute) (day, jitter []status.Sample, together int) {
	together = max(1, (len(minutes)+dayDots-1)/dayDots)
	mean := func(list []status.Minute, of func(*status.Minute) *float64) float64 {
		sum, n := 0.0, 0.0
		for i := range list {
			if v := known(of(&list[i])); v != nil {
				sum, n = sum+*v, n+1
			}
		}
		return sum / n // of none, not a number
	}
	for list := range chunks(minutes, together) {
		s := status.Sample{Age: list[len(list)/2].Age, Uncertainty: math.NaN(), State: list[0].State}
		for _, m := range list {
			if u := known(m.Uncertainty); u != nil && !(*u <= s.Uncertainty) {
				s.Uncertainty = *u
			}
			if m.State != "locked" {
				s.State = m.State
			}
		}
		s.Offset = mean(list, func(m *status.Minute) *float64 { return m.Mean })
		day = append(day, s)
		s.Offset, s.Uncertainty = mean(list, func(m *status.Minute) *float64 { return m.Jitter }), math.NaN()
		jitter = append(jitter, s)
	}
	return day, jitter, together
}

// apart is between how many seconds nothing is put together: the station was off.
const apart = 600

// chunks are runs of up to n minutes without such a gap.
func chunks(minutes []status.Minute, n int) iter.Seq[[]status.Minute] {
	return func(yield func([]status.Minute) bool) {
		from := 0
		for i := range minutes {
			if last := i == len(minutes)-1; !last && i+1-from < n && minutes[i].Age-minutes[i+1].Age < apart {
				continue
			}
			if !yield(minutes[from : i+1]) {
				return
			}
			from = i + 1
		}
	}
}

// referenceFiles are what is kept of the reference, to be had as files.
func (p *page) referenceFiles(now time.Time) []link {
	if p.options.History == nil {
		return nil
	}
	since := "?from=" + strconv.FormatInt(now.Add(-journal.KeepRollups).Unix(), 10)
	return []link{{Name: "Minutes of a day (CSV)", Href: minutesPath}, {Name: "Hours of a year (CSV)", Href: hoursPath + since}}
}

// minutes are those of the last day, if somebody remembers them.
func (p *page) minutes() []status.Minute {
	if p.options.Minutes == nil {
		return nil
	}
	return p.options.Minutes()
}

// trackingFacts are the lines of `chronyc tracking`, in its order and units; a dash is
// what is not known.
func trackingFacts(t *status.Tracking) []fact {
	if t == nil {
		return nil
	}
	const dash = "–"
	seconds := func(v *float64) string {
		if v == nil {
			return dash
		}
		return strconv.FormatFloat(*v, 'f', 9, 64) + " seconds"
	}
	signed := func(v *float64, digits int, unit string) string {
		if v == nil {
			return dash
		}
		return fmt.Sprintf("%+.*f %s", digits, *v, unit)
	}
	direction := func(v *float64, digits int, unit, of string) string {
		if v == nil {
			return dash
		}
		way := "fast"
		if *v < 0 {
			way = "slow"
		}
		return strconv.FormatFloat(math.Abs(*v), 'f', digits, 64) + " " + unit + " " + way + of
	}
	id, refTime, stratum, skew, interval := dash, dash, dash, dash, dash
	if t.ReferenceID != nil {
		id = *t.ReferenceID + " (" + optional(t.ReferenceName) + ")"
	}
	if t.Stratum != nil {
		stratum = strconv.Itoa(*t.Stratum)
	}
	if t.RefTime != nil {
		refTime = t.RefTime.Format("Mon Jan 02 15:04:05 2006")
	}
	if t.Skew != nil {
		skew = strconv.FormatFloat(*t.Skew, 'f', 3, 64) + " ppm"
	}
	if t.UpdateInterval != nil {
		interval = strconv.FormatFloat(*t.UpdateInterval, 'f', 1, 64) + " seconds"
	}
	return []fact{
		{"Reference ID", id, ""}, {"Stratum", stratum, ""}, {"Ref time (UTC)", refTime, ""},
		{"System time", direction(t.SystemTime, 9, "seconds", " of NTP time"), ""},
		{"Last offset", signed(t.LastOffset, 9, "seconds"), ""}, {"RMS offset", seconds(t.RMSOffset), ""},
		{"Frequency", direction(t.Frequency, 3, "ppm", ""), ""}, {"Residual freq", signed(t.ResidualFrequency, 3, "ppm"), ""},
		{"Skew", skew, ""}, {"Root delay", seconds(t.RootDelay), ""}, {"Root dispersion", seconds(t.RootDispersion), ""},
		{"Update interval", interval, ""}, {"Leap status", t.LeapStatus, ""},
	}
}

// apiPulses answers GET /api/v1/pulses: the minutes of the last day, the oldest first.
func apiPulses(o Options) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		out := struct {
			Minutes []status.Minute `json:"minutes"`
		}{[]status.Minute{}}
		list := o.Minutes()
		for _, m := range list[max(0, len(list)-maxMinutes):] {
			m.Time, m.State = instant(m.Time), word(m.State, status.States, "cold")
			m.Mean, m.Jitter, m.Uncertainty = known(m.Mean), known(m.Jitter), known(m.Uncertainty)
			out.Minutes = append(out.Minutes, m)
		}
		b, err := json.Marshal(out)
		if err != nil {
			o.Log.Error("cannot write the pulses as JSON", "err", err)
			sentence(w, http.StatusInternalServerError, "The pulses could not be written; the station's log says why.")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n'))
	}
}
