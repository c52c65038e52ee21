// Package status is the contract of GET /api/v1/status: what a station says of
// itself to people and machines. Fields are added, never renamed or removed.
//
// SI units throughout; a value that is not known is null, never 0.
package status

import "time"

// Schema is the version of the contract.
const Schema = 1

// Status is the whole answer.
type Status struct {
	Schema    int       `json:"schema"`
	Time      time.Time `json:"time"`    // the station's best idea of UTC
	Summary   string    `json:"summary"` // one sentence for a person
	Advice    *Advice   `json:"advice"`  // what a person does next; never null in the API
	Station   Station   `json:"station"`
	Reference Reference `json:"reference"`
	Receiver  Receiver  `json:"receiver"`
	Clock     *Clock    `json:"clock"`    // null until there is one that is looked after
	Tracking  *Tracking `json:"tracking"` // what chronyc shows; null where nothing is known of the clock
	Servers   []Server  `json:"servers"`
	// Assignments are where the servers come from, the one whose word goes first
	// before the others. Never null.
	Assignments []Assignments `json:"assignments"`
	Probe       Probe         `json:"probe"`
	Machine     *Machine      `json:"machine"` // null where the program runs on somebody's computer
	Network     *Network      `json:"network"` // null where the network is not the station's
	Update      *Update       `json:"update"`  // null where the station's program does not update itself
	Journal     *Journal      `json:"journal"` // null where exchanges are not kept
	// Trees are what the station needs on the way to servers and to the time, each from
	// its root on. Never null.
	Trees []Step `json:"trees"`
	// Notices are things a person should know: a configuration error with
	// file, line and column, a card that cannot be written. Never null.
	Notices []string `json:"notices"`
}

// Station is the device.
type Station struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Board   string  `json:"board"`
	Slot    *string `json:"slot"` // "a" or "b"; null where there are no slots
	Uptime  float64 `json:"uptime_s"`
	// Timezone is where the station stands, in the IANA's words; null where
	// nobody said. The times here are UTC all the same.
	Timezone *string `json:"timezone"`
	// SafeMode says that only this page and the network run, since the station
	// hung too often.
	SafeMode bool `json:"safe_mode"`
	// Claimed says that somebody owns the station; null where nobody can, since
	// the page is not served over TLS.
	Claimed *bool `json:"claimed"`
}

// Reference is the station's own source of time.
type Reference struct {
	Source         string   `json:"source"`   // one of Sources
	State          string   `json:"state"`    // one of States
	Reason         string   `json:"reason"`   // why not locked, what it waits for; empty when all is well
	Offset         *float64 `json:"offset_s"` // station clock minus true time
	Uncertainty    *float64 `json:"uncertainty_s"`
	Bound          *float64 `json:"bound_s"`
	Frequency      *float64 `json:"frequency_ppm"` // of the undisciplined clock; positive: it runs fast
	Holdover       *float64 `json:"holdover_s"`
	SatellitesUsed *int     `json:"satellites_used"`
	SatellitesSeen *int     `json:"satellites_seen"`
	PulseAlone     bool     `json:"pulse_alone"` // truechimer.toml names a pulse without a receiver
	Counters       Counters `json:"counters"`
	// Satellites are those that the receiver tells of, 64 at the most. Never null.
	Satellites []Satellite `json:"satellites"`
	// Predictions are how well the time will be known if no further pulse comes.
	// Never null.
	Predictions []Prediction `json:"predictions"`
	// Stability is how steady the clock is over intervals of 1 s and on. Never null.
	Stability []Deviation `json:"stability"`
}

