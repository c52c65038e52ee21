package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// changing is a source whose state can be set.
type changing struct {
	mu sync.Mutex
	s  status.Status
	n  int // how often it was asked
}

func (c *changing) Status() status.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.s
}

func (c *changing) Samples() []status.Sample { return nil }

func (c *changing) set(f func(*status.Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Servers = append([]status.Server{}, c.s.Servers...)
	f(&c.s)
}

func (c *changing) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// listener takes what is written to it, or does not.
type listener struct {
	mu     sync.Mutex
	header http.Header
	code   int
	text   strings.Builder
	stuck  chan struct{} // nil: it takes everything
	gone   bool
}

func (l *listener) Header() http.Header { return l.header }
func (l *listener) WriteHeader(c int)   { l.code = c }
func (l *listener) Flush()              {}
func (l *listener) Write(b []byte) (int, error) {
	if l.stuck != nil {
		<-l.stuck
		return 0, errors.New("the other end takes nothing")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// left says whether it is not served any more.
func (l *listener) left() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// events are those that came so far, parsed, and what else came.
func (l *listener) events(t *testing.T) (list []liveEvent, beats int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, block := range strings.Split(l.text.String(), "\n\n") {
		data, ok := strings.CutPrefix(block, "data: ")
		if !ok {
			if block == ":" {
				beats++
			}
			continue
		}
		var e liveEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		list = append(list, e)
	}
	return list, beats
}

// listen begins to, and gives a way to end it.
func listen(h http.Handler, l *listener) (end func()) {
	l.header = http.Header{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(l, httptest.NewRequest("GET", EventsPath, nil).WithContext(ctx))
		l.mu.Lock()
		l.gone = true
		l.mu.Unlock()
	}()
	return func() { cancel(); <-done }
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &changing{s: remembering()}
		h := handler(t, Options{Source: src})
		var l, late listener
		end := listen(h, &l)
		time.Sleep(time.Second)
		list, _ := l.events(t)
		if len(list) != 1 || list[0].Servers["alpha"][0] != "+214\u00a0µs" && list[0].Servers["alpha"][0] != "+214 µs" || list[0].Time.Machine != "2026-07-01T14:03:22Z" || list[0].Facts["Source"][0] != "GPS with pulse" {
			t.Fatalf("%+v", list)
		}
		if l.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%v", l.header)
		}
		// A value changes: it alone is told, and the page need not be loaded.
		src.set(func(s *status.Status) { s.Servers[0].Offset = val(3e-3) })
		time.Sleep(liveEvery)
		list, _ = l.events(t)
		if e := list[len(list)-1]; len(e.Servers) != 1 || e.Servers["alpha"][0] != "+3.00 ms" || len(e.Facts) != 0 || e.Shape != list[0].Shape {
			t.Errorf("%+v", e)
		}
		// A verdict changes: the shape is another one.
		src.set(func(s *status.Status) { s.Servers[0].Verdict = "off" })
		time.Sleep(liveEvery)
		list, _ = l.events(t)
		if e := list[len(list)-1]; e.Shape == list[0].Shape {
			t.Errorf("%+v", e)
		}
		// Who comes later is told all there is.
		endLate := listen(h, &late)
		synctest.Wait()
		if list, _ := late.events(t); len(list) != 1 || len(list[0].Servers) != 3 {
			t.Errorf("%+v", list)
		}
		endLate()
		end()
		// Nobody listens: nobody looks.
		time.Sleep(2 * liveEvery)
		n := src.asked()
		time.Sleep(time.Minute)
		if src.asked() != n {
			t.Error("the station is looked at with nobody listening")
		}
		var again listener
		end = listen(h, &again)
		time.Sleep(time.Second)
		if list, _ := again.events(t); len(list) != 1 || len(list[0].Servers) != 3 {
			t.Errorf("who comes back: %+v", list)
		}
		end()
		time.Sleep(2 * liveEvery)
	})
}

// TestManyListeners: there is an end to them, and room again when one leaves.
func TestManyListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(t, Options{Source: &changing{s: wellStation()}})
		var ends []func()
		for range listenersMost {
			ends = append(ends, listen(h, &listener{}))
		}
		synctest.Wait()
		if r := fetch(h, "GET", EventsPath); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("one more: %s", r.Status)
		}
		if r := fetch(h, "HEAD", EventsPath); r.StatusCode != 200 {
			t.Errorf("HEAD: %s", r.Status)
		}
		ends[0]()
		l := listener{}
		ends[0] = listen(h, &l)
		time.Sleep(time.Second)
		if list, _ := l.events(t); len(list) != 1 {
			t.Errorf("%+v", list)
		}
		for _, end := range ends {
			end()
		}
		time.Sleep(2 * liveEvery)
	})
}

