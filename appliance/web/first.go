package web

import (
	"slices"
	"strings"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// firstView is what a person sees first, beside the verdict: three lights, one
// step to take, and the servers.
type firstView struct {
	Lights   []lightView
	Sentence string // what the step is for; empty where the verdict says it
	Next     []stretch
	tone     tone // of the situation
	Owner    bool // the step leads to where the owner manages the station
	Servers  []firstServer
	More     int // servers that have no line
}

// stretch is a part of a sentence, and where it leads.
type stretch struct{ Text, Href string }

// linked is a sentence in which the pages that it names are links; manage is the
// address of the owner's, empty where there is none.
func linked(sentence, manage string) (out []stretch) {
	for sentence != "" {
		at, name, href := len(sentence), "", ""
		for page, to := range map[string]string{"Manage this station": manage, "Details": DetailsPath} {
			if i := strings.Index(sentence, page); i >= 0 && i < at && to != "" {
				at, name, href = i, page, to
			}
		}
		if at > 0 {
			out = append(out, stretch{Text: sentence[:at]})
		}
		if name != "" {
			out = append(out, stretch{name, href})
		}
		sentence = sentence[at+len(name):]
	}
	return out
}

type lightView struct {
	Name, Word, Sentence string
	Tone                 tone
	Mark                 string
}

type firstServer struct {
	Name, Word  string
	Page        string // address of its own; empty: it has none
	Tone        tone
	Mark        string
	Offset      string // empty: not known
	Uncertainty string
}

// firstRows is how many servers there is room for on the first screen: those that
// most need a look.
const firstRows = 5

// levelViews are the colours and shapes of lights.
var levelViews = map[string]struct {
	tone tone
	mark string
}{
	status.LevelGood: {toneGood, "check"},
	status.LevelWait: {toneWait, "ring"},
	status.LevelWarn: {toneWarn, "half"},
	status.LevelBad:  {toneBad, "triangle"},
}

// plainVerdicts are verdicts in one word that needs no explanation.
var plainVerdicts = map[monitor.Verdict]string{
	monitor.OK:             "right",
	monitor.Doubtful:       "unsure",
	monitor.Off:            "wrong",
	monitor.Unsynchronized: "unset",
	monitor.Unreachable:    "silent",
	monitor.Refused:        "closed",
	monitor.Denied:         "closed",
	monitor.RateLimited:    "busy",
	monitor.Invalid:        "broken",
	monitor.NotJudged:      "waiting",
}

// newFirstView draws it; manage is where the owner manages the station.
func newFirstView(s status.Status, manage string) firstView {
	a := s.Advice
	if a == nil {
		_, of := advice.Of(s)
		a = &of
	}
	v := firstView{Sentence: unbroken.Replace(a.Sentence), Next: linked(a.Next, manage)}
	v.Owner = manage != "" && slices.ContainsFunc(v.Next, func(part stretch) bool { return part.Href == manage })
	v.tone = levelViews[advice.ByID(a.Situation).Level()].tone
	if strings.HasPrefix(s.Summary, strings.TrimRight(a.Sentence, ".")) {
		v.Sentence = ""
	}
	for _, l := range []struct {
		name  string
		light status.Light
	}{{"Time", a.Time}, {"Network", a.Network}, {"Updates", a.Updates}} {
		lv := levelViews[l.light.Level]
		v.Lights = append(v.Lights, lightView{l.name, l.light.Word, unbroken.Replace(l.light.Sentence), lv.tone, lv.mark})
	}
	shown := worst(s.Servers, firstRows)
	for _, server := range shown {
		v.Servers = append(v.Servers, newFirstServer(server))
	}
	v.More = len(s.Servers) - len(shown)
	return v
}

func newFirstServer(s status.Server) firstServer {
	vv := verdictViews[monitor.Verdict(s.Verdict)]
	v := firstServer{Name: s.Name, Page: serverAddress(s.ID), Word: plainVerdicts[monitor.Verdict(s.Verdict)], Tone: vv.tone, Mark: vv.mark}
	if s.Offset != nil {
		v.Offset = unbroken.Replace(health.Signed(*s.Offset, 2))
		v.Uncertainty = unbroken.Replace(text(s.Uncertainty, func(u float64) string { return health.Seconds(u, 2) }))
	}
	return v
}
