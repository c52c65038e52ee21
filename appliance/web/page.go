package web

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
)

//go:embed assets
var assets embed.FS

// refreshSeconds is how often the page loads itself anew, unless it was asked
// to stand still.
const refreshSeconds = 10

// idLength is how much of the station's id people are shown.
const idLength = 8

// DetailsPath is where all is that the first screen does not say.
const DetailsPath = "/details"

// page is the handler of / and of DetailsPath.
type page struct {
	options  Options
	template *template.Template
	style    string // address of the style sheet
	icon     string
	time     string // of the script that adds the browser's own time
	assets   map[string]http.Handler
	reading  chan struct{} // pages that read the card
	live     string        // of the script that shows values as they change
	across   string        // of the one that looks closer at a part of a picture
	history  string        // of the one that draws the reference's past, with
	uplot    string        // uPlot, and
	// uplotSheet is that one's style sheet.
	uplotSheet string
}

func newPage(o Options) (*page, error) {
	t, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: page template: %w", err)
	}
	p := &page{options: o, template: t, assets: map[string]http.Handler{}, reading: make(chan struct{}, exportsMost)}
	for _, a := range []struct {
		to         *string
		file, kind string
	}{
		{&p.style, "page.css", "text/css; charset=utf-8"},
		{&p.icon, "icon.svg", "image/svg+xml"},
		{&p.live, "live.js", "text/javascript; charset=utf-8"},
		{&p.time, "time.js", "text/javascript; charset=utf-8"},
		{&p.across, "across.js", "text/javascript; charset=utf-8"},
		{&p.history, "history.js", "text/javascript; charset=utf-8"},
		{&p.uplot, "uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"},
		{&p.uplotSheet, "uplot/uPlot.min.css", "text/css; charset=utf-8"},
	} {
		content, err := assets.ReadFile("assets/" + a.file)
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		*a.to = Address(path.Base(a.file), content)
		// Read when it is asked for, once by each browser: its copy need not be in memory.
		p.assets[*a.to] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			content, err := assets.ReadFile("assets/" + a.file)
			if err != nil {
				sentence(w, http.StatusInternalServerError, err.Error())
				return
			}
			Asset(content, a.kind)(w, r)
		})
	}
	return p, nil
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw := p.options.Source.Status()
	s := tidy(raw)
	v := newView(s, p.options.Source.Samples(), p.options.Build, p.options.Manage)
	p.arrange(&v, raw, s, r.URL.Query())
	v.About, v.Trees = newAboutRef(s, p.minutes()), newStepViews(s.Trees)
	v.About.Files = p.referenceFiles(s.Time)
	if p.options.History != nil {
		v.Reference.History = HistoryPath
	}
	v.Device = deviceFacts(s, p.options.Build)
	v.Styles, v.Icon = []string{p.style}, p.icon
	v.Scripts = []string{p.live, p.time}
	if p.options.Lines != nil {
		v.Logs = LogPath
	}
	v.Here, v.Detailed = r.URL.Path, r.URL.Path == DetailsPath
	linkProofs(v.Servers, p.options.Proofs)
	if v.Paused = r.URL.Query().Get("refresh") == "off"; !v.Paused {
		v.Refresh = refreshSeconds
	}
	p.draw(w, "page.html", v)
}

// view is all that the template sets: text that is ready to be read.
type view struct {
	Icon      string
	Styles    []string
	Scripts   []string
	Logs      string // address of the log; empty: none is kept
	Manage    string // address of what changes the station; empty: nothing here does
	Here      string // the page's own address
	Detailed  bool   // it is DetailsPath
	Refresh   int    // seconds; 0 stands still
	Paused    bool
	Title     string
	Name      string
	Time      *moment
	Unproven  bool // Time is what a clock says that nothing vouches for
	Tone      tone
	Summary   string
	First     firstView
	Notices   []string
	Reference referenceView
	About     aboutRef
	Trees     []stepView
	Device    []fact
	Sources   string // where the servers come from; empty: from truechimer.toml alone
	Servers   []serverView
	Unshown   int // servers that have no row, since there are too many
	Sorts     []sorting
	Sorted    bool // as the reader asked
	Probe     []fact
	Network   *networkView
	Update    *updateView // nil: there is no updater
	Marks     []mark      // the shapes in use
	Footer    []fact
}

