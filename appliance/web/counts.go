package web

import (
	"reflect"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/truechimer/truechimer/appliance/status"
)

// tallied is one count. What tells of a fault is shown only if it is not zero.
type tallied struct {
	name, note string
	n          uint64
	fault      bool
}

// referenceCounts is nothing until something came in.
func referenceCounts(c status.Counters) []fact {
	if c == (status.Counters{}) {
		return nil
	}
	return shown([]tallied{
		{"Fixes", "times that the receiver named the second", c.Fixes, false},
		{"Fixes not valid", "the receiver did not vouch for them", c.FixesInvalid, true},
		{"Fixes that cannot be", "they named a time that makes no sense", c.FixesImplausible, true},
		{"Damaged sentences", "dropped for a wrong checksum, or cut short", c.Checksum, true},
		{"Bytes of noise", "what the receiver's line brought and no receiver says", c.NoiseBytes, true},
		{"Pulses", "", c.Pulses, false},
		{"Pulses used", "", c.PulsesUsed, false},
		{"Pulses not numbered", "while no fix said which seconds they mark", c.PulsesUnnumbered, true},
		{"Doubled pulses", "between the seconds, left out", c.PulsesDoubled, true},
		{"Missing pulses", "they should have come and did not", c.PulsesMissing, true},
		{"Lost pulses", "the line had them, the station did not read them in time", c.PulsesLost, true},
		{"Votes", "what servers said of the time", c.Votes, false},
		{"Vetoes", "times that the servers outvoted the receiver", c.Vetoes, true},
	})
}

// probeCounts is nothing until a server was asked.
func probeCounts(c status.Probe) []fact {
	c.Outcomes = nil
	if reflect.DeepEqual(c, status.Probe{}) {
		return nil
	}
	return shown([]tallied{
		{"Requests", "", c.Exchanges, false},
		{"Stray packets", "they answered no request and were left out", c.Strays, true},
		{"Without kernel stamps", "timed less exactly, by this program", c.Unstamped, true},
		{"Void", "the station's own clock was set meanwhile", c.Voided, true},
		{"Late replies", "they came after their request had been given up", c.Late, true},
		{"Replies that came twice", "", c.Duplicates, true},
		{"Foreign packets", "from where nothing was expected, left out", c.Foreign, true},
		{"Lost in the station", "packets that found its buffer full", c.Dropped, true},
		{"Doubted stamps", "of a network card; the kernel's were taken", c.Doubted, true},
		{"Faults of this program", "replies that it could not bear; caught, not held against the server", c.Panics, true},
	})
}

// journalCounts is nothing where there is no journal.
func journalCounts(j *status.Journal) []fact {
	if j == nil {
		return nil
	}
	return shown([]tallied{
		{"Exchanges kept", "in the journal on the card", j.Records, false},
		{"Exchanges not kept", "the card would not take them in time", j.Dropped, true},
	})
}

func shown(list []tallied) []fact {
	var facts []fact
	for _, t := range list {
		if t.n > 0 || !t.fault {
			facts = append(facts, fact{t.name, grouped(t.n), t.note})
		}
	}
	return facts
}

