package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// steadyStation is one of which all is known that the panels of the reference show.
func steadyStation() status.Status {
	s := wellStation()
	r := &s.Reference
	for i, system := range append([]string{""}, status.Systems...) {
		r.Satellites = append(r.Satellites, status.Satellite{System: system, Number: i + 1, Elevation: whole(10 * i), Azimuth: whole(45 * i), CN0: whole(30 + i), Used: i%2 == 0})
	}
	r.Satellites = append(r.Satellites, status.Satellite{System: "G", Number: 32})
	r.Predictions = []status.Prediction{{After: 60, Uncertainty: 3e-5}, {After: 86400, Uncertainty: .018}}
	for i := range 15 {
		r.Stability = append(r.Stability, status.Deviation{Interval: math.Pow(2, float64(i)), Deviation: 1e-8 / math.Pow(2, float64(i)), Count: 1 << i})
	}
	s.Tracking = &status.Tracking{
		ReferenceID: said("47505300"), ReferenceName: said("GPS"), Stratum: whole(1), RefTime: ago(0), SystemTime: val(-2.31e-7),
		LastOffset: val(1.2e-8), RMSOffset: val(7e-9), Frequency: val(-3.214), ResidualFrequency: val(0.0004), Skew: val(.02),
		RootDelay: val(0), RootDispersion: val(6e-5), UpdateInterval: val(1), LeapStatus: "Normal",
	}
	return s
}

func dayOfMinutes() (list []status.Minute) {
	for i := range 1440 {
		list = append(list, status.Minute{
			Time: testTime, Age: float64(1440-i) * 60, Pulses: 60, Mean: val(1e-8 * math.Sin(float64(i)/99)), Jitter: val(2e-8 + 1e-9*float64(i%7)), Uncertainty: val(2e-5), State: "locked",
		})
	}
	return list
}

// The names are chronyc's, in its order, and each has a value or a dash.
func TestTracking(t *testing.T) {
	var got []string
	for _, f := range trackingFacts(tidyTracking(steadyStation().Tracking)) {
		got = append(got, fmt.Sprintf("%-16s: %s", f.Name, f.Value))
	}
	want := `Reference ID    : 47505300 (GPS)
Stratum         : 1
Ref time (UTC)  : Wed Jul 01 14:03:22 2026
System time     : 0.000000231 seconds slow of NTP time
Last offset     : +0.000000012 seconds
RMS offset      : 0.000000007 seconds
Frequency       : 3.214 ppm slow
Residual freq   : +0.000 ppm
Skew            : 0.020 ppm
Root delay      : 0.000000000 seconds
Root dispersion : 0.000060000 seconds
Update interval : 1.0 seconds
Leap status     : Normal`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	for _, f := range trackingFacts(tidyTracking(&status.Tracking{SystemTime: val(math.NaN()), LeapStatus: "odd"})) {
		if f.Value != "–" && f.Name != "Leap status" || f.Name == "Leap status" && f.Value != "Not synchronised" {
			t.Errorf("%s is %q where nothing is known", f.Name, f.Value)
		}
	}
	if trackingFacts(tidyTracking(nil)) != nil {
		t.Error("lines of nothing")
	}
}

