package assign

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/monitor"
)

// web is a server of lists, a card and a clock, in virtual time.
type web struct {
	t       *testing.T
	mu      sync.Mutex
	answer  func(tag string) (fetch.Answer, error)
	asked   []time.Duration // when, since the start
	tags    []string
	begun   time.Time
	card    []byte
	saves   int
	full    bool // the card takes nothing
	undated bool
	taken   [][]monitor.Server
	notices []string
	p       *Poller
	stop    func()
}

func (w *web) Get(_ context.Context, tag string, limit int64) (fetch.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, time.Since(w.begun))
	w.tags = append(w.tags, tag)
	if limit != MaxSize {
		w.t.Errorf("at most %d bytes", limit)
	}
	return w.answer(tag)
}

func (w *web) Load() ([]byte, error) {
	if w.card == nil {
		return nil, fs.ErrNotExist
	}
	return w.card, nil
}

func (w *web) Save(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return errors.New("no space")
	}
	w.card = bytes.Clone(b)
	w.saves++
	return nil
}

func (w *web) clock() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now(), !w.undated
}

func (w *web) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

const testURL = "https://lists.example.net/attic.json"

// begin starts a station, whose card is as it was left.
func (w *web) begin() {
	w.begun, w.asked, w.tags, w.taken, w.notices = time.Now(), nil, nil, nil, []string{"none yet"}
	w.p = NewPoller(Options{
		URL: testURL, Document: w, Interval: 15 * time.Minute, Store: w, Clock: w.clock,
		Take:   func(l []monitor.Server) { w.set(func() { w.taken = append(w.taken, l) }) },
		Notice: func(s string) { w.set(func() { w.notices = append(w.notices, s) }) },
		Rand:   func() float64 { return 0.5 },
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { w.p.Run(ctx); close(done) }()
	w.stop = func() { cancel(); <-done }
	synctest.Wait()
}

// pass lets time pass. What was read before is read before what comes.
func (w *web) pass(d time.Duration) {
	w.set(func() {})
	<-time.After(d)
	synctest.Wait()
}

func (w *web) want(state string, servers int, notice string) {
	w.t.Helper()
	s := w.p.Status()
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.notices[len(w.notices)-1]
	if s.State != state || s.Servers != servers || notice == "" && last != "" || !strings.Contains(last, notice) {
		w.t.Errorf("after %v: %s with %d servers, want %s with %d; told %q, want %q", time.Since(w.begun), s.State, s.Servers, state, servers, last, notice)
	}
	if n := len(w.taken); servers > 0 && (n == 0 || len(w.taken[n-1]) != servers) {
		w.t.Errorf("%d lists were taken", n)
	}
}

func inWeb(t *testing.T, f func(w *web)) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{t: t}
		f(w)
		w.stop()
	})
}

func gives(doc, tag string) func(string) (fetch.Answer, error) {
	return func(asked string) (fetch.Answer, error) {
		if asked == tag && tag != "" {
			return fetch.Answer{Unchanged: true, Tag: tag}, nil
		}
		return fetch.Answer{Body: []byte(doc), Tag: tag}, nil
	}
}

func fails(err error) func(string) (fetch.Answer, error) {
	return func(string) (fetch.Answer, error) { return fetch.Answer{}, err }
}

const (
	two   = `{"version": 1, "servers": [{"address": "1.1.1.1"}, {"address": "1.1.1.2"}]}`
	three = `{"version": 1, "servers": [{"address": "1.1.1.1"}, {"address": "1.1.1.2"}, {"address": "192.168.1.1"}]}`
	none  = `{"version": 1, "count": 0, "servers": []}`
)

func TestPoll(t *testing.T) {
	inWeb(t, func(w *web) {
		w.answer = gives(two, `"2"`)
		w.begin()
		w.pass(0)
		w.want(status.AssignmentsNone, 0, "none yet")
		w.pass(startMost)
		w.want(status.AssignmentsCurrent, 2, "")
		w.pass(time.Hour)
		// 15 minutes, never less, and asked for by its tag.
		if len(w.asked) != 4 || w.asked[0] != startMost/2 || w.asked[2]-w.asked[1] < 15*time.Minute || w.tags[3] != `"2"` || w.saves != 1 || len(w.taken) != 1 {
			t.Errorf("asked at %v with %q, saved %d times, taken %d times", w.asked, w.tags, w.saves, len(w.taken))
		}
		if a := *w.p.Status().Age; a < 0 || a > 17*60 {
			t.Errorf("age %v", a)
		}
		// Another list, in which somebody is refused.
		w.set(func() { w.answer = gives(three, "") })
		w.pass(16 * time.Minute)
		w.want(status.AssignmentsCurrent, 3, "1 server is named that no list may name; the first: 192.168.1.1 is a private address")
		if s := w.p.Status(); s.Refused != 1 || s.Failure != "" || *s.Next > 16.5*60 {
			t.Errorf("%+v", s)
		}
		// The same without a tag is nothing new.
		n := len(w.taken)
		w.pass(time.Hour)
		if len(w.taken) != n || w.saves != 2 {
			t.Errorf("taken %d times, saved %d times", len(w.taken)-n, w.saves)
		}
		// None, if that is said.
		w.set(func() { w.answer = gives(none, "") })
		w.pass(16 * time.Minute)
		w.want(status.AssignmentsCurrent, 0, "")
		if len(w.taken[len(w.taken)-1]) != 0 {
			t.Errorf("%+v", w.taken)
		}
		// A day later its age is worth a write.
		saves := w.saves
		w.pass(49 * time.Hour)
		if w.saves != saves+2 {
			t.Errorf("%d writes in two days", w.saves-saves)
		}
	})
}

