package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) lines(with string) (list []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range strings.Split(j.b.String(), "\n") {
		if l != "" && strings.Contains(l, with) {
			list = append(list, l)
		}
	}
	return list
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func TestNotesByTopic(t *testing.T) {
	n := newNotes([]string{"z, known at the start"}, slog.New(slog.DiscardHandler))
	n.set("pulse", "no pulse")
	n.set("network", "no cable")
	n.set("pulse", "no line")
	n.say(slog.LevelWarn, "log", "not for the page")
	if got, want := n.list(), []string{"z, known at the start", "no cable", "no line"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	n.set("network", "")
	if got, want := n.list(), []string{"z, known at the start", "no line"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLogIsNotFlooded: a day of a fault that is noticed every five seconds.
func TestLogIsNotFlooded(t *testing.T) {
	for name, c := range map[string]struct {
		text        func(i int) string
		least, most int // lines of the log
	}{
		"the same all day":  {func(int) string { return "no line" }, 1, 1},
		"now one, now both": {func(i int) string { return []string{"no line", "no port"}[i%2] }, 10, 40},
		"it comes and goes": {func(i int) string { return []string{"no line", ""}[i%2] }, 20, 70},
		"another each time": {func(i int) string { return strings.Repeat("x", i%1000+1) }, 10, 40},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				n := newNotes(nil, j.log())
				for i := range 24 * 720 {
					n.set("topic", c.text(i))
					time.Sleep(5 * time.Second)
				}
				if got := len(j.lines("")); got < c.least || got > c.most {
					t.Errorf("%d lines, want %d to %d", got, c.least, c.most)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var j journal
		n := newNotes(nil, j.log())
		for i := range 720 { // an hour of coming and going
			n.set("topic", []string{"no line", ""}[i%2])
			time.Sleep(5 * time.Second)
		}
		was := len(j.lines("level=WARN"))
		time.Sleep(3 * time.Hour)
		// A fault after hours of peace is news, and so is the next one.
		n.set("topic", "no port")
		n.set("topic", "")
		time.Sleep(sayAgain)
		n.set("topic", "no port")
		if got := len(j.lines("level=WARN msg=\"no port\" about=topic")); got != 2 || was > 10 {
			t.Errorf("said %d times, after %d times before", got, was)
		}
		if got := len(j.lines("over: no port")); got != 1 {
			t.Errorf("its end is said %d times", got)
		}
	})
}

func TestPartIsBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		n := newNotes(nil, j.log())
		p := &parts{notes: n}
		begun := time.Now()
		var runs []time.Duration
		p.keep(ctx, "toaster", func(ctx context.Context) error {
			runs = append(runs, time.Since(begun))
			switch len(runs) {
			case 1:
				return errors.New("burnt")
			case 2:
				panic("on fire")
			}
			<-ctx.Done()
			return nil
		})
		other := false
		p.keep(ctx, "kettle", func(ctx context.Context) error {
			<-ctx.Done()
			other = true
			return ctx.Err()
		})

		time.Sleep(time.Second)
		if got := n.list(); len(got) != 1 || !strings.Contains(got[0], "the toaster, failed and was begun anew: burnt") {
			t.Errorf("notes %q", got)
		}
		time.Sleep(again)
		if got := n.list(); len(got) != 1 || !strings.Contains(got[0], "panic: on fire") {
			t.Errorf("notes %q", got)
		}
		if len(j.lines("parts_test.go")) == 0 {
			t.Error("the log does not say where it panicked")
		}
		time.Sleep(again + steady)
		if got := n.list(); len(got) != 0 {
			t.Errorf("after a minute of work: %q", got)
		}
		cancel()
		p.running.Wait()
		if want := []time.Duration{0, again, 2 * again}; !slices.Equal(runs, want) {
			t.Errorf("begun at %v, want %v", runs, want)
		}
		if !other {
			t.Error("the other part went with it")
		}
		if got := n.list(); len(got) != 0 {
			t.Errorf("the end is told as a fault: %q", got)
		}
	})
}

func TestPartThatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{notes: newNotes(nil, slog.New(slog.DiscardHandler))}
		runs := 0
		p.keep(t.Context(), "note", func(context.Context) error { runs++; return nil })
		p.running.Wait()
		if runs != 1 {
			t.Errorf("run %d times", runs)
		}
	})
}
