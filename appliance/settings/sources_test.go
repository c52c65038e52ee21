package settings

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
)

// TestListOfServers: an address and a token are taken, the token is not shown again and is
// not sent to anybody else, and all can be had back.
func TestListOfServers(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	const at, secret = "https://lists.example.net/attic.json", "s3cr3t-token"
	list := func(fields ...string) *config.Assignments {
		t.Helper()
		w.keep(pathList, fields...)
		return w.store.Now().Assignments
	}
	id, page := w.draft(w.post(pathList, pathList, "url", at, "secret", secret, "interval", "5m"))
	if got := text(page); !strings.Contains(got, "List of servers Before not set After "+at+", every 5m") || !strings.Contains(got, "Token for the list Before not set After (hidden)") || strings.Contains(page, secret) {
		t.Errorf("%s", got)
	}
	if got := w.post(pathChange+"?draft="+id, pathChange, "draft", id); got.code != 200 || w.station.restarts != 1 {
		t.Errorf("%d, %d restarts", got.code, w.station.restarts)
	}
	want := parse(t, "[assignments]\nurl='"+at+"'\ninterval='5m'\ntoken='"+secret+"'\n")
	if got := w.store.Now(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if shown := w.get(pathList).body; strings.Contains(shown, secret) || !strings.Contains(shown, `value="`+at+`"`) || !strings.Contains(shown, `value="5m"`) {
		t.Error(shown)
	}
	if got := list("url", at, "interval", "10m"); got.Token.Reveal() != secret {
		t.Errorf("the token is gone: %+v", got)
	}
	if got := list("url", "https://other.example.net/attic.json"); got.Token.Reveal() != "" || got.Interval != config.DefaultAssignmentsInterval {
		t.Errorf("another host has the token: %+v", got)
	}
	list("url", at, "secret", secret)
	if got := list("url", at, "open", "yes"); got.Token.Reveal() != "" {
		t.Errorf("it has a token still: %+v", got)
	}
	if got := list("url", ""); got != nil {
		t.Errorf("it is still there: %+v", got)
	}
	w.keepAt(pathPast, pathPast, "number", "4", "what", "the list of servers")
	if got := w.store.Now(); !reflect.DeepEqual(got, want) {
		t.Errorf("taken back: %+v, want %+v", got, want)
	}
	if got := text(w.get(Path).body); !strings.Contains(got, "List of servers") || !strings.Contains(got, "PTP clock") {
		t.Errorf("%s", got)
	}
}

// TestPTPClock: it is taken, shown as it was typed, and taken away.
func TestPTPClock(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	w.keep(pathPTP, "device", "/dev/ptp0", "bound", "250us", "ahead", "37s")
	want := parse(t, "[ptp]\ndevice='/dev/ptp0'\nbound='250us'\nahead='37s'\n")
	if got := w.store.Now(); !reflect.DeepEqual(got, want) || w.station.restarts != 1 {
		t.Errorf("%+v, want %+v; %d restarts", got, want, w.station.restarts)
	}
	shown := w.get(pathPTP).body
	form := []string{}
	for _, key := range []string{"device", "bound", "ahead"} {
		_, rest, _ := strings.Cut(shown, `name="`+key+`"`)
		_, rest, _ = strings.Cut(rest, `value="`)
		value, _, _ := strings.Cut(rest, `"`)
		form = append(form, key, value)
	}
	if got := w.post(pathPTP, pathPTP, form...); got.to != Path+"?done=same" {
		t.Errorf("what is shown is another clock: %q: %d %s", form, got.code, text(got.body))
	}
	w.keep(pathPTP, "device", " ", "bound", "nonsense")
	if got := w.store.Now(); got.PTP != nil {
		t.Errorf("%+v", got.PTP)
	}
}

// TestUpdateHosts: they are changed at once, and a form from before there were any in it
// leaves them.
func TestUpdateHosts(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	hosts := []string{"https://a.example.net/updates", "http://192.0.2.1"}
	w.keep(pathUpdate, "enabled", "yes", "hosts", hosts[0]+"/\r\n"+hosts[1]+"\r\n")
	if got := w.store.Now().Update.URLs; !reflect.DeepEqual(got, hosts) || w.station.restarts != 0 || len(w.station.applied) != 1 {
		t.Errorf("%q, %d restarts", got, w.station.restarts)
	}
	if shown := w.get(pathUpdate).body; !strings.Contains(shown, ">\n"+strings.Join(hosts, "\n")+"</textarea>") {
		t.Error(shown)
	}
	w.keep(pathUpdate, "enabled", "yes", "channel", "beta")
	if got := w.store.Now().Update; !reflect.DeepEqual(got.URLs, hosts) || got.Channel != "beta" {
		t.Errorf("%+v", got)
	}
	w.keep(pathUpdate, "enabled", "yes", "hosts", "")
	if got := w.store.Now().Update; got.URLs != nil {
		t.Errorf("%+v", got)
	}
}

// TestMoved: it is asked whether the antenna was moved, and nobody else can say so.
func TestMoved(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default())
	if got := w.get(pathMoved); got.code != 303 {
		t.Errorf("without a log-in: %d", got.code)
	}
	if got := w.raw(pathMoved, url.Values{"token": {"x"}}); got.code < 300 || w.station.moved != 0 {
		t.Errorf("without a log-in: %d", got.code)
	}
	w.login()
	if got := w.raw(pathMoved, url.Values{}); got.code != 403 || w.station.moved != 0 {
		t.Errorf("from another site: %d", got.code)
	}
	if got := w.get(pathReceiver).body; !strings.Contains(got, `href="`+pathMoved+`"`) {
		t.Error("no way to it")
	}
	if got := text(w.get(pathMoved).body); !strings.Contains(got, "forgets where its antenna was") || !strings.Contains(got, "Do this only if somebody did move it") || w.station.moved != 0 {
		t.Errorf("%s", got)
	}
	if got := w.post(pathMoved, pathMoved); got.code != 303 || w.station.moved != 1 || !strings.Contains(text(w.get(got.to).body), "finds out anew where its antenna is") {
		t.Errorf("%d %s, %d times", got.code, got.to, w.station.moved)
	}
	w.station.refuses = errors.New("in safe mode the receiver is not listened to")
	if got := w.post(pathMoved, pathMoved); got.code != 409 || !strings.Contains(text(got.body), "In safe mode") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	for _, c := range []string{"[receiver]\nantenna='moving'\n", "[receiver]\npps='GPIO18'\npps_alone=true\n[ptp]\ndevice='/dev/ptp0'\nbound='1ms'\n"} {
		w := newWorld(t, t.TempDir(), parse(t, c)).login()
		if got := w.post(pathReceiver, pathMoved); got.code != 404 || w.station.moved != 0 || strings.Contains(w.get(pathReceiver).body, pathMoved) {
			t.Errorf("%s: %d", c, got.code)
		}
	}
}
