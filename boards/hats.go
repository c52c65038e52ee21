package boards

import "fmt"

// Hat is a GPS receiver as it is sold: a hat on a Raspberry Pi's header, which
// talks over the header's UART, or a receiver on USB.
type Hat struct {
	Name  string // as in truechimer.toml
	Title string // for people
	Bauds []int  // bits per second it may come set to, the most usual first
	Pulse string // pin of the pulse, as in Board.Pulse; empty: none is wired
}

// Hats lists receivers people buy. A station finds one without being told
// which it is; being told makes it certain.
var Hats = []Hat{
	// "PPS on pin 4", 9600 baud: Adafruit's guide to the board, and the many
	// configurations with dtoverlay=pps-gpio,gpiopin=4 made after it.
	{Name: "adafruit", Title: "Adafruit Ultimate GPS HAT", Bauds: []int{9600}, Pulse: "GPIO4"},
	// "12 GPIO18 TIME PULSE": Uputronics' data sheet of the GPS/RTC expansion
	// board, revision 2.1; 9600 baud: theirs of the same module on a breakout.
	{Name: "uputronics", Title: "Uputronics GPS/RTC Expansion Board", Bauds: []int{9600}, Pulse: "GPIO18"},
	// Waveshare's wiki, MAX-M8Q_GNSS_HAT.
	{Name: "waveshare", Title: "Waveshare MAX-M8Q GNSS HAT", Bauds: []int{9600}, Pulse: "GPIO18"},
	// By a published reading of the schematic of Waveshare's LC29H(XX)_GPS/RTK_HAT,
	// which was not seen here, the pulse is on GPIO4, and GPIO18, high, resets the
	// receiver: that pin must not be driven, and a station drives none.
	{Name: "waveshare-lc29h", Title: "Waveshare LC29H GPS/RTK HAT", Bauds: []int{115200}, Pulse: "GPIO4"},
	// A receiver with a USB plug of its own takes any speed; one behind a USB
	// serial converter has that of its chip. No plug carries the pulse: where it
	// is led to the header on a wire, pps names the pin.
	{Name: "usb", Title: "USB receiver", Bauds: []int{9600, 38400, 115200, 4800}},
}

// Bauds are the speeds at which a receiver is looked for, bits per second, the
// most usual first: MediaTek's and u-blox's up to generation 8 come with 9600,
// u-blox's since generation 9 with 38400, Quectel's newer with 115200,
// SiRF's with the 4800 of NMEA 0183; the other two are set by people.
//
// The first is also the one at which a silent line is waited on. A receiver that
// is slower or faster is seen there all the same, as garbage; on a line read
// nine times too fast or more it would look like silence, since every low bit
// is a break.
var Bauds = []int{9600, 38400, 115200, 4800, 57600, 19200}

// HatByName finds a hat by its name.
func HatByName(name string) (Hat, error) {
	names := ""
	for i, h := range Hats {
		if h.Name == name {
			return h, nil
		}
		if i > 0 {
			names += ", "
		}
		names += h.Name
	}
	return Hat{}, fmt.Errorf("hat %q is not known; known are %s", name, names)
}
