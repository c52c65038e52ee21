package journal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// minuteRow is a Minute as others read it, in SI units; what is not known is null, and
// empty in CSV.
type minuteRow struct {
	V          int      `json:"v"`          // of this list of names
	Monitor    string   `json:"monitor_id"` // the station
	T          *int64   `json:"t_ns"`       // its middle, since the Unix epoch
	Time       *string  `json:"time"`       // the same, RFC 3339
	DatedLater bool     `json:"dated_later"`
	Mono       *int64   `json:"mono_ns"` // only without a date, with
	Session    string   `json:"session"` // the station's run
	Source     string   `json:"ref_source"`
	State      string   `json:"ref_state"`
	Locked     int      `json:"locked_s"`
	Holdover   *float64 `json:"holdover_s"` // null: there was none
	Pulses     int      `json:"pulses"`
	offsetFields
	Satellites *int `json:"satellites_used"`
}

// offsetFields are what minutes and hours have in common.
type offsetFields struct {
	Mean        *float64 `json:"mean_offset_s"`
	Jitter      *float64 `json:"jitter_s"`
	Least       *float64 `json:"least_offset_s"`
	Greatest    *float64 `json:"greatest_offset_s"`
	Uncertainty *float64 `json:"uncertainty_s"`
	Bound       *float64 `json:"bound_s"`
	Frequency   *float64 `json:"frequency_ppm"`
	Temperature *float64 `json:"temperature_c"`
}

var offsetColumns = []string{
	"mean_offset_s", "jitter_s", "least_offset_s", "greatest_offset_s", "uncertainty_s", "bound_s", "frequency_ppm", "temperature_c",
}

// minuteColumns are the names of a minuteRow's fields in CSV, in their order.
var minuteColumns = append(append([]string{
	"v", "monitor_id", "t_ns", "time", "dated_later", "mono_ns", "session", "ref_source", "ref_state", "locked_s", "holdover_s", "pulses",
}, offsetColumns...), "satellites_used")

func newOffsetFields(o Offsets, uncertainty, bound, frequency, temperature float64) offsetFields {
	return offsetFields{
		shortest(o.Mean), shortest(o.Jitter), shortest(o.Least), shortest(o.Greatest),
		shortest(uncertainty), shortest(bound), shortest(frequency), shortest(temperature),
	}
}

// shortest is a number with as many digits as its 32 bits hold; nil: it is not known.
func shortest(v float64) *float64 {
	s := strconv.FormatFloat(v, 'g', -1, 32)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v {
		return nil
	}
	return &v
}

func newMinuteRow(station string, m *Minute) minuteRow {
	r := minuteRow{
		V: rowVersion, Monitor: station, DatedLater: m.DatedLater, Session: fmt.Sprintf("%016x", m.Session),
		Source: m.Source, State: m.State, Locked: m.Locked, Holdover: held(m.Holdover), Pulses: m.Pulses,
		offsetFields: newOffsetFields(m.Offsets, m.Uncertainty, m.Bound, m.Frequency, m.Temperature),
	}
	if m.Time.IsZero() {
		r.Mono = &m.Mono
	} else {
		ns, at := m.Time.UnixNano(), m.Time.Format(time.RFC3339Nano)
		r.T, r.Time = &ns, &at
	}
	if m.Satellites >= 0 {
		r.Satellites = &m.Satellites
	}
	return r
}

// held is how long a holdover had lasted, seconds; nil: there was none.
func held(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}

func (r *minuteRow) fields(to []string) []string {
	to = append(to[:0],
		strconv.Itoa(r.V), plain(r.Monitor), number(r.T), text(r.Time), strconv.FormatBool(r.DatedLater), number(r.Mono), r.Session,
		r.Source, r.State, strconv.Itoa(r.Locked), decimal(r.Holdover), strconv.Itoa(r.Pulses),
	)
	return append(r.offsetFields.fields(to), number(r.Satellites))
}

func (o *offsetFields) fields(to []string) []string {
	for _, v := range [...]*float64{o.Mean, o.Jitter, o.Least, o.Greatest, o.Uncertainty, o.Bound, o.Frequency, o.Temperature} {
		to = append(to, decimal(v))
	}
	return to
}

func decimal(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// ExportMinutes writes the minutes that are wanted to w, as they are read. station
// names the station.
func (j *Journal) ExportMinutes(ctx context.Context, w io.Writer, station string, f Format, q Query) error {
	return exportRows(w, f, minuteColumns, (*minuteRow).fields, func(write func(*minuteRow) error) error {
		_, err := j.Minutes(ctx, q, func(m *Minute) error {
			r := newMinuteRow(station, m)
			return write(&r)
		})
		return err
	})
}

// referenceHourRow is a ReferenceHour as others read it.
type referenceHourRow struct {
	V        int      `json:"v"`
	Monitor  string   `json:"monitor_id"`
	Hour     string   `json:"hour"` // its beginning, RFC 3339
	Minutes  int      `json:"minutes"`
	Locked   int      `json:"locked_s"`
	Holdover *float64 `json:"holdover_s"`
	Pulses   int      `json:"pulses"`
	offsetFields
	// States says in how many minutes each was in force at the end.
	States map[string]int `json:"states"`
}

// referenceHourColumns are the names of its fields in CSV; a column for each state
// follows.
var referenceHourColumns = append([]string{"v", "monitor_id", "hour", "minutes", "locked_s", "holdover_s", "pulses"}, offsetColumns...)

func newReferenceHourRow(station string, h *ReferenceHour) referenceHourRow {
	r := referenceHourRow{
		V: rowVersion, Monitor: station, Hour: h.Hour.Format(time.RFC3339), Minutes: h.Minutes, Locked: int(h.Locked / time.Second),
		Holdover: held(h.Holdover), Pulses: h.Pulses, States: map[string]int{},
		offsetFields: newOffsetFields(h.Offsets, h.Uncertainty, h.Bound, h.Frequency, h.Temperature),
	}
	for _, s := range states[1:] {
		if n := h.States(s); n > 0 {
			r.States[s] = n
		}
	}
	return r
}

func (r *referenceHourRow) fields(to []string) []string {
	to = append(to[:0], strconv.Itoa(r.V), plain(r.Monitor), r.Hour, strconv.Itoa(r.Minutes), strconv.Itoa(r.Locked), decimal(r.Holdover), strconv.Itoa(r.Pulses))
	to = r.offsetFields.fields(to)
	for _, s := range states[1:] {
		to = append(to, strconv.Itoa(r.States[s]))
	}
	return to
}

// ExportReferenceHours writes the hours that are wanted to w, as they are read.
func (j *Journal) ExportReferenceHours(ctx context.Context, w io.Writer, station string, f Format, q Query) error {
	names := append(append([]string{}, referenceHourColumns...), states[1:]...)
	return exportRows(w, f, names, (*referenceHourRow).fields, func(write func(*referenceHourRow) error) error {
		return j.ReferenceHours(ctx, q, func(h *ReferenceHour) error {
			r := newReferenceHourRow(station, h)
			return write(&r)
		})
	})
}

// exportRows writes what rows writes.
func exportRows[R any](w io.Writer, f Format, names []string, fields func(*R, []string) []string, rows func(write func(*R) error) error) error {
	b := bufio.NewWriterSize(w, 32<<10)
	write, end, err := rowWriter(b, f, names, fields)
	if err == nil {
		err = rows(write)
	}
	if err == nil {
		err = end()
	}
	if err != nil {
		return err
	}
	return b.Flush()
}
