package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor/journal"
)

// exported notes what is asked for and answers with a text.
type exported struct {
	monitor string
	format  journal.Format
	q       journal.Query
	text    string
	err     error
	begun   chan struct{} // is told of each; nil: nobody is
	hold    chan struct{} // is waited for then
}

func (e *exported) Export(_ context.Context, w io.Writer, monitor string, f journal.Format, q journal.Query) (journal.Found, error) {
	if e.begun != nil {
		e.begun <- struct{}{}
		<-e.hold
		return journal.Found{}, nil
	}
	e.monitor, e.format, e.q = monitor, f, q
	if e.text != "" {
		if _, err := io.WriteString(w, e.text); err != nil {
			return journal.Found{}, err
		}
	}
	return journal.Found{}, e.err
}

func TestExchanges(t *testing.T) {
	day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		query  string
		code   int
		q      journal.Query
		format journal.Format
		says   string
	}{
		{"", 200, journal.Query{From: testTime.Add(-24 * time.Hour), To: testTime}, "csv", "text"},
		{"?from=2026-06-01T00:00:00Z&to=2026-06-01T02:00:00%2B02:00&format=json&target=a/ipv4&undated=1", 200,
			journal.Query{From: day, To: day, Target: "a/ipv4", Undated: true}, "json", "text"},
		{"?from=1780272000", 200, journal.Query{From: day, To: testTime}, "csv", "text"},
		{"?to=2026-06-02T00:00:00Z", 200, journal.Query{From: day, To: day.Add(24 * time.Hour)}, "csv", "text"},
		{"?from=yesterday", 400, journal.Query{}, "", "from can be a time such as"},
		{"?to=99999999999999", 400, journal.Query{}, "", "to can be a time such as"},
		{"?from=2027-01-01T00:00:00Z", 400, journal.Query{}, "", "after to"},
		{"?format=xml", 400, journal.Query{}, "", "csv or json"},
		{"?undated=yes", 400, journal.Query{}, "", "0 or 1"},
	} {
		e := &exported{text: "text"}
		h := handler(t, Options{Source: fixed{status: wellStation()}, Exchanges: e})
		r := fetch(h, "GET", "/api/v1/exchanges"+c.query)
		if got := body(t, r); r.StatusCode != c.code || !strings.Contains(got, c.says) {
			t.Errorf("%s: %s, %s", c.query, r.Status, got)
		}
		if c.code == 200 && (e.q != c.q || e.format != c.format || e.monitor != "7f3a9c0e5b1d48f2") {
			t.Errorf("%s: asked for %+v as %s", c.query, e.q, e.format)
		}
	}
	if r := fetch(handler(t, Options{Source: fixed{}}), "GET", "/api/v1/exchanges"); r.StatusCode != 404 {
		t.Errorf("without a journal: %s", r.Status)
	}
	e := &exported{text: "text"}
	if r := fetch(handler(t, Options{Source: fixed{}, Exchanges: e}), "HEAD", "/api/v1/exchanges"); r.StatusCode != 200 || e.format != "" {
		t.Errorf("HEAD: %s", r.Status)
	}
	for err, want := range map[error]int{journal.ErrNotOpen: 503, errors.New("the card is gone"): 500} {
		r := fetch(handler(t, Options{Source: fixed{}, Exchanges: &exported{err: err}}), "GET", "/api/v1/exchanges")
		if r.StatusCode != want || r.Header.Get("Content-Disposition") != "" {
			t.Errorf("%v: %s", err, r.Status)
		}
	}
}

// TestExchangesCutShort breaks off rather than pass for all there is.
func TestExchangesCutShort(t *testing.T) {
	h := handler(t, Options{Source: fixed{}, Exchanges: &exported{text: "a part", err: errors.New("the card is gone")}})
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("a part was given out as all")
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/exchanges", nil))
}

// TestExchangesOneAtATime turns away who comes while two are served.
func TestExchangesOneAtATime(t *testing.T) {
	e := &exported{begun: make(chan struct{}), hold: make(chan struct{})}
	h := handler(t, Options{Source: fixed{}, Exchanges: e})
	done := make(chan int)
	for range exportsMost {
		go func() { done <- fetch(h, "GET", "/api/v1/exchanges").StatusCode }()
		<-e.begun
	}
	if r := fetch(h, "GET", "/api/v1/exchanges"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("a third: %s", r.Status)
	}
	for range exportsMost {
		e.hold <- struct{}{}
		if code := <-done; code != 200 {
			t.Errorf("one of two: %d", code)
		}
	}
}