// fact is a name and what it is.
type fact struct{ Name, Value, Note string }

// moment is an instant for people and for machines.
type moment struct{ Text, Machine string }

func newMoment(t time.Time, layout string) *moment {
	if t.IsZero() {
		return nil
	}
	return &moment{Text: t.Format(layout), Machine: t.Format(time.RFC3339)}
}

// tone is the colour of a state; no state is told by its tone alone.
type tone string

const (
	toneGood tone = "good"
	toneWait tone = "wait"
	toneWarn tone = "warn"
	toneBad  tone = "bad"
)

// unbroken keeps a number and its unit on one line.
var unbroken = strings.NewReplacer(" ns", "\u00a0ns", " µs", "\u00a0µs", " ms", "\u00a0ms", " min", "\u00a0min")

func newView(s status.Status, samples []status.Sample, b Build, manage string) view {
	v := view{
		Name:      s.Station.Name,
		Time:      newMoment(s.Time, "2006-01-02 15:04:05"),
		Summary:   unbroken.Replace(s.Summary),
		Notices:   s.Notices,
		Reference: newReferenceView(s.Reference, samples),
	}
	v.Reference.Receiver = receiver(s.Receiver, s.Reference.PulseAlone)
	if v.Name == "" {
		v.Name = "truechimer"
	}
	switch gpspps.State(s.Reference.State) {
	case gpspps.StateCold, gpspps.StateNumbering, gpspps.StateSuspect:
		v.Unproven = true
	}
	v.Title = v.Name + ": " + s.Reference.State
	v.Tone = v.Reference.Tone
	for _, server := range s.Servers {
		if t := toneOf(server); v.Tone == toneGood && (t == toneBad || t == toneWarn) {
			v.Tone = toneWarn // the station is well, what it watches is not
		}
	}
	v.First, v.Manage = newFirstView(s, manage), manage
	if t := v.First.tone; t == toneBad || t == toneWarn && v.Tone != toneBad {
		v.Tone = t // something needs a person
	}
	shown := worst(s.Servers, maxRows)
	for _, server := range shown {
		v.Servers = append(v.Servers, newServerView(server, s.Time))
	}
	fit(v.Servers)
	v.Unshown = len(s.Servers) - len(shown)
	v.Sources = sources(s.Assignments)
	v.Probe = append(probeCounts(s.Probe), journalCounts(s.Journal)...)
	v.Network = newNetworkView(s.Network)
	v.Update = newUpdateView(s)
	v.Marks = marks
	v.Footer = footer(s.Station, b)
	return v
}

