package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// quick are limits for tests over loopback.
var quick = Limits{Pause: time.Millisecond}

// serve serves handlers over loopback, and returns a client whose mirrors they are.
func serve(t *testing.T, handlers ...http.HandlerFunc) *Client {
	t.Helper()
	o := Options{Limits: quick}
	for _, h := range handlers {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		o.Bases = append(o.Bases, s.URL)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestGet(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RequestURI)
		for _, h := range []string{"Cookie", "Authorization", "Referer", "If-None-Match", "Range"} {
			if r.Header.Get(h) != "" {
				t.Errorf("%s: %s", h, r.Header.Get(h))
			}
		}
		if e, u := r.Header.Get("Accept-Encoding"), r.UserAgent(); e != "identity" || u != "truechimer" {
			t.Errorf("accepts %q, is %q", e, u)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	for name, want := range map[string]string{
		"metadata/1.root.json": "/metadata/1.root.json",
		"metadata/1.%2F.json":  "/metadata/1.%2F.json",
		"a%3Fb%23c%20d":        "/a%3Fb%23c%20d",
		"...":                  "/...",
	} {
		if got, err := c.Get(t.Context(), name, 100); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", "/", "/x", "x/", "a//b", "../x", "a/../b", "./x", "a?b", "a#b", "a b", `a\b`, "a\nb", "é", "%", "%zz", strings.Repeat("x", 2000),
	} {
		if _, err := c.Get(t.Context(), name, 100); err == nil {
			t.Errorf("%.20q was asked for", name)
		}
	}
}

func TestStatus(t *testing.T) {
	for status, want := range map[int]error{
		404: fs.ErrNotExist, 403: fs.ErrNotExist, 410: fs.ErrNotExist,
		204: ErrRefused, 206: ErrRefused, 300: ErrRefused, 304: ErrRefused, 401: ErrRefused,
		429: ErrRefused, 500: ErrRefused, 503: ErrRefused, 999: ErrRefused,
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		if b, err := c.Get(t.Context(), "x", 10); !errors.Is(err, want) || b != nil {
			t.Errorf("%d: %q, %v, want %v", status, b, err, want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	c := serve(t, says(200, "0123456789"))
	if b, err := c.Get(t.Context(), "x", 10); err != nil || len(b) != 10 {
		t.Errorf("%q, %v", b, err)
	}
	for _, limit := range []int64{9, 1, 0} {
		if _, err := c.Get(t.Context(), "x", limit); !errors.Is(err, ErrTooLarge) {
			t.Errorf("at most %d: %v", limit, err)
		}
	}
}

// Nothing is decompressed: not what is said to be compressed, and not what is.
func TestGzip(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	for _, encoding := range []string{"gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip"} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Write(bomb.Bytes())
		})
		if _, err := c.Get(t.Context(), "x", 2<<20); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", encoding, err)
		}
	}
	for _, encoding := range []string{"", "identity"} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Write(bomb.Bytes())
		})
		if b, err := c.Get(t.Context(), "x", 2<<20); err != nil || !bytes.Equal(b, bomb.Bytes()) {
			t.Errorf("%q: %d bytes, %v", encoding, len(b), err)
		}
	}
}

func TestEntityTag(t *testing.T) {
	tag, body, asked := `"one"`, "first", ""
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("If-None-Match")
		w.Header().Set("ETag", tag)
		if asked == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, body)
	})
	get := func(name, wantAsked, want string) {
		t.Helper()
		b, err := c.Get(t.Context(), name, 1<<20)
		if err != nil || string(b) != want || asked != wantAsked {
			t.Errorf("asked with %q: %.20q, %v, want %q and %.20q", asked, b, err, wantAsked, want)
		}
		for i := range b {
			b[i] = 0 // it is the caller's
		}
	}
	get("x", "", "first")
	get("x", `"one"`, "first")
	get("x", `"one"`, "first")
	get("y", "", "first")
	if _, err := c.Get(t.Context(), "x", 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("what is remembered is too large: %v", err)
	}
	tag, body = `W/"two"`, "second"
	get("x", `"one"`, "second")
	get("x", `W/"two"`, "second")
	// Neither large files nor odd tags are remembered, and few at all.
	tag, body = `"three"`, strings.Repeat("x", maxEntry+1)
	get("x", `W/"two"`, body)
	get("x", "", body)
	tag, body = `"`+strings.Repeat("t", maxTag)+`"`, "third"
	get("x", "", "third")
	get("x", "", "third")
	tag = `"four"`
	for i := range 3 * maxEntries {
		get(fmt.Sprint(i), "", "third")
	}
	get("5", "", "third")
	if len(c.seen) != maxEntries {
		t.Errorf("%d files are remembered", len(c.seen))
	}
}

func TestMirrors(t *testing.T) {
	asked := ""
	mirror := func(name string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked += name
			says(status, name)(w, r)
		}
	}
	for _, c := range []struct {
		status [3]int
		want   string // what the first two calls ask
		err    error
	}{
		{[3]int{200, 200, 200}, "aa", nil},
		{[3]int{500, 404, 200}, "abcc", nil}, // the one that worked last is first
		{[3]int{404, 404, 200}, "abcc", nil},
		{[3]int{404, 404, 404}, "abcabc", fs.ErrNotExist},
		{[3]int{500, 404, 500}, "abcabc", fs.ErrNotExist},
		{[3]int{500, 500, 500}, "abcabc", ErrRefused},
	} {
		asked = ""
		client := serve(t, mirror("a", c.status[0]), mirror("b", c.status[1]), mirror("c", c.status[2]))
		for range 2 {
			if _, err := client.Get(t.Context(), "x", 10); !errors.Is(err, c.err) {
				t.Errorf("%v: %v, want %v", c.status, err, c.err)
			}
		}
		if asked != c.want {
			t.Errorf("%v: asked %s, want %s", c.status, asked, c.want)
		}
	}

	asked = ""
	client := serve(t, mirror("a", 200), mirror("b", 200))
	for range 3 {
		if _, err := client.Get(t.Context(), "x", 10); err != nil {
			t.Error(err)
		}
		client.Next()
	}
	if asked != "aba" || client.Mirrors() != 2 {
		t.Errorf("asked %s of %d", asked, client.Mirrors())
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	asked = ""
	if _, err := client.Get(ctx, "x", 10); !errors.Is(err, context.Canceled) || asked != "" {
		t.Errorf("%v, asked %q", err, asked)
	}
}

func TestNew(t *testing.T) {
	for _, good := range []string{"http://a", "http://a/", "https://a.example:8443/updates", "http://[::1]/x/", "HTTP://A/"} {
		c, err := New(Options{Bases: []string{good}})
		if err != nil || !strings.HasSuffix(c.bases[0], "/") || strings.HasSuffix(c.bases[0], "//") {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", "/a", "//a/", "ftp://a/", "file:///etc/", "http:///", "http://:80/", "http://u:p@a/", "http://a/?x", "http://a/?", "http://a/#x", "http://a b/",
		"http://ä/", "http://a/\x00", "http://a:x/",
	} {
		if _, err := New(Options{Bases: []string{bad}}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, n := range []int{0, MaxBases + 1} {
		if _, err := New(Options{Bases: slices.Repeat([]string{"http://a/"}, n)}); err == nil {
			t.Errorf("%d URLs were taken", n)
		}
	}
}
