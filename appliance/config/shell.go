package config

import (
	"bytes"
	"iter"
	"path"
	"slices"
	"strings"
)

// lines are the lines of a file, without their ends and what is around them.
func lines(data []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range bytes.SplitSeq(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte{'\n'}) {
			if !yield(string(bytes.TrimSuffix(line, []byte{'\r'}))) {
				return
			}
		}
	}
}

// readFirstrun finds in a firstrun.sh the calls of imager_custom that
// Raspberry Pi Imager writes, or else the wpa_supplicant.conf in it. It is a
// reader of lines for these shapes and no shell: what they stand in does not
// matter, and a line with a $ in it says nothing.
func readFirstrun(data []byte) given {
	var g given
	for line := range lines(data) {
		words := shellWords(line)
		i := slices.IndexFunc(words, func(w string) bool { return path.Base(w) == "imager_custom" })
		if i < 0 || len(words) < i+3 {
			continue
		}
		args := words[i+2:]
		switch words[i+1] {
		case "set_hostname":
			g.hostname = args[0]
		case "set_timezone":
			g.timezone = args[0]
		case "set_wlan":
			g.wifi = setWLAN(args)
		}
	}
	if g.wifi == nil {
		g.wifi = readSupplicant(data).wifi
	}
	return g.checked()
}

// setWLAN reads [-h] [-p] SSID [PASSWORD [COUNTRY]]; -h: hidden, -p: the
// password is no key, which shows.
func setWLAN(args []string) *Wifi {
	w := &Wifi{}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		w.Hidden = w.Hidden || args[0] == "-h" || args[0] == "--hidden"
		args = args[1:]
	}
	args = append(args[:len(args):len(args)], "", "", "")
	w.SSID, w.Password, w.Country = args[0], NewSecret(args[1]), args[2]
	return w
}

// checked leaves of g what is valid.
func (g given) checked() given {
	if g.hostname != "" && checkHostname(g.hostname) != (wrong{}) {
		g.hostname = ""
	}
	if g.timezone != "" && checkTimezone(g.timezone) != (wrong{}) {
		g.timezone = ""
	}
	if g.wifi == nil {
		return g
	}
	w := *g.wifi
	g.wifi = nil
	w.Country = strings.ToUpper(w.Country)
	if checkCountry(w.Country) != (wrong{}) {
		w.Country = ""
	}
	password := w.Password.Reveal()
	if checkSSID(w.SSID) == (wrong{}) && (password == "" || checkPassword(password) == (wrong{})) {
		g.wifi = &w
	}
	return g
}

// shellWords are the words of a simple command, up to the first sign that ends
// or directs it; nil: it has something that only a shell can tell.
func shellWords(line string) (words []string) {
	var word strings.Builder
	open := false // a word has begun
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			n := strings.IndexByte(line[i+1:], '\'')
			if n < 0 {
				return nil
			}
			word.WriteString(line[i+1 : i+1+n])
			i += n + 1
			open = true
		case c == '"':
			text, n := doubleQuoted(line[i+1:])
			if n < 0 {
				return nil
			}
			word.WriteString(text)
			i += n
			open = true
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			open = true
		case c == ' ' || c == '\t':
			end()
		case c == '#' && !open, strings.IndexByte(";|&<>()", c) >= 0:
			end()
			return words
		case c == '$' || c == '`' || c == '\\':
			return nil
		default:
			word.WriteByte(c)
			open = true
		}
	}
	end()
	return words
}

// doubleQuoted reads up to the closing quotation mark; n is how many bytes
// that took with it, -1 if there is none or something to expand.
func doubleQuoted(s string) (text string, n int) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\\\"$`", s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case s[i] == '$' || s[i] == '`':
			return "", -1
		default:
			b.WriteByte(s[i])
		}
	}
	return "", -1
}

// readSupplicant reads the first network of a wpa_supplicant.conf that a
// station could join: a line for each setting, as its manual and Raspberry Pi
// Imager write it. Networks of companies (EAP) and of WEP are passed over.
func readSupplicant(data []byte) given {
	var (
		country string
		first   *Wifi
		w       Wifi
		inside  bool
		usable  bool // what protects it is known
		off     bool
	)
	for line := range lines(data) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch {
		case key == "network" && strings.HasPrefix(value, "{"):
			inside, usable, off, w = true, false, false, Wifi{}
		case !inside && key == "country":
			country = value
		case inside && strings.HasPrefix(line, "}"):
			inside = false
			if g := (given{wifi: &w}).checked(); first == nil && usable && !off {
				first = g.wifi
			}
		case inside && key == "disabled":
			off = value == "1"
		case inside:
			usable = w.supplicant(key, value) || usable
		}
	}
	if first != nil {
		first.Country = country
	}
	return given{wifi: first}.checked()
}

// supplicant sets what one line of a network says, and reports whether this is
// what makes it one to join.
func (w *Wifi) supplicant(key, value string) bool {
	switch key {
	case "ssid":
		w.SSID = supplicantText(value)
	case "scan_ssid":
		w.Hidden = value == "1"
	case "psk":
		if !IsPMK(value) {
			value = supplicantText(value)
		}
		w.Password = NewSecret(value)
		return value != ""
	case "key_mgmt":
		return value == "NONE"
	}
	return false
}

// supplicantText is a text in quotation marks, of which the last one counts,
// or one in hexadecimal digits, which Imager writes with hex: before them.
func supplicantText(s string) string {
	if t, ok := strings.CutPrefix(s, `"`); ok {
		i := strings.LastIndexByte(t, '"')
		if i < 0 {
			return ""
		}
		return t[:i]
	}
	return unhex(strings.TrimPrefix(s, "hex:"))
}
