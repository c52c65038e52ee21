package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/truechimer/truechimer/boards"
)

// bauds are the speeds of serial receivers, bits per second.
var bauds = []int64{4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}

// maxName bounds names, characters.
const maxName = 64

var (
	devicePath = regexp.MustCompile(`^/dev/[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.:-]*)*$`)
	chipLine   = regexp.MustCompile(`^gpiochip[0-9]{1,3}:[0-9]{1,4}$`)
	ppsDevice  = regexp.MustCompile(`^/dev/pps[0-9]{1,3}$`)
	pinName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+/-]*$`)
	hostLabel  = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$`)
	zoneName   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,15}$`) // Linux's own bound on a link's name
	number     = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	amount     = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµμ]+)$`)
)

// A wrong is what is the matter with a value and what to write instead; its
// zero value: nothing is.
type wrong struct{ problem, instead string }

func checkName(s string) wrong {
	n := 0
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return wrong{"the name " + quoted(s) + " has a character that cannot be shown", "write letters, digits and spaces"}
		}
		n++
	}
	if n > maxName {
		return wrong{fmt.Sprintf("the name %s has %d characters", quoted(s), n), fmt.Sprintf("write %d at the most", maxName)}
	}
	if strings.TrimSpace(s) != s || s == "" {
		return wrong{"the name " + quoted(s) + " is empty or has blanks around it", "write at least one letter, and no blanks around it"}
	}
	return wrong{}
}

func checkHat(s string) wrong {
	names := []string{quoted(Auto)}
	for _, h := range boards.Hats {
		if s == h.Name {
			return wrong{}
		}
		names = append(names, quoted(h.Name))
	}
	if s == Auto {
		return wrong{}
	}
	return wrong{"hat " + quoted(s) + " is not known", "write one of " + strings.Join(names, ", ")}
}

func checkDevice(s string) wrong {
	if s == Auto || len(s) <= maxName && devicePath.MatchString(s) {
		return wrong{}
	}
	return wrong{"device " + quoted(s) + " is no serial port", `write "auto" or a path such as "/dev/ttyAMA0"`}
}

func checkBaud(n int64) wrong {
	if n == 0 || slices.Contains(bauds, n) {
		return wrong{}
	}
	var s []string
	for _, b := range bauds {
		s = append(s, strconv.FormatInt(b, 10))
	}
	return wrong{fmt.Sprintf("baud %d is no speed of a receiver", n), "write one of " + strings.Join(s, ", ") + ", or 0 to have it found"}
}

// isLine says whether s may be a line of a GPIO chip, or a word such as Auto.
func isLine(s string) bool {
	if strings.HasPrefix(s, "gpiochip") {
		return chipLine.MatchString(s)
	}
	return len(s) <= maxName && pinName.MatchString(s)
}

func checkLine(key, s string) wrong {
	if isLine(s) && !slices.Contains([]string{Auto, Off, DCD}, s) {
		return wrong{}
	}
	return wrong{key + " " + quoted(s) + " is no line of a GPIO chip", `write a name such as "GPIO5", or a chip and a line such as "gpiochip0:5"`}
}

func checkPulse(s string) wrong {
	if isLine(s) || ppsDevice.MatchString(s) {
		return wrong{}
	}
	return wrong{"pps " + quoted(s) + " is no line", `write "auto", "off", a name such as "GPIO18", a chip and a line such as "gpiochip0:18", "/dev/pps0" or "dcd"`}
}

// What an antenna does.
const (
	antennaFixed  = "fixed"
	antennaMoving = "moving"
)

func checkAntenna(s string) wrong {
	if s == antennaFixed || s == antennaMoving {
		return wrong{}
	}
	return wrong{"antenna " + quoted(s) + " is not known", "write " + quoted(antennaFixed) + " or " + quoted(antennaMoving)}
}

func checkCableDelay(n int64) wrong {
	if n >= 0 && n <= MaxCableDelay {
		return wrong{}
	}
	return wrong{fmt.Sprintf("cable_delay_ns %d is out of bounds", n), fmt.Sprintf("write 0 to %d: 5 for each metre of cable", MaxCableDelay)}
}

// readDuration reads a time with a unit between least and most. key is what
// it is for, example one to write.
func readDuration(key, s, example string, least, most time.Duration) (time.Duration, wrong) {
	if number.MatchString(s) {
		unit := "s"
		switch key {
		case "limit":
			unit = "ms"
		case "bound":
			unit = "us"
		}
		return 0, wrong{fmt.Sprintf("%s %s has no unit", key, quoted(s)), "write " + quoted(s+unit)}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		w := wrong{fmt.Sprintf("%s %s is no time", key, quoted(s)), "write a number and a unit, such as " + quoted(example)}
		if m := amount.FindStringSubmatch(s); m != nil {
			if unit, ok := units[strings.ToLower(m[2])]; ok {
				w.instead = "write " + quoted(m[1]+unit)
			}
		}
		return 0, w
	}
	if d < least || d > most {
		return 0, wrong{fmt.Sprintf("%s %s is out of bounds", key, quoted(s)), fmt.Sprintf("write %s to %s", quoted(spell(least)), quoted(spell(most)))}
	}
	return d, wrong{}
}

