package byhand

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/monitor"
)

// window is how many measurements with one address are looked back upon.
const window = 64

// text presents answers to people: a line each, and a summary of every address
// at the end.
type text struct {
	out   io.Writer
	width int
	order []*summary
	of    map[*subject]*summary
	last  answer
}

// summary is what is kept of the answers of one address.
type summary struct {
	s              *subject
	sent, answered int
	results        []monitor.Finding // each once, in the order of coming
	counts         map[monitor.Finding]int
	warnings       []monitor.Warning
	samples        []sample // the last of them
	reply          *monitor.Exchange
}

type sample struct {
	measured
	seq int
}

func newText(out io.Writer, list []subject) *text {
	t := &text{out: out, of: map[*subject]*summary{}}
	for i := range list {
		s := &summary{s: &list[i], counts: map[monitor.Finding]int{}}
		t.order = append(t.order, s)
		t.of[s.s] = s
		t.width = max(t.width, utf8.RuneCountInString(s.s.label))
	}
	return t
}

func (t *text) answer(a answer) error {
	t.of[a.of].add(a)
	t.last = a
	_, err := fmt.Fprintf(t.out, "%-*s  %3d  %s\n", t.width, a.of.label, a.seq, line(a))
	return err
}

// line is one exchange.
func line(a answer) string {
	x := &a.x
	m, ok := measure(x)
	if x.Finding != monitor.FindingOK || !ok {
		s := string(x.Finding)
		if x.Detail != "" {
			s += ": " + x.Detail
		}
		if x.Finding == monitor.FindingNegativeDelay || x.Finding == monitor.FindingProc {
			s += ": it says that it worked on the request for longer than its reply took to come"
		}
		return s
	}
	reference := ""
	if r := referenceText(x); r != "" {
		reference = " " + r
	}
	s := fmt.Sprintf("ok  offset %14s ± %-8s  delay %-8s  stratum %d%s  %s, %s stamps",
		signed(m.offset, m.bound), within(m.bound), seconds(m.delay), x.Stratum, reference, mode(x), stamps(x))
	for i, w := range a.warnings {
		s += map[bool]string{true: "  ! ", false: ", "}[i == 0] + string(w)
	}
	return s
}

func (s *summary) add(a answer) {
	x := &a.x
	switch x.Finding {
	case monitor.FindingSendError, monitor.FindingInternal:
	default:
		if x.Outcome != monitor.OutcomeResolveError {
			s.sent++
		}
	}
	if replied(x) || x.Finding == monitor.FindingShort {
		s.answered++
	}
	if s.counts[x.Finding]++; s.counts[x.Finding] == 1 {
		s.results = append(s.results, x.Finding)
	}
	for _, w := range a.warnings {
		if !slices.Contains(s.warnings, w) {
			s.warnings = append(s.warnings, w)
		}
	}
	if replied(x) {
		s.reply = x
	}
	if x.Finding != monitor.FindingOK {
		return
	}
	if x.Before != nil {
		if m, ok := measure(x.Before); ok {
			s.anew(sample{m, a.seq - 1})
		}
	}
	if m, ok := measure(x); ok {
		s.samples = append(s.samples, sample{m, a.seq})
		if len(s.samples) > window {
			s.samples = slices.Delete(s.samples, 0, 1)
		}
	}
}

// anew puts what is now known of an exchange into the place of what was.
func (s *summary) anew(n sample) {
	for i := range s.samples {
		if s.samples[i].seq == n.seq && n.delay <= s.samples[i].delay {
			s.samples[i] = n
		}
	}
}

// best is the measurement of least delay, which leaves least open, and jitter the
// root of the mean square of what the others differ from it by, ns; NaN for one.
func (s *summary) best() (best sample, jitter float64) {
	best = slices.MinFunc(s.samples, func(a, b sample) int { return int(max(min(a.delay-b.delay, 1), -1)) })
	var sum float64
	for _, o := range s.samples {
		d := float64(o.offset - best.offset)
		sum += d * d
	}
	return best, math.Sqrt(sum / float64(len(s.samples)-1))
}

