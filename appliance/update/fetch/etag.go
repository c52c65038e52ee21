package fetch

import (
	"bytes"
	"slices"
	"strings"
)

// What is remembered for conditional requests: few and small files. Metadata
// are, of which only the timestamp is asked for twice.
const (
	maxEntries = 8
	maxEntry   = 64 << 10 // bytes
	maxTag     = 128      // bytes
)

// entry is a file that came with an entity tag.
type entry struct {
	url, tag string
	body     []byte
}

func (c *Client) known(url string) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.seen, func(e entry) bool { return e.url == url })
	if i < 0 {
		return entry{}, false
	}
	e := c.seen[i]
	e.body = bytes.Clone(e.body)
	return e, true
}

// goodTag says whether an entity tag is one to ask with.
func goodTag(tag string) bool {
	return tag != "" && len(tag) <= maxTag && !strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r > '~' })
}

// remember keeps a file, the newest last.
func (c *Client) remember(url, tag string, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = slices.DeleteFunc(c.seen, func(e entry) bool { return e.url == url })
	if !goodTag(tag) || len(body) > maxEntry {
		return
	}
	if len(c.seen) == maxEntries {
		c.seen = slices.Delete(c.seen, 0, 1)
	}
	c.seen = append(c.seen, entry{url, tag, bytes.Clone(body)})
}
