package web

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v4"
)

// catalogue is what may be asked for: the labels of each metric and what each of them
// has been seen to hold.
type catalogue map[string]map[string][]string

// scraped are what Prometheus adds to every sample.
var scraped = []string{"instance", "job"}

func newCatalogue(t *testing.T) catalogue {
	t.Helper()
	r, err := newRegistry(Options{Source: everything()})
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	// up is Prometheus's own.
	c := catalogue{"up": {}}
	for _, f := range families {
		labels := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		name := f.GetName()
		c[name] = labels
		if f.GetType() == dto.MetricType_HISTOGRAM {
			c[name+"_bucket"], c[name+"_count"], c[name+"_sum"] = labels, labels, labels
		}
	}
	return c
}

// expression holds a query against the catalogue and returns the labels that its
// result can have.
func (c catalogue) expression(t testing.TB, where, query string) (labels []string) {
	t.Helper()
	// Grafana's own variables.
	query = strings.ReplaceAll(query, "$__rate_interval", "5m")
	e, err := metricsql.Parse(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	names, windows := 0, 0
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			for _, filters := range e.LabelFilterss {
				names++
				labels = append(labels, c.selector(t, where, filters)...)
			}
		case *metricsql.RollupExpr:
			windows++
		case *metricsql.FuncExpr:
			// The parser's own language does not need a window; Prometheus's does.
			if slices.Contains([]string{"rate", "increase", "delta", "irate"}, e.Name) {
				windows--
				if r, ok := e.Args[0].(*metricsql.RollupExpr); !ok || r.Window == nil || r.Step != nil {
					t.Errorf("%s: %s is no PromQL: %s needs a window", where, query, e.Name)
				}
			} else {
				t.Errorf("%s: %s is no function that this test knows", where, e.Name)
			}
		}
	})
	if windows != 0 {
		t.Errorf("%s: %s is no PromQL: a window stands where none may", where, query)
	}
	if names == 0 {
		t.Errorf("%s: %s asks for nothing", where, query)
	}
	return append(labels, scraped...)
}

// selector holds one metric with its labels against the catalogue.
func (c catalogue) selector(t testing.TB, where string, filters []metricsql.LabelFilter) (labels []string) {
	t.Helper()
	var have map[string][]string
	for _, f := range filters {
		if f.Label == "__name__" {
			have = c[f.Value]
			if have == nil {
				t.Errorf("%s: nothing serves %s", where, f.Value)
				return nil
			}
		}
	}
	if have == nil {
		t.Errorf("%s: a selector names no metric", where)
		return nil
	}
	for _, f := range filters {
		switch values, ok := have[f.Label]; {
		case f.Label == "__name__" || slices.Contains(scraped, f.Label):
		case !ok:
			t.Errorf("%s: a metric has no label %s", where, f.Label)
		case strings.HasPrefix(f.Value, "$"):
		default:
			words := []string{f.Value}
			if f.IsRegexp {
				words = strings.Split(f.Value, "|")
			}
			for _, w := range words {
				if !slices.Contains(values, w) {
					t.Errorf("%s: no sample has %s=%q; there are %q", where, f.Label, w, values)
				}
			}
		}
	}
	for l := range have {
		labels = append(labels, l)
	}
	return labels
}

var templated = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)

// mentions holds the labels that a text asks for against those that there are.
func mentions(t testing.TB, where, text string, labels []string) {
	t.Helper()
	for _, m := range templated.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(labels, m[1]) {
			t.Errorf("%s: %q asks for the label %s, and there is none", where, text, m[1])
		}
	}
}

// TestDashboard: every metric, label and word in the dashboard is served.
func TestDashboard(t *testing.T) {
	b, err := os.ReadFile("../../docs/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	type box struct{ H, W, X, Y int }
	var d struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Type    string
			Title   string
			GridPos box
			Targets []struct {
				Expr, LegendFormat, RefID string
			}
		}
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	c := newCatalogue(t)
	seen, queries := map[int]bool{}, 0
	var boxes []box
	for _, p := range d.Panels {
		if p.Title == "" || seen[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d, %q: no title, a number that is taken, or too far to the right", p.ID, p.Title)
		}
		seen[p.ID] = true
		for _, o := range boxes {
			if p.GridPos.X < o.X+o.W && o.X < p.GridPos.X+p.GridPos.W && p.GridPos.Y < o.Y+o.H && o.Y < p.GridPos.Y+p.GridPos.H {
				t.Errorf("panel %q lies on another", p.Title)
			}
		}
		boxes = append(boxes, p.GridPos)
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %q, a %s, has %d queries", p.Title, p.Type, len(p.Targets))
		}
		for _, q := range p.Targets {
			queries++
			mentions(t, p.Title, q.LegendFormat, c.expression(t, p.Title, q.Expr))
			if !strings.Contains(q.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %q shows all stations at once: %s", p.Title, q.Expr)
			}
		}
	}
	if d.UID == "" || queries < 20 {
		t.Errorf("uid %q, %d queries", d.UID, queries)
	}
	values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range d.Templating.List {
		q, ok := v.Query.(map[string]any)
		if !ok {
			continue
		}
		m := values.FindStringSubmatch(q["query"].(string))
		if m == nil {
			t.Fatalf("variable %s: %v", v.Name, q)
		}
		mentions(t, v.Name, "{{"+m[2]+"}}", c.expression(t, v.Name, m[1]))
	}
}

// rules are a file of Prometheus's.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

// TestAlerts: every metric, label and word in the rules is served.
func TestAlerts(t *testing.T) {
	b, err := os.ReadFile("../../docs/grafana/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var f rules
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	c := newCatalogue(t)
	seen := map[string]bool{}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: no name of its own, or nothing said", r.Alert)
			}
			seen[r.Alert] = true
			if !slices.Contains([]string{"page", "ticket", "info"}, r.Labels["severity"]) {
				t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
			}
			span := strings.Replace(r.For, "1d", "24h", 1)
			if _, err := time.ParseDuration(span); r.For != "" && err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			labels := c.expression(t, r.Alert, r.Expr)
			for _, text := range r.Annotations {
				mentions(t, r.Alert, strings.ReplaceAll(text, "{{ $value }}", ""), labels)
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d rules", len(seen))
	}
}

// TestCatalogueFindsFaults: what is not served would be found.
func TestCatalogueFindsFaults(t *testing.T) {
	for query, says := range map[string]string{
		"reference_offset_secs":                "nothing serves",
		`reference_state{state="lucked"}`:      "no sample has",
		`reference_state{mood="good"}`:         "has no label",
		`ntp_probe_verdict{verdict=~"off|of"}`: "no sample has",
		"rate(ntp_probe_results_total)":        "no PromQL",
		"1 + 1":                                "asks for nothing",
		"sum(":                                 "",
	} {
		var f faults
		c := newCatalogue(t)
		c.expression(&f, "a test", query)
		if len(f.said) == 0 || !strings.Contains(strings.Join(f.said, " "), says) {
			t.Errorf("%s: %q", query, f.said)
		}
	}
	var f faults
	mentions(&f, "a test", "{{ $labels.verdict }} and {{family}}", []string{"family"})
	if len(f.said) != 1 {
		t.Errorf("%q", f.said)
	}
}
