package settings

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/web"
)

const (
	// Path is where a visitor begins who wants to change a setting.
	Path = "/settings"
	// Servers is where one says which servers are watched.
	Servers = pathServers
)

// Station is what the pages change.
type Station interface {
	// Apply puts in force what takes no restart, see restarts.
	Apply(config.Config)
	// Restart restarts the station's program a moment later, so that an answer still
	// gets out. Its error says why it cannot be now.
	Restart() error
	// Reset has the station forget all that it was told and has kept, and starts its
	// program anew.
	Reset() error
	// Antenna is the file with where it was surveyed to be; nil: it was not. SetAntenna
	// brings it back for the next start of the program.
	Antenna() []byte
	SetAntenna([]byte) error
	// Moved has the reference forget where a fixed antenna was surveyed to be.
	Moved() error
	// Identity is what makes the station the one that it is, with its keys; nil: that
	// is not kept here. SetIdentity makes it another one with the next Restart, which
	// then is the machine's.
	Identity() []byte
	SetIdentity([]byte) error
	// Network is how the network is changed; nil where it is not the station's own.
	Network() Network
	// Updates are the station's own; nil where it has none.
	Updates() Updates
	// Ask asks a server for the time once, and says in a sentence what came of it.
	Ask(ctx context.Context, host string, port uint16) string
}

// Options is what New needs.
type Options struct {
	Store   *Store
	Station Station
	Owner   Owner
	// Name is what the station is called where its settings do not say.
	Name string
	// Trial is how long a network may be on trial; 0: network.TrialTime.
	Trial time.Duration
	// Forms is the address of the style of forms.
	Forms string
	Log   *slog.Logger
}

// Pages are the pages on which settings are changed.
type Pages struct {
	o        Options
	template *template.Template
	style    []byte
	started  config.Config // what the station's parts were started with

	sealing sync.Mutex // while a backup is sealed or opened, which takes memory

	mu     sync.Mutex
	drafts []draft // the latest last
	trial  *trial  // the last one; nil: there was none
}

//go:embed assets
var assets embed.FS

// New makes the pages. Register serves them.
func New(o Options) (*Pages, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Trial = cmp.Or(o.Trial, network.TrialTime)
	t, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("settings: page template: %w", err)
	}
	style, err := assets.ReadFile("assets/settings.css")
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return &Pages{o: o, template: t, style: style, started: o.Store.Now()}, nil
}

// Register has a serve the pages.
func (p *Pages) Register(a *access.Access) {
	a.Public(web.Address("settings.css", p.style), web.Asset(p.style, "text/css; charset=utf-8"))
	for path, h := range map[string]http.HandlerFunc{
		Path:           p.overview,
		pathChange:     p.change,
		pathRestart:    p.restart,
		pathPast:       p.showPast,
		Path + "/name": p.name,
		pathServers:    p.servers,
		pathServer:     p.server,
		pathReceiver:   p.receiver,
		pathMoved:      p.moved,
		pathList:       p.list,
		pathPTP:        p.ptp,
		pathNetwork:    p.network,
		pathUpdate:     p.update,
		pathReset:      p.reset,
		pathBackup:     p.backup,
		pathRestore:    p.restore,
		pathUpdateDo:   p.updateDo,
		pathBundle:     p.bundle,
	} {
		a.Handle(path, h)
	}
	a.HandleOpen(pathTrial, http.HandlerFunc(p.showTrial))
}

// view is what the templates set.
type view struct {
	Style, Forms, Own, Icon string
	Name                    string
	Title                   string
	Token                   string
	Problems                []string // what is wrong with what was sent
	Done                    string   // what was done
	Refresh                 string   // what the browser loads by itself, and after how many seconds; empty: nothing
	Up                      string   // the page above
	Data                    any
}

// show answers with a page.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, code int, page string, v view) {
	v.Style, v.Forms, v.Own, v.Icon = web.StyleSheet(), p.o.Forms, web.Address("settings.css", p.style), web.Icon()
	v.Name, v.Token = clean(cmp.Or(p.o.Store.Now().Name, p.o.Name)), access.Token(r)
	if v.Up == "" && page != "overview" {
		v.Up = Path
	}
	var b bytes.Buffer
	if err := p.template.ExecuteTemplate(&b, page, v); err != nil {
		p.o.Log.Error("cannot draw a page", "page", page, "error", err)
		http.Error(w, "The page could not be drawn; the station's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}

// refuse answers with what is wrong where there is no form to show it at.
func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, code int, err error) {
	p.show(w, r, code, "refused", view{Title: "This was not done", Problems: problems(err)})
}

func (p *Pages) redirect(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// problems are the mistakes of an error as a person should see them.
func problems(err error) (list []string) {
	if all, ok := errors.AsType[*config.Errors](err); ok {
		for _, e := range all.List {
			list = append(list, sentence(e.Problem+"; "+e.Instead))
		}
		return list
	}
	return []string{sentence(err.Error())}
}

func sentence(s string) string {
	const most = 600
	s = health.Clean(s, most)
	if s == "" {
		return s
	}
	if c := s[0]; c >= 'a' && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
	}
	if !bytes.ContainsRune([]byte(".!?…"), rune(s[len(s)-1])) {
		s += "."
	}
	return s
}

func posted(r *http.Request) bool { return r.Method == http.MethodPost }

// done are the things that a page says were done, by the word in its address.
var done = map[string]string{
	"kept": "The change is kept and in force.",
	"same": "Nothing was changed: it was like that already.",
}

// overview is the page with all that can be changed.
func (p *Pages) overview(w http.ResponseWriter, r *http.Request) {
	if posted(r) {
		p.refuse(w, r, http.StatusMethodNotAllowed, errors.New("nothing can be sent to this address"))
		return
	}
	c := p.o.Store.Now()
	past, problem := p.o.Store.Past()
	v := view{Title: "Settings", Done: done[r.URL.Query().Get("done")], Data: struct {
		Servers, Past             int
		Network, Lasting, Restart bool
		OnTrial                   string
	}{
		Servers: len(c.Servers), Past: len(past), Network: p.o.Station.Network() != nil,
		Lasting: p.o.Store.Lasting(), Restart: restarts(p.started, c), OnTrial: p.onTrial(),
	}}
	if problem != "" {
		v.Problems = []string{problem}
	}
	p.show(w, r, http.StatusOK, "overview", v)
}

// restarts says whether a change takes effect only when the station's program starts
// anew.
func restarts(a, b config.Config) bool {
	for _, c := range []*config.Config{&a, &b} {
		c.Name, c.Reset = "", false
		c.Servers, c.Network, c.Wifi, c.Update = nil, config.Network{}, nil, config.Update{}
	}
	return !reflect.DeepEqual(a, b)
}

const pathRestart = Path + "/restart"

// restart restarts the station's program.
func (p *Pages) restart(w http.ResponseWriter, r *http.Request) {
	if !posted(r) {
		p.redirect(w, r, Path)
		return
	}
	p.restarting(w, r)
}

// restarting restarts, or says why not.
func (p *Pages) restarting(w http.ResponseWriter, r *http.Request) {
	if err := p.o.Station.Restart(); err != nil {
		p.refuse(w, r, http.StatusConflict, fmt.Errorf("the settings are kept, but the station cannot start anew with them now: %w", err))
		return
	}
	p.show(w, r, http.StatusOK, "restarting", view{Title: "The station starts anew", Refresh: "12; url=" + Path})
}
