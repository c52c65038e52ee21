package web

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/truechimer/truechimer/appliance/health"
)

// LogPath is the page of the log, and LogAPI the same for machines.
const (
	LogPath = "/log"
	LogAPI  = "/api/v1/log"
)

// Lines are the last lines of the station's log.
type Lines interface {
	// Last are the lines, the oldest first, and how many there ever were.
	Last() (lines []string, n uint64)
	Count() uint64
}

const maxLine = 400 // characters

// logView is what the template of the page sets.
type logView struct {
	frame
	Lines []string // the newest first
	More  uint64   // lines that were dropped
}

// lines are those of the log, clean.
func lastLines(o Options) (list []string, dropped uint64) {
	list, n := o.Lines.Last()
	for i := range list {
		list[i] = health.Clean(list[i], maxLine)
	}
	return list, n - uint64(len(list))
}

// log serves the page.
func (p *page) log(w http.ResponseWriter, _ *http.Request) {
	s := tidy(p.options.Source.Status())
	v := logView{frame: p.frame(s, "Log")}
	v.Lines, v.More = lastLines(p.options)
	slices.Reverse(v.Lines)
	v.Refresh, v.Back = refreshSeconds, DetailsPath
	p.draw(w, "log", &v)
}

// apiLog answers GET /api/v1/log.
func apiLog(o Options) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		out := struct {
			Lines   []string `json:"lines"`   // the oldest first
			Dropped uint64   `json:"dropped"` // before them, since the start
		}{}
		out.Lines, out.Dropped = lastLines(o)
		if out.Lines == nil {
			out.Lines = []string{}
		}
		b, err := json.Marshal(out)
		if err != nil {
			o.Log.Error("cannot write the log as JSON", "err", err)
			sentence(w, http.StatusInternalServerError, "The log could not be written; its lines went elsewhere.")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n'))
	}
}
