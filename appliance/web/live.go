package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// EventsPath is where live values come from, as server-sent events (WHATWG HTML,
// section 9.2).
const EventsPath = "/api/v1/events"

const (
	// listenersMost is how many may listen at a time.
	listenersMost = 16
	// liveEvery is how often values are looked at while somebody listens.
	liveEvery = 2 * time.Second
	// heartbeat is how long a listener hears nothing at the most, and eventStall how
	// long he may take to take something.
	heartbeat  = 15 * time.Second
	eventStall = 5 * time.Second
	// listenLongest is how long one is served; he comes back by himself.
	listenLongest = time.Hour
)

// allowScripts lets a page that has them use the station's own scripts and events. Pages
// with forms have none.
func allowScripts(h http.Header) {
	h.Set("Content-Security-Policy", pagePolicy)
}

// liveEvent is what a page is told. Facts and servers are those that have changed
// since the event before; the first one has all.
type liveEvent struct {
	Time    *liveTime            `json:"time"`
	Summary string               `json:"summary"`
	Facts   map[string][2]string `json:"facts,omitempty"`   // of the reference: value and note by name
	Servers map[string][]string  `json:"servers,omitempty"` // the last cells of its row by id; empty: not known
	// Shape changes with all that is more than a value of these: a page that finds
	// it changed loads itself anew.
	Shape string `json:"shape"`
	Log   uint64 `json:"log"` // how many lines of the log there ever were
}

type liveTime struct {
	Text    string `json:"text"`
	Machine string `json:"machine"`
}

// hub looks at the station while anybody listens and tells all of them.
type hub struct {
	o Options

	mu        sync.Mutex
	listeners map[chan []byte]bool
	looking   bool      // look runs
	all       liveEvent // the last one, with all that there is
}

func newHub(o Options) *hub { return &hub{o: o, listeners: map[chan []byte]bool{}} }

// ServeHTTP serves one listener.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	c := make(chan []byte, 1)
	if !h.join(c) {
		w.Header().Set("Retry-After", "60")
		sentence(w, http.StatusServiceUnavailable, "As many listen already as can; the page loads itself anew instead.")
		return
	}
	defer h.leave(c)
	control := http.NewResponseController(w)
	send := func(b []byte) bool {
		if err := control.SetWriteDeadline(time.Now().Add(eventStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := w.Write(b); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send([]byte("retry: 10000\n\n")) {
		return
	}
	end := time.NewTimer(listenLongest)
	defer end.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case b, ok := <-c:
			if !ok || !send(b) {
				return
			}
			beat.Reset(heartbeat)
		case <-beat.C:
			if !send([]byte(":\n\n")) {
				return
			}
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// join lets one listen, if there is room.
func (h *hub) join(c chan []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= listenersMost {
		return false
	}
	h.listeners[c] = true
	if !h.looking {
		h.looking, h.all = true, liveEvent{}
		go h.look()
	} else if h.all.Shape != "" {
		c <- event(h.all) // it has room for one
	}
	return true
}

func (h *hub) leave(c chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, c)
}

// look tells of what changes until nobody listens.
func (h *hub) look() {
	defer func() {
		if v := recover(); v != nil { // who listened comes back, and it is tried anew
			h.o.Log.Error("cannot tell of values as they change", "panic", v)
			h.mu.Lock()
			defer h.mu.Unlock()
			for c := range h.listeners {
				close(c)
			}
			clear(h.listeners)
			h.looking = false
		}
	}()
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		if !h.tell(h.now()) {
			return
		}
		<-tick.C
	}
}

// tell tells everybody what has changed. Who has not taken the event before is slow,
// and has to come back for all of it. It is false where nobody listens.
func (h *hub) tell(now liveEvent) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) == 0 {
		h.looking = false
		return false
	}
	b := event(changed(h.all, now))
	h.all = now
	for c := range h.listeners {
		select {
		case c <- b:
		default:
			close(c)
			delete(h.listeners, c)
		}
	}
	return true
}

func event(e liveEvent) []byte {
	b, err := json.Marshal(e)
	if err != nil { // there is nothing in it that JSON cannot hold
		return []byte(":\n\n")
	}
	return fmt.Appendf(nil, "data: %s\n\n", b) // JSON has no line ends
}

// changed is now without what is as it was.
func changed(was, now liveEvent) liveEvent {
	out := now
	out.Facts, out.Servers = map[string][2]string{}, map[string][]string{}
	for name, v := range now.Facts {
		if old, ok := was.Facts[name]; !ok || old != v {
			out.Facts[name] = v
		}
	}
	for id, v := range now.Servers {
		if old, ok := was.Servers[id]; !ok || !slices.Equal(old, v) {
			out.Servers[id] = v
		}
	}
	return out
}

// now is all that there is to tell.
func (h *hub) now() liveEvent {
	s := tidy(h.o.Source.Status())
	e := liveEvent{Summary: unbroken.Replace(s.Summary), Facts: map[string][2]string{}, Servers: map[string][]string{}}
	if t := newMoment(s.Time, "2006-01-02 15:04:05"); t != nil {
		e.Time = &liveTime{t.Text, t.Machine}
	}
	if h.o.Lines != nil {
		e.Log = h.o.Lines.Count()
	}
	ref := newReferenceView(s.Reference, nil)
	shape := fnv.New64a()
	note := func(parts ...any) { fmt.Fprintf(shape, "%q\n", parts) }
	note(s.Reference.State, s.Reference.Source, s.Reference.Reason, s.Notices, len(s.Servers), s.Trees)
	for _, f := range ref.Facts {
		e.Facts[f.Name] = [2]string{f.Value, f.Note}
		note(f.Name)
	}
	if u := s.Update; u != nil {
		note(u.State, u.Summary, u.Failure)
	}
	for _, server := range worst(s.Servers, maxRows) {
		v := newServerView(server, s.Time)
		var cells []string
		for _, c := range v.Cells {
			cells = append(cells, c.Value)
		}
		last := ""
		if v.Last != nil {
			last = v.Last.Text
		}
		e.Servers[server.ID] = append(cells, last)
		note(server.ID, server.Verdict, server.Warnings, v.Note, steadyReason(server))
	}
	e.Shape = fmt.Sprintf("%016x", shape.Sum64())
	return e
}

// steadyReason is a server's reason where that does not count on with every exchange.
func steadyReason(s status.Server) string {
	if s.Verdict == "unreachable" || s.Verdict == "not_judged" {
		return ""
	}
	return s.Reason
}
