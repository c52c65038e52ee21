package journal

import (
	"context"
	"io"
	"strconv"
	"time"
)

// hourRow is a roll-up as others read it. All times are whole nanoseconds; what is
// not known is null, and empty in CSV.
type hourRow struct {
	V            int     `json:"v"`          // of this list of names
	Monitor      string  `json:"monitor_id"` // the station
	Target       string  `json:"target_id"`
	Name         string  `json:"name"`
	Addr         *string `json:"addr"`
	AF           *int    `json:"af"` // 4 or 6
	Port         *int    `json:"port"`
	Hour         string  `json:"hour"` // its beginning, RFC 3339
	Limit        *int64  `json:"limit_ns"`
	Sent         uint32  `json:"sent"`
	Received     uint32  `json:"received"`
	Judged       uint32  `json:"judged"`
	OffsetMin    *int64  `json:"offset_min_ns"`
	OffsetMedian *int64  `json:"offset_median_ns"`
	OffsetMax    *int64  `json:"offset_max_ns"`
	Timed        uint32  `json:"timed"`
	DelayMin     *int64  `json:"delay_min_ns"`
	DelayMedian  *int64  `json:"delay_median_ns"`
	DelayMax     *int64  `json:"delay_max_ns"`
	// Verdicts says after how many exchanges each was in force.
	Verdicts map[string]uint32 `json:"verdicts"`
}

// hourColumns are the names of an hourRow's fields in CSV, in their order; a column
// for each verdict follows.
var hourColumns = []string{
	"v", "monitor_id", "target_id", "name", "addr", "af", "port", "hour", "limit_ns", "sent", "received",
	"judged", "offset_min_ns", "offset_median_ns", "offset_max_ns", "timed", "delay_min_ns", "delay_median_ns", "delay_max_ns",
}

func newHourRow(station string, r *Rollup) hourRow {
	row := hourRow{
		V: rowVersion, Monitor: station, Target: r.Target.ID, Name: r.Target.Name, Limit: whole(r.Target.Limit),
		Hour: r.Hour.Format(time.RFC3339), Sent: r.Sent, Received: r.Received, Judged: r.Judged, Timed: r.Timed,
		Verdicts: map[string]uint32{},
	}
	row.Addr, row.Port, row.AF = shownAddr(r.Target.Addr)
	if r.Judged > 0 {
		row.OffsetMin, row.OffsetMedian, row.OffsetMax = &r.Offset.Min, &r.Offset.Median, &r.Offset.Max
	}
	if r.Timed > 0 {
		row.DelayMin, row.DelayMedian, row.DelayMax = &r.Delay.Min, &r.Delay.Median, &r.Delay.Max
	}
	for _, v := range verdicts[1:] {
		if n := r.Verdicts(v); n > 0 {
			row.Verdicts[string(v)] = n
		}
	}
	return row
}

// fields are a row's values for CSV, in the order of hourColumns and verdicts.
func (r *hourRow) fields(to []string) []string {
	count := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	to = append(to[:0],
		strconv.Itoa(r.V), plain(r.Monitor), plain(r.Target), plain(r.Name), text(r.Addr), number(r.AF), number(r.Port), r.Hour, number(r.Limit),
		count(r.Sent), count(r.Received), count(r.Judged), number(r.OffsetMin), number(r.OffsetMedian), number(r.OffsetMax),
		count(r.Timed), number(r.DelayMin), number(r.DelayMedian), number(r.DelayMax),
	)
	for _, v := range verdicts[1:] {
		to = append(to, count(r.Verdicts[string(v)]))
	}
	return to
}

// ExportRollups writes the roll-ups that are wanted to w, as they are read. station
// names the station.
func (j *Journal) ExportRollups(ctx context.Context, w io.Writer, station string, f Format, q Query) error {
	names := append([]string{}, hourColumns...)
	for _, v := range verdicts[1:] {
		names = append(names, string(v))
	}
	return exportRows(w, f, names, (*hourRow).fields, func(write func(*hourRow) error) error {
		return j.Rollups(ctx, q, func(r *Rollup) error {
			row := newHourRow(station, r)
			return write(&row)
		})
	})
}
