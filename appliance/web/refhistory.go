package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/monitor/journal"
)

// HistoryPath is what the page of the reference's past is at.
const HistoryPath = "/reference"

// refHistory is all that its template sets.
type refHistory struct {
	frame
	Spans, Ways []link
	From, To    *moment
	Part        string // how long a part is, in words
	Facts       []fact
	Tracks      []track
	Rows        []historyRow
	RowsOf      string // what a row is about
	Nothing     string
	Files       []link
	Data        *historyData
}

// historyRow is a part of the period in numbers.
type historyRow struct {
	Name, Href string
	Cells      []string
}

// refHistory serves the page.
func (p *page) refHistory(w http.ResponseWriter, r *http.Request) {
	s := tidy(p.options.Source.Status())
	v := refHistory{frame: p.frame(s, "How the reference was")}
	v.Back, v.Scripts, v.Styles = DetailsPath+"#reference", []string{p.uplot, p.history, p.time}, append(v.Styles, p.uplotSheet)
	if s.Time.IsZero() {
		v.Nothing = "The station does not know the time yet, so it cannot say when things were."
		p.draw(w, "refhistory", &v)
		return
	}
	st, key := periodOf(r.URL.Query(), s.Time)
	v.Spans, v.Ways = spanLinks(HistoryPath, key), st.ways(HistoryPath, s.Time)
	layout := "2006-01-02 15:04"
	v.From, v.To = newMoment(st.from, layout), newMoment(st.to, layout)
	var parts []*journal.ReferenceHour
	var all *journal.ReferenceHour
	v.Nothing = p.read(r.Context(), "What was kept of the reference", func(ctx context.Context) (err error) {
		parts, all, err = st.read(ctx, p.options.History)
		return err
	})
	v.Part = partName(st.part)
	if v.Nothing == "" && all.Minutes == 0 {
		v.Nothing = "Nothing was kept of this time: the station was off or did not know the date. What is newer than a few minutes, or of a week and more than an hour, is not on the card yet."
	}
	if v.Nothing == "" {
		v.Facts = historyFacts(all, parts)
		v.Tracks = drawTracks(st, parts)
		v.Data = newHistoryData(st, parts)
		v.RowsOf, v.Rows = historyRows(st, parts)
	}
	ask := fmt.Sprintf("?from=%d&to=%d", st.From(), st.To())
	if st.long() <= journal.KeepRecords {
		v.Files = append(v.Files, link{Name: "These minutes (CSV)", Href: minutesPath + ask})
	}
	v.Files = append(v.Files, link{Name: "These hours (CSV)", Href: hoursPath + ask})
	p.draw(w, "refhistory", &v)
}

// read reads the card for a page, for as long as it may; nothing says why it did not.
func (p *page) read(ctx context.Context, what string, do func(context.Context) error) (nothing string) {
	ctx, cancel := context.WithTimeout(ctx, readLongest)
	defer cancel()
	select {
	case p.reading <- struct{}{}:
		defer func() { <-p.reading }()
	case <-ctx.Done():
		return "Others are reading what was kept; try again in a moment."
	}
	err := do(ctx)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, journal.ErrNotOpen):
		return "The journal of exchanges is not open; the station's page says why if that lasts."
	case ctx.Err() != nil:
		return "The card took too long to read; try again, or take the files below."
	}
	p.options.Log.Error("cannot read what was kept", "err", err)
	return what + " could not be read; the station's log says why."
}

func partName(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	if d >= time.Hour {
		n, unit = int(d/time.Hour), "hour"
	}
	if n == 1 {
		return unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// historyFacts are the numbers of all of it.
func historyFacts(all *journal.ReferenceHour, parts []*journal.ReferenceHour) []fact {
	on := time.Duration(all.Minutes) * time.Minute
	facts := []fact{{"Locked", lockedShare(all), "of " + health.Span(on.Seconds())}}
	add := func(name, value, note string) {
		if value != "" {
			facts = append(facts, fact{name, unbroken.Replace(value), note})
		}
	}
	add("Longest holdover", spanIf(all.Holdover), "")
	add("Pulses", grouped(uint64(max(all.Pulses, 0))), "")
	add("Jitter", secondsIf(all.Jitter), "RMS")
	add("Greatest uncertainty", secondsIf(all.Uncertainty), "95 %")
	add("Oscillator", rangeOf(parts, func(h *journal.ReferenceHour) float64 { return h.Frequency }, ppm, "ppm"), "")
	add("Processor", rangeOf(parts, func(h *journal.ReferenceHour) float64 { return h.Temperature }, degrees, "°C"), "")
	return facts
}

// lockedShare is how much of what was kept the reference was locked, never rounded up to
// all of it.
func lockedShare(h *journal.ReferenceHour) string {
	whole := float64(h.Minutes) * 60
	share := min(h.Locked.Seconds()/whole, 1) * 100
	if share < 100 {
		share = math.Floor(share*10) / 10
	}
	return strconv.FormatFloat(share, 'f', -1, 64) + "\u00a0%"
}

func secondsIf(v float64) string {
	if !finite(v) {
		return ""
	}
	return health.Seconds(v, 3)
}

func spanIf(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return health.Span(d.Seconds())
}

// ppm and degrees write a frequency and a temperature; empty where it is not known.
func ppm(v float64) string {
	if !finite(v) {
		return ""
	}
	return decimal(v, 3)
}

func degrees(v float64) string {
	if !finite(v) {
		return ""
	}
	return strings.TrimPrefix(decimal(v, 1), "+")
}

// rangeOf is from the least to the greatest of a number.
func rangeOf(parts []*journal.ReferenceHour, of func(*journal.ReferenceHour) float64, text func(float64) string, unit string) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, h := range parts {
		if h != nil && finite(of(h)) {
			low, high = min(low, of(h)), max(high, of(h))
		}
	}
	if low > high {
		return ""
	}
	one, other := text(low), text(high)
	if one != other {
		one += " to " + other
	}
	return one + "\u00a0" + unit
}

// rowUnit is what a row of a page is about.
type rowUnit struct {
	name, layout string
	begin        func(time.Time) time.Time // of the one that an instant is in
	end          func(begin time.Time) time.Time
}

func evenUnit(name, layout string, long time.Duration) rowUnit {
	return rowUnit{name, layout, func(t time.Time) time.Time { return t.Truncate(long) }, func(t time.Time) time.Time { return t.Add(long) }}
}

// unitOf is the one for a period; rows of a short one would be its parts.
func unitOf(st period) (u rowUnit, ok bool) {
	switch long := st.long(); {
	case long <= 2*time.Hour:
		return u, false
	case st.part < time.Hour:
		return evenUnit("Hour", "2006-01-02 15:04", time.Hour), true
	case long <= 62*24*time.Hour:
		return evenUnit("Day", "2006-01-02", 24*time.Hour), true
	}
	return rowUnit{
		"Month", "January 2006",
		func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) },
		func(t time.Time) time.Time { return t.AddDate(0, 1, 0) },
	}, true
}

