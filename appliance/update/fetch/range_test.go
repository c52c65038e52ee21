package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

const alphabet = "abcdefghijklmnopqrstuvwxyz"

func file(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(alphabet))
}

// partial answers with a part of its own choice.
func partial(contentRange, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if contentRange != "" {
			w.Header().Set("Content-Range", contentRange)
		}
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, body)
	}
}

func TestRange(t *testing.T) {
	chunked := func(status int, contentRange, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(status)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		handler      http.HandlerFunc
		from, length int64
		want         string
		err          error
	}{
		"the start":            {file, 0, 3, "abc", nil},
		"the middle":           {file, 10, 5, "klmno", nil},
		"the end":              {file, 23, 3, "xyz", nil},
		"all":                  {file, 0, 26, alphabet, nil},
		"beyond the end":       {file, 23, 4, "", ErrRefused},
		"behind the end":       {file, 26, 1, "", ErrRefused},
		"no ranges":            {says(200, alphabet), 10, 5, "klmno", nil},
		"no ranges, too short": {says(200, alphabet), 23, 4, "", ErrRefused},
		"no ranges, cut before": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "abc")
		}, 10, 5, "", io.ErrUnexpectedEOF},
		"no ranges, cut within": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "abc")
		}, 1, 5, "bc", io.ErrUnexpectedEOF},
		"another part":            {partial("bytes 11-15/26", "lmnop"), 10, 5, "", ErrRefused},
		"a longer part":           {partial("bytes 10-25/26", "klmnopqrstuvwxyz"), 10, 5, "", ErrRefused},
		"a shorter part":          {partial("bytes 10-13/26", "klmn"), 10, 5, "", ErrRefused},
		"a part of anything":      {partial("", "klmno"), 10, 5, "", ErrRefused},
		"other units":             {partial("pages 10-14/26", "klmno"), 10, 5, "", ErrRefused},
		"more bytes than it says": {partial("bytes 10-14/26", "klmnopq"), 10, 5, "", ErrRefused},
		"less bytes than it says": {partial("bytes 10-14/26", "kl"), 10, 5, "", ErrRefused},
		"of a file without end":   {partial("bytes 10-14/*", "klmno"), 10, 5, "klmno", nil},
		"chunked":                 {chunked(206, "bytes 10-14/26", "klmno"), 10, 5, "klmno", nil},
		"chunked and more":        {chunked(206, "bytes 10-14/26", "klmnopqrst"), 10, 5, "klmno", nil},
		"chunked and less":        {chunked(206, "bytes 10-14/26", "klm"), 10, 5, "klm", io.ErrUnexpectedEOF},
		"not found":               {http.NotFound, 10, 5, "", fs.ErrNotExist},
		"not modified":            {says(304, ""), 10, 5, "", ErrRefused},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			partial("bytes 10-14/26", "klmno")(w, r)
		}, 10, 5, "", ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			r, err := serve(t, c.handler).Range(t.Context(), "x", c.from, c.length)
			if err == nil {
				got, err = io.ReadAll(r)
				if n, again := r.Read(make([]byte, 1)); err == nil && (n != 0 || again != io.EOF) {
					t.Errorf("behind the end: %d bytes, %v", n, again)
				}
				r.Close()
			}
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
	c := serve(t, file)
	for _, bad := range [][2]int64{{-1, 1}, {0, 0}, {0, -1}, {1, math.MaxInt64}} {
		if _, err := c.Range(t.Context(), "x", bad[0], bad[1]); err == nil {
			t.Errorf("%v was asked for", bad)
		}
	}
}

// A mirror that cannot begin is passed over; one that fails later is left to
// the caller, who has what came.
func TestRangeMirrors(t *testing.T) {
	c := serve(t, says(500, ""), http.NotFound, says(200, "short"), partial("bytes 0-0/1", "x"), file)
	r, err := c.Range(t.Context(), "x", 20, 6)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil || b.String() != "uvwxyz" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