func footer(s status.Station, b Build) []fact {
	if b.Version == "" {
		b.Version = s.Version
	}
	if b.Board == "" {
		b.Board = s.Board
	}
	if b.Slot == "" && s.Slot != nil {
		b.Slot = *s.Slot
	}
	id := s.ID
	if r := []rune(id); len(r) > idLength {
		id = string(r[:idLength])
	}
	var facts []fact
	for _, f := range []fact{
		{Name: "Station", Value: s.Name}, {Name: "Id", Value: id}, {Name: "Version", Value: b.Version},
		{Name: "Board", Value: b.Board}, {Name: "Slot", Value: b.Slot}, {Name: "Up for", Value: health.Span(s.Uptime)},
	} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

// referenceView is the station's own source of time.
type referenceView struct {
	State   string
	Tone    tone
	Mark    string
	Meaning string // the state in plain words
	Reason  string
	Facts   []fact
	// Receiver says in a sentence where it was found; empty: nowhere yet.
	Receiver string
	Plot     *plot
	Counts   []fact
	// History is the address of what it was like; empty: nothing is kept.
	History string
}

var stateViews = map[gpspps.State]struct {
	tone    tone
	mark    string
	meaning string
}{
	gpspps.StateCold:      {toneWait, "ring", "Nothing to go by yet."},
	gpspps.StateNumbering: {toneWait, "half", "The time is coming in, but which second it marks is not proven yet."},
	gpspps.StateLocked:    {toneGood, "disc", "The station knows the time."},
	gpspps.StateHoldover:  {toneWarn, "half", "The source is gone for now; the station's own oscillator carries the time on."},
	gpspps.StateSuspect:   {toneBad, "triangle", "What tells the time contradicts itself or the network."},
}

var sourceNames = map[gpspps.Source]string{
	gpspps.SourceGPSPPS: "GPS with pulse",
	gpspps.SourcePPS:    "Pulse without a receiver",
	gpspps.SourceGPS:    "GPS without pulse",
	gpspps.SourcePTP:    "PTP",
	gpspps.SourceChrony: "chrony",
	gpspps.SourceNTP:    "One NTP server",
	gpspps.SourceQuorum: "Agreement of servers",
	gpspps.SourceNone:   "None yet",
}

func newReferenceView(r status.Reference, samples []status.Sample) referenceView {
	sv := stateViews[gpspps.State(r.State)]
	v := referenceView{State: r.State, Tone: sv.tone, Mark: sv.mark, Meaning: sv.meaning, Reason: r.Reason, Plot: drawPlot(samples), Counts: referenceCounts(r.Counters)}
	if gpspps.Source(r.Source) == gpspps.SourceQuorum && v.Tone == toneGood {
		v.Tone, v.Meaning = toneWait, "The time is taken from the servers themselves, which is coarser than a receiver or a pulse."
	}
	add := func(name, value, note string) { v.Facts = append(v.Facts, fact{name, value, note}) }
	add("Source", sourceNames[gpspps.Source(r.Source)], "")
	if r.Offset != nil {
		note := ""
		if r.Uncertainty != nil {
			note = "± " + health.Seconds(*r.Uncertainty, 2)
		}
		add("Clock minus truth", health.Signed(*r.Offset, 3), note)
	} else if r.Uncertainty != nil {
		add("Uncertainty", "± "+health.Seconds(*r.Uncertainty, 2), "")
	}
	if r.Bound != nil {
		add("Bound, one in a million", "± "+health.Within(*r.Bound), "")
	}
	if r.Holdover != nil && *r.Holdover > 0 {
		add("On its own for", health.Span(*r.Holdover), "")
	}
	if used, seen := count(r.SatellitesUsed), count(r.SatellitesSeen); used+seen != "" {
		switch {
		case used == "":
			add("Satellites", seen, "in view")
		case seen == "":
			add("Satellites", used, "used")
		default:
			add("Satellites", used, "used of "+seen+" in view")
		}
	}
	if r.Frequency != nil {
		add("Oscillator", decimal(*r.Frequency, 3), "ppm")
	}
	return v
}

// receiver says where the receiver and its pulse are, or a pulse alone.
func receiver(r status.Receiver, alone bool) string {
	pulse := ""
	if r.Pulse != nil {
		pulse = "pulse on " + *r.Pulse
		if r.PulseLate != nil && r.PulseLateError != nil {
			pulse += fmt.Sprintf(", stamped %.1f µs late (± %.1f µs)", *r.PulseLate*1e6, *r.PulseLateError*1e6)
		}
	}
	if r.Device == nil {
		if pulse == "" {
			return ""
		}
		if alone {
			return "A " + pulse + ", from a clock without a receiver."
		}
		return "A " + pulse + ", no receiver is heard."
	}
	out := "Receiver"
	if r.Hat != nil {
		out = *r.Hat
	}
	switch {
	case r.Model != nil && r.Hat != nil:
		out += ", " + *r.Model + ","
	case r.Model != nil:
		out = *r.Model
	}
	out += " on " + *r.Device
	if r.Baud != nil {
		out += " at " + strconv.Itoa(*r.Baud) + " baud"
	}
	if r.Protocol != nil && *r.Protocol == status.ProtocolUBX {
		out += ", speaking UBX"
	}
	if r.Setup != nil {
		out += map[string]string{
			status.SetupUnderWay: ", being configured", status.SetupDone: ", configured", status.SetupPartly: ", configured in part",
			status.SetupUnanswered: ", left as it is since it does not answer",
		}[*r.Setup]
	}
	if pulse == "" {
		pulse = "no pulse yet"
	}
	return out + ", " + pulse + "."
}

func count(n *int) string {
	if n == nil || *n < 0 {
		return ""
	}
	return strconv.Itoa(*n)
}

// decimal writes a signed number with a true minus sign.
func decimal(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if v < 0 {
		return "−" + s[1:]
	}
	return "+" + s
}
