package health

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestLiveness(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	l := NewLiveness(func() time.Time { return now })
	if err := l.Check(now.Add(time.Hour)); err != nil {
		t.Fatalf("nothing is watched, yet: %v", err)
	}
	l.Watch("schedule", 10*time.Second)
	l.Watch("page", 5*time.Second)
	after := func(d time.Duration) { now = now.Add(d) }
	late := func(want string) {
		t.Helper()
		err := l.Check(now)
		var e *LateError
		switch {
		case want == "" && err != nil:
			t.Errorf("Check = %v, want nil", err)
		case want != "" && (!errors.As(err, &e) || e.Name != want):
			t.Errorf("Check = %v, want %s to be late", err, want)
		}
	}

	after(5 * time.Second)
	late("") // exactly as old as allowed
	after(time.Second)
	late("page") // never beaten: the age counts from Watch
	l.Beat("page")
	late("")
	after(5 * time.Second)
	late("schedule")
	after(time.Second)
	late("schedule") // both are late: the first watched is named
	if got, want := l.Check(now).Error(), "schedule has not moved for 12 s, 10 s is the longest allowed"; got != want {
		t.Errorf("Check says %q, want %q", got, want)
	}
	l.Beat("schedule")
	late("page")
	l.Forget("page")
	l.Beat("page") // not watched any more: ignored
	late("")
	l.Watch("schedule", time.Minute)
	after(time.Minute)
	late("")
	after(time.Second)
	late("schedule")
	if err := l.Check(now.Add(-time.Hour)); err != nil {
		t.Errorf("an instant before the last beat is not late: %v", err)
	}
}

func TestLivenessFromManySides(t *testing.T) {
	l := NewLiveness(time.Now)
	l.Watch("a", time.Hour)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				l.Beat("a")
				if err := l.Check(time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
