package config

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	deepestLine    = 12 // levels of indentation that are followed
	mostWifiNames  = 16 // of one network-config
	mostLineOfText = 1 << 10

	unread = "\x00" // stands for a value that is there and cannot be read; nothing valid is like it
)

// readUserData finds the host name and the time zone in cloud-init's
// user-data, where they stand at the outermost level.
func readUserData(data []byte) given {
	var g given
	eachSetting(data, func(path []string, value string) {
		if len(path) != 1 {
			return
		}
		switch path[0] {
		case "hostname":
			g.hostname = value
		case "timezone":
			g.timezone = value
		}
	})
	return g.checked()
}

// readNetworkConfig finds the first Wi-Fi network in a network-config of
// version 2 that a station could join.
func readNetworkConfig(data []byte) given {
	type network struct {
		Wifi
		key    string // how its key is managed
		closed bool   // it says something that is not read here
	}
	var (
		country string
		found   []*network
	)
	eachSetting(data, func(path []string, value string) {
		if len(path) > 0 && path[0] == "network" {
			path = path[1:]
		}
		if len(path) < 3 || path[0] != "wifis" {
			return
		}
		if path[2] == "regulatory-domain" {
			country = value
		}
		if len(path) < 4 || path[2] != "access-points" {
			return
		}
		i := slices.IndexFunc(found, func(n *network) bool { return n.SSID == path[3] })
		if i < 0 {
			if len(found) == mostWifiNames {
				return
			}
			i = len(found)
			found = append(found, &network{Wifi: Wifi{SSID: path[3]}})
		}
		switch n := found[i]; strings.Join(path[4:], ".") {
		case "", "auth": // a value beside these is written in a way not read here
			n.closed = n.closed || value != ""
		case "password", "auth.password":
			n.Password = NewSecret(value)
			n.closed = n.closed || value == ""
		case "hidden":
			n.Hidden = value == "true"
		case "auth.key-management":
			n.key = value
		}
	})
	for _, n := range found {
		n.Country = country
		open := n.Password.Reveal() == ""
		switch n.key {
		case "", "none", "owe":
		case "psk", "sae":
			n.closed = n.closed || open
		default: // what companies have
			n.closed = true
		}
		if g := (given{wifi: &n.Wifi}).checked(); g.wifi != nil && !n.closed {
			return g
		}
	}
	return given{}
}

// eachSetting calls f for every line "key: value" with the keys above it by
// their indentation; value is empty where others stand below, or unread.
//
// It is a reader of lines for the shapes that Raspberry Pi Imager and the
// manuals write, and no YAML: lists, braces, anchors and text over several
// lines are passed over.
func eachSetting(data []byte, f func(path []string, value string)) {
	type level struct {
		indent int
		key    string
	}
	var stack []level
	var path []string
	for line := range lines(data) {
		text := strings.TrimLeft(line, " ")
		if text == "" || text[0] == '#' || text[0] == '\t' || len(text) > mostLineOfText {
			continue
		}
		indent := len(line) - len(text)
		for len(stack) > 0 && stack[len(stack)-1].indent >= indent {
			stack = stack[:len(stack)-1]
		}
		if len(stack) == deepestLine {
			continue
		}
		key, rest, ok := yamlKey(text)
		stack = append(stack, level{indent, key}) // what stands below another line is not at its level
		if !ok {
			continue
		}
		path = path[:0]
		for _, l := range stack {
			path = append(path, l.key)
		}
		value, ok := yamlValue(rest)
		if !ok {
			value = unread
		}
		f(path, value)
	}
}

// yamlKey reads a key and the colon after it.
func yamlKey(s string) (key, rest string, ok bool) {
	if s[0] == '"' || s[0] == '\'' {
		if key, rest, ok = yamlQuoted(s); !ok {
			return "", "", false
		}
		rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), ":")
		return key, rest, ok && (rest == "" || rest[0] == ' ')
	}
	if strings.ContainsRune("-?[]{},&*!|>%@`", rune(s[0])) {
		return "", "", false
	}
	if key, rest, ok = strings.Cut(s, ": "); ok {
		return strings.TrimRight(key, " "), rest, true
	}
	key, ok = strings.CutSuffix(strings.TrimRight(s, " "), ":")
	return key, "", ok
}

// yamlValue reads what stands after the colon, without a comment.
func yamlValue(s string) (value string, ok bool) {
	s = strings.Trim(s, " ")
	switch {
	case s == "" || s[0] == '#':
		return "", true
	case s[0] == '"' || s[0] == '\'':
		value, rest, ok := yamlQuoted(s)
		rest = strings.TrimLeft(rest, " ")
		return value, ok && (rest == "" || rest[0] == '#')
	}
	s, _, _ = strings.Cut(s, " #")
	return strings.TrimRight(s, " "), true
}

// yamlQuoted reads a text in quotation marks of either kind. \x with two
// digits is taken for a byte, since Raspberry Pi Imager means one by it.
func yamlQuoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	mark := s[0]
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == mark && mark == '\'' && strings.HasPrefix(s[i+1:], "'"):
			b.WriteByte(c)
			i++
		case c == mark:
			return b.String(), s[i+1:], true
		case c == '\\' && mark == '"':
			out, n := yamlEscape(s[i+1:])
			if n == 0 {
				return "", "", false
			}
			b.WriteString(out)
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// yamlEscape reads what follows a backslash; n is its length, 0: not known.
func yamlEscape(s string) (text string, n int) {
	if s == "" {
		return "", 0
	}
	if i := strings.IndexByte(`\"/0abtnvfre `, s[0]); i >= 0 {
		return "\\\"/\x00\a\b\t\n\v\f\r\x1b "[i : i+1], 1
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if digits == 0 || len(s) < 1+digits {
		return "", 0
	}
	code, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	if err != nil || code > utf8.MaxRune {
		return "", 0
	}
	if digits == 2 {
		return string([]byte{byte(code)}), 3
	}
	return string(rune(code)), 1 + digits
}

// unhex is the bytes of hexadecimal digits; empty where it is anything else.
func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}
