package web

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// proofs are files by their ids.
type proofs struct {
	list  ProofList
	files map[string]string
	err   error
}

func (p proofs) List() ProofList { return p.list }

func (p proofs) File(id string) ([]byte, error) {
	if p.err != nil {
		return nil, p.err
	}
	b, ok := p.files[id]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(b), nil
}

func TestProofs(t *testing.T) {
	key := strings.Repeat("ab", 32)
	p := proofs{
		list: ProofList{Key: &key, KeyKept: true, Proofs: []Proof{
			{ID: "20260701T140000Z-0123456789abcdef", ServerID: "gamma", Name: "gamma", Address: "203.0.113.80:123", Time: testTime, Limit: .025, Reason: "80 ms ahead", Size: 3},
			{ID: "20260701T130000Z-0123456789abcdef", ServerID: "gamma", Name: "gamma", Address: "203.0.113.80:123", Time: testTime.Add(-time.Hour), Size: 3},
			{ID: "20260701T120000Z-0123456789abcdef", ServerID: "alpha", Name: "alpha", Address: "192.0.2.10:123", Reason: "\x1b[2J" + strings.Repeat("x", 1000)},
		}},
		files: map[string]string{"20260701T140000Z-0123456789abcdef": "{}\n"},
	}
	h := handler(t, Options{Source: fixed{status: wellStation()}, Proofs: p})
	r := fetch(h, "GET", "/api/v1/proofs")
	var got ProofList
	text := body(t, r)
	if err := json.Unmarshal([]byte(text), &got); err != nil || r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s, %v: %s", r.Status, err, text)
	}
	if len(got.Proofs) != 3 || *got.Key != key || !got.KeyKept || got.Proofs[0].URL != "/api/v1/proofs/20260701T140000Z-0123456789abcdef" {
		t.Errorf("%s", text)
	}
	if hostile := got.Proofs[2].Reason; strings.Contains(hostile, "\x1b") || len([]rune(hostile)) > maxReason {
		t.Errorf("%q", hostile)
	}
	r = fetch(h, "GET", got.Proofs[0].URL)
	if text := body(t, r); r.StatusCode != 200 || text != "{}\n" || !strings.Contains(r.Header.Get("Content-Disposition"), "proof-20260701T140000Z-0123456789abcdef.json") {
		t.Errorf("%s, %q, %v", r.Status, text, r.Header)
	}
	for _, path := range []string{"/api/v1/proofs/", "/api/v1/proofs/x", "/api/v1/proofs/%22%0d%0a", "/api/v1/proofs/a/b"} {
		if r := fetch(h, "GET", path); r.StatusCode != 404 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	if r := fetch(h, "POST", got.Proofs[0].URL); r.StatusCode != 405 {
		t.Errorf("POST: %s", r.Status)
	}
	// Only who is off has a link, to the newest.
	page := body(t, fetch(h, "GET", DetailsPath))
	if n := strings.Count(page, ProofsPath+"/"); n != 1 || !strings.Contains(page, `href="`+got.Proofs[0].URL+`"`) {
		t.Errorf("%d links to proofs", n)
	}

	p.err = errors.New("the card is gone")
	if r := fetch(handler(t, Options{Source: fixed{}, Proofs: p}), "GET", got.Proofs[0].URL); r.StatusCode != 500 || r.Header.Get("Content-Disposition") != "" {
		t.Errorf("a card that is gone: %s", r.Status)
	}
	if text := body(t, fetch(handler(t, Options{Source: fixed{}, Proofs: proofs{}}), "GET", "/api/v1/proofs")); !strings.Contains(text, `"key": null`) || !strings.Contains(text, `"proofs": []`) {
		t.Errorf("nothing yet: %s", text)
	}
	for _, path := range []string{"/api/v1/proofs", got.Proofs[0].URL} {
		if r := fetch(handler(t, Options{Source: fixed{}}), "GET", path); r.StatusCode != 404 {
			t.Errorf("%s where there are none: %s", path, r.Status)
		}
	}
}
