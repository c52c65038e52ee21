// Package web serves what a station has to say: a page for people, and the same
// for machines as JSON, as Prometheus metrics and as one line of health.
//
// Everything here is read-only. The page is drawn on the station, can be read without
// script and needs nothing from elsewhere. Names, reasons and notices come from
// configuration, receivers and servers, and are treated as hostile.
package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// Source is what the page is about.
type Source interface {
	// Status says how the station is now.
	Status() status.Status
	// Samples returns the pulses to plot, in any order.
	Samples() []status.Sample
}

// Build says which program is running on what.
type Build struct {
	Version string
	Slot    string // "a" or "b"; empty where there are no slots
	Board   string
}

// Options is what New needs.
type Options struct {
	Source Source
	// Alive returns nil while the process does its work, else an error that
	// says in one sentence what stands still. Nil: always alive.
	Alive func() error
	Build Build
	// Exchanges are those that were kept; nil: none are.
	Exchanges Exchanges
	// History is the same for the pages of servers; nil: they show what Recent has.
	History History
	// Recent are the last exchanges with a server of an id, the oldest first; nil:
	// nobody remembers them.
	Recent func(id string) []status.Point
	// Lines are the log's; nil: nobody keeps them.
	Lines Lines
	// Guard lets only those come to a handler who may read what is not for everybody:
	// the log. Nil: everybody may.
	Guard func(http.Handler) http.Handler
	// Minutes are what the pulses of the last day were like, the oldest first; nil:
	// nobody remembers them.
	Minutes func() []status.Minute
	// Manage is the address of what changes the station, for who may; empty: nothing
	// here does.
	Manage string
	// Proofs are the files that say why servers are off; nil: there are none.
	Proofs Proofs
	Log    *slog.Logger // nil: discarded
}

// New returns the handler of all the station's addresses: /, /details, /healthz,
// /metrics, /api/v1/status, /api/v1/openapi.json and, where they are kept,
// /api/v1/exchanges and /api/v1/proofs.
func New(o Options) (http.Handler, error) {
	if o.Source == nil {
		return nil, errors.New("web: no source to show: set Options.Source")
	}
	if o.Alive == nil {
		o.Alive = func() error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p, err := newPage(o)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o)
	if err != nil {
		return nil, err
	}
	described, err := openAPI()
	if err != nil {
		return nil, err
	}
	s := &site{options: o, page: p, paths: map[string]http.Handler{
		"/":              p,
		DetailsPath:      p,
		"/healthz":       http.HandlerFunc(healthz(o.Alive)),
		"/metrics":       m,
		"/api/v1/status": apiStatus(o),
		OpenAPIPath:      described,
	}}
	reading := make(chan struct{}, exportsMost)
	if o.Exchanges != nil {
		s.paths["/api/v1/exchanges"] = newExchanges(o, reading)
	}
	if o.History != nil {
		s.paths["/api/v1/rollups"] = newRollups(o, reading)
		s.paths[minutesPath], s.paths[hoursPath] = newMinutes(o, reading), newReferenceHours(o, reading)
		s.paths[HistoryPath] = http.HandlerFunc(p.refHistory)
	}
	s.paths[EventsPath] = newHub(o)
	if o.Lines != nil {
		s.paths[LogPath], s.paths[LogAPI] = o.guarded(http.HandlerFunc(p.log)), o.guarded(apiLog(o))
	}
	if o.Minutes != nil {
		s.paths["/api/v1/pulses"] = apiPulses(o)
	}
	if o.Proofs != nil {
		s.paths[ProofsPath] = listProofs(o)
	}
	for path, a := range p.assets {
		s.paths[path] = a
	}
	return s, nil
}

func (o *Options) guarded(h http.Handler) http.Handler {
	if o.Guard == nil {
		return h
	}
	return o.Guard(h)
}

// Server returns an HTTP server for h whose limits suit a small device on an
// open network: slow and greedy clients are cut off. log takes its complaints.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ErrorLog:          newQuiet(log, time.Now),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

type site struct {
	options Options
	page    *page
	paths   map[string]http.Handler
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	Protect(h, r)
	handler, ok := s.paths[r.URL.Path]
	if id, is := strings.CutPrefix(r.URL.Path, ProofsPath+"/"); is && s.options.Proofs != nil {
		handler, ok = oneProof(s.options, id), true
	}
	if strings.HasPrefix(r.URL.Path, ServersPath) {
		handler, ok = http.HandlerFunc(s.page.oneServer), true
	}
	switch {
	case !ok:
		sentence(w, http.StatusNotFound, "There is nothing at this address; the station's page is at /.")
	case !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method):
		h.Set("Allow", "GET, HEAD")
		sentence(w, http.StatusMethodNotAllowed, "This address can only be read: use GET or HEAD.")
	default:
		handler.ServeHTTP(w, r)
	}
}

// sentence answers with one line of plain text.
func sentence(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	// A client that is gone needs no answer.
	_, _ = io.WriteString(w, text+"\n")
}

func healthz(alive func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := alive(); err != nil {
			sentence(w, http.StatusServiceUnavailable, strings.Join(strings.Fields(err.Error()), " "))
			return
		}
		sentence(w, http.StatusOK, "ok")
	}
}

func apiStatus(o Options) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ") // people read it too
		if err := e.Encode(tidy(o.Source.Status())); err != nil {
			o.Log.Error("cannot write the status as JSON", "err", err)
			sentence(w, http.StatusInternalServerError, "The status could not be written; the station's log says why.")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b.Bytes())
	}
}