// historyRows put the parts together to hours, days or months.
func historyRows(st period, parts []*journal.ReferenceHour) (of string, rows []historyRow) {
	unit, ok := unitOf(st)
	if !ok {
		return "", nil
	}
	var begin time.Time
	var sum *journal.ReferenceSum
	end := func() {
		if sum != nil {
			rows = append(rows, newHistoryRow(begin.Format(unit.layout), period{from: begin, to: unit.end(begin)}.address(HistoryPath), sum.Value()))
		}
	}
	for _, h := range parts {
		if h == nil {
			continue
		}
		if b := unit.begin(h.Hour); sum == nil || !b.Equal(begin) {
			end()
			begin, sum = b, journal.NewReferenceSum(b)
		}
		sum.Hour(h)
	}
	end()
	return unit.name, rows
}

func newHistoryRow(name, href string, h *journal.ReferenceHour) historyRow {
	row := historyRow{Name: name, Href: href, Cells: []string{
		lockedShare(h), spanIf(h.Holdover), secondsIf(h.Uncertainty), secondsIf(h.Jitter), ppm(h.Frequency), degrees(h.Temperature),
	}}
	for i := range row.Cells {
		row.Cells[i] = unbroken.Replace(row.Cells[i])
	}
	return row
}

// historyData is what the script draws, a number a part in each numbers.
type historyData struct {
	From        int64   `json:"from"` // seconds since the epoch
	To          int64   `json:"to"`
	First       int64   `json:"first"` // beginning of the first part
	Part        int64   `json:"part"`  // seconds
	Path        string  `json:"path"`  // of the page
	Least       numbers `json:"least"` // offsets, seconds
	Mean        numbers `json:"mean"`
	Greatest    numbers `json:"greatest"`
	Uncertainty numbers `json:"uncertainty"`
	Jitter      numbers `json:"jitter"`
	Frequency   numbers `json:"frequency"` // ppm
	Temperature numbers `json:"temperature"`
	// States are the parts that were not locked all the time, by the worst.
	States []string `json:"states"`
}

// numbers is a row of numbers that a reader needs three digits of, frequencies six; NaN is
// null.
type numbers struct {
	of     []float64
	digits int
}

func (c numbers) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 10*len(c.of)+2), '[')
	for i, v := range c.of {
		if i > 0 {
			b = append(b, ',')
		}
		if finite(v) {
			b = strconv.AppendFloat(b, v, 'g', c.digits, 64)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, ']'), nil
}

func newHistoryData(st period, parts []*journal.ReferenceHour) *historyData {
	of := func(get func(*journal.ReferenceHour) float64) numbers {
		c := numbers{make([]float64, len(parts)), 3}
		for i, h := range parts {
			if c.of[i] = math.NaN(); h != nil {
				c.of[i] = get(h)
			}
		}
		return c
	}
	v := &historyData{
		From: st.From(), To: st.To(), First: st.from.Truncate(st.part).Unix(), Part: int64(st.part / time.Second), Path: HistoryPath,
		Least:       of(func(h *journal.ReferenceHour) float64 { return h.Least }),
		Mean:        of(func(h *journal.ReferenceHour) float64 { return h.Mean }),
		Greatest:    of(func(h *journal.ReferenceHour) float64 { return h.Greatest }),
		Uncertainty: of(func(h *journal.ReferenceHour) float64 { return h.Uncertainty }),
		Jitter:      of(func(h *journal.ReferenceHour) float64 { return h.Jitter }),
		Frequency:   of(func(h *journal.ReferenceHour) float64 { return h.Frequency }),
		Temperature: of(func(h *journal.ReferenceHour) float64 { return h.Temperature }),
		States:      make([]string, len(parts)),
	}
	v.Frequency.digits = 6
	for i, h := range parts {
		if h != nil {
			v.States[i] = worstState(h)
		}
	}
	return v
}
