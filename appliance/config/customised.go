package config

import (
	"bytes"
	"fmt"
	"strings"
)

// A form is one in which a card can be customised.
type form struct {
	name string
	// does says what a station does not do with it.
	does string
	// read takes what is there; nil: nothing ever is.
	read func(data []byte) (given, error)
	// wifi is what its Wi-Fi cannot be told without; empty: it has none.
	wifi string
}

// forms are those that are not a station's own, the strongest first: what one
// gives hides what those below it give. Raspberry Pi Imager writes, or wrote,
// all of them.
func forms() []form {
	sure := func(read func([]byte) given) func([]byte) (given, error) {
		return func(data []byte) (given, error) { return read(data), nil }
	}
	return []form{
		{"custom.toml", "follow", func(data []byte) (given, error) {
			g, _, err := readPreseed("custom.toml", data)
			return g, err
		}, "[wlan]"},
		{"firstrun.sh", "run", sure(readFirstrun), "set_wlan"},
		{"network-config", "follow", sure(readNetworkConfig), "wifis:"},
		{"user-data", "follow", sure(readUserData), ""},
		{"wpa_supplicant.conf", "follow", sure(readSupplicant), "network="},
		{"userconf.txt", "follow", nil, ""},
		{"userconf", "follow", nil, ""},
		{"ssh.txt", "follow", nil, ""},
		{"ssh", "follow", nil, ""},
	}
}

// CardFiles are the names of the files in the root of the FAT volume that say,
// or may say, what a station should do.
func CardFiles() []string {
	names := []string{FileName, PreseedName}
	for _, f := range forms() {
		names = append(names, f.name)
	}
	return names
}

// customised is what the files on a card that are not truechimer.toml say.
type customised struct {
	given
	hashes map[string]string // of the files that it was made from
	unused []string          // what of rpi-preseed.toml means nothing to a station
	faults []error           // of files with mistakes
	said   []said
}

// said is what a file in another form than a station's own gave.
type said struct {
	form
	given        // what of it holds among all files
	unclear bool // there was a Wi-Fi network, and it could not be told
}

// readCustomised reads them all. The values of a stronger one hide those of
// the weaker ones.
func readCustomised(card map[string][]byte) customised {
	c := customised{hashes: map[string]string{}}
	if data, ok := card[PreseedName]; ok {
		g, unused, err := readPreseed(PreseedName, data)
		if err != nil {
			c.faults = append(c.faults, err)
		} else {
			c.add(g)
			c.unused = unused
			c.hashes[PreseedName] = hash(data)
		}
	}
	for _, f := range forms() {
		data, ok := card[f.name]
		if !ok {
			continue
		}
		s := said{form: f}
		if f.read != nil {
			g, err := f.read(data)
			if err != nil {
				c.faults = append(c.faults, err)
			}
			s.unclear = f.wifi != "" && g.wifi == nil && bytes.Contains(data, []byte(f.wifi))
			if !g.nothing() {
				c.hashes[f.name] = hash(data)
			}
			s.given = c.add(g)
		}
		c.said = append(c.said, s)
	}
	return c
}

// add takes what is not there yet, and returns that.
func (c *customised) add(g given) (taken given) {
	if c.hostname == "" {
		c.hostname, taken.hostname = g.hostname, g.hostname
	}
	if c.timezone == "" {
		c.timezone, taken.timezone = g.timezone, g.timezone
	}
	if c.wifi == nil {
		c.wifi, taken.wifi = g.wifi, g.wifi
	}
	return taken
}

// notice tells people what became of the file. own is the truechimer.toml in
// force, which hides what it gives itself.
func (s said) notice(own Config) string {
	if own.Wifi != nil {
		s.given.wifi, s.unclear = nil, false
	}
	if own.Timezone != "" {
		s.timezone = ""
	}
	what := "nothing in it was taken"
	if list := s.taken(); list != nil {
		was := "was"
		if len(list) > 1 {
			was = "were"
		}
		what = fmt.Sprintf("its %s %s taken, all else was not", enumerate(list), was)
	}
	if s.unclear {
		what += ", and its Wi-Fi network could not be made out"
	}
	return fmt.Sprintf("The card was customised with %s, which a station does not %s: %s. Use %s, and delete %s to be rid of this notice.", s.name, s.does, what, FileName, s.name)
}

// enumerate joins words as a sentence does.
func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last]
}
