package web

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/journal"
)

// ServersPath is what the page of each server is below, by its id.
const ServersPath = "/servers/"

const (
	// rowsOfPage is how many exchanges a page lists.
	rowsOfPage = 50
	// reachOfPage is how far back from its newest one it looks for them.
	reachOfPage = 48 * time.Hour
	// readLongest is how long a page may read the card.
	readLongest = 5 * time.Second
	// serverRefresh is how often the page loads itself anew, seconds.
	serverRefresh = 60
)

// serverAddress is the address of a server's page; empty where its id would be
// taken for a folder.
func serverAddress(id string) string {
	if id == "" || id == "." || id == ".." {
		return ""
	}
	return ServersPath + url.PathEscape(id)
}

// link is one among several of which one may be where the reader is.
type link struct {
	Name, Href string
	Here       bool
}

// onServer is all that the template of a server's page sets.
type onServer struct {
	frame
	Server  serverView
	Spans   []link
	Ways    []link
	Period  period
	Plot    *offsetPlot
	Hours   bool // the plot is of hours
	Nothing string
	Raw     []rawView
	Older   string // address of what is before the rows; empty: nothing is
	Newest  bool   // the rows are the newest there are
	Home    string // address of the page with the newest
	Files   []link
}

// frame is what every page of the station begins with.
type frame struct {
	Icon        string
	Styles      []string
	Scripts     []string
	Back        string // where the table of servers is
	Refresh     int
	Title, Name string
	Time        *moment
	Marks       []mark
}

func (p *page) frame(s status.Status, title string) frame {
	name := s.Station.Name
	if name == "" {
		name = "truechimer"
	}
	return frame{
		Styles: []string{p.style}, Icon: p.icon, Title: title + " – " + name, Name: name,
		Time: newMoment(s.Time, "2006-01-02 15:04:05"), Marks: marks, Back: DetailsPath, Scripts: []string{p.live},
	}
}

// oneServer serves the page of a server.
func (p *page) oneServer(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, ServersPath)
	raw := p.options.Source.Status()
	s := tidy(raw)
	at := slices.IndexFunc(raw.Servers, func(v status.Server) bool { return v.ID == id })
	if at < 0 {
		at = slices.IndexFunc(s.Servers, func(v status.Server) bool { return v.ID == id && id != "" })
	}
	if at < 0 {
		sentence(w, http.StatusNotFound, "No server of this name is watched (any more); the station's page at / lists those that are.")
		return
	}
	server := s.Servers[at]
	v := onServer{frame: p.frame(s, server.Name), Server: newServerView(server, s.Time)}
	one := []serverView{v.Server}
	linkProofs(one, p.options.Proofs)
	v.Server = one[0]
	v.Home = serverAddress(server.ID)
	before, err := instantNS(r.URL.Query().Get("before"))
	if err != nil {
		sentence(w, http.StatusBadRequest, err.Error())
		return
	}
	st, key := periodOf(r.URL.Query(), s.Time)
	v.Period, v.Spans, v.Ways = st, spanLinks(v.Home, key), st.ways(v.Home, s.Time)
	v.Scripts = append(v.Scripts, p.across)
	if key == "" && before.IsZero() {
		before = st.to // its rows are listed
	}
	if before.IsZero() {
		v.Refresh = serverRefresh
	}
	p.past(r.Context(), &v, raw.Servers[at].ID, server.Limit, s, before)
	if p.options.Exchanges != nil {
		target := "target=" + url.QueryEscape(raw.Servers[at].ID)
		since := "&from=" + strconv.FormatInt(s.Time.Add(-journal.KeepRecords).Unix(), 10)
		v.Files = append(v.Files, link{Name: "Exchanges of a day (CSV)", Href: "/api/v1/exchanges?" + target},
			link{Name: "All exchanges (CSV)", Href: "/api/v1/exchanges?" + target + since})
		if p.options.History != nil {
			since = "&from=" + strconv.FormatInt(s.Time.Add(-journal.KeepRollups).Unix(), 10)
			v.Files = append(v.Files, link{Name: "Hours of a year (CSV)", Href: "/api/v1/rollups?" + target + since})
		}
	}
	p.draw(w, "onserver", &v)
}

