// Package screen shows on a display that is plugged into the station where its page
// is: as text, and as a QR code for a phone.
//
// It is drawn as text on a virtual terminal of Linux's own, which every graphics
// driver shows, from a Raspberry Pi's HDMI to a virtual machine's. The kernel's and
// the station's log go on to the first terminal: Alt+F1 shows it, Alt+F2 comes back.
package screen

import (
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/truechimer/truechimer/appliance/health"
)

// View is what is shown.
type View struct {
	Name    string // of the station
	Page    string // address of the page, for the QR code and to type; empty: there is none yet
	Local   string // the same by the station's name on its link; empty: it has none
	State   string // how it is, in a sentence
	Waiting string // what the network waits for, where there is no Page
	// Claimed says that somebody owns the station. Until then the fingerprint of its
	// certificate is shown, for who claims it to compare.
	Claimed     bool
	Fingerprint string // as browsers show it; empty: there is no certificate yet
}

const (
	// quiet is how many light modules surround a QR code (ISO/IEC 18004, 9.1).
	quiet = 4
	// most is how long a line of text may be beside a code: the two fit on the 80
	// columns and 25 lines that every text display has.
	most = 40
	// longest is how long an address may be for a code.
	longest = 100
)

// Control sequences of Linux's terminal (console_codes(4)).
const (
	clear      = "\x1b%G\x1b[0m\x1b[2J\x1b[H" // UTF-8, no attributes, an empty screen
	hideCursor = "\x1b[?25l"
	bright     = "\x1b[1;37;40m" // light modules and text, as bright as can be
)

// Draw is what a terminal needs to show v. The text is as narrow as the smallest
// display; what does not fit is cut.
func Draw(v View) string {
	left, right := code(v.Page), lines(v)
	width := 0
	for _, l := range left {
		width = max(width, len([]rune(l)))
	}
	var b strings.Builder
	b.WriteString(clear + hideCursor + bright)
	for i := range max(len(left), len(right)) {
		line := ""
		if i < len(left) {
			line = left[i]
		}
		if i < len(right) && right[i] != "" {
			line += strings.Repeat(" ", width-len([]rune(line))+2) + right[i]
		}
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteString("\r\n")
	}
	return b.String()
}

// lines is the text.
func lines(v View) (list []string) {
	add := func(text string) { list = append(list, wrapped(text)...) }
	list = append(list, "")
	add(v.Name)
	list = append(list, "")
	switch {
	case v.Page != "":
		add("Its page is at")
		list = append(list, split(v.Page)...)
	case v.Waiting != "":
		add("Its page has no address yet: " + v.Waiting)
	default:
		add("Its page has no address yet.")
	}
	if v.Local != "" {
		list = append(list, split(v.Local)...)
	}
	list = append(list, "")
	add(v.State)
	if !v.Claimed && v.Page != "" {
		list = append(list, "")
		add("Nobody has claimed it yet: scan the code, or type the address on a device in this network.")
		list = append(list, fingerprint(v.Fingerprint)...)
	}
	return list
}

// fingerprint is a certificate's, on lines that can be compared.
func fingerprint(s string) (list []string) {
	const bytes, all = 8, 32
	parts := strings.Split(s, ":")
	if len(parts) != all {
		return nil
	}
	list = append(list, "", "Its certificate (SHA-256):")
	for i := 0; i < all; i += bytes {
		list = append(list, strings.Join(parts[i:i+bytes], ":"))
	}
	return list
}

// wrapped is text on lines that fit beside a code.
func wrapped(text string) (list []string) {
	line := ""
	for _, word := range strings.Fields(health.Clean(text, 10*most)) {
		switch word = cut(word); {
		case line == "":
			line = word
		case len([]rune(line+" "+word)) > most:
			list = append(list, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(list, line)
}

// split is an address on as many lines as it needs.
func split(s string) (list []string) {
	rest := []rune(health.Clean(s, longest))
	for len(rest) > most {
		list, rest = append(list, string(rest[:most])), rest[most:]
	}
	return append(list, string(rest))
}

func cut(s string) string { return health.Clean(s, most) }

// code is a QR code in half blocks: each character has two modules, one above the
// other. Light ones are drawn, since the screen is dark. It is nothing for what makes
// no code.
func code(text string) (list []string) {
	if text == "" || len(text) > longest {
		return nil
	}
	c, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return nil
	}
	size := c.Bounds().Dx()
	light := func(x, y int) bool {
		return x < 0 || y < 0 || x >= size || y >= size || !dark(c.At(x, y))
	}
	blocks := map[[2]bool]rune{{true, true}: '█', {true, false}: '▀', {false, true}: '▄', {false, false}: ' '}
	for y := -quiet; y < size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < size+quiet; x++ {
			b.WriteRune(blocks[[2]bool{light(x, y), y+1 < size+quiet && light(x, y+1)}])
		}
		list = append(list, b.String())
	}
	return list
}

func dark(c color.Color) bool {
	r, g, b, _ := c.RGBA()
	return r+g+b == 0
}