// TestSlowListener: who does not take what is sent is dropped, and nobody waits for him.
func TestSlowListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &changing{s: wellStation()}
		h := handler(t, Options{Source: src}).(*site).paths[EventsPath].(*hub)
		slow, quick := listener{stuck: make(chan struct{})}, listener{}
		endSlow, end := listen(h, &slow), listen(h, &quick)
		time.Sleep(5 * liveEvery)
		h.mu.Lock()
		n := len(h.listeners)
		h.mu.Unlock()
		if list, _ := quick.events(t); n != 1 || len(list) < 5 {
			t.Errorf("%d listeners, %d events", n, len(list))
		}
		close(slow.stuck) // the deadline of his connection
		synctest.Wait()
		if !slow.left() {
			t.Error("he is still served")
		}
		endSlow()
		end()
		time.Sleep(2 * liveEvery)
	})
}

// TestComingAndGoing: however often listeners come and go, the station is looked at as
// if there were one.
func TestComingAndGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &changing{s: wellStation()}
		h := handler(t, Options{Source: src})
		for range 100 {
			end := listen(h, &listener{})
			synctest.Wait()
			end()
		}
		end := listen(h, &listener{})
		n := src.asked()
		time.Sleep(10*liveEvery - time.Second)
		if got := src.asked() - n; n > 2 || got > 10 {
			t.Errorf("looked at %d times, then %d times in %s", n, got, 10*liveEvery)
		}
		end()
		time.Sleep(2 * liveEvery)
	})
}

// failing is a source that cannot say how it is.
type failing struct{ changing }

func (*failing) Status() status.Status { panic("a fault") }

// TestFaultWhileLooking: a fault ends the listeners, not the station.
func TestFaultWhileLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(t, Options{Source: &failing{}})
		for range 3 {
			var l listener
			end := listen(h, &l)
			synctest.Wait()
			if !l.left() {
				t.Error("he waits for what does not come")
			}
			end()
		}
	})
}

// TestListenerIsServedForAnHour: then he has to come back.
func TestListenerIsServedForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(t, Options{Source: &changing{s: wellStation()}})
		var l listener
		end := listen(h, &l)
		time.Sleep(listenLongest + time.Second)
		if !l.left() {
			t.Error("he is still served")
		}
		end()
		time.Sleep(2 * liveEvery)
	})
}

// TestEventsOfHostile: names are JSON's, and events end where they should.
func TestEventsOfHostile(t *testing.T) {
	s := wellStation()
	s.Servers[0].ID, s.Servers[0].Reason, s.Summary = "a\n\ndata: {}\n\n</script>", "\u2028\n\n", "x\n\ny"
	h := newHub(Options{Source: fixed{status: s}})
	b := string(event(h.now()))
	if strings.Count(b, "\n") != 2 || !strings.HasSuffix(b, "\n\n") || strings.Contains(b, "</script>") {
		t.Errorf("%q", b)
	}
	many := newHub(Options{Source: fixed{status: thousandsStation()}})
	if e := many.now(); len(e.Servers) > maxRows || len(event(e)) > 64<<10 {
		t.Errorf("%d servers, %d bytes", len(e.Servers), len(event(e)))
	}
}

type logged []string

func (l logged) Last() ([]string, uint64) { return append([]string{}, l...), uint64(len(l) + 7) }
func (l logged) Count() uint64            { return uint64(len(l) + 7) }

func TestLog(t *testing.T) {
	kept := logged{"first <script>", "second\x00\x1b[31m", strings.Repeat("x", 1<<16)}
	h := handler(t, Options{Source: fixed{status: wellStation()}, Lines: kept})
	page := body(t, fetch(h, "GET", LogPath))
	if !strings.Contains(page, "first &lt;script&gt;") || strings.Contains(unscripted(page), "<script") || len(page) > 8<<10 || strings.Contains(page, "\x1b") ||
		strings.Index(page, "second") > strings.Index(page, "first &lt;") || !strings.Contains(page, "7 older lines") {
		t.Error(page)
	}
	wellFormed(t, page)
	var got struct {
		Lines   []string
		Dropped uint64
	}
	if err := json.Unmarshal([]byte(body(t, fetch(h, "GET", LogAPI))), &got); err != nil || len(got.Lines) != 3 || got.Dropped != 7 || got.Lines[0] != "first <script>" {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains(body(t, fetch(h, "GET", DetailsPath)), `<a href="/log">Its log</a>`) {
		t.Error("the page does not lead there")
	}
	if r := fetch(handler(t, Options{Source: fixed{}}), "GET", LogPath); r.StatusCode != 404 {
		t.Errorf("without lines: %s", r.Status)
	}
	// Not for everybody.
	refuse := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	}
	h = handler(t, Options{Source: fixed{}, Lines: kept, Guard: refuse})
	for _, path := range []string{LogPath, LogAPI} {
		if r := fetch(h, "GET", path); r.StatusCode != 403 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}