// Whatever comes instead of a list, the last good one stays.
func TestLastGood(t *testing.T) {
	gone := func(code int) error {
		d := &fetch.StatusError{Code: code}
		return fmt.Errorf("get: %w", d)
	}
	for _, c := range []struct {
		answer func(string) (fetch.Answer, error)
		want   string
	}{
		{gives(`{"version": 1, "servers": [{"address": "a"}, {"name": "x", "address": "b", "port": 70000}]}`, `"bad"`), "not taken: server 2 (x): its port is 70000"},
		{gives(`{"version": 1, "servers": []}`, ""), `it takes "count": 0`},
		{gives(two[:40], ""), "ends in the middle"},
		{gives("", ""), "an empty file"},
		{gives("<html>", ""), "a page for people"},
		{gives(`{"version": 9}`, ""), "of version 9"},
		{fails(gone(404)), "says that there is none (status 404)"}, {fails(gone(410)), "status 410"},
		{fails(gone(401)), "look whether token"}, {fails(gone(403)), "look whether token"}, {fails(gone(429)), "asked too often"}, {fails(gone(500)), "status 500"},
		{fails(fmt.Errorf("x: %w", fetch.ErrTooLarge)), "more than 2097152 bytes"}, {fails(fetch.ErrSlow), "too slow"}, {fails(errors.New("no\x1b[31m route")), "no[31m route"},
	} {
		inWeb(t, func(w *web) {
			w.answer = gives(two, `"2"`)
			w.begin()
			w.pass(startMost)
			w.set(func() { w.answer = c.answer })
			w.pass(20 * time.Minute)
			w.want(status.AssignmentsKept, 2, c.want)
			if last := w.notices[len(w.notices)-1]; !strings.Contains(last, "last good list stays in force, with 2 servers") || w.p.Status().Failure == "" {
				t.Errorf("%q", last)
			}
			if len(w.taken) != 1 || w.saves != 1 {
				t.Errorf("taken %d times, saved %d times", len(w.taken), w.saves)
			}
			// Still bad while it has the same tag.
			w.pass(time.Hour)
			w.want(status.AssignmentsKept, 2, c.want)
			w.set(func() { w.answer = gives(two, `"2"`) })
			w.pass(2 * time.Hour)
			w.want(status.AssignmentsCurrent, 2, "")

			// Nor does it matter to a station that has just started.
			w.stop()
			w.set(func() { w.answer = c.answer })
			w.begin()
			w.want(status.AssignmentsKept, 2, "none yet")
			w.pass(startMost)
			w.want(status.AssignmentsKept, 2, c.want)
			// One that never had a list says so.
			w.stop()
			w.card = nil
			w.begin()
			w.pass(startMost)
			w.want(status.AssignmentsNone, 0, "There is no earlier list")
		})
	}
}

