package settings

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

const pathChange = Path + "/change"

// draft is a change that was checked and not kept yet.
type draft struct {
	id     string
	what   string
	before []byte // what held when it was made
	next   config.Config
	made   time.Time
	asked  []string // what servers that are new in it answered
	// What else a backup has: the hash of a password, where the antenna is, and who the
	// station is.
	password string
	antenna  []byte
	identity []byte
}

// more says whether it is about more than settings.
func (d draft) more() bool { return d.password != "" || d.antenna != nil || d.identity != nil }

const (
	draftsMost = 8
	draftMost  = 30 * time.Minute
	// askMost is how long a page waits for a new server's answer.
	askMost = 3 * time.Second
)

// propose checks a change, and shows it before it is kept. Where it is wrong, again
// shows the form once more.
func (p *Pages) propose(w http.ResponseWriter, r *http.Request, what string, change func(*config.Config) error, again func(code int, problems []string)) {
	p.proposeDraft(w, r, draft{what: what}, change, again)
}

func (p *Pages) proposeDraft(w http.ResponseWriter, r *http.Request, d draft, change func(*config.Config) error, again func(code int, problems []string)) {
	now := p.o.Store.Now()
	next := now
	err := change(&next)
	if err == nil {
		err = Check(next)
	}
	if err != nil {
		again(http.StatusUnprocessableEntity, problems(err))
		return
	}
	before := config.Render(now)
	if bytes.Equal(before, config.Render(next)) && !d.more() {
		p.redirect(w, r, Path+"?done=same")
		return
	}
	d.id, d.before, d.next, d.made = rand.Text(), before, next, time.Now()
	d.asked = p.askNew(r.Context(), now, next)
	p.mu.Lock()
	if p.drafts = append(p.drafts, d); len(p.drafts) > draftsMost {
		p.drafts = p.drafts[1:]
	}
	p.mu.Unlock()
	p.redirect(w, r, pathChange+"?draft="+url.QueryEscape(d.id))
}

// askNew asks the first server that is new.
func (p *Pages) askNew(ctx context.Context, now, next config.Config) []string {
	known := map[string]bool{}
	for _, s := range now.Servers {
		known[config.SpellAddress(s.Host, s.Port)] = true
	}
	for _, s := range next.Servers {
		if at := config.SpellAddress(s.Host, s.Port); !known[at] {
			ctx, cancel := context.WithTimeout(ctx, askMost)
			defer cancel()
			return []string{clean(at + ": " + p.o.Station.Ask(ctx, s.Host, s.Port) + ".")}
		}
	}
	return nil
}

// draftOf is a draft that is not too old.
func (p *Pages) draftOf(id string) (draft, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.drafts {
		if d.id == id && time.Since(d.made) < draftMost {
			return d, true
		}
	}
	return draft{}, false
}

// forget is for a draft that was kept.
func (p *Pages) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, d := range p.drafts {
		if d.id == id {
			p.drafts = append(p.drafts[:i:i], p.drafts[i+1:]...)
			return
		}
	}
}

// change shows a draft, and keeps it.
func (p *Pages) change(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("draft")
	if posted(r) {
		id = r.PostForm.Get("draft")
	}
	d, ok := p.draftOf(id)
	if !ok {
		p.refuse(w, r, http.StatusNotFound, errors.New("this change is not known any more: make it once more"))
		return
	}
	now := p.o.Store.Now()
	if posted(r) {
		p.keep(w, r, d)
		return
	}
	var at []string
	tries := p.o.Station.Network() != nil && !sameNetwork(now, d.next)
	if tries {
		at = p.addresses(d.next, r)
	}
	p.show(w, r, http.StatusOK, "change", view{Title: "Is this what you want?", Data: struct {
		Draft       string
		Differences []Difference
		Asked       []string
		Restarts    bool
		Tries       bool
		At          []string
		Lasting     bool
		Password    bool
		Antenna     bool
		Identity    bool
	}{
		d.id, Differences(now, d.next), d.asked, restarts(p.started, d.next),
		tries, at, p.o.Store.Lasting(),
		d.password != "" && d.password != p.o.Owner.PasswordHash(), d.antenna != nil,
		d.identity != nil && p.o.Station.Identity() != nil,
	}})
}

// keep keeps a draft: the network's part of it when somebody has confirmed that the
// station can still be reached.
func (p *Pages) keep(w http.ResponseWriter, r *http.Request, d draft) {
	manager := p.o.Station.Network()
	if !bytes.Equal(config.Render(p.o.Store.Now()), d.before) {
		p.refuse(w, r, http.StatusConflict, ErrChanged)
		return
	}
	restart, err := p.restoreRest(r, d)
	if err != nil {
		p.refuse(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	tries := false
	err = p.o.Store.Put(d.what, func(c *config.Config) error {
		if !bytes.Equal(config.Render(*c), d.before) {
			return ErrChanged
		}
		before := *c
		*c = d.next
		if tries = manager != nil && !sameNetwork(before, d.next); tries {
			c.Network, c.Wifi = before.Network, before.Wifi
		}
		return nil
	})
	if err != nil {
		code := http.StatusInternalServerError
		if errors.Is(err, ErrChanged) {
			code = http.StatusConflict
		}
		p.refuse(w, r, code, err)
		return
	}
	p.forget(d.id)
	now := p.o.Store.Now()
	p.o.Station.Apply(now)
	switch {
	case tries:
		p.try(w, r, manager, d.next)
	case restart || restarts(p.started, now):
		p.restarting(w, r)
	default:
		p.redirect(w, r, Path+"?done=kept")
	}
}
