package settings

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/monitor"
)

const (
	pathServers  = Path + "/servers"
	pathServer   = Path + "/server"
	pathReceiver = Path + "/receiver"
	pathNetwork  = Path + "/network"
)

// block writes a block of truechimer.toml from the fields of a form, so that what a
// person typed is read, and refused, as it is there. Fields that are empty are left
// out.
type block struct{ b strings.Builder }

func newBlock(head string) *block {
	b := &block{}
	b.b.WriteString(head + "\n")
	return b
}

func (b *block) text(key, value string) {
	if value = strings.TrimSpace(value); value != "" {
		fmt.Fprintf(&b.b, "%s = %s\n", key, config.Quote(value))
	}
}

var digits = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)

// number leaves what is no number to be refused as text.
func (b *block) number(key, value string) {
	if value = strings.TrimSpace(value); digits.MatchString(value) {
		fmt.Fprintf(&b.b, "%s = %s\n", key, value)
		return
	}
	b.text(key, value)
}

func (b *block) flag(key string, value bool) { fmt.Fprintf(&b.b, "%s = %t\n", key, value) }

// list is of values between commas or blanks.
func (b *block) list(key, value string) {
	var quoted []string
	for _, v := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
		quoted = append(quoted, config.Quote(v))
	}
	if quoted != nil {
		fmt.Fprintf(&b.b, "%s = [%s]\n", key, strings.Join(quoted, ", "))
	}
}

func (b *block) parse() (config.Config, error) {
	return config.Parse("this form", []byte(b.b.String()))
}

// name is the page with the station's name and time zone.
func (p *Pages) name(w http.ResponseWriter, r *http.Request) {
	now := p.o.Store.Now()
	form := url.Values{"name": {now.Name}, "timezone": {now.Timezone}}
	show := func(code int, problems []string) {
		p.show(w, r, code, "name", view{Title: "Name and time zone", Problems: problems, Data: form})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "the name", func(c *config.Config) error {
		b := newBlock("")
		b.text("name", form.Get("name"))
		b.text("timezone", form.Get("timezone"))
		got, err := b.parse()
		c.Name, c.Timezone = got.Name, got.Timezone
		if err == nil && got.Timezone != "" {
			if _, unknown := time.LoadLocation(got.Timezone); unknown != nil {
				err = fmt.Errorf("no time zone is called %q; write a region and a city, such as Europe/Berlin", got.Timezone)
			}
		}
		return err
	}, show)
}

// serverFields read the form of one server.
func serverFields(form url.Values) (s monitor.Server, reference bool, err error) {
	b := newBlock("[[server]]")
	b.text("address", form.Get("address"))
	b.text("name", form.Get("name"))
	limit := strings.TrimSpace(form.Get("limit"))
	if digits.MatchString(limit) {
		limit += "ms" // which is what the form asks for
	}
	b.text("limit", limit)
	interval := strings.TrimSpace(form.Get("interval"))
	if digits.MatchString(interval) {
		interval += "s"
	}
	b.text("interval", interval)
	b.flag("reference", form.Get("reference") != "")
	c, err := b.parse()
	if err != nil {
		return s, false, err
	}
	return c.Servers[0], c.Reference != "", nil
}

// servers lists them, and takes a new one.
func (p *Pages) servers(w http.ResponseWriter, r *http.Request) {
	form := url.Values{}
	show := func(code int, problems []string) {
		now := p.o.Store.Now()
		type row struct{ Name, Address, Limit, Link string }
		var rows []row
		for _, s := range now.Servers {
			rows = append(rows, row{clean(s.Name), clean(config.SpellAddress(s.Host, s.Port)), spell(limitOf(s)), pathServer + "?name=" + url.QueryEscape(s.Name)})
		}
		p.show(w, r, code, "servers", view{Title: "Servers", Problems: problems, Data: struct {
			Rows []row
			Form url.Values
			Most int
			List bool
		}{rows, form, config.MaxServers, now.Assignments != nil}})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "a new server", func(c *config.Config) error {
		s, _, err := serverFields(form)
		c.Servers = append(slices.Clone(c.Servers), s)
		return err
	}, show)
}