func (t *text) end() error {
	var b strings.Builder
	measured := false
	for _, s := range t.order {
		s.write(&b)
		measured = measured || len(s.samples) > 0
	}
	if measured {
		fmt.Fprint(&b, "\nOffsets are against this machine's own clock. ")
		if t.last.refKnown {
			fmt.Fprintf(&b, "The kernel says that it is within %s of true time.\n", health.Within(t.last.uref))
		} else {
			fmt.Fprint(&b, "The kernel does not say that it is synchronized,\nso an offset does not tell which of the two clocks is wrong.\n")
		}
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

func (s *summary) write(b *strings.Builder) {
	if len(s.results) == 0 || s.s.fail != nil {
		return // there is no more to say than was said
	}
	field := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-8s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(b, "\n%s\n", s.s.label)
	lost := ""
	if s.sent > s.answered {
		lost = fmt.Sprintf(", %.3g %% lost", 100*float64(s.sent-s.answered)/float64(s.sent))
	}
	var results []string
	for _, f := range s.results {
		results = append(results, fmt.Sprintf("%d %s", s.counts[f], f))
	}
	field("requests", "%d sent, %d answered%s: %s", s.sent, s.answered, lost, strings.Join(results, ", "))
	if len(s.samples) > 0 {
		best, jitter := s.best()
		where := "neither ahead of this machine's clock nor behind it"
		switch {
		case best.offset > 0:
			where = precise(best.offset, best.bound) + " ahead of this machine's clock"
		case best.offset < 0:
			where = precise(-best.offset, best.bound) + " behind this machine's clock"
		}
		field("offset", "%s, ± %s whatever the path did", where, within(best.bound))
		of := fmt.Sprintf("best of %d, with a delay of %s", len(s.samples), seconds(best.delay))
		if !math.IsNaN(jitter) {
			of += ", jitter " + health.Seconds(jitter/1e9, 3)
		}
		field("", "(%s)", of)
	}
	if s.reply != nil {
		s.writeServer(field)
	}
	switch {
	case s.counts[monitor.FindingKissDeny]+s.counts[monitor.FindingKissRestrict] > 0:
		field("note", "it refuses to serve this machine, and was asked no more")
	case s.counts[monitor.FindingKissRate] > 0:
		field("note", "it wants to be asked less often, and was")
	}
	for _, w := range s.warnings {
		field("warning", "%s: %s", w, said(w))
	}
}

// writeServer is what the server says of itself, by its last reply.
func (s *summary) writeServer(field func(name, format string, args ...any)) {
	x := s.reply
	parts := []string{fmt.Sprintf("stratum %d", x.Stratum)}
	switch r := referenceText(x); {
	case x.Kiss != "":
		parts = append(parts, "kiss code "+x.Kiss)
	case r != "" && x.Stratum >= 2:
		parts = append(parts, "follows "+r)
	case r != "":
		parts = append(parts, "reference "+r)
	}
	parts = append(parts,
		[...]string{"no leap second", "a leap second more ahead", "a leap second less ahead", "clock not set (leap indicator 3)"}[x.Leap&3],
		fmt.Sprintf("version %d", x.Version), "precision "+health.Seconds(math.Ldexp(1, int(x.Precision)), 2))
	if x.TTL != 0 {
		parts = append(parts, fmt.Sprintf("TTL %d on arrival", x.TTL))
	}
	field("server", "%s", strings.Join(parts, ", "))
	if x.Outcome != monitor.OutcomeOK {
		return // of a server that has no time to give, or gives none
	}
	set := "does not say when its clock was set"
	switch age, known := x.ReferenceAge(); {
	case known && age < 0:
		set = "its clock was set " + health.Seconds(age, 3) + " after it answered"
	case known:
		set = "its clock was set " + health.Span(age) + " ago"
	}
	field("", "by its own word within %s of true time (root delay %s, root dispersion %s); %s",
		health.Within(x.RootDistance()), health.Seconds(x.RootDelay, 3), health.Seconds(x.RootDispersion, 3), set)
}

// said is a warning for people.
func said(w monitor.Warning) string {
	switch w {
	case monitor.WarnReftimeZero:
		return "it does not say when its clock was last set"
	case monitor.WarnReftimeFuture:
		return "it says that its clock was set after it answered"
	case monitor.WarnStaleRef:
		return "its clock was last set more than 36 hours before"
	case monitor.WarnVersionLow:
		return "it answers in an older version of NTP than it was asked in"
	case monitor.WarnLeapPending:
		return "it announces a leap second"
	case monitor.WarnRootDistance:
		return fmt.Sprintf("by its own word it may be more than %s from true time", health.Seconds(monitor.MostRootDistance, 2))
	case monitor.WarnTooWide:
		return fmt.Sprintf("half the delay is more than %s: an offset within that cannot be told from the path's doing", health.Seconds(monitor.DefaultLimit, 2))
	case monitor.WarnLoop:
		return "it seems to follow this machine, whose time it gives back"
	}
	return "see docs/probe.md"
}

func seconds(ns int64) string { return health.Seconds(float64(ns)/1e9, 3) }
func within(ns int64) string  { return health.Within(float64(ns) / 1e9) }

func signed(ns, bound int64) string {
	switch {
	case ns < 0:
		return "−" + precise(-ns, bound)
	case ns > 0:
		return "+" + precise(ns, bound)
	}
	return precise(ns, bound)
}

// precise writes a length of time that is not negative with as many decimals as
// may mean something beside its bound.
func precise(ns, bound int64) string {
	unit, name := 1.0, "ns"
	switch {
	case ns >= 1e9:
		unit, name = 1e9, "s"
	case ns >= 1e6:
		unit, name = 1e6, "ms"
	case ns >= 1e3:
		unit, name = 1e3, "µs"
	}
	// The last digit is a thousandth of the bound's first: most paths are far
	// more even than the bound has to allow for.
	last := math.Floor(math.Log10(math.Max(float64(bound), 1))) - 3
	decimals := int(math.Log10(unit) - math.Max(last, 0))
	return fmt.Sprintf("%.*f %s", max(decimals, 0), float64(ns)/unit, name)
}
