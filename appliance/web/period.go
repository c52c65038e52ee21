package web

import (
	"context"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/truechimer/truechimer/monitor/journal"
)

const (
	// minutesOver is how long a period may be for minutes to be read of it: they lie
	// among the exchanges, of which a day is some ten megabytes. Of longer ones hours are.
	minutesOver = 26 * time.Hour
	// partsMost is how many parts a period is put together to.
	partsMost = 500
	// closest is the shortest period.
	closest = 10 * time.Minute
)

// spanOf is a period up to now that has a name.
type spanOf struct {
	key, name string
	long      time.Duration
}

var spans = []spanOf{
	{"hours", "6 hours", 6 * time.Hour}, {"day", "A day", 24 * time.Hour}, {"week", "A week", 7 * 24 * time.Hour},
	{"month", "30 days", 30 * 24 * time.Hour}, {"year", "A year", 366 * 24 * time.Hour},
}

// spanLinks lead to the page at path about each of them; key is the one that it is about.
func spanLinks(path string, key string) (list []link) {
	for _, one := range spans {
		list = append(list, link{one.name, path + "?span=" + one.key, one.key == key})
	}
	return list
}

// period is the time that a page is about, in parts of one length.
type period struct {
	from, to time.Time
	part     time.Duration // whole minutes or whole hours
}

// newPeriod is the one between two instants, as far as anything may be kept of it.
func newPeriod(from, to time.Time) period {
	if least := to.Add(-journal.KeepRollups); from.Before(least) {
		from = least
	}
	if to.Sub(from) < closest {
		from = to.Add(-closest)
	}
	s, unit, counts := period{from: from, to: to}, time.Minute, []time.Duration{1, 2, 3, 5}
	if to.Sub(from) > minutesOver {
		unit, counts = time.Hour, []time.Duration{1, 2, 3, 4, 6, 12, 24}
	}
	for _, n := range counts {
		if s.part = n * unit; to.Sub(from) <= partsMost*s.part {
			break
		}
	}
	return s
}

// hours says whether hours are read of it, not what they were made of.
func (s period) hours() bool { return s.part >= time.Hour }

func (s period) long() time.Duration { return s.to.Sub(s.from) }

// read puts together what was kept of the reference: a sum for each part of which there
// is anything, and the sum of all. Where minutes are not kept any more hours may be.
func (s *period) read(ctx context.Context, h History) (parts []*journal.ReferenceHour, all *journal.ReferenceHour, err error) {
	if parts, all, err = s.sum(ctx, h); err == nil && all.Minutes == 0 && !s.hours() {
		s.part = time.Hour
		return s.sum(ctx, h)
	}
	return parts, all, err
}

func (s period) sum(ctx context.Context, h History) (parts []*journal.ReferenceHour, all *journal.ReferenceHour, err error) {
	first := s.from.Truncate(s.part)
	n := int(s.to.Sub(first)/s.part) + 1
	sums, total := make([]*journal.ReferenceSum, n), journal.NewReferenceSum(first)
	of := func(at time.Time) *journal.ReferenceSum {
		i := int(at.Sub(first) / s.part)
		if at.Before(first) || i >= n {
			return nil
		}
		if sums[i] == nil {
			sums[i] = journal.NewReferenceSum(first.Add(time.Duration(i) * s.part))
		}
		return sums[i]
	}
	q := journal.Query{From: first, To: s.to}
	if !s.hours() {
		_, err = h.Minutes(ctx, q, func(m *journal.Minute) error {
			if sum := of(m.Time); sum != nil {
				credible(&m.Offsets, &m.Uncertainty, &m.Frequency, &m.Temperature)
				sum.Minute(m)
				total.Minute(m)
			}
			return nil
		})
	} else {
		err = h.ReferenceHours(ctx, q, func(r *journal.ReferenceHour) error {
			if sum := of(r.Hour); sum != nil {
				credible(&r.Offsets, &r.Uncertainty, &r.Frequency, &r.Temperature)
				sum.Hour(r)
				total.Hour(r)
			}
			return nil
		})
	}
	if err != nil {
		return nil, nil, err
	}
	parts = make([]*journal.ReferenceHour, n)
	for i, sum := range sums {
		if sum != nil {
			parts[i] = sum.Value()
		}
	}
	return parts, total.Value(), nil
}

// credible leaves out what no reference was ever like, whatever the card says.
func credible(o *journal.Offsets, uncertainty, frequency, temperature *float64) {
	for _, v := range [...]struct {
		of          *float64
		least, most float64
	}{
		{&o.Mean, -plotMost, plotMost}, {&o.Least, -plotMost, plotMost}, {&o.Greatest, -plotMost, plotMost}, {&o.Jitter, 0, plotMost},
		{uncertainty, 0, plotMost}, {frequency, -1e4, 1e4}, {temperature, -100, 200},
	} {
		if !(*v.of >= v.least && *v.of <= v.most) {
			*v.of = math.NaN()
		}
	}
}

// periodOf is what a reader asks for, and the key of the span if it is one: a day up to
// now, where that is nothing that can be shown.
func periodOf(v url.Values, now time.Time) (s period, key string) {
	from, okFrom := wholeSeconds(v.Get("from"))
	to, okTo := wholeSeconds(v.Get("to"))
	if okFrom && okTo && from.Before(to) && from.Before(now) {
		if to.After(now) {
			to = now
		}
		return newPeriod(from, to), ""
	}
	span := spans[1]
	for _, one := range spans {
		if one.key == v.Get("span") {
			span = one
		}
	}
	return newPeriod(now.Add(-span.long), now), span.key
}

func wholeSeconds(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0).UTC(), err == nil && n > 0 && n < math.MaxInt32*2
}

// address is that of the page at path about the period.
func (s period) address(path string) string {
	return path + "?from=" + strconv.FormatInt(s.From(), 10) + "&to=" + strconv.FormatInt(s.To(), 10)
}

// From and To, seconds since the epoch, are for the script that looks closer.
func (s period) From() int64 { return s.from.Unix() }
func (s period) To() int64   { return s.to.Unix() }

// ways lead from it to others: before and after it, closer and wider.
func (s period) ways(path string, now time.Time) (list []link) {
	half, quarter := s.long()/2, s.long()/4
	add := func(name string, from, to time.Time) {
		if to.After(now) {
			from, to = from.Add(now.Sub(to)), now
		}
		if next := newPeriod(from, to); next.From() != s.From() || next.To() != s.To() {
			list = append(list, link{Name: name, Href: next.address(path)})
		}
	}
	add("Earlier", s.from.Add(-half), s.to.Add(-half))
	add("Later", s.from.Add(half), s.to.Add(half))
	if s.long() > closest {
		add("Closer", s.from.Add(quarter), s.to.Add(-quarter))
	}
	add("Wider", s.from.Add(-half), s.to.Add(half))
	return list
}
