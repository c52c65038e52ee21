package fetch

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func document(t *testing.T, url, bearer string, o Options) *Document {
	t.Helper()
	o.Limits = quick
	d, err := NewDocument(url, bearer, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestDocument(t *testing.T) {
	var asked *http.Request
	tag, control := `"one"`, "max-age=600, public"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", control)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, "body")
	}))
	defer s.Close()
	d := document(t, s.URL+"/lists/mine.json", "tok.en~1", Options{})
	a, err := d.Get(t.Context(), "", 4)
	if err != nil || string(a.Body) != "body" || a.Tag != `"one"` || a.Unchanged || a.Fresh != 10*time.Minute {
		t.Errorf("%+v, %v", a, err)
	}
	if asked.URL.Path != "/lists/mine.json" || asked.Header.Get("Authorization") != "Bearer tok.en~1" || asked.UserAgent() != "truechimer" || asked.Header.Get("If-None-Match") != "" {
		t.Errorf("asked %s with %v", asked.URL, asked.Header)
	}
	control = ""
	if a, err = d.Get(t.Context(), a.Tag, 4); err != nil || !a.Unchanged || a.Body != nil || a.Tag != `"one"` || a.Fresh != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	tag = "bad\ttag" + strings.Repeat("x", maxTag)
	if a, err = d.Get(t.Context(), `"one"`, 4); err != nil || a.Unchanged || string(a.Body) != "body" || a.Tag != "" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err = d.Get(t.Context(), "bad\r\nX: y", 3); !errors.Is(err, ErrTooLarge) || asked.Header.Get("X") != "" {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "ftp://a/x", "http://u:p@a/x", "http://a/x?y", "http://a/x#y", "http://a b/x"} {
		if _, err := NewDocument(bad, "", Options{}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDocumentStatus(t *testing.T) {
	for status, want := range map[int]error{
		404: fs.ErrNotExist, 410: fs.ErrNotExist, 403: fs.ErrNotExist, 401: ErrRefused, 429: ErrRefused, 503: ErrRefused, 500: ErrRefused, 304: ErrRefused, 206: ErrRefused, 204: ErrRefused,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "17")
			w.WriteHeader(status)
		}))
		a, err := document(t, s.URL+"/x", "", Options{}).Get(t.Context(), "", 10)
		e, ok := errors.AsType[*StatusError](err)
		if !ok || !errors.Is(err, want) || e.Code != status || e.RetryAfter != 17*time.Second || a.Body != nil {
			t.Errorf("%d: %+v, %v", status, a, err)
		}
		s.Close()
	}
}

func TestWhenAgain(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		retry, date string
		want        time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"120", "", 2 * time.Minute}, {" 120 ", "", 2 * time.Minute}, {"-1", "", 0}, {"1.5", "", 0}, {"soon", "", 0},
		{"99999999999999999999999", "", longest}, {"9223372036854775807", "", longest},
		{"Wed, 01 Jul 2026 12:05:00 GMT", "", 5 * time.Minute}, {"Wed, 01 Jul 2026 11:05:00 GMT", "", 0}, {"Wed, 01 Jul 9926 11:05:00 GMT", "", longest},
		{"Wed, 01 Jul 2026 12:05:00 GMT", "Wed, 01 Jul 2026 12:04:00 GMT", time.Minute},
	} {
		a := &answer{Response: &http.Response{Header: http.Header{"Retry-After": {c.retry}, "Date": {c.date}}}, now: func() time.Time { return now }}
		if got := a.retryAfter(); got != c.want {
			t.Errorf("Retry-After %q: %v, want %v", c.retry, got, c.want)
		}
	}
	for _, c := range []struct {
		control []string
		age     string
		want    time.Duration
	}{
		{nil, "", 0}, {[]string{"max-age=60"}, "", time.Minute}, {[]string{"public", `Max-Age="60", must-revalidate`}, "", time.Minute}, {[]string{"max-age=60"}, "20", 40 * time.Second}, {[]string{"max-age=60"}, "90", 0},
		{[]string{"max-age=60, no-cache"}, "", 0}, {[]string{"no-store", "max-age=60"}, "", 0}, {[]string{"max-age=-5"}, "", 0}, {[]string{"max-age=999999999999999999999"}, "", longest}, {[]string{"s-maxage=60"}, "", 0},
	} {
		h := http.Header{"Cache-Control": c.control}
		if c.age != "" {
			h.Set("Age", c.age)
		}
		if got := (&answer{Response: &http.Response{Header: h}}).fresh(); got != c.want {
			t.Errorf("%q, Age %q: %v, want %v", c.control, c.age, got, c.want)
		}
	}
}

// Nobody but the server that a token is for gets it, and what is not https or
// the same server is not gone to.
func TestDocumentRedirects(t *testing.T) {
	var got []string
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("Authorization"))
		fmt.Fprint(w, "elsewhere")
	}))
	defer secure.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked by http") }))
	defer plain.Close()
	to := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			got = append(got, r.URL.Path+" "+r.Header.Get("Authorization"))
			fmt.Fprint(w, "here")
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	defer s.Close()
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	d := document(t, s.URL+"/x", "token", Options{Roots: roots})
	d.client.own[strings.TrimPrefix(secure.URL, "https://")] = true // as if it were not on loopback

	for _, c := range []struct{ to, body, got string }{
		{"/here", "here", "/here Bearer token"},
		{secure.URL + "/there", "elsewhere", "/there "},
		{plain.URL + "/x", "", ""},
	} {
		to, got = c.to, nil
		a, err := d.Get(t.Context(), "", 100)
		if string(a.Body) != c.body || (err == nil) != (c.body != "") || strings.Join(got, "; ") != c.got {
			t.Errorf("to %s: %q, %v, others got %q", c.to, a.Body, err, got)
		}
		if c.body == "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not https")) {
			t.Errorf("%v", err)
		}
	}
}

// What is compressed is not taken, so nothing can burst.
func TestDocumentGzip(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb.Bytes())
	}))
	defer s.Close()
	if _, err := document(t, s.URL+"/x", "", Options{}).Get(t.Context(), "", 2<<20); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}