// grouped sets a thin space before every third digit from the end.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// The counters. Those with a result do not add up to all that came: missing and
// lost pulses never came, and one that was not numbered at first may be used.
var (
	fixesTotal  = describe("gnss_fixes_total", "Times that the receiver named the second, by what became of it.", "result")
	damageTotal = describe("gnss_sentences_dropped_total", "Sentences from the receiver that were damaged.")
	noiseTotal  = describe("gnss_noise_bytes_total", "Bytes from the receiver's line that were no sentence.")
	edgesTotal  = describe("pps_edges_total", "Pulses that came.")
	pulsesTotal = describe("pps_pulses_total", "Pulses by what became of them; those missing and lost never came, those not numbered at first may be used later.", "result")
	votesTotal  = describe("reference_votes_total", "What network servers said of the time.")
	vetoesTotal = describe("reference_vetoes_total", "Times that the network's majority excluded the receiver's time.")

	resultsTotal   = describe("ntp_probe_results_total", "Requests to servers by what became of each.", "result")
	exchangesTotal = describe("ntp_probe_exchanges_total", "Requests made to servers.")
	straysTotal    = describe("ntp_probe_stray_packets_total", "Packets that answered no request.")
	unstampedTotal = describe("ntp_probe_unstamped_total", "Exchanges that the kernel did not stamp.")
	voidedTotal    = describe("ntp_probe_voided_total", "Exchanges during which the station's clock was set.")
	panicsTotal    = describe("ntp_probe_panics_total", "Panics in the protocol code, caught.")
	lateTotal      = describe("ntp_probe_late_replies_total", "Replies that came within a minute after their exchange was given up.")
	duplicateTotal = describe("ntp_probe_duplicate_replies_total", "Replies to an exchange that had its reply.")
	foreignTotal   = describe("ntp_probe_foreign_packets_total", "Packets from where nothing was expected.")
	droppedTotal   = describe("ntp_probe_dropped_packets_total", "Packets that the station lost because a socket's buffer was full.")
	doubtedTotal   = describe("ntp_probe_doubted_stamps_total", "Time stamps of network cards that were wanted and did not come or were not believed.")

	journalTotal   = describe("journal_records_total", "Exchanges by what became of their record: kept, dropped since the card would not take it in time, or late: the final verdict came after the provisional one was kept, which is counted as kept, too.", "result")
	journalWritten = describe("journal_written_bytes_total", "Bytes that the file system was given for the journal of exchanges, whole blocks.")
	journalSize    = describe("journal_size_bytes", "Size of the journal's files.")
	journalWaiting = describe("station_results_pending", "Results that are still on their way to the journal on the card.")
)

var counterDescs = []*prometheus.Desc{
	fixesTotal, damageTotal, noiseTotal, edgesTotal, pulsesTotal, votesTotal, vetoesTotal,
	resultsTotal, exchangesTotal, straysTotal, unstampedTotal, voidedTotal, panicsTotal,
	lateTotal, duplicateTotal, foreignTotal, droppedTotal, doubtedTotal,
	journalTotal, journalWritten, journalSize, journalWaiting,
}

func collectJournal(ch chan<- prometheus.Metric, j *status.Journal) {
	if j == nil {
		return
	}
	add := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	add(journalTotal, j.Records, "kept")
	add(journalTotal, j.Dropped, "dropped")
	add(journalTotal, j.Late, "late")
	add(journalWritten, j.Written)
	gauge(ch, journalSize, float64(j.Size))
	gauge(ch, journalWaiting, float64(j.Waiting))
}

func collectCounters(ch chan<- prometheus.Metric, c status.Counters, p status.Probe) {
	add := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	wrong := c.FixesInvalid + c.FixesImplausible
	add(fixesTotal, c.Fixes-min(wrong, c.Fixes), "good")
	add(fixesTotal, c.FixesInvalid, "invalid")
	add(fixesTotal, c.FixesImplausible, "implausible")
	add(damageTotal, c.Checksum)
	add(noiseTotal, c.NoiseBytes)
	add(edgesTotal, c.Pulses)
	add(pulsesTotal, c.PulsesUsed, "used")
	add(pulsesTotal, c.PulsesDoubled, "doubled")
	add(pulsesTotal, c.PulsesMissing, "missing")
	add(pulsesTotal, c.PulsesUnnumbered, "unnumbered")
	add(pulsesTotal, c.PulsesLost, "lost")
	add(votesTotal, c.Votes)
	add(vetoesTotal, c.Vetoes)

	for _, o := range p.Outcomes {
		add(resultsTotal, o.Count, o.Outcome)
	}
	add(exchangesTotal, p.Exchanges)
	add(straysTotal, p.Strays)
	add(unstampedTotal, p.Unstamped)
	add(voidedTotal, p.Voided)
	add(panicsTotal, p.Panics)
	add(lateTotal, p.Late)
	add(duplicateTotal, p.Duplicates)
	add(foreignTotal, p.Foreign)
	add(droppedTotal, p.Dropped)
	add(doubtedTotal, p.Doubted)
}