// units are what people write for a unit of time, in lower case.
var units = map[string]string{
	"us": "us", "µs": "us", "μs": "us", "usec": "us", "microseconds": "us",
	"ms": "ms", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
	"s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
	"m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"h": "h", "hour": "h", "hours": "h",
}

// spell writes a duration as a person would.
func spell(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	case d%time.Millisecond == 0:
		return strconv.FormatInt(int64(d/time.Millisecond), 10) + "ms"
	}
	return strconv.FormatInt(int64(d/time.Microsecond), 10) + "us"
}

// readAddress splits what a person wrote into host and port.
func readAddress(s string) (host string, port uint16, w wrong) {
	const example = `write a name or a number such as "ntp.example.net" or "192.0.2.7:123"`
	bad := func(format string, a ...any) (string, uint16, wrong) {
		return "", 0, wrong{"address " + quoted(s) + " " + fmt.Sprintf(format, a...), example}
	}
	if s == "" {
		return bad("is empty")
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		rest, _, _ = strings.Cut(rest, "/")
		return "", 0, wrong{fmt.Sprintf("address %s is a web address (%s)", quoted(s), quoted(scheme)), "write " + quoted(rest)}
	}
	host, port = s, DefaultPort
	_, bareIP := netip.ParseAddr(s)
	if bareIP != nil && (strings.Contains(s, ":") || strings.HasPrefix(s, "[")) {
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
			host = s[1 : len(s)-1]
		} else {
			h, p, err := net.SplitHostPort(s)
			if err != nil {
				return "", 0, wrong{"address " + quoted(s) + " is neither a host nor a host and a port", `write IPv6 with a port as "[2001:db8::7]:123"`}
			}
			n, err := strconv.ParseUint(p, 10, 16)
			if err != nil || n == 0 {
				return "", 0, wrong{fmt.Sprintf("address %s has the port %s", quoted(s), quoted(p)), "write a port from 1 to 65535, or none for 123"}
			}
			host, port = h, uint16(n)
		}
		if strings.HasPrefix(s, "[") && !strings.Contains(host, ":") {
			return bad("has brackets, which are for IPv6")
		}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if w := checkIP(s, a); w != (wrong{}) {
			return "", 0, w
		}
		return a.Unmap().String(), port, wrong{}
	}
	if strings.Contains(host, ":") {
		return bad("is no IPv6 address")
	}
	host = strings.TrimSuffix(host, ".")
	for _, r := range host {
		if r > unicode.MaxASCII {
			return "", 0, wrong{"address " + quoted(s) + " has letters that host names lack", "write the name in its ASCII form, which begins with xn--"}
		}
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if len(l) > 63 || !hostLabel.MatchString(l) { // RFC 1035 section 2.3.4
			return bad("is no host name")
		}
	}
	if len(host) > 253 {
		return bad("is too long for a host name")
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return bad("is neither a name nor a complete number")
	}
	return host, port, wrong{}
}

func checkIP(s string, a netip.Addr) wrong {
	const instead = "write the address of one server"
	u := a.Unmap()
	switch {
	case u.IsUnspecified():
		return wrong{"address " + quoted(s) + " stands for no host", instead}
	case u.IsMulticast():
		return wrong{"address " + quoted(s) + " is a multicast group", instead}
	case u == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return wrong{"address " + quoted(s) + " is a broadcast", instead}
	case u.Is4() && u.As4()[0] == 0 || u.Is4() && u.As4()[0] >= 240: // RFC 6890: "this network", reserved
		return wrong{"address " + quoted(s) + " belongs to no host", instead}
	case u.Is6() && u.IsLinkLocalUnicast() && u.Zone() == "":
		return wrong{"address " + quoted(s) + " is valid on one link only and does not say which", "write " + quoted(u.String()+"%eth0") + " or a global address"}
	case u.Zone() != "" && !zoneName.MatchString(u.Zone()):
		return wrong{"address " + quoted(s) + " names no link", "write " + quoted(u.WithZone("eth0").String())}
	}
	return wrong{}
}

func checkListen(key, s string) wrong {
	_, port, _ := net.SplitHostPort(example[key])
	w := wrong{key + " " + quoted(s) + " is no address and port", fmt.Sprintf("write %q, or %q for all of this computer's addresses", example[key], ":"+port)}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return w
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return w
	}
	if host == "" || host == "localhost" {
		return wrong{}
	}
	if a, err := netip.ParseAddr(host); err != nil || a.IsMulticast() || a.Zone() != "" {
		return w
	}
	return wrong{}
}

// seconds is d as a float; d is within bounds that a float holds exactly enough.
func seconds(d time.Duration) float64 { return math.Round(float64(d)) / 1e9 }
