package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// reader turns a decoded document into a Config and collects what is wrong.
type reader struct {
	places *places
	faults []fault
}

func (r *reader) atKey(path string, w wrong) {
	r.faults = append(r.faults, fault{r.places.key(path), w})
}

// atValue reports w unless it is nothing.
func (r *reader) atValue(path string, w wrong) {
	if w != (wrong{}) {
		r.faults = append(r.faults, fault{r.places.val(path), w})
	}
}

func (r *reader) config(doc map[string]any) Config {
	c := Default()
	r.known("", "outside of the blocks", doc, "name", "timezone", "station", "receiver", "server", "wifi", "network", "update", "web", "ptp", "assignments", "admin", "reset", "probe")
	c.Reset = r.flag(doc, "", "reset")
	if s, ok := r.text(doc, "", "name"); ok {
		r.atValue("name", checkName(s))
		c.Name = s
	}
	if s, ok := r.text(doc, "", "timezone"); ok {
		r.atValue("timezone", checkTimezone(s))
		c.Timezone = s
	}
	if t := r.table(doc, "wifi"); t != nil {
		c.Wifi = r.wifi(t)
	}
	if t := r.table(doc, "receiver"); t != nil {
		c.Receiver = r.receiver(t)
	}
	if t := r.table(doc, "station"); t != nil {
		c.ResetButton = r.resetButton(t, c.Receiver)
	}
	if t := r.table(doc, "network"); t != nil {
		c.Network = r.network(t)
	}
	if t := r.table(doc, "update"); t != nil {
		c.Update = r.update(t)
	}
	if t := r.table(doc, "assignments"); t != nil {
		c.Assignments = r.assignments(t)
	}
	if t := r.table(doc, "web"); t != nil {
		r.known("web", "in [web]", t, "listen", "secure")
		if s, ok := r.text(t, "web", "listen"); ok {
			r.atValue("web.listen", checkListen("listen", s))
			c.Web.Listen = s
		}
		if s, ok := r.text(t, "web", "secure"); ok {
			r.atValue("web.secure", checkListen("secure", s))
			c.Web.Secure = s
		}
	}
	if t := r.table(doc, "probe"); t != nil {
		c.Hardware = r.hardware(t)
	}
	if t := r.table(doc, "admin"); t != nil {
		c.Admin = r.admin(t)
	}
	c.Servers, c.Reference = r.servers(doc)
	if t := r.table(doc, "ptp"); t != nil {
		c.PTP = r.ptp(t)
		if c.PTP != nil && c.Reference != "" {
			r.atKey("ptp", wrong{"there is a reference already, the server " + quoted(c.Reference), "take away reference = true there, or [ptp]"})
		}
	}
	if c.Receiver.PulseAlone {
		r.pulseAlone(r.table(doc, "receiver"), c)
	}
	return c
}

// pulseAlone looks whether the rest goes with a pulse without a receiver.
func (r *reader) pulseAlone(t map[string]any, c Config) {
	for _, k := range []string{"hat", "device", "baud", "configure", "antenna"} {
		if _, given := t[k]; given {
			r.atKey(join("receiver", k), wrong{"pps_alone says that there is no receiver, and " + k + " is about one", "take " + k + " away, or pps_alone"})
		}
	}
	if slices.Contains([]string{Auto, Off, DCD}, c.Receiver.Pulse) {
		r.atKey("receiver.pps_alone", wrong{"pps does not name the line of this pulse", `write pps = "GPIO18" too, or another line or PPS device`})
	}
	if c.Reference == "" && c.PTP == nil && len(c.Servers) < fewestServers {
		r.atKey("receiver.pps_alone", wrong{"nobody says which second this pulse marks", fmt.Sprintf("write reference = true at a server, or [ptp], or %d servers at the least", fewestServers)})
	}
}

// fewestServers can agree on the second.
const fewestServers = 3

