package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	// gather is how often records are put into the form of the card, flushEvery how
	// often they are brought there.
	gather     = 5 * time.Second
	flushEvery = time.Minute
	// flushAt is how much waits for the flush at the most, bytes.
	flushAt = 256 << 10
	// giveUp is how many flushes in a row may fail before the segment is given up:
	// the card may have a place that takes no more writes.
	giveUp = 5
	// stuck is how long the card may take for a write.
	stuck = 2 * time.Minute
	batch = 64 // records
)

// Run writes what is put until ctx ends, and all of it then. Nothing that the card
// does ends it. It may be called again after it has returned.
func (j *Journal) Run(ctx context.Context) error {
	w := &writer{j: j}
	tick := time.NewTicker(gather)
	defer tick.Stop()
	for n := 0; ; n++ {
		w.step(n%int(flushEvery/gather) == 0)
		select {
		case <-ctx.Done():
			return w.end()
		case <-tick.C:
		}
	}
}

// writer is the one that writes.
type writer struct {
	j      *Journal
	s      *store
	failed [2]int // flushes of records and of roll-ups, in a row
	told   string
	list   [batch]Record
	have   []Record // taken, and not in the store's buffer yet
	own    []Minute // likewise
	gap    uint64   // exchanges to be noted as missing
	hours  hours
}

// step does what is due.
func (w *writer) step(flush bool) {
	w.j.busy.Store(w.j.cfg.Now())
	defer w.j.busy.Store(0)
	if w.s == nil {
		if !flush {
			return
		}
		if err := w.open(); err != nil {
			w.problem("cannot be opened", err)
			return
		}
	}
	err := w.gather(false)
	if flush {
		err = w.flush(err)
	}
	switch {
	case err != nil:
		w.problem("cannot be written", err)
	case flush:
		w.problem("", nil)
	}
}

func (w *writer) open() error {
	dir, most, err := w.j.cfg.Open()
	if err != nil {
		return err
	}
	s, problems, err := openStore(dir, most, w.j.cfg.Random(), w.j.cfg.Random)
	for _, p := range problems {
		w.j.cfg.Log.Warn("a file of the journal cannot be used", "error", p)
	}
	if err != nil {
		return err
	}
	w.s, w.hours = s, hours{s: s}
	w.hours.begin()
	w.j.store.Store(s)
	return nil
}

// gather moves what is ready from the queue into the buffers.
func (w *writer) gather(all bool) error {
	j := w.j
	for {
		if len(w.have) == 0 {
			w.have = w.list[:j.take(w.list[:], all)]
		}
		if len(w.have) == 0 {
			break
		}
		for len(w.have) > 0 {
			if err := w.s.add(&w.have[0]); err != nil {
				return err
			}
			w.have = w.have[1:]
			j.count(func(c *Counts) { c.Records++ })
		}
		if w.s.records.unflushed() >= flushAt {
			if err := w.s.flush(false); err != nil {
				return err
			}
		}
	}
	j.mu.Lock()
	w.gap += j.missed
	j.missed = 0
	if len(w.own) == 0 {
		w.own, j.minutes = j.minutes, nil
	}
	j.mu.Unlock()
	for len(w.own) > 0 {
		if err := w.s.addMinute(&w.own[0]); err != nil {
			return err
		}
		w.own = w.own[1:]
	}
	if w.gap > 0 {
		if err := w.s.addGap(w.gap); err != nil {
			return err
		}
		w.gap = 0
	}
	return nil
}

// flush brings to the card what is due; gathered is what stopped gather. A segment
// that takes no more writes is given up, not one for the other's fault.
func (w *writer) flush(gathered error) error {
	now := w.j.cfg.Now()
	ref := w.j.cfg.Reference(now, "")
	if ref.Known {
		w.s.keep(ref.UTC)
	}
	err := gathered
	if err == nil {
		err = w.s.flush(false)
	}
	if w.tooOften(0, err) {
		again, own := w.s.records.abandon()
		w.j.count(func(c *Counts) { c.Records -= uint64(len(again)) })
		w.have, w.own = append(again, w.have...), append(own, w.own...)
	}
	if err != nil || !ref.Known {
		return err
	}
	err = w.hours.roll(ref.UTC)
	if err == nil {
		err = w.s.rollups.flush(true)
	}
	if w.tooOften(1, err) {
		w.s.rollups.abandon()
		w.hours.begin()
	}
	return errors.Join(err, w.s.anchor(now, ref.UTC))
}

// tooOften counts failures in a row.
func (w *writer) tooOften(what int, err error) bool {
	if err == nil {
		w.failed[what] = 0
	} else if w.failed[what]++; w.failed[what] == giveUp {
		w.failed[what] = 0
		return true
	}
	return false
}

// end writes all there is.
func (w *writer) end() error {
	if w.s == nil {
		return nil
	}
	err := w.gather(true)
	if err == nil {
		now := w.j.cfg.Now()
		if ref := w.j.cfg.Reference(now, ""); ref.Known {
			err = w.s.anchor(now, ref.UTC)
		}
	}
	w.j.store.Store(nil)
	if e := w.s.close(); err == nil {
		err = e
	}
	if err != nil {
		w.problem("cannot be written", err)
	}
	return nil
}

// problem tells people how it is; what is empty when all is well.
func (w *writer) problem(what string, err error) {
	text := ""
	if what != "" {
		text = fmt.Sprintf("The journal of exchanges %s: %v. The station goes on without; replace the card if this lasts.", what, err)
	}
	w.j.mu.Lock()
	w.j.problem = text
	w.j.mu.Unlock()
	if text == w.told {
		return
	}
	level, say := slog.LevelWarn, text
	if text == "" {
		level, say = slog.LevelInfo, "the journal of exchanges is written again"
	}
	w.told = text
	w.j.cfg.Log.Log(context.Background(), level, say)
}

func (j *Journal) count(f func(*Counts)) {
	j.mu.Lock()
	f(&j.counts)
	j.mu.Unlock()
}
