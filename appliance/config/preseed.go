package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// PreseedName is the file that Raspberry Pi Imager writes for images whose
// init_format is "rpi-preseed".
const PreseedName = "rpi-preseed.toml"

// given is what a card can be customised with beside truechimer.toml.
type given struct {
	hostname, timezone string
	wifi               *Wifi
}

func (g given) nothing() bool { return g == given{} }

// readPreseed reads rpi-preseed.toml, or custom.toml, which has the same keys
// where it matters. unused says for people what of it a station has no use
// for; the error is an *Errors and nothing is taken then.
//
// The keys are those of Raspberry Pi's rpi-preseed, schema/rpi-preseed.schema;
// like there, those that are not known are passed over.
func readPreseed(name string, data []byte) (g given, unused []string, err error) {
	document, places, err := decode(name, data, MaxSize)
	if err != nil {
		return given{}, nil, err
	}
	r := &reader{places: places}
	if t := r.table(document, "system"); t != nil {
		if s, ok := r.text(t, "system", "hostname"); ok && s != "" {
			r.atValue("system.hostname", checkHostname(s))
			g.hostname = s
		}
	}
	if t := r.table(document, "locale"); t != nil {
		if s, ok := r.text(t, "locale", "timezone"); ok && s != "" {
			r.atValue("locale.timezone", checkTimezone(s))
			g.timezone = s
		}
	}
	if t := r.table(document, "wlan"); t != nil {
		g.wifi = r.wlan(t)
	}
	static := r.static(document)
	if err := newErrors(name, places.data, r.faults); err != nil {
		return given{}, nil, err
	}
	return g, append(static, useless(name, document)...), nil
}

// wlan reads the block [wlan]; nil: it names no network.
func (r *reader) wlan(t map[string]any) *Wifi {
	const path = "wlan"
	w := &Wifi{}
	if s, ok := r.text(t, path, "ssid_hex"); ok {
		b, err := hex.DecodeString(s)
		if err != nil {
			r.atValue("wlan.ssid_hex", wrong{"ssid_hex is not hexadecimal", "write the bytes of the network's name in hexadecimal digits"})
		} else {
			r.atValue("wlan.ssid_hex", checkSSID(string(b)))
		}
		w.SSID = string(b)
	} else if s, ok := r.text(t, path, "ssid"); ok {
		r.atValue("wlan.ssid", checkSSID(s))
		w.SSID = s
	}
	r.password(t, path, w)
	w.Hidden = r.flag(t, path, "hidden")
	if r.flag(t, path, "password_encrypted") && !IsPMK(w.Password.Reveal()) {
		r.atValue("wlan.password_encrypted", wrong{"the password is said to be a key and is none", "write a key of 64 hexadecimal digits, or password_encrypted = false"})
	}
	if s, ok := r.text(t, path, "key_mgmt"); ok && !slices.Contains([]string{"none", "owe", "wpa-psk", "sae"}, s) {
		r.atValue("wlan.key_mgmt", wrong{"key_mgmt " + quoted(s) + " is not known", `write "wpa-psk", or "none" for an open network`})
	}
	if w.SSID == "" {
		return nil
	}
	return w
}

// static tells people of an address that is not taken.
func (r *reader) static(document map[string]any) []string {
	t := r.table(document, "ethernet")
	if t == nil {
		return nil
	}
	switch method, _ := r.text(t, "ethernet", "method"); method {
	case "", "dhcp":
		return nil
	case "static":
		return []string{"a fixed address, which belongs into [network] of truechimer.toml"}
	}
	return []string{"that the wired network is off, since a station is reached by it"}
}

// useless names the blocks that mean nothing to a station.
func useless(name string, document map[string]any) []string {
	var blocks []string
	for _, k := range slices.Sorted(maps.Keys(document)) {
		if slices.Contains([]string{"connect", "packages", "ca_certificates", "time", "mounts", "interfaces", "boot", "runcmd"}, k) {
			blocks = append(blocks, "["+k+"]")
		}
	}
	var list []string
	if document["user"] != nil || document["ssh"] != nil {
		list = append(list, "the user, the password and SSH, since a station has no accounts and no shell")
	}
	if blocks != nil {
		list = append(list, enumerate(blocks))
	}
	return list
}

// taken says what of a file was taken, for a sentence.
func (g given) taken() (list []string) {
	if g.hostname != "" {
		list = append(list, "host name")
	}
	if g.wifi != nil {
		list = append(list, "Wi-Fi")
	}
	if g.timezone != "" {
		list = append(list, "time zone")
	}
	return list
}

// preseedNotice says once what of rpi-preseed.toml was left; empty: nothing.
func preseedNotice(unused []string) string {
	if unused == nil {
		return ""
	}
	return fmt.Sprintf("Of %s these were not taken: %s.", PreseedName, strings.Join(unused, "; "))
}