// Clock is the station's clock as other programs see it, and who sets it.
type Clock struct {
	Steered        bool     `json:"steered"`           // by the station; false: it is only watched
	Synchronized   bool     `json:"synchronized"`      // other programs are told so
	EstimatedError *float64 `json:"estimated_error_s"` // that they are told; null while it is not synchronised
	GreatestError  *float64 `json:"greatest_error_s"`  // likewise
	Steps          int      `json:"steps"`             // by the station, since the start
	GPSLessUTC     *int     `json:"gps_minus_utc_s"`   // the count of leap seconds; null while it is not proven
	TAILessUTC     *int     `json:"tai_minus_utc_s"`   // as the kernel was told
	Leap           *Leap    `json:"leap_second"`       // the next one; null: none is announced

	ForeignSteps       int      `json:"foreign_steps"`       // of the clock, by something else
	ForeignAdjustments int      `json:"foreign_adjustments"` // of its rate or of what it says of itself
	Foreign            *string  `json:"foreign"`             // the last of them in words; null: none
	ForeignAge         *float64 `json:"foreign_age_s"`
}

// Leap is a leap second that is announced.
type Leap struct {
	Change   int       `json:"change"`   // 1: a second is inserted, -1: one is left out
	At       time.Time `json:"at"`       // the midnight of UTC before which it is
	Receiver bool      `json:"receiver"` // announces it
	Servers  bool      `json:"servers"`  // most of them announce it, which they do on the last day
	Ordered  bool      `json:"ordered"`  // the clock will make it
}

// Receiver is where the GPS receiver and its pulse were found. All is null until
// they are heard, and again when they fall silent, but for what is in their way.
type Receiver struct {
	Device   *string `json:"device"`   // of the serial port, such as /dev/ttyAMA0
	Baud     *int    `json:"baud"`     // bits per second; null also where the device has no speed (USB)
	Protocol *string `json:"protocol"` // one of Protocols
	Pulse    *string `json:"pulse"`    // name of the line
	Hat      *string `json:"hat"`      // title of the hat, where truechimer.toml names it
	Model    *string `json:"model"`    // what it says that it is, with its firmware
	Setup    *string `json:"setup"`    // one of Setups: what came of configuring it; null where that is not wanted

	Trouble *string `json:"trouble"` // why none is heard: one of ReceiverTroubles; null: one is, or it is too early to tell
	USB     *bool   `json:"usb"`     // it hangs on USB, where most give no pulse
	Antenna *string `json:"antenna"` // one of Antennas; null: it does not say
	// PulseMissing says that the receiver has had a fix for a minute or more and
	// no pulse came; PulseElsewhere is the line on which one comes all the same,
	// though the configuration names another.
	PulseMissing   *bool   `json:"pulse_missing"`
	PulseElsewhere *string `json:"pulse_elsewhere"`

	// How late the pulse's edges are stamped, seconds, which is taken out of the
	// stamps, and a 95 % half-width of that; null while it is not known.
	PulseLate      *float64 `json:"pulse_late_s"`
	PulseLateError *float64 `json:"pulse_late_error_s"`
}

// Counters count what came in for the reference and what was wrong with it,
// since the start of the process.
type Counters struct {
	Fixes            uint64 `json:"fixes"`             // all of them
	FixesInvalid     uint64 `json:"fixes_invalid"`     // the receiver did not vouch for them
	FixesImplausible uint64 `json:"fixes_implausible"` // they named a time that cannot be
	Checksum         uint64 `json:"checksum"`          // sentences dropped: wrong checksum, cut short, no text
	NoiseBytes       uint64 `json:"noise_bytes"`       // bytes from the receiver that were no sentence
	Pulses           uint64 `json:"pulses"`            // all of them
	PulsesUsed       uint64 `json:"pulses_used"`
	PulsesDoubled    uint64 `json:"pulses_doubled"`    // between the seconds
	PulsesMissing    uint64 `json:"pulses_missing"`    // should have come and did not
	PulsesUnnumbered uint64 `json:"pulses_unnumbered"` // came while nothing was locked; some are used later
	PulsesLost       uint64 `json:"pulses_lost"`       // the kernel saw them and they were not read in time
	Votes            uint64 `json:"votes"`             // of network servers on the time
	Vetoes           uint64 `json:"vetoes"`            // times that they outvoted the receiver
}

