package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"time"
)

// Assignments is where a list of servers is that somebody else keeps.
type Assignments struct {
	// URL is that of a document as docs/assignments.md has it: https; or http
	// with an address, not a name, inside of the station's own network.
	URL      string
	Interval time.Duration // between two times that it is asked for
	Token    Secret        // bearer token (RFC 6750); empty: none
}

// The bounds of how often a list is asked for, and what holds where nothing is
// said.
const (
	MinAssignmentsInterval     = time.Minute
	MaxAssignmentsInterval     = 24 * time.Hour
	DefaultAssignmentsInterval = 15 * time.Minute
)

const (
	maxToken           = 4096 // characters; those that carry claims have hundreds
	exampleAssignments = "https://lists.example.net/attic.json"
)

// tokenShape is RFC 6750's b64token: nothing that could end a header's line.
var tokenShape = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// assignments reads the block [assignments].
func (r *reader) assignments(t map[string]any) *Assignments {
	const path = "assignments"
	a := &Assignments{Interval: DefaultAssignmentsInterval}
	r.known(path, "in [assignments]", t, "url", "interval", "token")
	if d, ok := r.duration(t, path, "interval", MinAssignmentsInterval, MaxAssignmentsInterval); ok {
		a.Interval = d
	}
	if s, ok := r.text(t, path, "token"); ok {
		r.atValue("assignments.token", checkToken(s))
		a.Token = NewSecret(s)
	}
	switch s := t["url"].(type) {
	case string:
		u, w := readAssignmentsURL(s)
		r.atValue("assignments.url", w)
		a.URL = s
		if w == (wrong{}) && u.Scheme == "http" && a.Token.Reveal() != "" && !loopback(u) {
			r.atKey("assignments.token", wrong{"the token would go by http, where others can read it", "write https:// in front of the url, or take the token away"})
		}
	case nil:
		if len(t) > 0 {
			r.atKey(path, wrong{"nobody says where the list of servers is", "write url = " + quoted(exampleAssignments) + " below"})
		}
		return nil
	default:
		r.atValue("assignments.url", wrong{"url is " + kind(s), "write text in quotation marks, such as url = " + quoted(exampleAssignments)})
	}
	return a
}

// readAssignmentsURL checks where a list is. Nothing but the way it comes by
// vouches for a list, so http is for addresses inside of one's own network; and
// not for names, of which somebody outside may say where they lead.
func readAssignmentsURL(s string) (*url.URL, wrong) {
	u, w := readURL(s, exampleAssignments, "a secret has a place of its own, token")
	if w != (wrong{}) {
		return nil, w
	}
	if u.Scheme == "http" && !loopback(u) {
		if a, err := netip.ParseAddr(u.Hostname()); err != nil || !a.Unmap().IsPrivate() && !a.Unmap().IsLinkLocalUnicast() {
			return nil, wrong{"url " + quoted(s) + " is not https, so that anybody on the way could write the list", "write https:// in front, or the address of a host inside of this network"}
		}
	}
	return u, wrong{}
}

// loopback says whether a URL is this machine's own.
func loopback(u *url.URL) bool {
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// checkToken tells of the token nothing but its length.
func checkToken(s string) wrong {
	if len(s) > maxToken {
		return wrong{fmt.Sprintf("the token has %d characters", len(s)), fmt.Sprintf("write %d at the most", maxToken)}
	}
	if !tokenShape.MatchString(s) {
		return wrong{"the token is empty or has a character that tokens lack", `write it as it was given, without "Bearer" in front; without a token, take the line away`}
	}
	return wrong{}
}
