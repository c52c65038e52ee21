package origin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

var epoch = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

const full = `{"urls":["https://one.example.net/truechimer","http://192.0.2.1:8080"],"channel":"stable","epoch":2,"floor":{"root":1,"targets":3,"issued":"2026-12-01T00:00:00Z"}}`

func TestParse(t *testing.T) {
	want := Origin{URLs: []string{"https://one.example.net/truechimer", "http://192.0.2.1:8080"}, Channel: "stable", Epoch: 2, Floor: tuf.Floor{Root: 1, Targets: 3, Issued: epoch}}
	got, err := Parse([]byte(full))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	b, err := json.Marshal(want)
	if err != nil || string(b) != full {
		t.Errorf("written as %s, %v", b, err)
	}
	if got, err := Parse([]byte(`{"channel":"stable"}`)); err != nil || got.URLs != nil {
		t.Errorf("without hosts: %+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "EOF",
		"{}":                                   `channel ""`,
		"null":                                 `channel ""`,
		"[]":                                   "cannot unmarshal",
		`{"channel":"stable"} {}`:              "something follows",
		`{"channel":"stable","color":1}`:       "unknown field",
		`{"channel":"../x"}`:                   "no name of a channel",
		`{"channel":"stable","epoch":-1}`:      "below 0",
		`{"channel":"stable","urls":["ftp:"]}`: "no https://",
		`{"channel":"stable","urls":["https://a.example/"]}`:                           "slash at its end",
		`{"channel":"stable","urls":["https://me:pw@a.example"]}`:                      "has an @",
		`{"channel":"stable","floor":{"snapshot":-1}}`:                                 "below 0",
		`{"channel":"stable","urls":[` + strings.Repeat(`"",`, 8) + `""]}`:             "9 update hosts",
		`{"channel":"` + strings.Repeat("x", MaxSize) + `"}`:                           "at most",
		`{"channel":"stable","epoch":99999999999999999999999999999999999999999999999}`: "cannot unmarshal",
	} {
		if o, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %+v, %v, want %q", text, o, err, want)
		}
	}
}

func TestCheckRoot(t *testing.T) {
	r := tuftest.New(epoch)
	good := r.Initial()
	if err := CheckRoot(good); err != nil {
		t.Error(err)
	}
	r.Rotate("root")
	if err := CheckRoot(r.File("metadata/2.root.json")); err != nil {
		t.Errorf("one that followed another: %v", err)
	}
	two := r.File("metadata/2.root.json")
	for name, b := range map[string][]byte{
		"nothing": nil, "no JSON": []byte("root"), "another thing": []byte(`{"signed":{"_type":"root"}}`), "null": []byte("null"),
		"another role": r.File("metadata/timestamp.json"),
		"changed":      []byte(strings.Replace(string(good), "2028-", "2029-", 1)),
		"cut off":      good[:len(good)-1], "too large": append(good, make([]byte, MaxRoot)...),
		"signed by others": []byte(signaturesOf(t, good, two)),
	} {
		if err := CheckRoot(b); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// signaturesOf is metadata with another's signatures.
func signaturesOf(t *testing.T, signed, other []byte) string {
	t.Helper()
	var a, b map[string]json.RawMessage
	if err := json.Unmarshal(signed, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(other, &b); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"signatures":%s,"signed":%s}`, b["signatures"], a["signed"])
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"channel":"stable","urls":["https://[::1]/"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(again); err != nil || !reflect.DeepEqual(got.URLs, o.URLs) && len(o.URLs) > 0 {
			t.Errorf("%s: %v", again, err)
		}
	})
}

// FuzzCheckRoot: nobody but the holders of its keys makes a root.
func FuzzCheckRoot(f *testing.F) {
	good := tuftest.New(epoch).Initial()
	f.Add(good)
	f.Add([]byte(strings.Replace(string(good), `"threshold": 2`, `"threshold": 0`, -1)))
	f.Add([]byte(strings.Replace(string(good), `"threshold": 2`, `"threshold": -1`, -1)))
	f.Add([]byte(strings.Replace(string(good), "ed25519", "rsa", -1)))
	f.Add([]byte(`{"signatures":[],"signed":{"_type":"root","spec_version":"1.0.31","version":1,"expires":"2030-01-01T00:00:00Z","keys":{},"roles":{"root":{"keyids":[],"threshold":0}},"consistent_snapshot":true}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if CheckRoot(b) == nil && !sameSigned(b, good) {
			t.Errorf("accepted %q", b)
		}
	})
}

// sameSigned says whether what is signed in both is the same.
func sameSigned(a, b []byte) bool {
	var x, y struct {
		Signed any `json:"signed"`
	}
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x.Signed, y.Signed)
}
