package flash

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"
)

// Device is an open disk.
type Device interface {
	io.WriterAt
	io.ReaderAt
	Sync() error
	// Forget makes sure that what is read next comes from the medium, not from
	// the system's memory.
	Forget() error
	Close() error
}

// ErrLies says that a card does not hold what was written to it.
var ErrLies = errors.New("the card does not hold what was written to it: it is worn out or not as large as it says; take another")

// Step is what a long operation is doing.
type Step struct {
	Verifying   bool
	Done, Total int64 // bytes; Total is 0 where it is not known yet
	Rate        float64
	Left        time.Duration // 0: not known
}

// Job is one card to be written.
type Job struct {
	Image io.Reader // the unpacked image
	// Total is the size of the image in bytes; 0: not known.
	Total int64
	Now   func() time.Time
	// Report is called about once a second, and at the end of either half.
	Report func(Step)
}

// Written is what is on a card now.
type Written struct {
	Size int64
	SHA  [sha256.Size]byte
}

// chunk is how much is written and read at once: a multiple of what cards erase.
const chunk = 4 << 20

// Write writes an image, all of it: zeros too, because a card that had an
// identity must not keep it. It then reads back what it wrote and compares.
func (j Job) Write(ctx context.Context, d Device) (Written, error) {
	w, err := j.write(ctx, d)
	if err != nil {
		return Written{}, err
	}
	if err := d.Sync(); err != nil {
		return Written{}, fmt.Errorf("writing to the card: %w", err)
	}
	if err := d.Forget(); err != nil {
		return Written{}, fmt.Errorf("before reading the card: %w", err)
	}
	return w, j.verify(ctx, d, w)
}

func (j Job) write(ctx context.Context, d Device) (Written, error) {
	var w Written
	sum, meter, buf := sha256.New(), j.meter(false, j.Total), make([]byte, chunk)
	for {
		if err := ctx.Err(); err != nil {
			return w, fmt.Errorf("stopped after %d MiB: the card is not usable: %w", w.Size>>20, err)
		}
		n, err := io.ReadFull(j.Image, buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return w, err
		}
		if n > 0 {
			sum.Write(buf[:n])
			if _, err := d.WriteAt(buf[:n], w.Size); err != nil {
				return w, fmt.Errorf("writing to the card, after %d MiB: %w", w.Size>>20, err)
			}
			w.Size += int64(n)
			meter.at(w.Size)
		}
		if err != nil {
			break
		}
	}
	if w.Size == 0 {
		return w, errors.New("the image is empty")
	}
	meter.end(w.Size)
	w.SHA = [sha256.Size]byte(sum.Sum(nil))
	return w, nil
}

func (j Job) verify(ctx context.Context, d Device, w Written) error {
	sum, meter, buf := sha256.New(), j.meter(true, w.Size), make([]byte, chunk)
	for at := int64(0); at < w.Size; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped: the card was written, but not verified: %w", err)
		}
		n := min(chunk, w.Size-at)
		if got, err := d.ReadAt(buf[:n], at); int64(got) < n {
			return fmt.Errorf("%w (reading back, after %d MiB: %w)", ErrLies, at>>20, errors.Join(err, io.ErrUnexpectedEOF))
		}
		sum.Write(buf[:n])
		at += n
		meter.at(at)
	}
	meter.end(w.Size)
	if [sha256.Size]byte(sum.Sum(nil)) != w.SHA {
		return ErrLies
	}
	return nil
}

// meter reports how far a half is.
type meter struct {
	job         Job
	step        Step
	start, last time.Time
}

func (j Job) meter(verifying bool, total int64) *meter {
	now := j.Now()
	return &meter{job: j, step: Step{Verifying: verifying, Total: total}, start: now, last: now}
}

func (m *meter) at(done int64) {
	if now := m.job.Now(); now.Sub(m.last) >= time.Second {
		m.report(done, now)
	}
}

func (m *meter) end(done int64) {
	m.step.Total = done
	m.report(done, m.job.Now())
}

func (m *meter) report(done int64, now time.Time) {
	m.last, m.step.Done, m.step.Left = now, done, 0
	if took := now.Sub(m.start).Seconds(); took > 0 {
		m.step.Rate = float64(done) / took
		if m.step.Total > done {
			m.step.Left = time.Duration(float64(m.step.Total-done) / m.step.Rate * float64(time.Second)).Round(time.Second)
		}
	}
	m.job.Report(m.step)
}

// String is a step for a person who watches it.
func (s Step) String() string {
	what := "writing"
	if s.Verifying {
		what = "verifying"
	}
	text := fmt.Sprintf("%s: %d MiB", what, s.Done>>20)
	if s.Total > 0 {
		text = fmt.Sprintf("%s: %d of %d MiB", what, s.Done>>20, s.Total>>20)
	}
	if s.Rate > 0 {
		text += fmt.Sprintf(", %.1f MB/s", s.Rate/1e6)
	}
	if s.Left > 0 {
		text += fmt.Sprintf(", %v left", s.Left)
	}
	return text
}
