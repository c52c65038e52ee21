package main

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/web"
	"github.com/truechimer/truechimer/appliance/web/apitest"
)

// TestAnswers lives eighty minutes of a station that meets a server which is off, and holds
// all that it then answers to machines against the OpenAPI file that it serves.
func TestAnswers(t *testing.T) {
	p := updatable(t, &platform{station: true, id: "7f3a9c0e5b1d48f2", perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{hostless: true})
		w.wrong = func(server string) time.Duration {
			if server == "198.51.100.1" {
				return 80 * time.Millisecond
			}
			return 0
		}
		w.atEnd = func(s *station) {
			server, err := s.server()
			if err != nil {
				t.Fatal(err)
			}
			api := apitest.New(t, server.Handler)
			for _, path := range []string{"/api/v1/status", "/healthz", "/metrics", apitest.Path, "/api/v1/exchanges?format=csv", "/api/v1/rollups?format=csv", "/api/v1/pulses", "/api/v1/reference", "/api/v1/reference/hours"} {
				api.Get(path, 200)
			}
			if n := api.Lines("Exchange", api.Get("/api/v1/exchanges?format=json&undated=1", 200)); n < 100 {
				t.Errorf("%d exchanges", n)
			}
			if n := api.Lines("Hour", api.Get("/api/v1/rollups?format=json", 200)); n == 0 {
				t.Error("no hours")
			}
			if n := api.Lines("ReferenceMinute", api.Get("/api/v1/reference?format=json&undated=1", 200)); n < 60 {
				t.Errorf("%d minutes of the reference", n)
			}
			if n := api.Lines("ReferenceHour", api.Get("/api/v1/reference/hours?format=json", 200)); n == 0 {
				t.Error("no hours of the reference")
			}
			api.Begin(web.EventsPath, 200)
			var list web.ProofList
			if err := json.Unmarshal(api.Get("/api/v1/proofs", 200), &list); err != nil || len(list.Proofs) == 0 {
				t.Fatalf("%d proofs, %v", len(list.Proofs), err)
			}
			api.Get(list.Proofs[0].URL, 200)
		}
		live(t, w, p, 80*time.Minute)
	})
}
