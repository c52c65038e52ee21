package web

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/truechimer/truechimer/appliance/status"
)

// metricsDoc is where the metrics are listed, between the line of the table's head and
// the next empty one.
const metricsDoc = "../../docs/metrics.md"

// served are the station's own metrics, as Prometheus gets them.
func served(t *testing.T, source Source) map[string]*dto.MetricFamily {
	t.Helper()
	r, err := newRegistry(Options{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if n := f.GetName(); !strings.HasPrefix(n, "go_") && !strings.HasPrefix(n, "process_") {
			own[n] = f
		}
	}
	return own
}

// labelsOf are the names of a family's labels.
func labelsOf(f *dto.MetricFamily) (list []string) {
	for _, p := range f.GetMetric()[0].GetLabel() {
		list = append(list, p.GetName())
	}
	return list
}

// TestEverythingIsServed: the station that the tests below look at leaves no metric out.
func TestEverythingIsServed(t *testing.T) {
	have := served(t, everything())
	all := make(chan *prometheus.Desc)
	go func() {
		(&collector{}).Describe(all)
		close(all)
	}()
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range all {
		if n := name.FindStringSubmatch(d.String())[1]; have[n] == nil {
			t.Errorf("%s has no sample: have everything() give what it needs", n)
		}
	}
}

// TestMetricsAreDocumented: the table in docs/metrics.md is what is served, line by line
// (-update writes it anew).
func TestMetricsAreDocumented(t *testing.T) {
	have := served(t, everything())
	var want strings.Builder
	want.WriteString("| name | type | labels | what it is |\n|---|---|---|---|\n")
	var names []string
	for n := range have {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		f := have[n]
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", n, strings.ToLower(f.GetType().String()), strings.Join(labelsOf(f), ", "), f.GetHelp())
	}
	b, err := os.ReadFile(metricsDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), "| name | type |")
	table, after, whole := strings.Cut(rest, "\n\n")
	if !found || !whole {
		t.Fatalf("%s has no table of metrics with something behind it", metricsDoc)
	}
	if *renew {
		if err := os.WriteFile(metricsDoc, []byte(before+want.String()+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for line := range strings.Lines(want.String()) {
		if !strings.Contains("| name | type |"+table+"\n", line) {
			t.Errorf("%s lacks the line (go test ./appliance/web -run %s -update writes it):\n%s", metricsDoc, t.Name(), line)
		}
	}
	if n := strings.Count(table, "\n") + 1; n != strings.Count(want.String(), "\n") {
		t.Errorf("%s has %d lines in its table, want %d", metricsDoc, n, strings.Count(want.String(), "\n"))
	}
}

// TestScrapeIsBounded: what ten thousand servers with all their warnings make of a
// scrape. docs/metrics.md has the figures.
func TestScrapeIsBounded(t *testing.T) {
	source := everything()
	one := source.status.Servers[0]
	source.status.Servers = nil
	for i := range 10_000 {
		one.ID, one.Name = fmt.Sprintf("server-%05d", i), fmt.Sprintf("server-%05d.example.net", i)
		source.status.Servers = append(source.status.Servers, one)
	}
	samples := 0
	have := served(t, source)
	for _, f := range have {
		samples += len(f.GetMetric())
	}
	if left := have["ntp_probe_servers_left_out"].GetMetric()[0].GetGauge().GetValue(); left != 9000 {
		t.Errorf("%v addresses are left out", left)
	}
	counted := 0.0
	for _, m := range have["ntp_probe_servers"].GetMetric() {
		counted += m.GetGauge().GetValue()
	}
	if counted != 10_000 {
		t.Errorf("%v addresses are counted", counted)
	}
	w := httptest.NewRecorder()
	handler(t, Options{Source: source}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	perServer := 16 + len(status.Verdicts) + len(status.Warnings)
	if samples > maxScraped*perServer+500 || w.Body.Len() > 4<<20 {
		t.Errorf("%d samples in %d bytes", samples, w.Body.Len())
	}
	t.Logf("%d samples in %d bytes", samples, w.Body.Len())
}
