package advice

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

var renew = flag.Bool("update", false, "write docs/situations.md anew")

// jargon are words that need an engineer.
var jargon = regexp.MustCompile(`(?i)allan|dispersion|skew|kalman|numbering|numbered|falseticker|convict|stratum|jitter|offset|` +
	`synchroni[sz]ed|unconfirmed|quorum|holdover|oscillator|metadata|carrier|\bfix\b|leap seconds\b|\bpath\b|\blease`)

// TestPlainReasons: the reasons that the reference gives come out in plain words.
func TestPlainReasons(t *testing.T) {
	files, err := filepath.Glob("../../gpspps/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`reason\w*\s*=\s*"([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
			reasons = append(reasons, m[1])
		}
	}
	if len(reasons) < 15 {
		t.Fatalf("found %q", reasons)
	}
	for _, reason := range append(reasons, "chrony is not synchronized", "no pulse on GPIO18") {
		for _, state := range status.States {
			s := wellDone()
			s.Reference.State, s.Reference.Source, s.Reference.Reason = state, "gps+pps", reason
			if summary, _ := Of(s); jargon.MatchString(summary) {
				t.Errorf("%s, %q: %s", state, reason, summary)
			}
			s.Reference.Source, s.Reference.Reason = "quorum", "3 of 3 servers agree; receiver: "+reason
			if summary, _ := Of(s); jargon.MatchString(summary) {
				t.Errorf("%s among servers, %q: %s", state, reason, summary)
			}
		}
	}
}

// TestTable: each situation is a whole one, in words that need no engineer.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Situations {
		switch {
		case seen[s.ID] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(s.ID):
			t.Errorf("id %q is taken, or none", s.ID)
		case s.Sentence == "" || strings.HasSuffix(s.Sentence, ".") || !strings.HasSuffix(s.Next, ".") || s.Cause == "":
			t.Errorf("%s: %q, %q, %q", s.ID, s.Sentence, s.Next, s.Cause)
		case !slices.Contains(status.Levels, s.level) || s.holds == nil:
			t.Errorf("%s: level %q", s.ID, s.level)
		case jargon.MatchString(s.Sentence + s.Next):
			t.Errorf("%s needs an engineer: %s %s", s.ID, s.Sentence, s.Next)
		}
		seen[s.ID] = true
		// The first screen has 120 words; lights, names and servers need 70 of them.
		if n := len(strings.Fields(s.Sentence + " " + s.Next)); n > 40 && s.ID != SafeMode {
			t.Errorf("%s: %d words", s.ID, n)
		}
	}
	if len(Situations) < 17 {
		t.Errorf("%d situations", len(Situations))
	}
	if ByID("no-bytes").Next == "" || ByID("what").ID != "" {
		t.Error("ByID does not find, or makes up")
	}
}

