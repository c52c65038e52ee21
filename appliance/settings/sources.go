package settings

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

const (
	pathMoved = pathReceiver + "/moved"
	pathList  = Path + "/list"
	pathPTP   = Path + "/ptp"
)

// list is the page with a list of servers that somebody else keeps.
func (p *Pages) list(w http.ResponseWriter, r *http.Request) {
	now := p.o.Store.Now().Assignments
	form := url.Values{}
	if now != nil {
		form.Set("url", now.URL)
		form.Set("interval", spell(now.Interval))
	}
	show := func(code int, problems []string) {
		form.Del("secret") // it is not sent back, not even to who sent it
		p.show(w, r, code, "list", view{Title: "List of servers", Problems: problems, Data: struct {
			Form  url.Values
			Token bool
		}{form, now != nil && now.Token.Reveal() != ""}})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "the list of servers", func(c *config.Config) error { return changeList(c, form) }, show)
}

// changeList takes what was filled in. A token is for whom it was given to: with
// another address it has to be typed once more.
func changeList(c *config.Config, form url.Values) error {
	at, secret := strings.TrimSpace(form.Get("url")), strings.TrimSpace(form.Get("secret"))
	if at == "" {
		c.Assignments = nil
		return nil
	}
	if old := c.Assignments; secret == "" && form.Get("open") == "" && old != nil && old.URL == at {
		secret = old.Token.Reveal()
	}
	b := newBlock("[assignments]")
	b.text("url", at)
	b.text("interval", form.Get("interval"))
	b.text("token", secret)
	got, err := b.parse()
	c.Assignments = got.Assignments
	return err
}

// ptp is the page with a PTP clock.
func (p *Pages) ptp(w http.ResponseWriter, r *http.Request) {
	form := url.Values{}
	if now := p.o.Store.Now().PTP; now != nil {
		form.Set("device", now.Device)
		form.Set("bound", spell(time.Duration(now.Bound*1e9+0.5)))
		form.Set("ahead", spell(now.Ahead))
	}
	show := func(code int, problems []string) {
		p.show(w, r, code, "ptp", view{Title: "PTP clock", Problems: problems, Data: form})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "the PTP clock", func(c *config.Config) error {
		if strings.TrimSpace(form.Get("device")) == "" {
			c.PTP = nil
			return nil
		}
		b := newBlock("[ptp]")
		for _, key := range []string{"device", "bound", "ahead"} {
			b.text(key, form.Get(key))
		}
		got, err := b.parse()
		c.PTP = got.PTP
		return err
	}, show)
}

// movedDone is what the page of the receiver says after it, by the word in its address.
var movedDone = map[string]string{"moved": "The station finds out anew where its antenna is."}

// surveys says whether the place of an antenna is anything to the station.
func surveys(r config.Receiver) bool { return !r.Moving && !r.PulseAlone }

// moved asks whether the antenna was moved, and then has the station forget where it was.
func (p *Pages) moved(w http.ResponseWriter, r *http.Request) {
	if !surveys(p.o.Store.Now().Receiver) {
		p.refuse(w, r, http.StatusNotFound, errors.New("the station does not look where its antenna is: by its settings it has none that stays"))
		return
	}
	if !posted(r) {
		p.show(w, r, http.StatusOK, "moved", view{Title: "Was the antenna moved?", Up: pathReceiver})
		return
	}
	if err := p.o.Station.Moved(); err != nil {
		p.refuse(w, r, http.StatusConflict, err)
		return
	}
	p.o.Log.Warn("somebody said that the antenna was moved", "by", r.RemoteAddr)
	p.redirect(w, r, pathReceiver+"?done=moved")
}