// server changes one, or removes it.
func (p *Pages) server(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if posted(r) {
		name = r.PostForm.Get("which")
	}
	now := p.o.Store.Now()
	of := func(c config.Config) int {
		return slices.IndexFunc(c.Servers, func(s monitor.Server) bool { return s.Name == name })
	}
	i := of(now)
	if i < 0 {
		p.refuse(w, r, http.StatusNotFound, fmt.Errorf("no server is called %.80q: perhaps it was renamed or removed meanwhile", name))
		return
	}
	s := now.Servers[i]
	form := url.Values{"address": {config.SpellAddress(s.Host, s.Port)}, "name": {s.Name}, "limit": {spell(limitOf(s))}, "interval": {spell(s.Interval)}}
	if s.Name == now.Reference {
		form.Set("reference", "yes")
	}
	show := func(code int, problems []string) {
		p.show(w, r, code, "server", view{Title: clean(s.Name), Problems: problems, Up: pathServers, Data: struct {
			Which string
			Form  url.Values
		}{name, form}})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	what := "the server " + clean(name)
	p.propose(w, r, what, func(c *config.Config) error {
		i := of(*c)
		if i < 0 {
			return ErrChanged
		}
		c.Servers = slices.Clone(c.Servers)
		if c.Reference == name {
			c.Reference = ""
		}
		if form.Get("do") == "remove" {
			c.Servers = slices.Delete(c.Servers, i, i+1)
			return nil
		}
		s, reference, err := serverFields(form)
		if err != nil {
			return err
		}
		if reference && c.Reference != "" {
			return fmt.Errorf("there is a reference already, the server %.80q: one alone can be it", c.Reference)
		}
		if reference {
			c.Reference = s.Name
		}
		c.Servers[i] = s
		return nil
	}, show)
}

// receiver is the page with how it is wired.
func (p *Pages) receiver(w http.ResponseWriter, r *http.Request) {
	now := p.o.Store.Now().Receiver
	form := url.Values{
		"hat": {now.Hat}, "device": {now.Device}, "baud": {strconv.Itoa(now.Baud)}, "pps": {now.Pulse},
		"antenna": {antenna(now)}, "cable_delay_ns": {strconv.Itoa(now.CableDelay)},
	}
	if now.Configure {
		form.Set("configure", "yes")
	}
	show := func(code int, problems []string) {
		p.show(w, r, code, "receiver", view{Title: "Receiver", Done: movedDone[r.URL.Query().Get("done")], Problems: problems, Data: struct {
			Form         url.Values
			Hats         []boards.Hat
			Alone, Fixed bool
		}{form, boards.Hats, now.PulseAlone, surveys(now)}})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "the receiver", func(c *config.Config) error {
		b := newBlock("[receiver]")
		for _, key := range []string{"hat", "device", "pps", "antenna"} {
			b.text(key, form.Get(key))
		}
		b.number("baud", form.Get("baud"))
		b.number("cable_delay_ns", form.Get("cable_delay_ns"))
		b.flag("configure", form.Get("configure") != "")
		got, err := b.parse()
		got.Receiver.PulseAlone = c.Receiver.PulseAlone
		c.Receiver = got.Receiver
		return err
	}, show)
}

func antenna(r config.Receiver) string {
	if r.Moving {
		return "moving"
	}
	return "fixed"
}

// network is the page with how the station is on its network.
func (p *Pages) network(w http.ResponseWriter, r *http.Request) {
	if p.o.Station.Network() == nil {
		p.refuse(w, r, http.StatusNotFound, fmt.Errorf("the network is this computer's own, and not the station's to change"))
		return
	}
	now := p.o.Store.Now()
	form := networkForm(now)
	show := func(code int, problems []string) {
		form.Del("password") // it is not sent back, not even to who sent it
		p.show(w, r, code, "network", view{Title: "Network", Problems: problems, Data: struct {
			Form     url.Values
			Now      string
			Password bool
			OnTrial  string
		}{form, networkNow(p.o.Station.Network().State()), now.Wifi != nil && now.Wifi.Password.Reveal() != "", p.onTrial()}})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	form = r.PostForm
	p.propose(w, r, "the network", func(c *config.Config) error { return changeNetwork(c, form) }, show)
}

// networkNow says what the station has of its network, so that who fixes an address
// need not look elsewhere for one; empty: nothing.
func networkNow(s network.State) string {
	var list []string
	for _, a := range s.Addresses {
		if !a.Addr().Is6() || !a.Addr().IsLinkLocalUnicast() {
			list = append(list, a.String())
		}
	}
	if list == nil {
		return ""
	}
	text := "Now the station has " + strings.Join(list, " and ")
	var routers []netip.Addr
	if s.Lease != nil && s.Lease.Router.IsValid() {
		routers = append(routers, s.Lease.Router)
	}
	if routers = append(routers, s.Gateways...); len(routers) > 0 {
		text += ", the router " + strings.Join(texts(routers), " and ")
	}
	if len(s.DNS) > 0 {
		text += ", the name servers " + strings.Join(texts(s.DNS), " and ")
	}
	return text + "."
}

// networkForm is the form as it is filled in at first.
func networkForm(now config.Config) url.Values {
	form := url.Values{"dns": {strings.Join(texts(now.Network.DNS), ", ")}}
	for _, four := range []bool{true, false} {
		if a, g := now.Network.Fixed(four); a.IsValid() {
			family := map[bool]string{true: "4", false: "6"}[four]
			form.Set("address"+family, a.String())
			if g.IsValid() {
				form.Set("gateway"+family, g.String())
			}
		}
	}
	if now.Network.VLAN != 0 {
		form.Set("vlan", strconv.Itoa(now.Network.VLAN))
	}
	if !now.Network.MDNSOff {
		form.Set("mdns", "yes")
	}
	if wifi := now.Wifi; wifi != nil {
		form.Set("ssid", wifi.SSID)
		form.Set("country", wifi.Country)
		if wifi.Hidden {
			form.Set("hidden", "yes")
		}
	}
	return form
}

// changeNetwork takes what was filled in.
func changeNetwork(c *config.Config, form url.Values) error {
	b := newBlock("[network]")
	b.list("address", form.Get("address4")+" "+form.Get("address6"))
	b.list("gateway", form.Get("gateway4")+" "+form.Get("gateway6"))
	b.list("dns", form.Get("dns"))
	b.number("vlan", form.Get("vlan"))
	b.flag("mdns", form.Get("mdns") != "")
	ssid, password := form.Get("ssid"), form.Get("password")
	if ssid != "" {
		b.b.WriteString("[wifi]\n")
		fmt.Fprintf(&b.b, "ssid = %s\n", config.Quote(ssid)) // blanks may belong to it
		if password != "" {
			fmt.Fprintf(&b.b, "password = %s\n", config.Quote(password))
		}
		b.text("country", form.Get("country"))
		b.flag("hidden", form.Get("hidden") != "")
	}
	got, err := b.parse()
	if err != nil {
		return err
	}
	for _, family := range []string{"4", "6"} {
		if a, err := netip.ParsePrefix(strings.TrimSpace(form.Get("address" + family))); err == nil && a.Addr().Is4() != (family == "4") {
			return fmt.Errorf("address %s is of the other family: write it where that is asked for", a)
		}
	}
	if got.Wifi != nil && c.Wifi != nil && got.Wifi.SSID == c.Wifi.SSID && password == "" && form.Get("open") == "" {
		got.Wifi.Password = c.Wifi.Password
	}
	c.Network, c.Wifi = got.Network, got.Wifi
	return nil
}
