package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/truechimer/truechimer/monitor/journal"
)

// Exchanges are what a station keeps of its exchanges.
type Exchanges interface {
	// Export writes the records that are wanted as they are read. monitor names the
	// station.
	Export(ctx context.Context, w io.Writer, monitor string, f journal.Format, q journal.Query) (journal.Found, error)
}

// History is the same for pages of the station.
type History interface {
	// Latest are the newest n records that are wanted, the oldest first.
	Latest(ctx context.Context, q journal.Query, n int) ([]journal.Record, error)
	// Rollups passes hours to yield, the oldest first.
	Rollups(ctx context.Context, q journal.Query, yield func(*journal.Rollup) error) error
	// Minutes and ReferenceHours pass what the station's own reference was like.
	Minutes(ctx context.Context, q journal.Query, yield func(*journal.Minute) error) (journal.Found, error)
	ReferenceHours(ctx context.Context, q journal.Query, yield func(*journal.ReferenceHour) error) error
	ExportRollups(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error
	// ExportMinutes and ExportReferenceHours write the same.
	ExportMinutes(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error
	ExportReferenceHours(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error
}

const (
	// exportsMost is how many may be read at a time: each reads the card.
	exportsMost = 2
	// exportStall is how long a client may take for a piece of 32 KiB, exportLongest
	// for all of it.
	exportStall   = 20 * time.Second
	exportLongest = 30 * time.Minute
	// exportDefault is how far back it goes if nothing is said.
	exportDefault = 24 * time.Hour
	// rollupsDefault is the same of roll-ups.
	rollupsDefault = 7 * 24 * time.Hour
)

// export is one that may be read as a file: write writes what is wanted.
type export struct {
	o     Options
	busy  chan struct{} // shared: each reads the card
	file  string        // what its name begins with
	long  time.Duration // how far back it goes if nothing is said
	write func(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error
}

// newExchanges answers GET /api/v1/exchanges?from=&to=&target=&format=&undated=. The
// times are RFC 3339 or seconds since the Unix epoch; from is a day before to unless
// it is given, to is now. format is csv or json, an object on each line. undated=1 adds those
// whose date nobody knows.
func newExchanges(o Options, busy chan struct{}) *export {
	return &export{o, busy, "exchanges", exportDefault, func(ctx context.Context, w io.Writer, station string, f journal.Format, q journal.Query) error {
		_, err := o.Exchanges.Export(ctx, w, station, f, q)
		return err
	}}
}

// newRollups answers GET /api/v1/rollups, with the parameters of exchanges but
// undated, and goes back a week unless it is told otherwise.
func newRollups(o Options, busy chan struct{}) *export {
	return &export{o, busy, "rollups", rollupsDefault, o.History.ExportRollups}
}

const (
	minutesPath = "/api/v1/reference"
	hoursPath   = "/api/v1/reference/hours"
)

// newMinutes answers GET /api/v1/reference, and newReferenceHours the same with /hours,
// with the parameters of exchanges but target; hours are never undated.
func newMinutes(o Options, busy chan struct{}) *export {
	return &export{o, busy, "reference", exportDefault, o.History.ExportMinutes}
}

func newReferenceHours(o Options, busy chan struct{}) *export {
	return &export{o, busy, "reference-hours", rollupsDefault, o.History.ExportReferenceHours}
}

func (e *export) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := tidy(e.o.Source.Status())
	q, format, err := wanted(r.URL.Query(), s.Time, e.long)
	if err != nil {
		sentence(w, http.StatusBadRequest, err.Error())
		return
	}
	select {
	case e.busy <- struct{}{}:
		defer func() { <-e.busy }()
	default:
		w.Header().Set("Retry-After", "10")
		sentence(w, http.StatusServiceUnavailable, "Others are reading the exchanges; try again in a moment.")
		return
	}
	kind := map[journal.Format]string{journal.CSV: "text/csv; charset=utf-8; header=present", journal.JSON: "application/x-ndjson"}[format]
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"%s-%s.%s\"", e.file, q.From.Format("20060102T150405Z"), format))
	if r.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), exportLongest)
	defer cancel()
	out := &patient{w: w, c: http.NewResponseController(w)}
	err = e.write(ctx, out, s.Station.ID, format, q)
	switch {
	case err == nil:
	case out.begun:
		e.o.Log.Warn(e.file+" were not exported to the end", "err", err)
		panic(http.ErrAbortHandler) // or the client would take a part for all of it
	case errors.Is(err, journal.ErrNotOpen):
		w.Header().Del("Content-Disposition")
		sentence(w, http.StatusServiceUnavailable, "The journal of exchanges is not open; the page says why if that lasts.")
	default:
		e.o.Log.Error("cannot export "+e.file, "err", err)
		w.Header().Del("Content-Disposition")
		sentence(w, http.StatusInternalServerError, "The exchanges could not be read; the station's log says why.")
	}
}

// wanted reads a query; the error is for people.
func wanted(v url.Values, now time.Time, long time.Duration) (q journal.Query, f journal.Format, err error) {
	if q.From, err = instantOf(v, "from"); err != nil {
		return q, f, err
	}
	if q.To, err = instantOf(v, "to"); err != nil {
		return q, f, err
	}
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-long)
	}
	if q.To.Before(q.From) {
		return q, f, fmt.Errorf("from is %s, after to, %s", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	q.Target = v.Get("target")
	switch u := v.Get("undated"); u {
	case "", "0":
	case "1":
		q.Undated = true
	default:
		return q, f, errors.New("undated can be 0 or 1")
	}
	switch f = journal.Format(v.Get("format")); f {
	case "":
		f = journal.CSV
	case journal.CSV, journal.JSON:
	default:
		return q, f, errors.New("format can be csv or json")
	}
	return q, f, nil
}

// instantOf is a time that RFC 3339 can write, the zero one where there is none.
func instantOf(v url.Values, name string) (time.Time, error) {
	s := v.Get(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if n, e := strconv.ParseInt(s, 10, 64); err != nil && e == nil {
		t, err = time.Unix(n, 0), nil
	}
	// What nanoseconds since the epoch can tell.
	if y := t.UTC().Year(); err != nil || y < 1970 || y > 2200 {
		return time.Time{}, fmt.Errorf("%s can be a time such as 2026-11-26T00:00:00Z, or seconds since 1970", name)
	}
	return t.UTC(), nil
}

// patient gives a client time for each piece, where the server's own limit is for
// an answer as a whole.
type patient struct {
	w     io.Writer
	c     *http.ResponseController
	begun bool
}

func (p *patient) Write(b []byte) (int, error) {
	p.begun = true
	if err := p.c.SetWriteDeadline(time.Now().Add(exportStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}