// Probe counts what the station's exchanges with servers met with, since the
// start of the process.
type Probe struct {
	Exchanges uint64 `json:"exchanges"`
	Strays    uint64 `json:"strays"`    // packets that answered no request
	Unstamped uint64 `json:"unstamped"` // exchanges that the kernel did not stamp
	Voided    uint64 `json:"voided"`    // exchanges during which the station's clock was set
	Panics    uint64 `json:"panics"`    // faults of the protocol code, caught

	// Outcomes say what became of them, one for each word of [Outcomes]. Never null.
	Outcomes []Outcome `json:"outcomes"`

	// Where exchanges share sockets, on Linux; 0 elsewhere.
	Late       uint64 `json:"late"`       // replies within a minute after their exchange was given up
	Duplicates uint64 `json:"duplicates"` // replies to what had its reply
	Foreign    uint64 `json:"foreign"`    // packets from where nothing was expected
	Dropped    uint64 `json:"dropped"`    // packets lost here, for lack of room in a socket's buffer
	Doubted    uint64 `json:"doubted"`    // time stamps of network cards that were wanted and did not come or were not believed
}

// Outcome is how often something became of an exchange.
type Outcome struct {
	Outcome string `json:"outcome"` // one of Outcomes
	Count   uint64 `json:"count"`
}

// Journal is what is kept of exchanges. Counts are since the start.
type Journal struct {
	Records uint64     `json:"records"`       // given to the card
	Waiting int        `json:"waiting"`       // on their way there
	Dropped uint64     `json:"dropped"`       // exchanges that the card would not take in time
	Late    uint64     `json:"late"`          // final verdicts that came after the provisional one was kept
	Written uint64     `json:"written_bytes"` // that the card was given for it
	Size    int64      `json:"size_bytes"`    // of its files
	Oldest  *time.Time `json:"oldest"`        // exchange that is still there; null while that is not known
}

// Server is one address of an assigned server and the verdict on it.
type Server struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Address     string     `json:"address"`    // with port
	Family      string     `json:"family"`     // one of Families; empty while the name is not resolved
	NameFault   string     `json:"name_fault"` // one of NameFaults: why the name leads nowhere
	Verdict     string     `json:"verdict"`    // one of Verdicts
	Assured     bool       `json:"assured"`
	Provisional bool       `json:"provisional"`
	Reason      string     `json:"reason"`
	Offset      *float64   `json:"offset_s"` // server minus true time
	Uncertainty *float64   `json:"uncertainty_s"`
	Bound       *float64   `json:"bound_s"`
	Limit       float64    `json:"limit_s"`
	RTT         *float64   `json:"rtt_s"`
	Stratum     *int       `json:"stratum"`
	Score       *float64   `json:"score"`
	Loss        *float64   `json:"loss"` // share of the last 100 exchanges
	Last        *time.Time `json:"last"`
	Path        *Path      `json:"path"` // how far requests got when it last fell silent; null: not looked at, or forgotten

	// Offset, Uncertainty and Bound are of the best of the last exchanges.
	Latest    *Latest  `json:"latest"`       // the last one by itself
	Jitter    *float64 `json:"jitter_s"`     // RMS of the last 8 around the best
	Sent      uint64   `json:"sent"`         // requests since the station began to ask
	Received  uint64   `json:"received"`     // replies to them, whatever they were worth
	Reach     uint16   `json:"reach"`        // the last 16 requests, the last in the lowest bit: 1 was replied to
	FamilyGap *float64 `json:"family_gap_s"` // Offset less that of the server's address of the other family
	Claims    *Claims  `json:"claims"`       // null until it has said anything
	Warnings  []string `json:"warnings"`     // some of Warnings; never null
}

// Sample is one point of the plot of pulses.
type Sample struct {
	Age         float64 // seconds before now
	Offset      float64 // pulse minus the estimate, seconds; NaN: no pulse
	Uncertainty float64 // half-width of the 95 % band, seconds
	State       string
}

// Point is one exchange with a server, for its plot.
type Point struct {
	Age         float64 // seconds before now
	Offset      float64 // server minus true time by this exchange alone, seconds; NaN: it told none
	Uncertainty float64 // half-width of a 95 % interval, seconds; NaN not known
	Score       float64 // after it; NaN not known
	Verdict     string
}