func (r *reader) receiver(t map[string]any) Receiver {
	c := Default().Receiver
	r.known("receiver", "in [receiver]", t, receiverKeys...)
	if s, ok := r.text(t, "receiver", "hat"); ok {
		r.atValue("receiver.hat", checkHat(s))
		c.Hat = s
	}
	if s, ok := r.text(t, "receiver", "device"); ok {
		r.atValue("receiver.device", checkDevice(s))
		c.Device = s
	}
	switch n := t["baud"].(type) {
	case nil:
	case int64:
		r.atValue("receiver.baud", checkBaud(n))
		c.Baud = int(n)
	default:
		r.atValue("receiver.baud", wrong{"baud is " + kind(n), "write a number without quotation marks: baud = 9600"})
	}
	if s, ok := r.text(t, "receiver", "pps"); ok {
		r.atValue("receiver.pps", checkPulse(s))
		c.Pulse = s
	}
	c.PulseAlone = r.flag(t, "receiver", "pps_alone")
	if _, given := t["configure"]; given {
		c.Configure = r.flag(t, "receiver", "configure")
	}
	if s, ok := r.text(t, "receiver", "antenna"); ok {
		r.atValue("receiver.antenna", checkAntenna(s))
		c.Moving = s == antennaMoving
	}
	switch n := t["cable_delay_ns"].(type) {
	case nil:
	case int64:
		r.atValue("receiver.cable_delay_ns", checkCableDelay(n))
		c.CableDelay = int(n)
	default:
		r.atValue("receiver.cable_delay_ns", wrong{"cable_delay_ns is " + kind(n), "write a whole number without quotation marks: cable_delay_ns = 50"})
	}
	return c
}

func (r *reader) resetButton(t map[string]any, receiver Receiver) string {
	r.known("station", "in [station]", t, "reset_button")
	s, ok := r.text(t, "station", "reset_button")
	if !ok {
		return ""
	}
	w := checkLine("reset_button", s)
	if w == (wrong{}) && s == receiver.Pulse {
		w = wrong{"reset_button " + quoted(s) + " is the line of the pulse", "connect the button to another line, and write that"}
	}
	r.atValue("station.reset_button", w)
	return s
}

// receiverKeys are those of [receiver].
var receiverKeys = []string{"hat", "device", "baud", "pps", "pps_alone", "configure", "antenna", "cable_delay_ns"}

func (r *reader) servers(doc map[string]any) (servers []monitor.Server, reference string) {
	value, ok := doc["server"]
	if !ok {
		return nil, ""
	}
	list, ok := value.([]any)
	if !ok {
		r.atKey("server", wrong{"server is " + kind(value), "write [[server]], in double brackets, above each server"})
		return nil, ""
	}
	named := map[string]int{} // name to line
	for i, v := range list {
		path := index("server", i)
		if i == MaxServers {
			r.atKey(path, wrong{fmt.Sprintf("there are %d servers", len(list)), fmt.Sprintf("write %d at the most", MaxServers)})
			break
		}
		t, ok := v.(map[string]any)
		if !ok {
			r.atValue(path, wrong{"this server is " + kind(v), "write [[server]] above each server"})
			continue
		}
		s := r.server(path, t)
		if s.Name != "" {
			where := path + ".name"
			if _, given := t["name"]; !given {
				where = path + ".address"
			}
			line, _ := position(r.places.data, r.places.val(where))
			if first, twice := named[s.Name]; twice {
				r.atValue(where, wrong{fmt.Sprintf("another server, in line %d, is called %s too", first, quoted(s.Name)), "give this one a name of its own, such as name = " + quoted(s.Name+" 2")})
			} else {
				named[s.Name] = line
			}
		}
		if r.flag(t, path, "reference") {
			if reference != "" {
				r.atKey(path+".reference", wrong{quoted(reference) + " is the reference already", "leave reference = true at one server"})
			} else {
				reference = s.Name
			}
		}
		servers = append(servers, s)
	}
	return servers, reference
}

func (r *reader) server(path string, t map[string]any) monitor.Server {
	s := monitor.Server{Port: DefaultPort, Limit: monitor.DefaultLimit, Interval: DefaultInterval}
	r.known(path, "in [[server]]", t, "name", "address", "limit", "interval", "reference")
	if v, ok := r.text(t, path, "address"); ok {
		var w wrong
		s.Host, s.Port, w = readAddress(v)
		r.atValue(path+".address", w)
		if w == (wrong{}) {
			s.Name = v
		}
	} else if t["address"] == nil {
		r.atKey(path, wrong{"this server has no address", `write address = "ntp.example.net" below`})
	}
	if v, ok := r.text(t, path, "name"); ok {
		w := checkName(v)
		r.atValue(path+".name", w)
		s.Name = ""
		if w == (wrong{}) {
			s.Name = v
		}
	}
	if d, ok := r.duration(t, path, "limit", MinLimit, MaxLimit); ok {
		s.Limit = seconds(d)
	}
	if d, ok := r.duration(t, path, "interval", MinInterval, MaxInterval); ok {
		s.Interval = d
	}
	return s
}

