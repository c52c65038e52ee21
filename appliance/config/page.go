package config

import "unicode/utf8"

// Keep keeps a configuration that a person made on the station's page, so that the
// next start has it: in place of the last good one, which Load takes unless a file
// has changed since. It returns when a power cut cannot undo it.
//
// What the card was customised with and c has as well stays where it is.
func Keep(dir string, c Config) error {
	// What is damaged is written anew: of what was taken before it then has nothing, so
	// that the files on the card hold at the next start.
	k, _ := readKept(dir)
	c = k.without(c)
	body := Render(c)
	own, err := Parse("the new settings", body)
	if err != nil {
		return err
	}
	k.body, k.own = body, own
	k.taken[pageName] = hash(body)
	return k.write(dir)
}

// Kept is the last good configuration, Default where there is none.
func Kept(dir string) (Config, error) {
	k, err := readKept(dir)
	return k.config(), err
}

// without is c without what the card was customised with. What of that c has not
// is forgotten; but for a Wi-Fi network whose name is no text, as a truechimer.toml
// cannot say whether it is wanted.
func (k *kept) without(c Config) Config {
	if c.Name == k.given.hostname {
		c.Name = ""
	}
	switch c.Timezone {
	case "":
		k.given.timezone = ""
	case k.given.timezone:
		c.Timezone = ""
	}
	if w := k.given.wifi; w != nil && utf8.ValidString(w.SSID) {
		switch {
		case c.Wifi == nil:
			k.given.wifi = nil
		case sameWifi(*c.Wifi, *w):
			c.Wifi = nil
		}
	}
	return c
}

func sameWifi(a, b Wifi) bool {
	same := a.Password.Reveal() == b.Password.Reveal()
	a.Password, b.Password = Secret{}, Secret{}
	return same && a == b
}
