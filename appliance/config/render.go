package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/truechimer/truechimer/monitor"
)

// Render writes c as a truechimer.toml that Parse reads as c again, without
// comments. What only the card's customisation can give, the host name and the name
// of a Wi-Fi network that is no text, is left out. It shows every secret.
func Render(c Config) []byte {
	var w writer
	w.text("name", c.Name)
	w.text("timezone", c.Timezone)
	if c.Wifi != nil && utf8.ValidString(c.Wifi.SSID) {
		w.block("[wifi]")
		w.text("ssid", c.Wifi.SSID)
		w.text("password", c.Wifi.Password.Reveal())
		w.text("country", c.Wifi.Country)
		w.flag("hidden", c.Wifi.Hidden, false)
	}
	w.block("[station]")
	w.text("reset_button", c.ResetButton)
	w.network(c.Network)
	w.receiver(c.Receiver)
	for _, s := range c.Servers {
		w.block("[[server]]")
		at := SpellAddress(s.Host, s.Port)
		if host, port, bad := readAddress(s.Name); bad == (wrong{}) && host == s.Host && port == s.Port {
			at = s.Name // it was never called anything else
		} else {
			w.text("name", s.Name)
		}
		w.text("address", at)
		if s.Limit > 0 && s.Limit != monitor.DefaultLimit {
			w.duration("limit", time.Duration(math.Round(s.Limit*1e9)))
		}
		if s.Interval > 0 && s.Interval != DefaultInterval {
			w.duration("interval", s.Interval)
		}
		w.flag("reference", s.Name == c.Reference, false)
	}
	if a := c.Assignments; a != nil {
		w.block("[assignments]")
		w.text("url", a.URL)
		if a.Interval != DefaultAssignmentsInterval {
			w.duration("interval", a.Interval)
		}
		w.text("token", a.Token.Reveal())
	}
	if p := c.PTP; p != nil {
		w.block("[ptp]")
		w.text("device", p.Device)
		w.duration("bound", time.Duration(math.Round(p.Bound*1e9)))
		if p.Ahead > 0 {
			w.duration("ahead", p.Ahead)
		}
	}
	w.block("[probe]")
	w.texts(hardwareKey, c.Hardware)
	w.block("[update]")
	w.flag("enabled", c.Update.Enabled, true)
	w.text("channel", c.Update.Channel)
	w.texts("url", c.Update.URLs)
	if c.Update.Window != nil {
		w.text("window", c.Update.Window.String())
	}
	w.block("[admin]")
	w.text("password_hash", c.Admin.PasswordHash.Reveal())
	w.text("claim_code", c.Admin.ClaimCode.Reveal())
	w.block("[web]")
	w.text("listen", c.Web.Listen)
	w.text("secure", c.Web.Secure)
	return []byte(w.b.String())
}

// String is as in "02:00-05:00", or "any".
func (w Window) String() string {
	if w.From == w.To {
		return "any"
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", d/time.Hour, d/time.Minute%60) }
	return clock(w.From) + "-" + clock(w.To)
}

// SpellAddress is where a server is, as a person would write it.
func SpellAddress(host string, port uint16) string {
	if port == DefaultPort {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// writer writes keys below a block that appears with its first key.
type writer struct {
	b       strings.Builder
	pending string
}

func (w *writer) block(name string) { w.pending = name }

func (w *writer) line(key, value string) {
	if w.pending != "" {
		if w.b.Len() > 0 {
			w.b.WriteByte('\n')
		}
		w.b.WriteString(w.pending + "\n")
		w.pending = ""
	}
	w.b.WriteString(key + " = " + value + "\n")
}

func (w *writer) text(key, s string) {
	if s != "" {
		w.line(key, Quote(s))
	}
}

func (w *writer) texts(key string, list []string) {
	switch len(list) {
	case 0:
	case 1:
		w.text(key, list[0])
	default:
		var quoted []string
		for _, s := range list {
			quoted = append(quoted, Quote(s))
		}
		w.line(key, "["+strings.Join(quoted, ", ")+"]")
	}
}

func (w *writer) flag(key string, v, usual bool) {
	if v != usual {
		w.line(key, strconv.FormatBool(v))
	}
}

func (w *writer) number(key string, n int) {
	if n != 0 {
		w.line(key, strconv.Itoa(n))
	}
}

// duration spells what is no whole number of a unit as Go does.
func (w *writer) duration(key string, d time.Duration) {
	s := spell(d)
	if d%time.Microsecond != 0 {
		s = d.String()
	}
	w.text(key, s)
}

func (w *writer) network(n Network) {
	w.block("[network]")
	w.texts("address", spellAll(n.Addresses))
	w.texts("gateway", spellAll(n.Gateways))
	w.texts("dns", spellAll(n.DNS))
	w.number("vlan", n.VLAN)
	w.flag("mdns", !n.MDNSOff, true)
}

func spellAll[T netip.Addr | netip.Prefix](list []T) (out []string) {
	for _, a := range list {
		out = append(out, fmt.Sprint(a))
	}
	return out
}

func (w *writer) receiver(r Receiver) {
	usual := Default().Receiver
	w.block("[receiver]")
	for _, k := range []struct{ key, is, usual string }{
		{"hat", r.Hat, usual.Hat}, {"device", r.Device, usual.Device}, {"pps", r.Pulse, usual.Pulse},
	} {
		if k.is != k.usual {
			w.text(k.key, k.is)
		}
	}
	w.number("baud", r.Baud)
	w.flag("pps_alone", r.PulseAlone, usual.PulseAlone)
	w.flag("configure", r.Configure, usual.Configure)
	if r.Moving {
		w.text("antenna", antennaMoving)
	}
	w.number("cable_delay_ns", r.CableDelay)
}

// Quote is s as TOML 1.0 writes text on one line.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
