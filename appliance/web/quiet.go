package web

import (
	"bytes"
	"log"
	"log/slog"
	"sync"
	"time"
)

// complaints is how often net/http may say something.
const complaints = time.Minute

// quiet hands what net/http logs on to the station's log, one line a minute:
// with some of it clients choose how often it is said.
type quiet struct {
	to  *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	last    time.Time
	dropped int
}

func newQuiet(to *slog.Logger, now func() time.Time) *log.Logger {
	return log.New(&quiet{to: to, now: now}, "", 0)
}

// Write implements io.Writer.
func (q *quiet) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if !q.last.IsZero() && now.Sub(q.last) < complaints {
		q.dropped++
		return len(b), nil
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	q.to.Warn("page", "error", string(line[:min(len(line), maxReason)]), "unsaid", q.dropped)
	q.last, q.dropped = now, 0
	return len(b), nil
}