func TestWhenItIsAskedAgain(t *testing.T) {
	inWeb(t, func(w *web) {
		w.answer = fails(errors.New("no route"))
		w.begin()
		w.pass(12 * time.Hour)
		var gaps []time.Duration
		for i := range w.asked[1:] {
			gaps = append(gaps, w.asked[i+1]-w.asked[i])
		}
		// 1, 2, 4 ... 60 minutes, and half of a tenth more.
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			if gaps[i] != want*time.Minute*105/100 {
				t.Errorf("gap %d is %v", i, gaps[i])
			}
		}
		if len(w.notices) < 2 || w.notices[1] != w.notices[2] {
			t.Errorf("told %q", w.notices)
		}
		for _, c := range []struct {
			answer      func(string) (fetch.Answer, error)
			least, most time.Duration
		}{
			{fails(&fetch.StatusError{Code: 503, RetryAfter: 5 * time.Hour}), 5 * time.Hour, 6 * time.Hour},
			{fails(&fetch.StatusError{Code: 503, RetryAfter: 9999 * time.Hour}), 24 * time.Hour, 27 * time.Hour},
			{fails(&fetch.StatusError{Code: 503, RetryAfter: time.Second}), time.Hour, 67 * time.Minute},
			{func(string) (fetch.Answer, error) { return fetch.Answer{Body: []byte(two), Fresh: 3 * time.Hour}, nil }, 3 * time.Hour, 4 * time.Hour},
			{func(string) (fetch.Answer, error) {
				return fetch.Answer{Body: []byte(two), Fresh: 9999 * time.Hour}, nil
			}, 24 * time.Hour, 27 * time.Hour},
			{func(string) (fetch.Answer, error) { return fetch.Answer{Body: []byte(two), Fresh: time.Second}, nil }, 15 * time.Minute, 17 * time.Minute},
		} {
			w.set(func() { w.answer, w.asked = c.answer, nil })
			w.pass(60 * time.Hour)
			n := len(w.asked)
			if gap := w.asked[n-1] - w.asked[n-2]; gap < c.least || gap > c.most {
				t.Errorf("asked again after %v, want %v to %v", gap, c.least, c.most)
			}
		}
	})
}

// A station that does not know the date waits for it, though not for ever, and
// asks as soon as it does.
func TestNoDate(t *testing.T) {
	inWeb(t, func(w *web) {
		w.undated = true
		w.answer = func(string) (fetch.Answer, error) {
			if w.undated {
				return fetch.Answer{}, fmt.Errorf("tls: %w", x509.CertificateInvalidError{Reason: x509.Expired})
			}
			return fetch.Answer{Body: []byte(two)}, nil
		}
		w.begin()
		w.pass(clockWait)
		if len(w.asked) != 0 {
			t.Errorf("asked at %v", w.asked)
		}
		w.pass(startMost)
		w.want(status.AssignmentsNone, 0, "does not know the date yet")
		w.set(func() { w.undated = false })
		w.pass(clockLook)
		w.want(status.AssignmentsCurrent, 2, "")
		if w.p.kept.At.IsZero() {
			t.Error("the list has no date")
		}
		// With one, it starts at once.
		w.stop()
		w.begin()
		w.pass(startMost)
		if len(w.asked) != 1 {
			t.Errorf("asked at %v", w.asked)
		}
		// What was kept is as old as it is, by the date alone.
		w.stop()
		w.set(func() { w.answer = fails(errors.New("no route")) })
		w.pass(10 * time.Hour)
		w.begin()
		if s := w.p.Status(); s.State != status.AssignmentsKept || *s.Age < 10*3600 || *s.Age > 11*3600 {
			t.Errorf("%+v", s)
		}
		w.set(func() { w.undated = true })
		if s := w.p.Status(); s.Age != nil {
			t.Errorf("%v s old by a clock that does not know", *s.Age)
		}
	})
}

func TestKept(t *testing.T) {
	inWeb(t, func(w *web) {
		w.answer = gives(two, `"2"`)
		w.full = true
		w.begin()
		w.pass(startMost)
		w.want(status.AssignmentsCurrent, 2, "")
		if w.card != nil {
			t.Error("a full card took it")
		}
		// Kept as soon as the card takes it.
		w.set(func() { w.full = false })
		w.pass(time.Hour)
		if w.saves != 1 {
			t.Errorf("saved %d times", w.saves)
		}
		w.stop()
		good := bytes.Clone(w.card)
		// In force before anything is asked.
		w.set(func() { w.answer = fails(errors.New("no route")) })
		w.begin()
		w.want(status.AssignmentsKept, 2, "none yet")
		if len(w.asked) != 0 {
			t.Error("asked at once")
		}
		w.pass(startMost)
		if w.tags[0] != `"2"` {
			t.Errorf("asked with %q", w.tags)
		}
		w.stop()
		// What is kept of another URL is another list.
		w.card = bytes.Replace(good, []byte("attic"), []byte("cellar"), 1)
		w.begin()
		w.want(status.AssignmentsNone, 0, "none yet")
		w.stop()
		// Whatever is on the card, it is a list or none.
		for i := range good {
			for _, b := range [][]byte{good[:i], append(bytes.Clone(good[:i]), good[i]^1)} {
				w.card = b
				w.begin()
				if s := w.p.Status(); s.Servers != 2 && s.State != status.AssignmentsNone {
					t.Errorf("%q: %+v", b, s)
				}
				w.stop()
			}
		}
		w.begin()
	})
	if _, err := (kept{Tag: strings.Repeat("x", maxHead)}).bytes(); err == nil {
		t.Error("a head of any length is kept")
	}
	if _, err := parseKept(append([]byte("{}\n"), make([]byte, MaxKept)...)); err == nil {
		t.Error("a file of any length is read")
	}
}