func (r *reader) duration(t map[string]any, path, key string, least, most time.Duration) (time.Duration, bool) {
	switch t[key].(type) {
	case int64, float64:
		unit := strings.TrimLeft(example[key], "0123456789")
		r.atValue(join(path, key), wrong{fmt.Sprintf("%s %v has no unit", key, t[key]), fmt.Sprintf("write %s = %s", key, quoted(fmt.Sprint(t[key])+unit))})
		return 0, false
	}
	s, ok := r.text(t, path, key)
	if !ok {
		return 0, false
	}
	d, w := readDuration(key, s, example[key], least, most)
	r.atValue(join(path, key), w)
	return d, w == wrong{}
}

// known refuses every key but those.
func (r *reader) known(path, where string, t map[string]any, keys ...string) {
	for _, k := range slices.Sorted(maps.Keys(t)) {
		if slices.Contains(keys, k) {
			continue
		}
		w := wrong{fmt.Sprintf("%s is not known %s", quoted(k), where), "write one of " + strings.Join(keys, ", ")}
		switch {
		case len(keys) == 0:
			w.instead = "take it away: there is nothing to set here yet"
		case len(keys) == 1:
			w.instead = "write " + keys[0]
		case path == "" && k == "servers":
			w.instead = "write [[server]]"
		case path == "" && slices.Contains([]string{"address", "limit", "interval"}, k):
			w.instead = "write it below a line [[server]]"
		case path == "" && slices.Contains(receiverKeys, k):
			w.instead = "write it below a line [receiver]"
		case path == "" && slices.Contains([]string{"ssid", "password", "country", "hidden"}, k):
			w.instead = "write it below a line [wifi]"
		case path == "" && slices.Contains([]string{"enabled", "channel", "url"}, k):
			w.instead = "write it below a line [update]"
		case path == "" && slices.Contains([]string{"bound", "ahead"}, k):
			w.instead = "write it below a line [ptp]"
		case path == "" && slices.Contains([]string{"gateway", "dns", "vlan", "mdns"}, k):
			w.instead = "write it below a line [network]"
		case path == "network" && networkInstead[k] != "":
			w.instead = networkInstead[k]
		case path == "" && k == "token":
			w.instead = "write it below a line [assignments]"
		case path == "" && slices.Contains([]string{"password_hash", "claim_code"}, k):
			w.instead = "write it below a line [admin]"
		case path == "" && k == hardwareKey:
			w.instead = "write it below a line [probe]"
		case path == "" && k == "assignment":
			w.instead = "write [assignments]"
		case path == "" && k == "wlan":
			w.instead = "write [wifi]"
		case path == "" && k == "updates":
			w.instead = "write [update]"
		}
		r.atKey(join(path, k), w)
	}
}

// example is what to write for a key whose value is not text.
var example = map[string]string{
	"name": "attic", "address": "ntp.example.net", "limit": "25ms", "interval": "64s",
	"hat": "adafruit", "device": "auto", "pps": "GPIO18", "antenna": antennaFixed, "listen": "127.0.0.1:8080", "secure": "127.0.0.1:8443",
	"timezone": "Europe/Berlin", "hostname": "attic", "ssid": "our network", "country": "DE",
	"channel": "stable", "url": "https://updates.example.net/truechimer",
	"window": "02:00-05:00", "reset_button": "GPIO5", "bound": "100us", "ahead": "37s",
}

// text gets a text, and reports a value of another kind.
func (r *reader) text(t map[string]any, path, key string) (string, bool) {
	v, ok := t[key]
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		such := `"..."`
		if e, ok := example[key]; ok {
			such = quoted(e)
		}
		r.atValue(join(path, key), wrong{key + " is " + kind(v), fmt.Sprintf("write text in quotation marks, such as %s = %s", key, such)})
	}
	return s, ok
}

// flag gets true or false, false where there is none, and reports a value of
// another kind.
func (r *reader) flag(t map[string]any, path, key string) bool {
	v, given := t[key]
	b, ok := v.(bool)
	if given && !ok {
		r.atValue(join(path, key), wrong{key + " is " + kind(v), "write true or false, without quotation marks"})
	}
	return b
}

// table gets a block, and reports a value of another kind.
func (r *reader) table(t map[string]any, key string) map[string]any {
	v, ok := t[key]
	if !ok {
		return nil
	}
	b, ok := v.(map[string]any)
	if !ok {
		r.atKey(key, wrong{key + " is " + kind(v), "write [" + key + "], in single brackets, on a line of its own, and its settings below"})
	}
	return b
}

// kind says what a value is in a word that is not TOML's.
func kind(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case int64, float64:
		return "a number"
	case bool:
		return "true or false"
	case map[string]any:
		return "one block"
	case []any:
		return "a list"
	}
	return "a date or a time of day"
}
