package assign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Store keeps one file through power cuts: what Load gives is what was saved
// last, whole, or an error. Load wraps fs.ErrNotExist where nothing was saved.
type Store interface {
	Load() ([]byte, error)
	Save([]byte) error
}

// MaxKept bounds the file, bytes.
const MaxKept = MaxSize + maxHead

// maxHead bounds its first line.
const maxHead = 4 << 10

// keepEvery is how much later a list has to be confirmed for that to be worth a
// write: a card wears out.
const keepEvery = 24 * time.Hour

// kept is the last good list as it is on the card: a line of JSON, and the
// document as it came.
type kept struct {
	URL string `json:"url"` // where it is from: another list's word is not this one's
	Tag string `json:"tag"` // entity tag; empty: none
	// At is when the list was last known to be the present one; zero: the
	// station did not know the time.
	At  time.Time `json:"at"`
	doc []byte
}

func (k kept) bytes() ([]byte, error) {
	head, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	if len(head) >= maxHead {
		return nil, fmt.Errorf("what is to be kept of the list beside it has %d bytes", len(head))
	}
	return append(append(head, '\n'), k.doc...), nil
}

func parseKept(b []byte) (k kept, err error) {
	head, doc, ok := bytes.Cut(b, []byte{'\n'})
	if !ok || len(b) > MaxKept || len(head) >= maxHead || json.Unmarshal(head, &k) != nil {
		return kept{}, errors.New("it is damaged")
	}
	k.doc = doc
	return k, nil
}

// load puts the last good list in force, so that a station that starts without
// a network watches what it watched before.
func (p *Poller) load() {
	if p.o.Store == nil {
		return
	}
	b, err := p.o.Store.Load()
	if err == nil {
		var k kept
		if k, err = parseKept(b); err == nil && k.URL == p.o.URL {
			var l List
			if l, err = Parse(k.doc); err == nil {
				p.kept = k
				p.put(l)
			}
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.o.Log.Warn("the list of servers that was kept cannot be used", "error", err)
	}
}

// save keeps what is in force, where that is news or was not kept before.
func (p *Poller) save(k kept) {
	fresh := !bytes.Equal(k.doc, p.kept.doc) || k.Tag != p.kept.Tag || k.At.Sub(p.kept.At).Abs() >= keepEvery
	if !fresh && !p.unsaved {
		return
	}
	p.kept = k
	if p.o.Store == nil {
		return
	}
	b, err := k.bytes()
	if err == nil {
		err = p.o.Store.Save(b)
	}
	if p.unsaved = err != nil; err != nil {
		p.o.Log.Warn("the list of servers cannot be kept; it is in force until the station restarts", "error", err)
	}
}
