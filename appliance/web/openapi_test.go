package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/web/apitest"
	"github.com/truechimer/truechimer/monitor/journal"
)

// apiWords are those that fields of the API may hold.
var apiWords = apitest.Words{
	"Reference.source": status.Sources, "Reference.state": status.States,
	"Receiver.protocol": status.Protocols, "Receiver.setup": status.Setups,
	"Server.family": append([]string{""}, status.Families...), "Server.verdict": status.Verdicts, "Server.warnings": status.Warnings,
	"Claims.leap": status.Leaps, "Path.end": status.PathEnds,
	"Assignments.source": status.AssignmentsSources, "Assignments.state": status.AssignmentsStates,
	"Outcome.outcome":  status.Outcomes,
	"Receiver.trouble": status.ReceiverTroubles, "Receiver.antenna": status.Antennas, "Server.name_fault": status.NameFaults,
	"Network.trouble": status.NetworkTroubles, "Address.origin": status.AddressOrigins, "Light.level": status.Levels,
	"Step.id": status.StepIDs, "Step.state": status.StepStates, "Satellite.system": append([]string{""}, status.Systems...),
	"Tracking.leap_status": status.LeapStatuses, "Minute.state": status.States,
	"Update.state": status.UpdateStates, "Update.freshness": status.UpdateFreshness,
}

// TestOpenAPIFields: what is answered and what is said of it are the same, field by
// field. Who adds a field to a struct finds here what to write into openapi.json.
func TestOpenAPIFields(t *testing.T) {
	api := apitest.New(t, handler(t, Options{Source: fixed{}}))
	api.Struct("Status", status.Status{}, apiWords)
	api.Struct("ProofList", ProofList{}, nil)
	api.Struct("Minute", status.Minute{}, apiWords)
}

// TestOpenAPIPaths: every address for machines is described, and every one that is
// described is there.
func TestOpenAPIPaths(t *testing.T) {
	h := handler(t, withAll(everything()))
	api := apitest.New(t, h)
	served := []string{ProofsPath + "/{id}"}
	for path := range h.(*site).paths {
		if strings.HasPrefix(path, "/api/") || path == "/metrics" || path == "/healthz" {
			served = append(served, path)
		}
	}
	for _, path := range served {
		if api.Doc.Paths.Value(path) == nil {
			t.Errorf("%s is served and not in paths of %s", path, apitest.File)
		}
	}
	for path, item := range api.Doc.Paths.Map() {
		if !slices.Contains(served, path) {
			t.Errorf("%s of %s is not served", path, apitest.File)
		}
		for method, o := range item.Operations() {
			if method != http.MethodGet || o.Summary == "" || o.OperationID == "" {
				t.Errorf("%s %s: only what can be read is here, with a summary and an id", method, path)
			}
		}
	}
}

// hours are roll-ups that cannot be read.
type hours struct{ History }

func (hours) ExportRollups(context.Context, io.Writer, string, journal.Format, journal.Query) error {
	return journal.ErrNotOpen
}

func (hours) ExportMinutes(context.Context, io.Writer, string, journal.Format, journal.Query) error {
	return journal.ErrNotOpen
}

func (hours) ExportReferenceHours(_ context.Context, w io.Writer, station string, f journal.Format, _ journal.Query) error {
	_, err := fmt.Fprint(w, station, " ", f)
	return err
}

// withAll are options with all that may be there.
func withAll(source Source) Options {
	return Options{
		Source: source, Exchanges: &exported{}, History: hours{}, Proofs: proofs{}, Lines: logged{"a", "b"},
		Minutes: func() []status.Minute {
			return []status.Minute{{Time: testTime, Pulses: 60, Mean: val(1e-7), Jitter: val(2e-7), Uncertainty: val(1e-6), State: "locked"}, {}}
		},
	}
}

// TestOpenAPIAnswers holds what is answered against what is said of it: of a station
// that knows all, nothing, or nonsense, and of one where things fail.
func TestOpenAPIAnswers(t *testing.T) {
	full := everything().status
	for _, s := range []status.Status{full, withUpdate(fetching()), {}, {Servers: []status.Server{{}}, Update: &status.Update{}, Journal: &status.Journal{}, Clock: &status.Clock{}}, nonsense()} {
		api := apitest.New(t, handler(t, Options{Source: fixed{status: s}}))
		api.Get("/api/v1/status", 200)
		api.Get("/metrics", 200)
		api.Get("/healthz", 200)
		api.Get(OpenAPIPath, 200)
		api.Get("/api/v1/proofs", 404)
		api.Get("/api/v1/exchanges", 404)
	}
	api := apitest.New(t, handler(t, withAll(everything())))
	api.Get("/api/v1/log", 200)
	api.Get("/api/v1/pulses", 200)
	api.Get("/api/v1/rollups", 503)
	api.Get("/api/v1/rollups?format=xml", 400)
	api.Get("/api/v1/reference", 503)
	api.Get("/api/v1/reference?from=yesterday", 400)
	api.Get("/api/v1/reference/hours", 200)
	if got := api.Begin(EventsPath, 200); len(got) == 0 {
		t.Error("no events")
	}
	none := proofs{files: map[string]string{"x": "{}\n{}\n"}}
	api = apitest.New(t, handler(t, Options{
		Source: fixed{status: full}, Exchanges: &exported{err: journal.ErrNotOpen}, Proofs: none,
		Alive: func() error { return errors.New("the monitor stands still") },
	}))
	api.Get("/healthz", 503)
	api.Get("/api/v1/exchanges", 503)
	api.Get("/api/v1/exchanges?format=xml", 400)
	api.Get("/api/v1/proofs", 200)
	api.Get("/api/v1/proofs/x", 200)
	api.Get("/api/v1/proofs/y", 404)
	none.err = errors.New("the card is gone")
	api = apitest.New(t, handler(t, Options{Source: fixed{}, Exchanges: &exported{err: none.err}, Proofs: none}))
	api.Get("/api/v1/exchanges", 500)
	api.Get("/api/v1/proofs/x", 500)
}

// TestOpenAPIFindsFaults: what the tests above hold against the file would be found.
func TestOpenAPIFindsFaults(t *testing.T) {
	type station struct {
		ID     string  `json:"id"`
		Height float64 `json:"height_m"`
	}
	var seen faults
	api := apitest.New(&seen, handler(t, Options{Source: fixed{}}))
	api.Struct("Station", station{}, nil)
	api.Struct("Reference", status.Reference{}, apitest.Words{"Reference.state": {"cold"}})
	api.Get("/api/v1/weather", 404)
	for _, want := range []string{
		`"height_m": {"type": "number", "x-unit": "m", "description": "..."}`, `has "safe_mode", which web.station has not`,
		`properties.state: its enum is`, `GET /api/v1/weather is not in`,
	} {
		if !strings.Contains(strings.Join(seen.said, "\n"), want) {
			t.Errorf("nobody said %q, but %q", want, seen.said)
		}
	}
}

// faults is a test that notes what was found.
type faults struct {
	testing.TB
	said []string
}

func (f *faults) Helper() {}
func (f *faults) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
