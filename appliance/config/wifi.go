package config

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	maxSSID     = 32 // bytes, IEEE 802.11-2020 section 9.4.2.2
	maxTimezone = 64 // characters; the longest of the IANA's names has half of that
	maxHostname = 63 // characters of a label, RFC 1035 section 2.3.4
)

// Wifi is a Wi-Fi network to join.
type Wifi struct {
	SSID     string // 1 to 32 bytes of any value
	Password Secret // 8 to 63 bytes, or the 64 hexadecimal digits of a PMK; empty: the network is open
	Country  string // ISO 3166-1, two capital letters; empty: not known
	Hidden   bool   // the network does not tell its name
}

var (
	pmk       = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
	twoLetter = regexp.MustCompile(`^[A-Z]{2}$`)
	zoneShape = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`)
	hostShape = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
)

// IsPMK says whether a password is a key as it is (IEEE 802.11-2020 section
// 12.7.1.3), not a passphrase that one is made from.
func IsPMK(password string) bool { return pmk.MatchString(password) }

// wifi reads the block [wifi].
func (r *reader) wifi(t map[string]any) *Wifi {
	const path = "wifi"
	w := &Wifi{}
	r.known(path, "in [wifi]", t, "ssid", "password", "country", "hidden")
	if s, ok := r.text(t, path, "ssid"); ok {
		r.atValue("wifi.ssid", checkSSID(s))
		w.SSID = s
	} else if t["ssid"] == nil {
		r.atKey(path, wrong{"this network has no name", `write ssid = "our network" below`})
	}
	r.password(t, path, w)
	w.Hidden = r.flag(t, path, "hidden")
	return w
}

// password reads what a [wifi] of ours has in common with a [wlan] of others.
func (r *reader) password(t map[string]any, path string, w *Wifi) {
	if s, ok := r.text(t, path, "password"); ok {
		r.atValue(join(path, "password"), checkPassword(s))
		w.Password = NewSecret(s)
	}
	if s, ok := r.text(t, path, "country"); ok {
		w.Country = strings.ToUpper(s)
		r.atValue(join(path, "country"), checkCountry(s))
	}
}

func checkSSID(s string) wrong {
	if s == "" {
		return wrong{"the network's name is empty", `write its name, such as ssid = "our network"`}
	}
	if len(s) > maxSSID {
		return wrong{fmt.Sprintf("the network's name %s has %d bytes", quoted(s), len(s)), fmt.Sprintf("write %d at the most, as every network's name has", maxSSID)}
	}
	return wrong{}
}

// checkPassword tells of the password nothing but its length.
func checkPassword(s string) wrong {
	if pmk.MatchString(s) {
		return wrong{}
	}
	const instead = "write 8 to 63 characters, or a key of 64 hexadecimal digits; for an open network take the line away"
	if len(s) < 8 || len(s) > 63 {
		return wrong{fmt.Sprintf("the password has %d characters", len(s)), instead}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return wrong{"the password has a character that nobody can type", instead}
	}
	return wrong{}
}

func checkCountry(s string) wrong {
	if twoLetter.MatchString(strings.ToUpper(s)) {
		return wrong{}
	}
	return wrong{"country " + quoted(s) + " is no code of a country", `write its two letters, such as "DE" or "GB"`}
}

func checkTimezone(s string) wrong {
	if len(s) <= maxTimezone && zoneShape.MatchString(s) {
		return wrong{}
	}
	return wrong{"timezone " + quoted(s) + " is no name of a time zone", `write a region and a city, such as "Europe/Berlin", or "UTC"`}
}

func checkHostname(s string) wrong {
	if len(s) <= maxHostname && hostShape.MatchString(s) {
		return wrong{}
	}
	return wrong{"hostname " + quoted(s) + " is no host name", fmt.Sprintf(`write letters, digits and hyphens, %d at the most, such as "attic"`, maxHostname)}
}

// Check says whether w could stand in [wifi]. Its error is for people and does
// not show the password.
func (w Wifi) Check() error {
	if err := checkSSID(w.SSID).err(); err != nil {
		return err
	}
	if p := w.Password.Reveal(); p != "" {
		if err := checkPassword(p).err(); err != nil {
			return err
		}
	}
	if w.Country != "" {
		return checkCountry(w.Country).err()
	}
	return nil
}
