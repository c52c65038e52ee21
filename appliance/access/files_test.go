package access

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// watchedBody tells whether it was read.
type watchedBody struct {
	io.Reader
	read bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.read = true
	return b.Reader.Read(p)
}

// TestFiles: a form with files comes through with the token in its address, and of one
// without it nothing is read.
func TestFiles(t *testing.T) {
	a := claimed(t)
	came := ""
	a.Handle("/settings/file", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.Write([]byte(`<input name="token" value="` + Token(r) + `">`))
			return
		}
		b, _ := io.ReadAll(r.Body)
		came = string(b)
	}))
	a.HandleOpen("/open", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`<input name="token" value="` + Token(r) + `">` + r.PostForm.Get("x")))
	}))
	v := visitorOf(t, a, near)
	send := func(address string) (answer, *watchedBody) {
		body := &watchedBody{Reader: strings.NewReader("--x\r\n\r\na file\r\n--x--\r\n")}
		r := httptest.NewRequest("POST", address, body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		return v.send(r), body
	}
	strange := v.token("/open")
	if got := v.post("/open", "/open", "x", "came through"); got.code != 200 || !strings.Contains(got.body, "came through") {
		t.Errorf("%d %s", got.code, got.body)
	}
	if got := v.raw("/open", "x=came+through"); got.code != 403 {
		t.Errorf("without a token: %d %s", got.code, got.body)
	}
	if got, body := send("/settings/file?token=" + url.QueryEscape(strange)); got.code != 403 || body.read || came != "" {
		t.Errorf("not logged in: %d, read %v", got.code, body.read)
	}
	if v.login(right); !v.isIn() {
		t.Fatal("not logged in")
	}
	token := v.token("/settings/file")
	for what, address := range map[string]string{
		"none": "/settings/file", "empty": "/settings/file?token=", "a visitor's": "/settings/file?token=" + strange,
		"twice": "/settings/file?token=" + token + "&token=" + token, "short": "/settings/file?token=" + token[1:],
	} {
		if got, body := send(address); got.code != 403 && got.code != 415 || body.read || came != "" || got.Get("Connection") != "close" {
			t.Errorf("%s: %d, read %v", what, got.code, body.read)
		}
	}
	if got, _ := send("/settings/file?token=" + token); got.code != 200 || !strings.Contains(came, "a file") {
		t.Errorf("%d, %q came", got.code, came)
	}
	v.header.Set("Sec-Fetch-Site", "cross-site")
	if got, body := send("/settings/file?token=" + token); got.code != 403 || body.read {
		t.Errorf("of another site: %d", got.code)
	}
}
