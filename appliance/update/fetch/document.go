package fetch

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Document is one file on one server. What comes is vouched for by the
// server's certificate alone, so that it may be redirected to https only; where
// its own URL is http, to the same server besides.
type Document struct {
	client *Client
	url    string
	bearer string
}

// NewDocument makes one for an absolute URL as those of mirrors are, but of a
// file. bearer is sent to that server and no other (RFC 6750); empty: nothing
// is. Of the options, Bases are not used.
func NewDocument(file, bearer string, o Options) (*Document, error) {
	if _, err := parseBase(file); err != nil {
		return nil, err
	}
	u, err := url.Parse(file)
	if err != nil {
		return nil, err
	}
	o.Bases = []string{u.Scheme + "://" + u.Host + "/"}
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	c.strict = true
	return &Document{client: c, url: u.String(), bearer: bearer}, nil
}

// Answer is what a server says of a document.
type Answer struct {
	Unchanged bool   // it is still what came with the tag
	Body      []byte // the whole of it, unless Unchanged
	Tag       string // to ask with the next time (RFC 9110 section 8.8.3); empty: none
	// Fresh is how long the server says that its answer holds (RFC 9111 section
	// 5.2.2.1); 0: it does not say.
	Fresh time.Duration
}

// Get reads the document, of at most limit bytes. tag is that of an earlier
// answer, of whatever age; empty: there is none. An answer of the server's that
// has no document is a [*StatusError].
func (d *Document) Get(ctx context.Context, tag string, limit int64) (Answer, error) {
	header := http.Header{}
	if goodTag(tag) {
		header.Set("If-None-Match", tag)
	}
	if d.bearer != "" {
		header.Set("Authorization", "Bearer "+d.bearer)
	}
	a, err := d.client.ask(ctx, d.url, header)
	if err != nil {
		return Answer{}, err
	}
	defer a.Close()
	out := Answer{Tag: a.Header.Get("ETag"), Fresh: a.fresh()}
	if !goodTag(out.Tag) {
		out.Tag = ""
	}
	switch {
	case a.StatusCode == http.StatusNotModified && header.Get("If-None-Match") != "":
		out.Unchanged = true
		if out.Tag == "" {
			out.Tag = tag
		}
	case a.StatusCode == http.StatusOK:
		if out.Body, err = a.all(limit); err != nil {
			return Answer{}, err
		}
	default:
		return Answer{}, a.refused(ErrRefused)
	}
	return out, nil
}

// Close closes idle connections. The document may be read again.
func (d *Document) Close() { d.client.Close() }

// longest is more than anybody means, and far from what overflows.
const longest = 10 * 366 * 24 * time.Hour

// wholeSeconds reads a number of seconds as headers have them.
func wholeSeconds(s string) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(longest/time.Second) {
		return longest, true // RFC 9111 section 1.2.2: as great as can be
	}
	return time.Duration(n) * time.Second, true
}

// retryAfter is how long a server wants not to be asked.
func (a *answer) retryAfter() time.Duration {
	v := strings.TrimSpace(a.Header.Get("Retry-After"))
	if d, ok := wholeSeconds(v); ok {
		return d
	}
	until, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	// By the server's own clock, where it tells it: ours may not be set.
	now, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		now = a.now()
	}
	return min(max(until.Sub(now), 0), longest)
}

// fresh is how long a server says that its answer holds from now on.
func (a *answer) fresh() time.Duration {
	var most time.Duration
	for _, line := range a.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-cache", "no-store":
				return 0
			case "max-age":
				if d, ok := wholeSeconds(strings.Trim(value, `"`)); ok {
					most = d
				}
			}
		}
	}
	age, _ := wholeSeconds(strings.TrimSpace(a.Header.Get("Age")))
	return max(most-age, 0)
}
