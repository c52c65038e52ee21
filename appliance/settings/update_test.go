package settings

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
)

// TestUpdates: a check, an update and a bundle are asked for by who is logged in, with
// the form's token.
func TestUpdates(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default())
	done, total := int64(3<<20), int64(12<<20)
	w.station.updates = &shelf{state: status.Update{Summary: "Fetching version 1.2.0 <b>.", Failure: "no route\x00 to host", Done: &done, Total: &total}}
	shelf := w.station.updates
	if got := w.upload("/login", pathBundle, "bundle", "a release"); got.code != 403 || shelf.uploaded != nil {
		t.Errorf("not logged in: %d", got.code)
	}
	w.login()
	if got := w.get(pathUpdate); !strings.Contains(got.body, "Fetching version 1.2.0 &lt;b&gt;. 3 of 12 MB.") || !strings.Contains(text(got.body), "no route to host") {
		t.Errorf("%s", got.body)
	}
	for do, want := range map[string]string{"check": "check", "now": "update"} {
		if got := w.post(pathUpdate, pathUpdateDo, "do", do); got.code != 303 || !slices.Contains(shelf.did, want) {
			t.Errorf("%s: %d, %q", do, got.code, shelf.did)
		}
		if got := w.get(pathUpdate + "?done=" + do); !strings.Contains(got.body, `role="status"`) || !strings.Contains(got.body, `http-equiv="refresh"`) {
			t.Errorf("%s: %s", do, got.body)
		}
	}
	for state, watched := range map[string]bool{"fetching": true, "idle": false} {
		shelf.state.State = state
		if got := w.get(pathUpdate + "?done=watch"); strings.Contains(got.body, `http-equiv="refresh"`) != watched {
			t.Errorf("%s is watched: %v", state, !watched)
		}
		if got := w.get(pathUpdate); strings.Contains(got.body, `http-equiv="refresh"`) {
			t.Errorf("%s: what is filled in is lost", state)
		}
	}
	if got := w.post(pathUpdate, pathUpdateDo, "do", "else"); got.code != 400 {
		t.Errorf("%d", got.code)
	}
	if got := w.upload(pathUpdate, pathBundle, "bundle", "a release"); got.code != 303 || string(shelf.uploaded) != "a release" {
		t.Errorf("%d %s, %q", got.code, text(got.body), shelf.uploaded)
	}
	if got := w.get(pathUpdate); !strings.Contains(got.body, "Remove the file") {
		t.Error("the file that was uploaded is not shown")
	}
	if got := w.post(pathUpdate, pathUpdateDo, "do", "remove"); got.code != 303 || shelf.uploaded != nil {
		t.Errorf("%d", got.code)
	}
	if got := w.upload(pathUpdate, pathBundle, "another", "x"); got.code != 422 || shelf.uploaded != nil {
		t.Errorf("another field: %d", got.code)
	}
	// What was cut off on its way, and what is no form.
	r := httptest.NewRequest("POST", pathBundle+"?token="+w.token(pathUpdate), strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"bundle\"; filename=\"f\"\r\n\r\nhalf a rel"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if got := w.send(r); got.code != 422 || got.Get("Connection") != "close" {
		t.Errorf("cut off: %d", got.code)
	}
	shelf.refuses = errors.New("there is no room for it on the card")
	if got := w.upload(pathUpdate, pathBundle, "bundle", "x"); got.code != 422 || !strings.Contains(text(got.body), "There is no room") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if got := w.post(pathUpdate, pathUpdateDo, "do", "check"); got.code != 409 {
		t.Errorf("%d", got.code)
	}
	if got := w.keep(pathUpdate, "enabled", "yes", "channel", "beta", "window", "13:00-14:30"); got.code != 303 || w.station.restarts != 0 {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if u := w.store.Now().Update; u.Channel != "beta" || u.Window.String() != "13:00-14:30" || !u.Enabled {
		t.Errorf("%+v", u)
	}
	// A program on a computer has no releases.
	w.station.updates = nil
	if got := w.get(pathUpdate); got.code != 200 || strings.Contains(got.body, "Check now") {
		t.Errorf("%d", got.code)
	}
	if got := w.upload(pathUpdate, pathBundle, "bundle", "x"); got.code != 303 {
		t.Errorf("%d", got.code)
	}
}
