package advice

import (
	"strings"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// about is what a situation is about, and with it the light that it colours.
type about byte

const (
	aboutStation about = iota // the board and its card, and whose it is: no light is theirs
	aboutTime
	aboutNetwork
	aboutUpdates
	aboutServers // no light either: they have rows
)

// Situation is one way in which a station may be, and what a person does then.
//
// In Sentence and Next a word in braces stands for what only the status knows:
// {model} of the board, {line} of a pulse, {version} of a release, {server} in
// trouble, {share} of a bound, {day} of a leap second.
type Situation struct {
	ID       string
	Sentence string // without a full stop
	Next     string // one step, in a sentence or two
	Cause    string // how the tests bring it about, for docs/situations.md

	about about
	level string // how bad it is: at least which level its light has
	leads bool   // Sentence says what the time rests on, or why it does not
	holds func(*facts) bool
}

// SafeMode is the situation of a station that does nothing but to show its page.
const SafeMode = "safe-mode"

// Situations are all of them. Of several at a time the first comes first.
var Situations = []Situation{
	{ID: SafeMode, about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "Safe mode: this station hung and was reset again and again, so nothing but its network and this page runs, and no server is watched",
		Next:     "Switch the station off and on to try again. If it comes back to safe mode, take truechimer.toml off the card and try once more, or flash the card anew.",
		Cause:    "init starts the station in safe mode",
		holds:    func(f *facts) bool { return f.Station.SafeMode }},
	{ID: "wrong-image", about: aboutStation, level: status.LevelBad, leads: true,
		Sentence: "The card is made for another board than this one, which is a {model}",
		Next:     "Write the image for this board to the card.",
		Cause:    "the device tree of a ROCK64 under an image for the Raspberry Pi",
		holds:    func(f *facts) bool { return f.Machine.WrongImage }},
	{ID: "undervoltage", about: aboutStation, level: status.LevelBad,
		Sentence: "The power supply is too weak for this board",
		Next:     "Use the board's own power supply with a short, thick cable, and unplug what it does not need.",
		Cause:    "the kernel's alarm of a Raspberry Pi's supply, in /sys",
		holds:    func(f *facts) bool { return yes(f.Machine.Undervoltage) }},
	{ID: "card-lost", about: aboutStation, level: status.LevelBad,
		Sentence: "The card keeps nothing: settings and results are lost when the power goes",
		Next:     "Write the image to a new card and start from that.",
		Cause:    "init could not mount the card's storage",
		holds:    func(f *facts) bool { return f.Machine.CardVolatile }},
	{ID: "card-read-only", about: aboutStation, level: status.LevelBad,
		Sentence: "The card cannot be written to any more: nothing new is kept",
		Next:     "Replace the card soon: write the image to a new one and start from that.",
		Cause:    "a mount that the kernel made read-only, in /proc; a partition that is, in /sys",
		holds:    func(f *facts) bool { return f.Machine.CardReadOnly }},
	{ID: "unclaimed", about: aboutStation, level: status.LevelWait,
		Sentence: "Nobody owns this station yet",
		Next:     "Make it yours: choose Manage this station and set a password.",
		Cause:    "a station that was just switched on",
		holds:    func(f *facts) bool { return f.Station.Claimed != nil && !*f.Station.Claimed }},

	{ID: "no-link", about: aboutNetwork, level: status.LevelBad,
		Sentence: "No network: no cable is plugged in and no Wi-Fi is joined",
		Next:     "Plug a network cable into the station and a switch or router.",
		Cause:    "a link without a carrier, in a namespace",
		holds:    func(f *facts) bool { return f.Network.Trouble == status.NetworkNoLink }},
	{ID: "no-lease", about: aboutNetwork, level: status.LevelBad,
		Sentence: "The network gives this station no address",
		Next:     "Plug the cable into your router. If it is, switch DHCP on there, or give the station a fixed address in truechimer.toml.",
		Cause:    "a link on which nobody answers DHCP, in a namespace",
		holds:    func(f *facts) bool { return f.Network.Trouble == status.NetworkNoLease }},
	{ID: "no-router", about: aboutNetwork, level: status.LevelWarn,
		Sentence: "The network has no way to the internet",
		Next:     "Look at your router: it gives an address, but names no way out.",
		Cause:    "a lease that names no router",
		holds:    func(f *facts) bool { return f.Network.Trouble == status.NetworkNoRouter }},
	{ID: "router-silent", about: aboutNetwork, level: status.LevelBad,
		Sentence: "The router does not answer",
		Next:     "Switch the router off and on, and look at the cable to it.",
		Cause:    "a lease whose router is not there, in a namespace",
		holds:    func(f *facts) bool { return f.Network.Trouble == status.NetworkSilent }},
	{ID: "dns-dead", about: aboutNetwork, level: status.LevelBad,
		Sentence: "Names cannot be looked up: the network's name server (DNS) does not answer",
		Next:     "Restart your router, or name another name server under Manage this station or in truechimer.toml.",
		Cause:    "a resolver that does not answer",
		holds:    func(f *facts) bool { return f.name(status.NameNoAnswer) != "" }},

	{ID: "no-port", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "There is no port to hear a receiver on",
		Next:     "Plug the receiver in. If it is, look at the receiver's device in truechimer.toml.",
		Cause:    "a serial port that cannot be opened",
		holds:    func(f *facts) bool { return is(f.Receiver.Trouble, status.ReceiverPort) }},
	{ID: "no-bytes", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "The receiver says nothing",
		Next:     "Check that the receiver has power, and that its TX pin is wired to the board's RX pin.",
		Cause:    "a receiver without power",
		holds:    func(f *facts) bool { return is(f.Receiver.Trouble, status.ReceiverSilent) }},
	{ID: "wrong-baud", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "The receiver speaks at another speed than the one that is set",
		Next:     "Write baud = 0 in truechimer.toml: then the station finds the speed by itself.",
		Cause:    "a receiver of 38400 baud where truechimer.toml says 9600",
		holds:    func(f *facts) bool { return is(f.Receiver.Trouble, status.ReceiverSpeed) }},
	{ID: "garbled", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "What comes from the receiver cannot be read",
		Next:     "Check the wires between receiver and board, the ground first, and keep them short.",
		Cause:    "a line that gives noise at any speed",
		holds:    func(f *facts) bool { return is(f.Receiver.Trouble, status.ReceiverGarbled) }},
	{ID: "antenna-short", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "The antenna's cable is short-circuited",
		Next:     "Unplug the antenna. Look for crushed cable and water in the plugs, or try another antenna.",
		Cause:    "a receiver that says so",
		holds:    func(f *facts) bool { return is(f.Receiver.Antenna, status.AntennaShort) }},
	{ID: "antenna-open", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "The antenna is unplugged, or its cable is broken",
		Next:     "Screw the antenna's plug tight. If that changes nothing, try another cable or antenna.",
		Cause:    "a receiver that says so, and sees no satellite",
		holds:    func(f *facts) bool { return is(f.Receiver.Antenna, status.AntennaOpen) && f.blind() }},
	{ID: "few-satellites", about: aboutTime, level: status.LevelWarn, leads: true,
		Sentence: "The receiver sees too few satellites to know the time",
		Next:     "Put the antenna outside or at a window, with as much open sky as there is. After that, wait half an hour.",
		Cause:    "a receiver with two satellites",
		holds:    (*facts).blind},
	{ID: "pulse-elsewhere", about: aboutTime, level: status.LevelWarn, leads: true,
		Sentence: "The receiver's pulse (PPS) comes on another pin, {line}, than the one that is set",
		Next:     "Write pps = \"auto\" in truechimer.toml, or move the wire to the pin that is set there.",
		Cause:    "a pulse on GPIO4 where truechimer.toml says GPIO18",
		holds:    func(f *facts) bool { return f.Receiver.PulseElsewhere != nil }},
	{ID: "usb-no-pulse", about: aboutTime, level: status.LevelWarn, leads: true,
		Sentence: "This USB receiver gives no pulse (PPS), without which its time is too coarse",
		Next:     "Use a receiver whose pulse can be wired to the board, or write pps = \"off\" in truechimer.toml.",
		Cause:    "a receiver on USB that has a fix and gives no pulse",
		holds:    func(f *facts) bool { return yes(f.Receiver.PulseMissing) && yes(f.Receiver.USB) }},
	{ID: "no-pulse", about: aboutTime, level: status.LevelWarn, leads: true,
		Sentence: "The receiver knows the time, but its pulse (PPS) does not come",
		Next:     "Wire the receiver's PPS pin to the board's, and look which one truechimer.toml names.",
		Cause:    "a receiver that has a fix and gives no pulse",
		holds:    func(f *facts) bool { return yes(f.Receiver.PulseMissing) && !yes(f.Receiver.USB) }},
	{ID: "antenna-moved", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "The antenna is somewhere else than it was",
		Next:     "If you moved it, say so in the settings, at Receiver. If nobody did, its signals may be faked.",
		Cause:    "a position far from the one that was surveyed",
		holds: func(f *facts) bool {
			return !f.settled() && strings.Contains(f.Reference.Reason, "somewhere else than surveyed")
		}},
	{ID: "disputed", about: aboutTime, level: status.LevelBad, leads: true,
		Sentence: "The receiver and most servers disagree about the time",
		Next:     "Wait a quarter of an hour. If they still disagree, look at the receiver, and at who chose the servers.",
		Cause:    "a receiver whose seconds are wrong, and servers that say so",
		holds: func(f *facts) bool {
			return gpspps.State(f.Reference.State) == gpspps.StateSuspect && strings.Contains(f.Reference.Reason, "disputed")
		}},
	{ID: "in-doubt", about: aboutTime, level: status.LevelBad,
		Sentence: "What tells the time contradicts itself",
		Next:     "Wait a quarter of an hour: it settles by itself, or Details says what is wrong.",
		Cause:    "a receiver that jumps by a second",
		holds:    func(f *facts) bool { return gpspps.State(f.Reference.State) == gpspps.StateSuspect }},
	{ID: "signal-lost", about: aboutTime, level: status.LevelWarn,
		Sentence: "The receiver's signal is lost",
		Next:     "Look at the antenna, the receiver and the wires between them.",
		Cause:    "a receiver that falls silent after it was followed",
		holds:    func(f *facts) bool { return gpspps.State(f.Reference.State) == gpspps.StateHoldover }},

	{ID: "server-off", about: aboutServers, level: status.LevelWarn,
		Sentence: "{server}",
		Next:     "If that server is yours, look at its clock. If not, tell whoever runs it: Details holds the proof.",
		Cause:    "a server that is 75 ms ahead",
		holds:    func(f *facts) bool { return f.worst(monitor.Off, monitor.Invalid) != nil }},
	{ID: "server-silent", about: aboutServers, level: status.LevelWarn,
		Sentence: "{server}",
		Next:     "Check that the server runs, and that its name and port are right.",
		Cause:    "a server that does not answer while others do",
		holds:    func(f *facts) bool { return f.worst(monitor.Unreachable, monitor.Refused) != nil }},
	{ID: "server-unset", about: aboutServers, level: status.LevelWarn,
		Sentence: "{server}",
		Next:     "Give the server a source of time: it says itself that it has none.",
		Cause:    "a server that says so",
		holds:    func(f *facts) bool { return f.worst(monitor.Unsynchronized) != nil }},
	{ID: "server-shy", about: aboutServers, level: status.LevelWarn,
		Sentence: "{server}",
		Next:     "Ask whoever runs that server to allow this station, or watch another one.",
		Cause:    "a server that says so",
		holds:    func(f *facts) bool { return f.worst(monitor.Denied, monitor.RateLimited) != nil }},
	{ID: "name-unknown", about: aboutServers, level: status.LevelWarn,
		Sentence: "A server's name is not known: {server}",
		Next:     "Check how it is spelt.",
		Cause:    "a name that there is not",
		holds:    func(f *facts) bool { return f.name(status.NameUnknown) != "" }},
	{ID: "update-refused", about: aboutUpdates, level: status.LevelWarn,
		Sentence: "Version {version} failed each time it was tried",
		Next:     "Nothing to do: the version that works stays, until a newer one comes.",
		Cause:    "a release whose system never gets a fix, tried three times",
		holds:    func(f *facts) bool { return f.updating() && f.Update.Blocked != nil }},
	{ID: "update-stale", about: aboutUpdates, level: status.LevelWarn,
		Sentence: "Updates have stopped: what the update host offers has expired",
		Next:     "Tell whoever runs the update host. Until then this version goes on.",
		Cause:    "metadata that has expired",
		holds: func(f *facts) bool {
			return f.updating() && f.Update.Freshness == string(update.Expired) && len(f.Update.Hosts) > 0
		}},
	{ID: "notice", about: aboutStation, level: status.LevelWait,
		Sentence: "There is something to read",
		Next:     "Read what stands at the top of Details.",
		Cause:    "a truechimer.toml with a mistake in it",
		holds:    func(f *facts) bool { return len(f.Notices) > 0 }},
	{ID: "wifi-wide", about: aboutNetwork, level: status.LevelWarn,
		Sentence: "Wi-Fi blurs what is measured: {share} of the doubt about the servers' time comes from it",
		Next:     "Use a network cable instead of Wi-Fi.",
		Cause:    "a router on the radio's link that takes 30 ms to answer, in a namespace",
		holds:    func(f *facts) bool { return f.radioShare() >= radioMost }},
	{ID: "no-ipv6", about: aboutNetwork, level: status.LevelWait,
		Sentence: "The network has no IPv6, which some of the servers need",
		Next:     "Switch IPv6 on in your router, or leave those servers out.",
		Cause:    "a link on which no router advertises IPv6, in a namespace",
		holds:    (*facts).lacksIPv6},
	{ID: "by-servers", about: aboutTime, level: status.LevelWait,
		Sentence: "The time comes from the servers themselves, which is coarse",
		Next:     "Give the station a GPS receiver with a pulse (PPS).",
		Cause:    "a station without a receiver, and three servers that agree",
		holds:    (*facts).byServers},
	{ID: "update-trial", about: aboutUpdates, level: status.LevelWait,
		Sentence: "Version {version} is on trial",
		Next:     "Leave the power on: within ten minutes it is kept, or the version before comes back.",
		Cause:    "the first start of a newer version",
		holds: func(f *facts) bool {
			return f.updating() && f.Update.State == string(update.StateTrial)
		}},
	{ID: "leap-second", about: aboutTime, level: status.LevelGood,
		Sentence: "A leap second comes at the end of {day}",
		Next:     "Nothing to do: the station takes care of it. Servers that do not will be seen.",
		Cause:    "a receiver that announces one",
		holds:    func(f *facts) bool { return f.Clock != nil && f.Clock.Leap != nil }},
	{ID: "no-servers", about: aboutServers, level: status.LevelWait,
		Sentence: "No server is watched yet",
		Next:     "Name a server to watch, under Manage this station or in truechimer.toml.",
		Cause:    "a truechimer.toml that names none",
		holds:    func(f *facts) bool { return len(f.Servers) == 0 }},
	{ID: "settling", about: aboutTime, level: status.LevelWait,
		Sentence: "The station makes sure which second it is",
		Next:     "Nothing to do: this takes up to a quarter of an hour.",
		Cause:    "a receiver in its first minutes",
		holds:    func(f *facts) bool { return gpspps.State(f.Reference.State) == gpspps.StateNumbering }},
	{ID: "listening", about: aboutTime, level: status.LevelWait,
		Sentence: "The station listens for its receiver",
		Next:     "Nothing to do: give it a minute.",
		Cause:    "the first seconds after the start",
		holds:    func(f *facts) bool { return gpspps.State(f.Reference.State) == gpspps.StateCold }},
	{ID: "update-waiting", about: aboutUpdates, level: status.LevelWait,
		Sentence: "Version {version} waits to be installed",
		Next:     "Nothing to do: the station restarts with it at its own hour.",
		Cause:    "a release that is offered by day, and a window at night",
		holds: func(f *facts) bool {
			return f.updating() && f.Update.Candidate != nil && f.Update.State != string(update.StateTrial)
		}},
	{ID: "well", about: aboutTime, level: status.LevelGood,
		Sentence: "All is well",
		Next:     "Nothing to do.",
		Cause:    "a station with a good sky and three servers",
		holds:    func(*facts) bool { return true }},
}

// Level is how bad it is, one of status.Levels; empty of the zero Situation.
func (s Situation) Level() string { return s.level }

// ByID is the situation of that id; the zero Situation if there is none.
func ByID(id string) Situation {
	for _, s := range Situations {
		if s.ID == id {
			return s
		}
	}
	return Situation{}
}
