package gpstest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/gpspps/ubx"
)

// Model is a kind of receiver that can be talked to.
type Model struct {
	Name    string
	Speech  Speech
	Version []string // UBX-MON-VER: software, hardware, lines; or the answers to a question for the version
	Systems int      // satellite systems, 1 to 5
	PerGSV  int      // GSV sentences of each
	Usual   string   // formatters that it sends with its defaults, blank between them
	Usually []byte   // classes and identities of frames that it sends with its defaults, in pairs
	Timing  bool     // it takes a position that is known
	Refuses bool     // it says no to everything but its version
	Port    ubx.Port // that it is talked to on
}

// Speech is the language a receiver is configured in.
type Speech uint8

// The languages.
const (
	Mute    Speech = iota
	UBX            // messages for each setting
	UBXKeys        // keys
	PMTK
	PAIR
	PQTM
)

// The sentences that u-blox's, and most others, send by themselves.
const usual = "RMC VTG GGA GSA GSV GLL"

// The models. What they say of themselves is what such receivers do; the lengths
// of their bursts are those that logs of real ones have.
var (
	NeoM8N = Model{Name: "NEO-M8N", Speech: UBX, Systems: 2, PerGSV: 4, Usual: usual,
		Version: []string{"EXT CORE 3.01 (107900)", "00080000", "ROM BASE 2.01 (75331)", "FWVER=SPG 3.01", "PROTVER=18.00", "MOD=NEO-M8N-0", "FIS=0xEF4015 (100111)", "GPS;GLO;GAL;BDS"}}
	LeaM8T = Model{Name: "LEA-M8T", Speech: UBX, Systems: 2, PerGSV: 3, Usual: usual, Timing: true,
		Version: []string{"EXT CORE 3.01 (111141)", "00080000", "ROM BASE 2.01 (75331)", "FWVER=TIM 1.10", "PROTVER=22.00", "MOD=LEA-M8T-0"}}
	NeoM9N = Model{Name: "NEO-M9N", Speech: UBXKeys, Systems: 4, PerGSV: 3, Usual: usual,
		Version: []string{"EXT CORE 4.04 (7f89f7)", "00190000", "ROM BASE 0x118B2060", "FWVER=SPG 4.04", "PROTVER=32.01", "MOD=NEO-M9N", "GPS;GLO;GAL;BDS"}}
	MaxM10S = Model{Name: "MAX-M10S", Speech: UBXKeys, Systems: 4, PerGSV: 2, Usual: usual,
		Version: []string{"ROM SPG 5.10 (7b202e)", "000A0000", "FWVER=SPG 5.10", "PROTVER=34.10", "GPS;GLO;GAL;BDS"}}
	ZedF9T = Model{Name: "ZED-F9T", Speech: UBXKeys, Systems: 4, PerGSV: 3, Usual: usual, Timing: true,
		Version: []string{"EXT CORE 1.00 (3fda8e)", "00190000", "ROM BASE 0x118B2060", "FWVER=TIM 2.20", "PROTVER=29.20", "MOD=ZED-F9T", "GPS;GLO;GAL;BDS"}}
	MT3339 = Model{Name: "PA6H", Speech: PMTK, Systems: 1, PerGSV: 3, Usual: "GGA GSA GSV RMC VTG",
		Version: []string{"PMTK705,AXN_2.31_3339_13101700,5632,PA6H,1.0"}}
	AG3335 = Model{Name: "AG3335M", Speech: PAIR, Systems: 4, PerGSV: 3, Usual: usual,
		Version: []string{"PAIR021,AG3335M_V2.5.0.AG3335_20230213,D,N,3ca042c,2210201143,2b6,0,2b6,0,cd539df,2210201143,2ed7531,2210201143,,,,,-15.48,-15.48,-14.02,-15.48,0,1,#P,0,0"}}
	LC29H = Model{Name: "LC29H", Speech: PAIR, Systems: 4, PerGSV: 3, Usual: usual,
		Version: []string{"PAIR021,AG3335A_V1.7.2.QT_P1_20220717,D,N,9a80275,2206101200,ea4ae84,2206101200,ac56ae3,2206101200,-13.58,-13.58,-11.50,-13.58,0,1,#P,0,0", "PQTMVERNO,LC29HAANR11A05S,2025/09/12,10:21:16"}}
	LG290P = Model{Name: "LG290P", Speech: PQTM, Systems: 5, PerGSV: 3, Usual: usual,
		Version: []string{"PQTMVERNO,LG290P03AANR01A06S,2025/04/08,18:35:15"}}
	NoAnswer = Model{Name: "no answer", Speech: Mute, Systems: 1, PerGSV: 3, Usual: usual}
	Refusing = Model{Name: "refuses", Speech: UBX, Systems: 2, PerGSV: 3, Usual: usual, Refuses: true,
		Version: NeoM8N.Version}
)