func TestPanelsOfTheReference(t *testing.T) {
	h := handler(t, Options{Source: fixed{steadyStation(), steady(600, 1e-7)}, Minutes: dayOfMinutes})
	page := body(t, fetch(h, "GET", DetailsPath))
	at := 0
	for _, want := range []string{
		"How steady it is", "In a minute", "± 30", "In a day", "± 18", "Pulses of a day", "Means over 5 min, of 1440 minutes", "Jitter of the pulses", "Allan deviation", "1e−8", "10 s", "1.00e−08",
		"9 satellites told of, 8 heard, 4 used", "Where the satellites stand", "Galileo 4, 33 dB Hz, 30° high, azimuth 135°", "How well each satellite is heard", "Reference ID", "47505300 (GPS)",
	} {
		i := strings.Index(page[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order", want)
		}
		at += i
	}
	wellFormed(t, page)
	var pulses struct{ Minutes []status.Minute }
	if err := json.Unmarshal([]byte(body(t, fetch(h, "GET", "/api/v1/pulses"))), &pulses); err != nil || len(pulses.Minutes) != 1440 || *pulses.Minutes[7].Jitter != 2e-8 {
		t.Errorf("%d minutes, %v", len(pulses.Minutes), err)
	}
	nothing := body(t, fetch(handler(t, Options{Source: fixed{}}), "GET", DetailsPath))
	for _, bad := range []string{"How steady", "Satellites</h2>", "Tracking</h2>"} {
		if strings.Contains(nothing, bad) {
			t.Errorf("a station that knows nothing shows %q", bad)
		}
	}
}

// TestGapInADay: a station that was off does not draw that away, and puts nothing
// together over it.
func TestGapInADay(t *testing.T) {
	list := dayOfMinutes()
	last := list[500]
	list = slices.Delete(list, 501, 803)
	day, jitter, together := coarser(list)
	if together != 4 || len(day) != len(jitter) {
		t.Fatalf("%d of %d minutes, %d", len(day), together, len(jitter))
	}
	wide := 0
	for i := range day[1:] {
		switch apart := day[i].Age - day[i+1].Age; {
		case apart >= 302*60:
			wide++
		case apart > 300:
			t.Errorf("%g s apart", apart)
		}
	}
	if !slices.ContainsFunc(day, func(s status.Sample) bool { return s.Age == last.Age }) {
		t.Error("the last minute before the gap is put together with those after it")
	}
	if p := drawPlot(day); wide != 1 || strings.Count(p.Band, "Z") != 2 {
		t.Errorf("%d gaps, %s", wide, p.Band)
	}
	files := func(o Options) string {
		o.Source, o.Minutes = fixed{steadyStation(), steady(600, 1e-7)}, dayOfMinutes
		return body(t, fetch(handler(t, o), "GET", DetailsPath))
	}
	page := files(Options{History: &kept{}})
	for _, want := range []string{`href="/api/v1/reference"`, `href="/api/v1/reference/hours?from=`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(files(Options{}), minutesPath) {
		t.Error("files of a station that keeps none")
	}
	wellFormed(t, page)
	k := &kept{}
	h := handler(t, Options{Source: fixed{status: steadyStation()}, History: k})
	for path, back := range map[string]time.Duration{minutesPath: 24 * time.Hour, hoursPath: 7 * 24 * time.Hour} {
		k.asked = nil
		if got := body(t, fetch(h, "GET", path+"?format=json")); got != "7f3a9c0e5b1d48f2 json" || len(k.asked) != 1 || k.asked[0].To.Sub(k.asked[0].From) != back {
			t.Errorf("%s: %s, %v", path, got, k.asked)
		}
	}
}

// Whatever the source says, there is a page and it keeps the contract.
func TestHostilePanels(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	s := steadyStation()
	r := &s.Reference
	r.Satellites = slices.Repeat([]status.Satellite{{System: "<b>", Number: math.MinInt, Elevation: whole(-7), Azimuth: whole(999), CN0: whole(1 << 40)}, {System: "G", CN0: whole(99), Elevation: whole(90), Azimuth: whole(359)}}, 5000)
	r.Predictions = slices.Repeat([]status.Prediction{{After: nan, Uncertainty: inf}, {After: inf, Uncertainty: 1}, {After: -1, Uncertainty: -1}}, 1000)
	r.Stability = slices.Repeat([]status.Deviation{{Interval: nan}, {Interval: -1}, {Interval: 1e300, Deviation: 1e300}, {Interval: 1, Deviation: inf}, {Interval: 1e-300, Deviation: 1e-300, Count: -1}}, 1000)
	s.Tracking.ReferenceName, s.Tracking.Frequency = said("<script>"), val(inf)
	deep := status.Step{ID: status.StepLink, Name: "<script>", State: "odd", Text: strings.Repeat("x", 1<<16)}
	for range 100 {
		deep = status.Step{ID: status.StepLink, Name: "n", State: status.StepFails, Next: slices.Repeat([]status.Step{deep}, 2)}
		if len(deep.Next[0].Next) > 1 { // not two to the hundredth
			deep.Next = deep.Next[:1]
		}
	}
	s.Trees = append(slices.Repeat([]status.Step{{ID: status.StepFix}}, 1000), deep, status.Step{ID: "odd"})
	minutes := func() []status.Minute {
		return slices.Repeat([]status.Minute{{Age: nan, Mean: val(inf), Jitter: val(nan)}, {Age: 1e300}, {Age: 5, Mean: val(1e300), Jitter: val(-1), State: "<b>"}}, 5000)
	}
	h := handler(t, Options{Source: fixed{status: s}, Minutes: minutes})
	for _, target := range []string{DetailsPath, "/api/v1/status", "/api/v1/pulses", "/"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		got := unscripted(w.Body.String())
		if w.Code != 200 || target != "/api/v1/pulses" && len(got) > 150<<10 {
			t.Errorf("%s: %d, %d bytes", target, w.Code, len(got))
		}
		for _, bad := range []string{"NaN", "Inf", "<script>", "\"<b>\""} {
			if strings.Contains(got, bad) {
				t.Errorf("%s holds %q", target, bad)
			}
		}
		if target == DetailsPath {
			wellFormed(t, w.Body.String())
		}
	}
}
