package settings

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/access/password/passwordtest"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
)

const word = "three small words"

// stand is the station that the pages change.
type stand struct {
	applied  []config.Config
	restarts int
	resets   int
	antenna  []byte
	moved    int
	identity []byte
	refuses  error // why it does not restart
	manager  *network.Manager
	asked    []string
	updates  *shelf // nil: it has none
}

// shelf is where releases come from.
type shelf struct {
	state    status.Update
	did      []string
	uploaded []byte
	refuses  error
}

func (s *shelf) Status() *status.Update { return &s.state }
func (s *shelf) Check() error           { s.did = append(s.did, "check"); return s.refuses }
func (s *shelf) Update() error          { s.did = append(s.did, "update"); return s.refuses }
func (s *shelf) Uploaded() bool         { return s.uploaded != nil }
func (s *shelf) Remove() error          { s.uploaded = nil; return s.refuses }
func (s *shelf) Take(r io.Reader) (err error) {
	s.uploaded, err = io.ReadAll(r)
	return errors.Join(err, s.refuses)
}

func (s *stand) Updates() Updates {
	if s.updates == nil {
		return nil
	}
	return s.updates
}

func (s *stand) Apply(c config.Config) { s.applied = append(s.applied, c) }
func (s *stand) Restart() error {
	if s.refuses == nil {
		s.restarts++
	}
	return s.refuses
}
func (s *stand) Antenna() []byte { return s.antenna }
func (s *stand) SetAntenna(b []byte) error {
	s.antenna = b
	return s.refuses
}
func (s *stand) Moved() error {
	if s.refuses == nil {
		s.moved++
	}
	return s.refuses
}
func (s *stand) Identity() []byte { return s.identity }
func (s *stand) SetIdentity(b []byte) error {
	s.identity = b
	return s.refuses
}
func (s *stand) Reset() error {
	if s.refuses == nil {
		s.resets++
	}
	return s.refuses
}
func (s *stand) Network() Network {
	if s.manager == nil {
		return nil
	}
	return s.manager
}
func (s *stand) Ask(_ context.Context, host string, port uint16) string {
	s.asked = append(s.asked, config.SpellAddress(host, port))
	return "it answers, after 1.0 ms"
}

// world is a station whose settings are changed, and its owner's browser.
type world struct {
	t       testing.TB
	dir     string
	store   *Store
	pages   *Pages
	station *stand
	handler http.Handler
	access  *access.Access
	cookies map[string]string
	host    string
}

func newWorld(t testing.TB, dir string, c config.Config) *world {
	t.Helper()
	w := &world{t: t, dir: dir, station: &stand{}, cookies: map[string]string{}, host: "192.0.2.9"}
	w.store = NewStore(StoreOptions{Dir: dir, Config: c, Now: func() (time.Time, bool) { return time.Now(), true }, Log: slog.New(slog.DiscardHandler)})
	a, err := access.New(access.Options{
		Interfaces: func() ([]net.Addr, error) { return nil, nil }, Preset: passwordtest.Cheap(word), Plain: true,
		Secure: func() net.Addr { return &net.TCPAddr{Port: 443} }, Reset: func() ([]byte, error) { return nil, fs.ErrNotExist },
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.pages, err = New(Options{Store: w.store, Station: w.station, Owner: a, Forms: a.StyleSheet()}); err != nil {
		t.Fatal(err)
	}
	w.access = a
	w.pages.Register(a)
	w.handler = a.Handler(http.NotFoundHandler())
	return w
}

// login is what its owner does first.
func (w *world) login() *world {
	w.t.Helper()
	if got := w.post("/login", "/login", "password", word); got.code != 303 {
		w.t.Fatalf("log-in: %d %s", got.code, got.body)
	}
	return w
}

type answer struct {
	code int
	to   string
	body string
	http.Header
}

func (w *world) send(r *http.Request) answer {
	r.RemoteAddr, r.Host, r.TLS = "192.0.2.77:40000", w.host, &tls.ConnectionState{}
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if w.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		}
	}
	return answer{rec.Code, rec.Header().Get("Location"), rec.Body.String(), rec.Header()}
}

func (w *world) get(path string) answer { return w.send(httptest.NewRequest("GET", path, nil)) }

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

func (w *world) token(path string) string {
	if m := tokenField.FindStringSubmatch(w.get(path).body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// raw sends a form as it is.
func (w *world) raw(path string, form url.Values) answer {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.send(r)
}

// post loads the page with a form and sends it.
func (w *world) post(page, path string, fields ...string) answer {
	w.t.Helper()
	form := url.Values{access.Field: {w.token(page)}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return w.raw(path, form)
}

// upload sends a file with other fields before it, by the token of a page.
func (w *world) upload(page, path, field, file string, fields ...string) answer {
	w.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		m.WriteField(fields[i], fields[i+1])
	}
	part, err := m.CreateFormFile(field, "file")
	if err != nil {
		w.t.Fatal(err)
	}
	io.WriteString(part, file)
	m.Close()
	r := httptest.NewRequest("POST", path+"?token="+url.QueryEscape(w.token(page)), &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return w.send(r)
}

// draft is the draft that an answer leads to.
func (w *world) draft(got answer) (id, page string) {
	w.t.Helper()
	u, err := url.Parse(got.to)
	if err != nil || got.code != 303 || u.Path != pathChange {
		w.t.Fatalf("no change to look at: %d %s %s", got.code, got.to, text(got.body))
	}
	shown := w.get(got.to)
	if shown.code != 200 {
		w.t.Fatalf("%d %s", shown.code, text(shown.body))
	}
	return u.Query().Get("draft"), shown.body
}

// keep sends a form, looks at the change and keeps it.
func (w *world) keep(path string, fields ...string) answer {
	w.t.Helper()
	id, _ := w.draft(w.post(path, path, fields...))
	return w.post(pathChange+"?draft="+id, pathChange, "draft", id)
}

var markup = regexp.MustCompile(`(?s)<head>.*</head>|<[^>]*>`)

// text is what a page says.
func text(page string) string {
	return strings.Join(strings.Fields(html.UnescapeString(markup.ReplaceAllString(page, " "))), " ")
}
