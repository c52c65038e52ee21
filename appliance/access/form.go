package access

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"
)

// What a form must send to be the station's own: a field, or a header where the
// body is no form.
const (
	Field  = "token"
	Header = "X-Truechimer-Token"
)

// The bounds of a form: that of a page with 200 servers has some 20 KiB.
const (
	formMost   = 64 << 10 // bytes
	fieldsMost = 2000
)

var errForm = errors.New("this is no form that the station understands")

// parseForm reads a form's body, which anybody may have written.
func parseForm(body []byte) (url.Values, error) {
	s := string(body)
	if len(s) > formMost || strings.Count(s, "&") >= fieldsMost {
		return nil, errForm
	}
	form, err := url.ParseQuery(s)
	if err != nil {
		return nil, errForm
	}
	for key, values := range form {
		for _, v := range append(values, key) {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return nil, errForm
			}
		}
	}
	return form, nil
}

// readForm reads what was sent as a form into r.PostForm and r.Form, and leaves
// every other body alone. Of what is wrong it gives the status to answer with.
func readForm(w http.ResponseWriter, r *http.Request) (code int, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == formWithFiles && r.URL.Query().Get(Field) != "" {
		return 0, nil
	}
	if err != nil || kind != "application/x-www-form-urlencoded" {
		if r.Header.Get(Header) == "" {
			return http.StatusUnsupportedMediaType, errForm
		}
		return 0, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, formMost))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return http.StatusRequestEntityTooLarge, errors.New("this form is larger than any of the station's")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusRequestTimeout, errors.New("this form took too long to arrive")
	}
	if err != nil {
		return http.StatusBadRequest, errForm
	}
	if r.PostForm, err = parseForm(body); err != nil {
		return http.StatusBadRequest, err
	}
	r.Form = r.PostForm
	return 0, nil
}

// formWithFiles is what forms with files in them are sent as: too large to be read
// before the token is looked at.
const formWithFiles = "multipart/form-data"

// sentToken is the token that came with what was sent. In an address it is no secret
// that could leak: without the session's cookie it is worth nothing.
func sentToken(r *http.Request) string {
	if r.PostForm != nil {
		return one(r.PostForm, Field)
	}
	if sent := r.Header.Get(Header); sent != "" {
		return sent
	}
	return one(r.URL.Query(), Field)
}

// one is the value of a field that was sent once; empty otherwise.
func one(form url.Values, key string) string {
	if len(form[key]) != 1 {
		return ""
	}
	return form[key][0]
}
