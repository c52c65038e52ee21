package access

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestSlowHashIsAnswered: though the hash took longer than the server
// gives an answer.
func TestSlowHashIsAnswered(t *testing.T) {
	const limit = 20 * time.Millisecond
	a := &Access{gate: newGate()}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{a: a, w: w, r: r}
		if v.compute(nil, func() { time.Sleep(5 * limit) }) {
			_, _ = io.WriteString(w, "set")
		}
	}))
	s.Config.WriteTimeout = limit
	s.Start()
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "set" {
		t.Errorf("%q, %v", b, err)
	}
}
