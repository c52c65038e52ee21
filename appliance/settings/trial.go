package settings

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
)

// Network is what tries settings of the network: a *network.Manager. What it is told
// to confirm comes back to the Store, see Kept.
type Network interface {
	Try(s network.Settings, d time.Duration) (token string, err error)
	Confirm(token string) error
	GiveUp(token string) error
	Trial() (until time.Time, ok bool)
	State() network.State
}

// KeepNetwork keeps settings of the network that somebody has confirmed: it is for
// network.Options.Keep.
func (s *Store) KeepNetwork(n network.Settings) error {
	return s.Put("the network", func(c *config.Config) error {
		c.Network, c.Wifi = n.Network, n.Wifi
		return nil
	})
}

func sameNetwork(a, b config.Config) bool {
	return reflect.DeepEqual(a.Network, b.Network) && reflect.DeepEqual(a.Wifi, b.Wifi)
}

const (
	pathTrial = Path + "/trial"
	// tryAfter is how long the page that says so has to reach the visitor once it is
	// asked for, before the network that it goes by may be gone; tryLatest, how long it
	// is waited for.
	tryAfter  = time.Second
	tryLatest = 10 * time.Second
	// backAfter is how long after a trial the network of before may take to be there.
	backAfter = 15 * time.Second
)

// trial is a change of the network that was begun. Its id is only ever shown to who
// was logged in and made it: with it the change is confirmed at an address where that
// person has no session yet.
type trial struct {
	id    string
	next  config.Config
	token string // of the Network; empty: it has not begun, or failed
	err   error  // why it failed, or was not kept
	state trialState
	given bool        // up by a person, and not by the end of its time
	begin *time.Timer // it begins then
	shown bool        // its page was asked for
}

type trialState int

const (
	trialBegins trialState = iota
	trialRuns
	trialKept
	trialOver
)

// try begins a trial once its page is out: what that page says has to be there while
// the station is not.
func (p *Pages) try(w http.ResponseWriter, r *http.Request, manager Network, next config.Config) {
	t := &trial{id: rand.Text(), next: next}
	t.begin = time.AfterFunc(tryLatest, func() {
		token, err := manager.Try(network.Settings{Network: next.Network, Wifi: next.Wifi}, p.o.Trial)
		p.mu.Lock()
		defer p.mu.Unlock()
		t.token, t.err, t.state = token, err, trialRuns
		if err != nil {
			t.state = trialOver
		}
	})
	p.mu.Lock()
	p.trial = t
	p.mu.Unlock()
	p.redirect(w, r, pathTrial+"?id="+url.QueryEscape(t.id))
}

// soon has the trial that is shown begin in a moment, once.
func (p *Pages) soon(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.trial; t != nil && t.id == id && t.state == trialBegins && !t.shown && t.begin.Stop() {
		t.shown = true
		t.begin.Reset(tryAfter)
	}
}

// onTrial is where the trial that goes on is confirmed; empty: there is none.
func (p *Pages) onTrial() string {
	t, ok := p.trialNow()
	if !ok || t.state != trialBegins && t.state != trialRuns {
		return ""
	}
	return pathTrial + "?id=" + url.QueryEscape(t.id)
}

// trialNow is how the last trial stands.
func (p *Pages) trialNow() (trial, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trial == nil {
		return trial{}, false
	}
	if p.trial.state == trialRuns {
		if _, on := p.o.Station.Network().Trial(); !on {
			p.trial.state = trialOver
		}
	}
	return *p.trial, true
}

// showTrial asks whether the station can still be reached. Whoever has the trial's id
// can say so.
func (p *Pages) showTrial(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if posted(r) {
		id = r.PostForm.Get("id")
	}
	t, ok := p.trialNow()
	if !ok || subtle.ConstantTimeCompare([]byte(id), []byte(t.id)) != 1 {
		p.refuse(w, r, http.StatusNotFound, errors.New("no such change of the network is on trial"))
		return
	}
	if posted(r) && t.state == trialRuns {
		t = p.decide(t, r.PostForm.Get("do") == "keep")
	}
	v := view{Title: "A new network, on trial"}
	if t.err != nil {
		v.Problems = problems(t.err)
	}
	data := struct {
		ID              string
		State           trialState
		Left            int
		At              []string
		Restart         bool
		Runs, Kept, End bool
		Given, Failed   bool
	}{ID: t.id, State: t.state, At: p.addresses(t.next, r), Restart: restarts(p.started, p.o.Store.Now()), Given: t.given, Failed: t.err != nil}
	data.Runs, data.Kept, data.End = t.state == trialRuns, t.state == trialKept, t.state == trialOver
	left := p.o.Trial
	if until, on := p.o.Station.Network().Trial(); on && data.Runs {
		left = max(time.Until(until), 0)
	}
	data.Left = int(left.Seconds())
	if !data.Kept && !data.End {
		// Not before it is over: a browser that finds nobody has no page any more that
		// says where to look.
		v.Refresh = fmt.Sprintf("%d; url=%s?id=%s", int((left + backAfter).Seconds()), pathTrial, url.QueryEscape(t.id))
		p.soon(t.id)
	}
	v.Data = data
	p.show(w, r, http.StatusOK, "trial", v)
}

// decide ends a trial.
func (p *Pages) decide(t trial, keep bool) trial {
	manager := p.o.Station.Network()
	end, state := manager.GiveUp, trialOver
	if keep {
		end, state = manager.Confirm, trialKept
	}
	if t.err = end(t.token); t.err != nil {
		state = trialOver
	}
	t.state, t.given = state, !keep
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trial != nil && p.trial.id == t.id {
		p.trial.state, p.trial.err, p.trial.given = t.state, t.err, t.given
	}
	return t
}

// addresses are where the page will be, as far as that is known, with the port that it
// was asked for at. An address that the network gives is found by the station's name.
func (p *Pages) addresses(c config.Config, r *http.Request) (list []string) {
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = ""
	}
	for _, four := range []bool{true, false} {
		if a, _ := c.Network.Fixed(four); a.IsValid() {
			list = append(list, "https://"+host(a.Addr(), port))
		}
	}
	if name := cmp.Or(c.Hostname, p.o.Name); list == nil && name != "" && !c.Network.MDNSOff {
		name += ".local"
		if port != "" {
			name = net.JoinHostPort(name, port)
		}
		list = append(list, "https://"+name)
	}
	return list
}

func host(a netip.Addr, port string) string {
	switch {
	case port != "":
		return net.JoinHostPort(a.String(), port)
	case a.Is6():
		return "[" + a.String() + "]"
	}
	return a.String()
}