// Settings are what a Device was told. They are gone when it is reset.
type Settings struct {
	Sentences map[string]int  // every how manieth fix, by formatter
	Frames    map[[2]byte]int // the same, by class and identity
	Interval  time.Duration   // between fixes
	OnlyFixed bool            // no pulse without a fix
	UTC       bool            // the pulse marks seconds of UTC; of GPS otherwise
	Cable     int             // ns
	Still     bool
	Survey    bool
}

// Device is a receiver that listens as well, in whatever time its caller lives.
// Its methods may be called from several goroutines.
type Device struct {
	Model Model
	Baud  int // of its line; 0: it has no speed

	mu       sync.Mutex
	now      Settings
	faults   faults
	seed     int64
	came     []byte // not whole yet
	queue    []byte // to be sent
	free     time.Time
	next     time.Time // when the next burst begins
	fix      time.Time // which it is of
	count    int       // of fixes
	forbid   []string
	heard    int
	deafness int
	leap     int // that it announces: 1 or -1; 0: none
	leapAt   time.Time
}

const (
	// outBuffer is what a receiver keeps of what it has to send, bytes: a message
	// that has no room is lost whole.
	outBuffer = 4096
	// longestCommand is the longest message that it takes.
	longestCommand = 1100
	begins         = 60 * time.Millisecond // after the second
)

// NewDevice makes one that was switched on at that instant.
func NewDevice(m Model, baud int, on time.Time) *Device {
	d := &Device{Model: m, Baud: baud, faults: healthy(), seed: 1}
	d.reset(on)
	return d
}

// Reset has it forget what is in RAM, at that instant.
func (d *Device) Reset(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reset(at)
}

func (d *Device) reset(at time.Time) {
	d.now = Settings{Sentences: map[string]int{}, Frames: map[[2]byte]int{}, Interval: time.Second, Cable: 50}
	for f := range fieldsOf(d.Model.Usual) {
		d.now.Sentences[f] = 1
	}
	for i := 0; i+1 < len(d.Model.Usually); i += 2 {
		d.now.Frames[[2]byte(d.Model.Usually[i:])] = 1
	}
	d.came, d.queue, d.free = nil, nil, at
	d.fix = at.Truncate(time.Second).Add(time.Second)
	d.next = d.fix.Add(begins)
	switch d.Model.Speech {
	case UBX, UBXKeys:
		d.say("GNTXT,01,01,02,u-blox AG - www.u-blox.com")
	case PMTK:
		d.say("PMTK010,001")
	}
}

// Settings are what it was told so far.
func (d *Device) Settings() Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.now
	out.Sentences, out.Frames = maps.Clone(out.Sentences), maps.Clone(out.Frames)
	return out
}

// Forbidden lists what it was told that nobody should tell it: to keep
// something without power, or to change its speed.
func (d *Device) Forbidden() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.forbid)
}

// Heard is how many messages it understood.
func (d *Device) Heard() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.heard
}

// Deafen has it lose the next n messages.
func (d *Device) Deafen(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deafness = n
}

// Announce has it announce a leap second, 1 or -1, before the midnight of UTC at.
func (d *Device) Announce(change int, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leap, d.leapAt = change, at
}

// Write takes what the station sends; it is there at the instant.
func (d *Device) Write(b []byte, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run(at)
	d.came = append(d.came, b...)
	for d.take() {
	}
	if len(d.came) > longestCommand {
		d.came = d.came[:0]
	}
}

// Read is what came out of its line since the last time, until the instant.
func (d *Device) Read(until time.Time) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run(until)
	n := len(d.queue)
	if d.Baud > 0 {
		n = min(n, max(0, int(until.Sub(d.free)/d.byteTime())))
	}
	out := append([]byte(nil), d.queue[:n]...)
	d.queue = append(d.queue[:0], d.queue[n:]...)
	d.free = d.free.Add(time.Duration(n) * d.byteTime())
	if len(d.queue) == 0 && d.free.Before(until) {
		d.free = until
	}
	return out
}

func (d *Device) byteTime() time.Duration {
	if d.Baud == 0 {
		return 0
	}
	return 10 * time.Second / time.Duration(d.Baud)
}

// run makes the bursts that are due.
func (d *Device) run(until time.Time) {
	for !d.next.After(until) {
		if len(d.queue) == 0 && d.free.Before(d.next) {
			d.free = d.next
		}
		if !d.faults.off {
			d.burst(d.fix, rand.New(rand.NewPCG(uint64(d.seed), streamReceiver+uint64(d.fix.Unix()))))
		}
		d.count++
		d.fix = d.fix.Add(d.now.Interval)
		d.next = d.fix.Add(begins)
	}
}

// send queues a message, unless it has no room.
func (d *Device) send(b []byte) {
	if len(d.queue)+len(b) <= outBuffer {
		d.queue = append(d.queue, b...)
	}
}
