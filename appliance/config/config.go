// Package config reads truechimer.toml, the one file in which a person tells a
// station what to watch.
//
// The file is written by hand, often in an editor of another system, on a card
// that is then put into the station. So nothing in it stops a station: every
// mistake is reported with its place and what to write instead, and the last
// good file stays in force.
//
// # What holds
//
// A station may be told things in several places. From the weakest to the
// strongest, each setting that a stronger one gives wins:
//
//	the defaults
//	the last good configuration, kept in Dir, with what was changed on the page since
//	what the card was customised with: the host name, the Wi-Fi network and
//	    the time zone of rpi-preseed.toml, which Raspberry Pi Imager writes, or
//	    of a file in a form that a station does not follow, see customised
//	truechimer.toml on the card's FAT volume
//	truechimer.toml from the host of a virtual machine, through SMBIOS
//
// Each is taken when it is new or changed, and then kept: what was there can
// be deleted without changing anything. Changed means that its SHA-256 is not
// the one that was last seen. The rules where several meet:
//
//   - Of the two truechimer.toml one holds, as a whole. While the host gives a
//     good one the card's is not taken; its hash is remembered all the same,
//     so that it does not come into force by the host's going away. A change
//     to it made afterwards does.
//   - As soon as one of the files that the card was customised with is new or
//     changed, all their values are made anew from those that are there. What
//     truechimer.toml gives hides them and does not delete them.
//   - A file with mistakes is as good as not there, except that people are
//     told, at every start.
//
// Where nothing can be kept, all that is there is taken at every start.
package config

import (
	_ "embed"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// FileName is the file's name on the FAT volume.
const FileName = "truechimer.toml"

// MaxSize bounds the file, bytes: two hundred servers with comments take a
// third of it.
const MaxSize = 64 << 10

// MaxServers bounds how many servers one station watches.
const MaxServers = 200

// Words that stand for a choice instead of a name.
const (
	Auto = "auto" // the station looks where the board usually has one
	Off  = "off"  // there is none
	DCD  = "dcd"  // the pulse is on the carrier detect pin of the receiver's serial port
)

// What holds where the file says nothing.
const (
	DefaultPort     = 123 // RFC 5905 section 7.2
	DefaultInterval = 64 * time.Second
)

// The bounds of what may be asked for.
const (
	// MinLimit is what the best reference of a small board can still tell apart.
	MinLimit = 10 * time.Microsecond
	MaxLimit = 10 * time.Second
	// MinInterval is the least distance of the exchanges that convict a server.
	MinInterval = 2 * time.Second
	MaxInterval = 24 * time.Hour
	// MaxCableDelay, ns, is that of two kilometres.
	MaxCableDelay = 10_000
)

// Config is a valid configuration.
type Config struct {
	Name     string // of the station; empty: its own
	Hostname string // on the network, a label of RFC 1123; empty: its own
	Timezone string // in the shape of the IANA's names; empty: not known
	Wifi     *Wifi  // the network to join; nil: none
	Network  Network
	Servers  []monitor.Server // in the order of the file, names unique
	// Reference is the name of the server whose time is taken where no receiver is
	// heard; empty: none.
	Reference string
	PTP       *PTP // a hardware clock to take the time from instead; nil: none
	// Hardware names the interfaces whose network cards' time stamps are wanted.
	Hardware []string
	Receiver Receiver
	// ResetButton is the line of a button that has the station forget what it knows,
	// a name for pulse.Open; empty: there is none. For stations only.
	ResetButton string
	Update      Update // for stations only
	// Assignments is a list of servers that somebody else keeps; nil: there is none.
	Assignments *Assignments
	Web         Web
	Admin       Admin
	// Reset: the station forgets what it knows, once for each such file. Whoever
	// starts it sees to that before anything of the file counts.
	Reset bool
}

// Receiver is how the GPS receiver is wired.
type Receiver struct {
	Hat    string // Auto or the name of one of boards.Hats
	Device string // Auto or a path below /dev
	Baud   int    // bits per second; 0: found by listening
	Pulse  string // Auto, Off, DCD, or a name for pulse.Open
	// PulseAlone: there is no receiver, and the pulse comes from a clock that
	// somebody else keeps on the seconds of UTC.
	PulseAlone bool
	// Configure: the receiver is told what a station needs of it.
	Configure  bool
	Moving     bool // its antenna does not stand still
	CableDelay int  // of its antenna's or the pulse's cable, ns; 0: not given
}

// Web is for the plain daemon only.
type Web struct {
	Listen string // address and port; empty: the program's own choice
	// Secure is where the page is served over TLS, which managing the station
	// takes; empty: the program's own choice.
	Secure string
}

// Default is the configuration of a station that was told nothing.
func Default() Config {
	return Config{Receiver: Receiver{Hat: Auto, Device: Auto, Pulse: Auto, Configure: true}, Update: Update{Enabled: true}}
}

//go:embed truechimer.toml
var defaultFile string

// DefaultFile is the commented file that lies on a fresh FAT volume. It names
// no server and parses to Default.
func DefaultFile() []byte { return []byte(defaultFile) }
