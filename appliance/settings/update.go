package settings

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
)

// Updates are what can be done about new releases.
type Updates interface {
	Status() *status.Update
	Check() error           // has a newer release looked for now
	Update() error          // and installed, without waiting for the hours for it
	Take(r io.Reader) error // takes a bundle
	Uploaded() bool         // there is one
	Remove() error          // it is gone
}

const (
	pathUpdate   = Path + "/update"
	pathUpdateDo = Path + "/update/do"
	pathBundle   = Path + "/update/bundle"
)

// What a page says after something was done about updates, by the word in its address.
var updateDone = map[string]string{
	"check":  "The station looks for a newer version now.",
	"now":    "The station looks for a newer version, and installs it at once. It restarts for that, and this page is away for some minutes.",
	"bundle": "The file is on the card. The station looks into it now.",
	"remove": "The file is removed.",
}

// atRest are the states in which nothing goes on.
var atRest = []string{string(update.StateOff), string(update.StateIdle), string(update.StateWaiting)}

// update is the page with which releases are taken, and when.
func (p *Pages) update(w http.ResponseWriter, r *http.Request) {
	now := p.o.Store.Now().Update
	form := url.Values{"channel": {now.Channel}}
	if now.Enabled {
		form.Set("enabled", "yes")
	}
	if now.Window != nil {
		form.Set("window", now.Window.String())
	}
	form.Set("hosts", strings.Join(now.URLs, "\n"))
	show := func(code int, problems []string) { p.showUpdate(w, r, code, problems, form) }
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "updates", func(c *config.Config) error {
		b := newBlock("[update]")
		b.flag("enabled", form.Get("enabled") != "")
		b.text("channel", form.Get("channel"))
		b.text("window", form.Get("window"))
		b.list("url", form.Get("hosts"))
		got, err := b.parse()
		if !form.Has("hosts") {
			got.Update.URLs = c.Update.URLs
		}
		c.Update = got.Update
		return err
	}, show)
}

func (p *Pages) showUpdate(w http.ResponseWriter, r *http.Request, code int, problems []string, form url.Values) {
	v := view{Title: "Updates", Problems: problems}
	data := struct {
		Form             url.Values
		Status           *status.Update
		Summary, Failure string
		Progress         string
		Uploaded         bool
		Bundle           string // where a file is sent to
	}{Form: form, Bundle: pathBundle + "?" + access.Field + "=" + url.QueryEscape(access.Token(r))}
	if u := p.o.Station.Updates(); u != nil {
		s := u.Status()
		data.Status, data.Summary, data.Failure, data.Uploaded = s, clean(s.Summary), clean(s.Failure), u.Uploaded()
		if s.Done != nil && s.Total != nil && *s.Total > 0 {
			data.Progress = fmt.Sprintf("%d of %d MB", *s.Done>>20, (*s.Total+1<<20-1)>>20)
		}
		word := r.URL.Query().Get("done")
		v.Done = updateDone[word]
		// How it goes on is shown without a script, to who has begun it: for others the
		// forms must stay as they fill them in.
		if v.Done != "" || word == "watch" && !slices.Contains(atRest, s.State) {
			v.Refresh = "5; url=" + pathUpdate + "?done=watch"
		}
	}
	v.Data = data
	p.show(w, r, code, "update", v)
}

// updateDo checks, updates or removes a bundle.
func (p *Pages) updateDo(w http.ResponseWriter, r *http.Request) {
	u := p.o.Station.Updates()
	if !posted(r) || u == nil {
		p.redirect(w, r, pathUpdate)
		return
	}
	do, ok := map[string]func() error{"check": u.Check, "now": u.Update, "remove": u.Remove}[r.PostForm.Get("do")]
	if !ok {
		p.refuse(w, r, http.StatusBadRequest, errors.New("this form is none of this page's"))
		return
	}
	if err := do(); err != nil {
		p.refuse(w, r, http.StatusConflict, err)
		return
	}
	p.redirect(w, r, pathUpdate+"?done="+r.PostForm.Get("do"))
}

const (
	// quietMost is how long nothing of a file may arrive, fileMost how long all of it
	// may take: half a gigabyte over slow Wi-Fi.
	quietMost = 20 * time.Second
	fileMost  = 30 * time.Minute
)

// arriving is the body of a request that takes longer than a form: its deadlines go on
// as long as something comes.
type arriving struct {
	io.ReadCloser
	control *http.ResponseController
	end     time.Time
}

func (a arriving) Read(b []byte) (int, error) {
	until := time.Now().Add(quietMost)
	if until.After(a.end) {
		until = a.end
	}
	// Where there is no deadline to set there is none to keep.
	_ = a.control.SetReadDeadline(until)
	_ = a.control.SetWriteDeadline(until.Add(quietMost)) // for the answer
	return a.ReadCloser.Read(b)
}

// file is the file of a form that is sent as one, and the fields before it. The token
// has been looked at before anything of it is read.
func file(w http.ResponseWriter, r *http.Request, field string) (f io.Reader, fields map[string]string, err error) {
	errNone := errors.New("no file came: choose one")
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, nil, errNone
	}
	r.Body = arriving{r.Body, http.NewResponseController(w), time.Now().Add(fileMost)}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, nil, err
	}
	const (
		most     = 8       // fields before the file
		mostText = 4 << 10 // bytes of one
	)
	fields = map[string]string{}
	for range most {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, nil, errNone
		}
		if part.FormName() == field && part.FileName() != "" {
			return part, fields, nil
		}
		b, err := io.ReadAll(io.LimitReader(part, mostText))
		if err != nil {
			return nil, nil, errNone
		}
		fields[part.FormName()] = string(b)
	}
	return nil, nil, errNone
}

// bundle takes a bundle that is uploaded.
func (p *Pages) bundle(w http.ResponseWriter, r *http.Request) {
	u := p.o.Station.Updates()
	if !posted(r) || u == nil {
		p.redirect(w, r, pathUpdate)
		return
	}
	f, _, err := file(w, r, "bundle")
	if err == nil {
		err = u.Take(f)
	}
	if err != nil {
		w.Header().Set("Connection", "close") // some of it may be on its way
		p.refuse(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	p.o.Log.Info("a bundle was uploaded", "by", r.RemoteAddr)
	p.redirect(w, r, pathUpdate+"?done=bundle")
}
