package config

import (
	"slices"
	"strings"
	"unicode"
)

// MaxHardware is how many interfaces' time stamps can be asked for: each has its
// clock read before and after every exchange.
const MaxHardware = 4

// hardwareKey is the key for it.
const hardwareKey = "hardware_timestamps"

// hardware reads the block [probe].
func (r *reader) hardware(t map[string]any) (list []string) {
	r.known("probe", "in [probe]", t, hardwareKey)
	for _, p := range r.texts(t, "probe", hardwareKey, "eth0", MaxHardware) {
		switch {
		case !IsInterface(p.text):
			r.atValue(p.path, wrong{quoted(p.text) + " is no name of a network interface", `write one such as "eth0"`})
		case slices.Contains(list, p.text):
			r.atValue(p.path, wrong{quoted(p.text) + " is there twice", "write it once"})
		default:
			list = append(list, p.text)
		}
	}
	return list
}

// IsInterface says whether a network interface of Linux may have a name.
func IsInterface(s string) bool {
	return s != "" && len(s) <= 15 && s != "." && s != ".." &&
		!strings.ContainsFunc(s, func(r rune) bool { return r == '/' || r == ':' || r >= 0x7f || !unicode.IsGraphic(r) || r == ' ' })
}