// draw writes a page.
func (p *page) draw(w http.ResponseWriter, name string, v any) {
	var b bytes.Buffer
	if err := p.template.ExecuteTemplate(&b, name, v); err != nil {
		p.options.Log.Error("cannot draw a page", "page", name, "err", err)
		sentence(w, http.StatusInternalServerError, "The page could not be drawn; the station's log says why.")
		return
	}
	allowScripts(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// instantNS reads nanoseconds since the Unix epoch.
func instantNS(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() {
		return time.Time{}, errors.New("before can be nanoseconds since 1970")
	}
	return time.Unix(0, n).UTC(), nil
}

// past fills in what was, from the journal or, where there is none, from memory.
func (p *page) past(ctx context.Context, v *onServer, id string, limit float64, s status.Status, before time.Time) {
	now, st := s.Time, &v.Period
	h := p.options.History
	if h == nil {
		v.Nothing = "This station keeps no exchanges: only the last ones, in memory, are plotted."
		points := p.recent(id, now)
		v.Spans, v.Ways, v.Plot = nil, nil, drawOffsets(points, beginning(points, now.Add(-24*time.Hour), now), now, limit)
		return
	}
	began := now.Add(-time.Duration(s.Station.Uptime * float64(time.Second)))
	var rows []journal.Record
	v.Nothing = p.read(ctx, "The exchanges", func(ctx context.Context) error {
		points, records, err := readHistory(ctx, h, id, *st, began)
		if err == nil && len(points) == 0 && !st.hours() { // hours are kept for longer
			st.part = time.Hour
			points, records, err = readHistory(ctx, h, id, *st, began)
		}
		if err == nil {
			st.from = beginning(points, st.from, st.to)
			v.Plot = drawOffsets(points, st.from, st.to, limit)
			rows, err = rowsBefore(ctx, h, id, records, now, before)
		}
		return err
	})
	v.Hours = st.hours()
	if v.Nothing == "" {
		v.list(rows, before)
	}
}

// beginning is where a plot begins that would be empty for most of its length.
func beginning(points []offsetPoint, from, now time.Time) time.Time {
	if len(points) == 0 || points[0].at.Before(from) {
		return from
	}
	has := now.Sub(points[0].at)
	if has > now.Sub(from)/2 {
		return from
	}
	return points[0].at.Add(-max(has/20, time.Second))
}

// readHistory reads what is plotted, and the exchanges if these are. began is when the
// station's run did.
func readHistory(ctx context.Context, h History, id string, st period, began time.Time) (points []offsetPoint, records []journal.Record, err error) {
	q := journal.Query{From: st.from, To: st.to, Target: id}
	if st.hours() {
		err = h.Rollups(ctx, q, func(r *journal.Rollup) error {
			points = append(points, hourPoint(r))
			return nil
		})
		return points, nil, err
	}
	records, err = h.Latest(ctx, q, journal.MostLatest)
	if err != nil {
		return nil, nil, err
	}
	var score monitor.Rescore
	if n := len(records); n > 0 && n < journal.MostLatest && began.After(st.from) && records[0].Session == records[n-1].Session {
		score.FromZero()
	}
	for i := range records {
		points = append(points, exchangePoint(&records[i], &score))
	}
	return points, records, nil
}

// rowsBefore are the exchanges to list, the oldest first; one more than there is room
// for if there are more.
func rowsBefore(ctx context.Context, h History, id string, known []journal.Record, now, before time.Time) ([]journal.Record, error) {
	if before.IsZero() {
		if len(known) > rowsOfPage {
			return known[len(known)-rowsOfPage-1:], nil
		}
		before = now
	}
	return h.Latest(ctx, journal.Query{From: before.Add(-reachOfPage), To: before, Target: id}, rowsOfPage+1)
}

// list fills in the rows, the newest first.
func (v *onServer) list(rows []journal.Record, before time.Time) {
	v.Newest = before.IsZero()
	more := len(rows) > rowsOfPage
	if more {
		rows = rows[1:]
	}
	for i := range slices.Backward(rows) {
		v.Raw = append(v.Raw, newRawView(&rows[i]))
	}
	switch {
	case more:
		v.Older = v.Home + "?before=" + strconv.FormatInt(rows[0].Time.UnixNano(), 10)
	case !before.IsZero() && len(rows) == 0:
		v.Nothing = "There is no exchange in the two days before " + before.Format("2006-01-02 15:04:05") + "."
		v.Older = v.Home + "?before=" + strconv.FormatInt(before.Add(-reachOfPage).UnixNano(), 10)
	case len(rows) > 0:
		v.Older = v.Home + "?before=" + strconv.FormatInt(rows[0].Time.UnixNano(), 10)
	}
}

// exchangePoint is an exchange in the plot.
func exchangePoint(rec *journal.Record, score *monitor.Rescore) offsetPoint {
	nan := math.NaN()
	q := offsetPoint{at: rec.Time, offset: nan, low: nan, high: nan, score: nan, tone: verdictViews[rec.Verdict].tone}
	if rec.Measured {
		q.offset = float64(rec.Offset) / 1e9
		q.low, q.high = q.offset-rec.Uncertainty, q.offset+rec.Uncertainty
	}
	if q.tone == "" {
		q.tone = toneWait
	}
	x := monitor.Exchange{Outcome: rec.Outcome, Stratum: rec.Stratum, Rejected: rec.Rejected}
	if s, ok := score.Add(rec.Session, x, float64(rec.Offset)/1e9, rec.Measured, rec.Reference.Usable); ok {
		q.score = s
	}
	return q
}

// hourPoint is an hour in it: the median of its offsets, from the least to the most.
func hourPoint(r *journal.Rollup) offsetPoint {
	nan := math.NaN()
	q := offsetPoint{at: r.Hour.Add(30 * time.Minute), offset: nan, low: nan, high: nan, score: nan, tone: toneWait}
	if r.Judged > 0 {
		q.offset, q.low, q.high = float64(r.Offset.Median)/1e9, float64(r.Offset.Min)/1e9, float64(r.Offset.Max)/1e9
	}
	most := uint32(0)
	for _, v := range status.Verdicts {
		if n := r.Verdicts(monitor.Verdict(v)); n > most {
			most, q.tone = n, verdictViews[monitor.Verdict(v)].tone
		}
	}
	if off := r.Verdicts(monitor.Off); off > 0 {
		q.tone = toneBad
	}
	return q
}

// recent are the last exchanges with a server, from memory.
func (p *page) recent(id string, now time.Time) (points []offsetPoint) {
	if p.options.Recent == nil {
		return nil
	}
	for _, x := range p.options.Recent(id) {
		if !(x.Age >= 0 && x.Age < plotMost) {
			continue
		}
		q := offsetPoint{at: now.Add(-time.Duration(x.Age * 1e9)), offset: x.Offset, low: x.Offset - x.Uncertainty, high: x.Offset + x.Uncertainty, score: x.Score}
		if q.tone = verdictViews[monitor.Verdict(x.Verdict)].tone; q.tone == "" {
			q.tone = toneWait
		}
		points = append(points, q)
	}
	return points
}

// rawView is one exchange in the table. An empty text is a value not known.
type rawView struct {
	Time        *moment
	Result      string
	Mark        string
	Tone        tone
	Verdict     string
	Note        string
	Cells       []fact
	Reference   string
	NotMeasured bool
}

func newRawView(rec *journal.Record) rawView {
	vv := verdictViews[rec.Verdict]
	v := rawView{
		Time: newMoment(rec.Time, "2006-01-02 15:04:05.000"), Result: strings.ReplaceAll(string(rec.Outcome), "_", " "),
		Mark: vv.mark, Tone: vv.tone, Verdict: vv.word, NotMeasured: !rec.Measured,
	}
	if vv.word == "" {
		v.Verdict, v.Mark, v.Tone = "not known", "ring", toneWait
	}
	if rec.Provisional {
		v.Note = "provisional"
	}
	known := func(ok bool, text string) string {
		if !ok {
			return ""
		}
		return unbroken.Replace(text)
	}
	reply := rec.Stratum != 0 || rec.RefID != 0
	v.Cells = []fact{
		{Name: "Offset", Value: known(rec.Measured, health.Signed(float64(rec.Offset)/1e9, 4))},
		{Name: "Uncertainty", Value: known(rec.Measured, "± "+health.Seconds(rec.Uncertainty, 2))},
		{Name: "Bound", Value: known(rec.Measured, "± "+health.Within(rec.Bound))},
		{Name: "Round trip", Value: known(rec.Timed, health.Seconds(float64(rec.Delay)/1e9, 4))},
		{Name: "Stratum", Value: known(reply, strconv.Itoa(int(rec.Stratum)))},
		{Name: "Reference ID", Value: known(reply, refID(rec))},
		{Name: "Root distance", Value: known(reply, health.Seconds(rec.RootDelay/2+rec.RootDispersion, 3))},
	}
	v.Reference = rec.Reference.Source
	if !rec.Reference.Usable {
		v.Reference = strings.TrimSpace(rec.Reference.State + ", not used")
	}
	return v
}

func refID(rec *journal.Record) string {
	if t := health.Clean(monitor.RefIDText(rec.Stratum, rec.RefID), maxWord); t != "" {
		return t
	}
	return strings.ToUpper(strconv.FormatUint(uint64(rec.RefID), 16))
}
