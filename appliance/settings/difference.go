package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/monitor"
)

// Difference is one setting before and after a change, in words for people; empty: it
// is not set. A secret is never in it.
type Difference struct{ What, Before, After string }

// setting is one of them. What is shown of a secret says nothing of it, so it is
// compared by something else.
type setting struct{ what, value, compare string }

const shownMost = 300 // characters of a value

// Differences are the settings in which two configurations differ.
func Differences(before, after config.Config) (list []Difference) {
	old := map[string]setting{}
	for _, s := range describe(before) {
		old[s.what] = s
	}
	for _, s := range describe(after) {
		was, there := old[s.what]
		delete(old, s.what)
		if there && was.value == s.value && was.compare == s.compare {
			continue
		}
		d := Difference{What: s.what, Before: was.value, After: s.value}
		if d.Before == d.After {
			d.After = "another one"
		}
		list = append(list, d)
	}
	for _, s := range describe(before) {
		if _, gone := old[s.what]; gone {
			list = append(list, Difference{What: s.what, Before: s.value})
		}
	}
	return list
}

// describe lists what is set.
func describe(c config.Config) (list []setting) {
	add := func(what, value string) {
		if value != "" {
			list = append(list, setting{what: clean(what), value: clean(value)})
		}
	}
	secret := func(what string, s config.Secret) {
		if text := s.Reveal(); text != "" {
			list = append(list, setting{what, "(hidden)", text})
		}
	}
	add("Name", c.Name)
	add("Time zone", c.Timezone)
	add("Button for a factory reset", c.ResetButton)
	for _, s := range c.Servers {
		text := config.SpellAddress(s.Host, s.Port) + ", may be off by " + spell(limitOf(s))
		if s.Interval != config.DefaultInterval && s.Interval > 0 {
			text += ", asked every " + spell(s.Interval)
		}
		if s.Name == c.Reference {
			text += ", the reference"
		}
		list = append(list, setting{"Server " + clean(s.Name), clean(text), ""})
	}
	r := c.Receiver
	add("Receiver", r.Hat)
	add("Receiver's port", r.Device)
	speed := "found by listening"
	if r.Baud != 0 {
		speed = strconv.Itoa(r.Baud) + " bits per second"
	}
	add("Receiver's speed", speed)
	add("Pulse", r.Pulse)
	add("Pulse without a receiver", yes(r.PulseAlone))
	add("Receiver is told what the station needs", yes(r.Configure))
	add("Antenna moves", yes(r.Moving))
	if r.CableDelay != 0 {
		add("Cable's delay", strconv.Itoa(r.CableDelay)+" ns")
	}
	n := c.Network
	for _, four := range []bool{true, false} {
		a, g := n.Fixed(four)
		family := map[bool]string{true: "IPv4", false: "IPv6"}[four]
		value := "asked of the network"
		if a.IsValid() {
			value = a.String()
		}
		add(family+" address", value)
		if g.IsValid() {
			add(family+" router", g.String())
		}
	}
	add("Resolvers", strings.Join(texts(n.DNS), ", "))
	if n.VLAN != 0 {
		add("VLAN", strconv.Itoa(n.VLAN))
	}
	add("Tells its name on the network", yes(!n.MDNSOff))
	if w := c.Wifi; w != nil {
		add("Wi-Fi network", w.SSID)
		secret("Wi-Fi password", w.Password)
		add("Wi-Fi country", w.Country)
		add("Wi-Fi network is hidden", yes(w.Hidden))
	}
	if a := c.Assignments; a != nil {
		add("List of servers", a.URL+", every "+spell(a.Interval))
		secret("Token for the list", a.Token)
	}
	if p := c.PTP; p != nil {
		add("PTP clock", fmt.Sprintf("%s, within %s, %s ahead", p.Device, spell(time.Duration(p.Bound*1e9)), spell(p.Ahead)))
	}
	add("Time stamps by network cards", strings.Join(c.Hardware, ", "))
	add("Updates", map[bool]string{true: "on", false: "off"}[c.Update.Enabled])
	add("Update channel", c.Update.Channel)
	add("Update hosts", strings.Join(c.Update.URLs, ", "))
	if c.Update.Window != nil {
		add("Hours for restarts", c.Update.Window.String())
	}
	secret("Password set by truechimer.toml", c.Admin.PasswordHash)
	secret("Claim code", c.Admin.ClaimCode)
	add("Page at", c.Web.Listen)
	add("Page over TLS at", c.Web.Secure)
	return list
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// limitOf is how far a server may be off.
func limitOf(s monitor.Server) time.Duration {
	limit := s.Limit
	if limit <= 0 {
		limit = monitor.DefaultLimit
	}
	return time.Duration(limit*1e9 + 0.5)
}

// spell is a duration without the zeros that Go writes behind it.
func spell(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

func clean(s string) string { return health.Clean(s, shownMost) }

func texts[T fmt.Stringer](list []T) (out []string) {
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}