// TestDocument: docs/situations.md is the table.
func TestDocument(t *testing.T) {
	const path = "../../docs/situations.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table -->\n", "<!-- end -->\n"
	text := string(b)
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		t.Fatalf("%s has lost the marks around its table", path)
	}
	want := text[:i+len(begin)] + table() + text[j:]
	if *renew {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != want {
		t.Errorf("%s differs from the table: go test ./appliance/advice -run TestDocument -update", path)
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| id | sentence | next step | brought about in the tests by |\n|---|---|---|---|\n")
	for _, s := range Situations {
		fmt.Fprintf(&b, "| `%s` | %s. | %s | %s |\n", s.ID, s.Sentence, s.Next, s.Cause)
	}
	return b.String()
}

func there[T any](v T) *T { return &v }

// wellDone is a station with nothing wrong and one server that is right.
func wellDone() status.Status {
	return status.Status{
		Reference: status.Reference{Source: "gps+pps", State: "locked", Uncertainty: there(1.19e-5), SatellitesUsed: there(9)},
		Receiver:  status.Receiver{Device: there("/dev/ttyS0"), Baud: there(9600), Pulse: there("GPIO18")},
		Servers:   verdicts("ok"),
	}
}

// TestFirstComesFirst: of several situations the first one's step is taken, and
// what the time lacks leads the sentence whichever that is.
func TestFirstComesFirst(t *testing.T) {
	s := wellDone()
	s.Reference.Source, s.Reference.Reason = "quorum", "3 of 3 servers agree; receiver: no fix, no pulse"
	s.Receiver = status.Receiver{Trouble: there(status.ReceiverSilent)}
	s.Machine = &status.Machine{Undervoltage: there(true)}
	s.Station.Claimed = there(false)
	summary, a := Of(s)
	if summary != "The receiver says nothing; meanwhile servers are judged by each other: alpha is right." {
		t.Error(summary)
	}
	if a.Situation != "undervoltage" || a.Sentence != "The power supply is too weak for this board." || !strings.HasPrefix(a.Next, "Use the board's own") {
		t.Errorf("%+v", a)
	}
	if !slices.Equal(a.Situations, []string{"undervoltage", "unclaimed", "no-bytes", "by-servers", "well"}) {
		t.Errorf("%q", a.Situations)
	}
	if a.Time.Level != status.LevelBad || a.Time.Word != "borrowed" || a.Network.Level != status.LevelGood || a.Updates.Level != status.LevelWait {
		t.Errorf("%+v", a)
	}
	if s, a := Of(status.Status{Station: status.Station{SafeMode: true}}); !strings.HasPrefix(s, "Safe mode: ") || len(a.Situations) != 1 || a.Time.Word != "off" {
		t.Errorf("safe mode: %q, %+v", s, a)
	}
}

// TestHoldoverIsToldWhatever leads the sentence.
func TestHoldoverIsToldWhatever(t *testing.T) {
	s := wellDone()
	s.Reference.State, s.Reference.Holdover = "holdover", there(60.0)
	s.Receiver.Antenna, s.Reference.SatellitesUsed = there(status.AntennaOpen), there(0)
	if summary, a := Of(s); summary != "The antenna is unplugged, or its cable is broken; the time is still known within 12 µs; alpha is right." || a.Time.Word != "carried on" || a.Time.Level != status.LevelBad {
		t.Errorf("%q, %+v", summary, a.Time)
	}
}

// TestOpenAntennaWithAGoodSky is one that needs no current: it is no reason to
// say that it is unplugged.
func TestOpenAntennaWithAGoodSky(t *testing.T) {
	for _, state := range status.States {
		s := wellDone()
		s.Reference.State, s.Receiver.Antenna = state, there(status.AntennaOpen)
		if _, a := Of(s); slices.Contains(a.Situations, "antenna-open") {
			t.Errorf("%s: %+v", state, a)
		}
	}
}

// TestRadioShare: Wi-Fi is named where it makes much of what is not known, never
// for a way that is long anyhow, and not on a cable.
func TestRadioShare(t *testing.T) {
	for name, c := range map[string]struct {
		radio bool
		rtt   *float64
		bound float64
		want  bool
	}{
		"wide":            {true, there(.030), .020, true},
		"a long way":      {true, there(.030), .120, false},
		"quick":           {true, there(.001), .001, false},
		"not measured":    {true, nil, .020, false},
		"a cable":         {false, there(.030), .020, false},
		"less than share": {true, there(.0098), .020, false},
	} {
		s := wellDone()
		s.Network = &status.Network{Radio: c.radio, RouterRTT: c.rtt, IPv4: true, IPv6: true}
		s.Servers[0].Bound = &c.bound
		if _, a := Of(s); slices.Contains(a.Situations, "wifi-wide") != c.want {
			t.Errorf("%s: %+v", name, a)
		}
		if s.Servers[0].Bound = nil; newFacts(s).radioShare() != 0 {
			t.Errorf("%s: a share of nothing", name)
		}
	}
	s := wellDone()
	s.Network = &status.Network{Radio: true, RouterRTT: there(.030), IPv4: true}
	s.Servers[0].Bound = there(.020)
	if _, a := Of(s); a.Sentence != "Wi-Fi blurs what is measured: 75 % of the doubt about the servers' time comes from it." {
		t.Error(a.Sentence)
	}
}

// TestEveryWord: whatever the status says, there is an advice, and no word in
// braces is left in it.
func TestEveryWord(t *testing.T) {
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []status.Status
	each := func(words []string, set func(*status.Status, string)) {
		for _, w := range append(words, "from the future") {
			s := wellDone()
			set(&s, w)
			all = append(all, s)
		}
	}
	each(status.ReceiverTroubles, func(s *status.Status, w string) { s.Receiver.Trouble = &w })
	each(status.Antennas, func(s *status.Status, w string) { s.Receiver.Antenna = &w })
	each(status.NetworkTroubles, func(s *status.Status, w string) { s.Network = &status.Network{Trouble: w} })
	each(status.NameFaults, func(s *status.Status, w string) { s.Servers[0].NameFault = w })
	each(status.UpdateStates, func(s *status.Status, w string) { s.Update = &status.Update{State: w} })
	each(status.UpdateStates, func(s *status.Status, w string) { s.Update = &status.Update{State: w, Candidate: there("1.3.0")} })
	each(status.UpdateFreshness, func(s *status.Status, w string) {
		s.Update = &status.Update{State: "idle", Freshness: w, Hosts: []string{"https://updates.example.net"}, Checked: &day}
	})
	each(status.Verdicts, func(s *status.Status, w string) { s.Servers[0].Verdict = w })
	for _, source := range status.Sources {
		each(status.States, func(s *status.Status, w string) { s.Reference.Source, s.Reference.State = source, w })
	}
	s := wellDone()
	s.Machine, s.Clock = &status.Machine{WrongImage: true}, &status.Clock{Leap: &status.Leap{Change: 1, At: day}}
	all = append(all, s, status.Status{})
	for _, s := range all {
		summary, a := Of(s)
		for _, l := range []status.Light{a.Time, a.Network, a.Updates} {
			if jargon.MatchString(l.Word + l.Sentence) {
				t.Errorf("a light needs an engineer: %+v", l)
			}
			if !slices.Contains(status.Levels, l.Level) || l.Word == "" || !strings.HasSuffix(l.Sentence, ".") || len(strings.Fields(l.Word+" "+l.Sentence)) > 11 {
				t.Errorf("light %+v of %+v", l, s.Reference)
			}
		}
		if bad := jargon.FindString(summary + a.Sentence + a.Next); bad != "" {
			t.Errorf("%q in %q, %q, %q", bad, summary, a.Sentence, a.Next)
		}
		if a.Situation == "" || a.Next == "" || strings.Contains(a.Sentence+a.Next+summary, "{") || !strings.HasSuffix(summary, ".") {
			t.Errorf("%q, %+v", summary, a)
		}
	}
}
