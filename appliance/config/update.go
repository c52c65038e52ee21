package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxUpdateHosts bounds how many update hosts a station is told of.
	MaxUpdateHosts = 8
	// maxURL bounds the address of one, characters.
	maxURL = 500
)

// Update is where a station gets new releases from.
type Update struct {
	Enabled bool
	Channel string // of releases, such as stable; empty: the image's own
	// URLs are the hosts, tried in turn, as http or https without a slash at
	// the end; nil: the image's own.
	URLs []string
	// Window is when the station may restart for a release; nil: as it does by
	// itself.
	Window *Window
}

// Window is a part of each day, by the clock of the station's time zone: from
// From to To, whole minutes since midnight, where To before From is on the day
// after. Both are 0 for the whole day.
type Window struct{ From, To time.Duration }

var windowShape = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])$`)

// channelShape is a path's element and no more: hosts keep a channel's
// releases in a directory of its name. It is what image/artifact accepts.
var channelShape = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// update reads the block [update].
func (r *reader) update(t map[string]any) Update {
	const path = "update"
	u := Default().Update
	r.known(path, "in [update]", t, "enabled", "channel", "url", "window")
	if _, given := t["enabled"]; given {
		u.Enabled = r.flag(t, path, "enabled")
	}
	if s, ok := r.text(t, path, "channel"); ok {
		r.atValue("update.channel", checkChannel(s))
		u.Channel = s
	}
	u.URLs = r.updateURLs(t["url"])
	if s, ok := r.text(t, path, "window"); ok {
		var w wrong
		u.Window, w = readWindow(s)
		r.atValue("update.window", w)
	}
	return u
}

// updateURLs reads one address as a text, or several as a list of them.
func (r *reader) updateURLs(value any) []string {
	const path = "update.url"
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
		u, w := readUpdateURL(v)
		r.atValue(path, w)
		return []string{u}
	case []any:
		if len(v) > MaxUpdateHosts {
			r.atValue(index(path, MaxUpdateHosts), wrong{fmt.Sprintf("there are %d update hosts", len(v)), fmt.Sprintf("write %d at the most", MaxUpdateHosts)})
			return nil
		}
		var list []string
		for i, one := range v {
			s, ok := one.(string)
			if !ok {
				r.atValue(index(path, i), wrong{"this address is " + kind(one), "write text in quotation marks, such as " + quoted(example["url"])})
				continue
			}
			u, w := readUpdateURL(s)
			r.atValue(index(path, i), w)
			list = append(list, u)
		}
		return list
	default:
		r.atValue(path, wrong{"url is " + kind(v), "write text in quotation marks, such as url = " + quoted(example["url"])})
		return nil
	}
}

// readWindow reads the hours of a day, such as "02:00-05:00", or "any".
func readWindow(s string) (*Window, wrong) {
	if s == "any" {
		return new(Window), wrong{}
	}
	bad := wrong{"window " + quoted(s) + " is no part of a day", "write one such as " + quoted(example["window"]) + `, or "any"`}
	part := windowShape.FindStringSubmatch(s)
	if part == nil {
		return nil, bad
	}
	at := func(hour, minute string) time.Duration {
		h, _ := strconv.Atoi(hour) // two digits each
		m, _ := strconv.Atoi(minute)
		return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	}
	w := &Window{at(part[1], part[2]), at(part[3], part[4])}
	if w.From == w.To {
		return nil, bad
	}
	return w, wrong{}
}

func checkChannel(s string) wrong {
	if channelShape.MatchString(s) {
		return wrong{}
	}
	return wrong{"channel " + quoted(s) + " is no name of a channel", `write "stable", or another word of small letters, digits and hyphens`}
}

// readUpdateURL checks the address of a directory on a web server.
func readUpdateURL(s string) (string, wrong) {
	_, w := readURL(s, example["url"], "update hosts are open to everybody")
	if w != (wrong{}) {
		return "", w
	}
	return strings.TrimRight(s, "/"), wrong{}
}

// readURL checks an address on a web server; example is one to write. One with
// a name and a password in it is refused and not repeated; open says why it
// needs none.
func readURL(s, example, open string) (*url.URL, wrong) {
	bad := func(what string) (*url.URL, wrong) {
		return nil, wrong{"url " + quoted(s) + " " + what, "write an address such as " + quoted(example)}
	}
	if strings.Contains(s, "@") {
		return nil, wrong{"this url has an @ in it", "write it without a name and a password: " + open}
	}
	if len(s) > maxURL {
		return nil, wrong{fmt.Sprintf("this url has %d characters", len(s)), fmt.Sprintf("write %d at the most", maxURL)}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return bad("has blanks or letters that addresses lack")
	}
	if !strings.Contains(s, "://") {
		return nil, wrong{"url " + quoted(s) + " has no https:// in front", "write " + quoted("https://"+strings.TrimLeft(s, "/"))}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return bad("is no web address")
	}
	if _, _, w := readAddress(u.Host); w != (wrong{}) {
		return bad("names no host")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		return bad("has a ? or a #, which no directory has")
	}
	return u, wrong{}
}

// CheckUpdateHost says whether url could stand in [update], with the slash at
// its end taken away already.
func CheckUpdateHost(url string) error {
	u, w := readUpdateURL(url)
	if w == (wrong{}) && u != url {
		w = wrong{"url " + quoted(url) + " has a slash at its end", "write " + quoted(u)}
	}
	return w.err()
}

// CheckUpdateChannel says whether channel could stand in [update].
func CheckUpdateChannel(channel string) error { return checkChannel(channel).err() }

func (w wrong) err() error {
	if w == (wrong{}) {
		return nil
	}
	return errors.New(w.problem + "; " + w.instead)
}
