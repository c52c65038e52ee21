package web

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/status"
)

// words are those of a page that a person sees.
func words(page string) []string {
	unseen := regexp.MustCompile(`(?s)<head>.*?</head>|<svg.*?</svg>|<[^>]*>`)
	return strings.Fields(html.UnescapeString(unseen.ReplaceAllString(page, " ")))
}

// TestFirstScreen has the sentence, three lights, one step and the servers, in this
// order and in few words; all else is behind Details.
func TestFirstScreen(t *testing.T) {
	s := wellStation()
	page := body(t, fetch(handler(t, Options{Source: fixed{s, steady(60, 1e-7)}, Manage: "/account"}), "GET", "/"))
	wellFormed(t, page)
	text := strings.Join(words(page), " ")
	at := 0
	for _, want := range []string{
		"truechimer-7f3a", "2026-07-01 14:03:22 UTC", "Locked to GPS within 1.2 µs; 1 of 3 servers is right, gamma is off by +80 ms, epsilon does not answer.",
		"Time known From GPS, within 1.2 µs.", "Network works", "Updates none", "Next step gamma is off by +80 ms. If that server is yours",
		"My servers alpha right +210 µs ± 190 µs gamma wrong +80 ms ± 1.1 ms epsilon silent", "Details Manage this station",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order in %s", want, text)
		}
		at += i
	}
	if n := len(words(page)); n > 120 {
		t.Errorf("%d words", n)
	}
	for _, bad := range []string{"truechimer.toml, line 12", "<table", `class="plot"`, "three exchanges in a row"} {
		if strings.Contains(page, bad) {
			t.Errorf("the first screen holds %q", bad)
		}
	}
	if want := `<section class="verdict warn"`; !strings.Contains(page, want) {
		t.Error("somebody has to see to a server, and the sentence's colour does not say so")
	}
}

// TestFirstScreenHasRoomForFew of many servers: for those that most need a look.
func TestFirstScreenHasRoomForFew(t *testing.T) {
	s := wellStation()
	for range 30 {
		s.Servers = append(s.Servers, s.Servers[0])
	}
	v := newFirstView(s, "")
	if len(v.Servers) != firstRows || v.More != 33-firstRows || !slices.ContainsFunc(v.Servers, func(f firstServer) bool { return f.Name == "epsilon" }) {
		t.Errorf("%d shown, %d more: %+v", len(v.Servers), v.More, v.Servers)
	}
	if page := render(t, status.Status{}, nil); !strings.Contains(page, `<a href="/">Back to the overview</a>`) {
		t.Error("nothing leads back from the details")
	}
}

// TestStepIsTakenWhereItIs: a step for the owner has its link in it, once.
func TestStepIsTakenWhereItIs(t *testing.T) {
	s := wellStation()
	claimed := false
	s.Station.Claimed = &claimed
	for manage, want := range map[string]int{"": 0, "/account": 1} {
		page := body(t, fetch(handler(t, Options{Source: fixed{status: s}, Manage: manage}), "GET", "/"))
		step, rest, _ := strings.Cut(page, "</section>\n<section class=\"mine\"")
		const link = `<a href="/account">Manage this station</a>`
		if strings.Count(step, link) != want || strings.Contains(rest, link) {
			t.Errorf("%q: %s", manage, page)
		}
	}
}

// TestStepLeadsToThePageThatItNames, and says the same with it.
func TestStepLeadsToThePageThatItNames(t *testing.T) {
	for _, s := range advice.Situations {
		var text strings.Builder
		leads := map[string]bool{}
		for _, part := range linked(s.Next, "/account") {
			text.WriteString(part.Text)
			if part.Href != "" {
				leads[part.Text+" "+part.Href] = true
			}
		}
		if text.String() != s.Next {
			t.Errorf("%s: %q, want %q", s.ID, text.String(), s.Next)
		}
		for name, to := range map[string]string{"Manage this station": "/account", "Details": DetailsPath} {
			if leads[name+" "+to] != strings.Contains(s.Next, name) {
				t.Errorf("%s: %q leads to %v", s.ID, s.Next, leads)
			}
		}
	}
	if got := linked("Read Details, or choose Manage this station.", ""); len(got) != 3 || got[1].Href != DetailsPath || got[2].Href != "" {
		t.Errorf("%+v", got)
	}
	page := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}}), "GET", "/"))
	if !strings.Contains(page, `tell whoever runs it: <a href="/details">Details</a> holds the proof.</p>`) {
		t.Error(page)
	}
}

// TestEveryVerdictHasAPlainWord, one.
func TestEveryVerdictHasAPlainWord(t *testing.T) {
	for _, verdict := range status.Verdicts {
		if v := newFirstServer(status.Server{Verdict: verdict}); len(strings.Fields(v.Word)) != 1 || v.Mark == "" || v.Offset != "" {
			t.Errorf("%s: %+v", verdict, v)
		}
	}
	for _, level := range status.Levels {
		if levelViews[level].mark == "" {
			t.Errorf("no shape for %s", level)
		}
	}
}
