package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
)

// Where the truechimer.toml in force came from.
const (
	FromDefault = "default" // there is none
	FromPerm    = "perm"    // the last good one
	FromFAT     = "fat"     // new or changed
	FromSMBIOS  = "smbios"  // new or changed
)

// smbiosName is what errors and the kept file call the host's truechimer.toml.
const smbiosName = FileName + " (SMBIOS)"

// Sources are the files that may say what a station should do, as they were
// found.
type Sources struct {
	Card   map[string][]byte // those of CardFiles that are there, by name
	SMBIOS []byte            // the host's truechimer.toml, see Credential; nil: none
}

// Loaded is a configuration and how it came about.
type Loaded struct {
	Config  Config
	From    string   // FromDefault, FromPerm, FromFAT or FromSMBIOS
	Notices []string // for people: what was wrong; nil when nothing was
}

// Load decides which configuration holds, by the rules that the package's
// documentation lists. dir is where the last good one is kept, Dir on a
// station; "": this station cannot keep anything.
//
// It always yields a valid configuration. A file with mistakes is never taken:
// what held before goes on and Notices say what is wrong. What is taken is
// kept in dir.
func Load(s Sources, dir string) Loaded {
	l := Loaded{From: FromDefault}
	before, err := readKept(dir)
	if err != nil {
		l.notice(err)
	}
	if before.body != nil {
		l.From = FromPerm
	}
	k := kept{taken: maps.Clone(before.taken), given: before.given, body: before.body, own: before.own}
	c := readCustomised(s.Card)
	l.customise(&k, c)
	l.own(&k, s)
	for _, said := range c.said {
		l.Notices = append(l.Notices, said.notice(k.own))
	}
	l.Config = k.config()
	if dir == "" || reflect.DeepEqual(k, before) {
		return l
	}
	if err := k.write(dir); err != nil {
		l.Notices = append(l.Notices, fmt.Sprintf("The configuration is in force but could not be kept: %v; leave the files on the card as they are", err))
	}
	return l
}

// customise takes what the card was customised with, if that is new.
func (l *Loaded) customise(k *kept, c customised) {
	for _, err := range c.faults {
		l.notice(err)
	}
	news := false
	for name, sum := range c.hashes {
		news = news || k.taken[name] != sum
	}
	if !news {
		return
	}
	if c.hashes[PreseedName] != "" && c.hashes[PreseedName] != k.taken[PreseedName] {
		if n := preseedNotice(c.unused); n != "" {
			l.Notices = append(l.Notices, n)
		}
	}
	k.given = c.given
	maps.DeleteFunc(k.taken, func(name, _ string) bool { return name != FileName && name != smbiosName && name != pageName })
	maps.Copy(k.taken, c.hashes)
}

// own takes the truechimer.toml of the host or of the card, if it is new.
func (l *Loaded) own(k *kept, s Sources) {
	card, there := s.Card[FileName]
	if s.SMBIOS == nil || !l.take(k, smbiosName, s.SMBIOS, FromSMBIOS) {
		if there && k.taken[FileName] != hash(card) && l.take(k, FileName, card, FromFAT) {
			delete(k.taken, smbiosName) // should it come back it goes before again
		}
		return
	}
	if !there || k.taken[FileName] == hash(card) {
		return
	}
	k.taken[FileName] = hash(card)
	if c, err := Parse(FileName, card); err != nil || !reflect.DeepEqual(c, Default()) {
		l.Notices = append(l.Notices, FileName+" on the card is not used: the host of this virtual machine gives one, which goes before.")
	}
}

// take takes one truechimer.toml unless it is the one that was last taken. It
// reports whether it is a good one.
func (l *Loaded) take(k *kept, name string, data []byte, from string) bool {
	sum := hash(data)
	if k.taken[name] == sum {
		return true
	}
	c, err := Parse(name, data)
	if err != nil {
		l.notice(err)
		if k.body != nil {
			l.Notices = append(l.Notices, name+" was not taken; the last good configuration goes on")
		} else {
			l.Notices = append(l.Notices, name+" was not taken; the station goes on without it")
		}
		return false
	}
	delete(k.taken, pageName) // what was changed there is over
	k.taken[name], k.body, k.own = sum, append([]byte{}, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))...), c
	l.From = from
	return true
}

// config is what holds of all that was taken.
func (k kept) config() Config {
	c := k.own
	if c.Name == "" {
		c.Name = k.given.hostname
	}
	c.Hostname = k.given.hostname
	if c.Timezone == "" {
		c.Timezone = k.given.timezone
	}
	if c.Wifi == nil {
		c.Wifi = k.given.wifi
	}
	return c
}

// notice adds what is wrong, a line for each mistake.
func (l *Loaded) notice(err error) {
	if list, ok := errors.AsType[*Errors](err); ok {
		l.Notices = append(l.Notices, list.Lines()...)
		return
	}
	l.Notices = append(l.Notices, err.Error())
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
