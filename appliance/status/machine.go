package status

// Machine is what the station runs on, as far as its own kernel tells. A value
// that nobody can know on this machine is null.
type Machine struct {
	Model        *string `json:"model"`          // of the board, by its own word
	WrongImage   bool    `json:"wrong_image"`    // the board is known to be another one than the image is made for
	Undervoltage *bool   `json:"undervoltage"`   // the supply's voltage is, or was within the last minutes, below what the board needs
	CardReadOnly bool    `json:"card_read_only"` // what is to be kept cannot be written to the card any more
	CardVolatile bool    `json:"card_volatile"`  // what is to be kept is in memory, since the card's storage cannot be used

	Temperature *float64 `json:"temperature_c"`              // of the processor, degrees Celsius
	CardWritten *float64 `json:"card_written_bytes"`         // since the machine was started, by everything on it
	CardPerDay  *float64 `json:"card_written_bytes_per_day"` // at that rate; null in the first hour
}

// What may keep a receiver from being heard.
const (
	ReceiverPort    = "port"    // no serial port can be used
	ReceiverSilent  = "silent"  // nothing comes in
	ReceiverSpeed   = "speed"   // what comes in is not of the speed that a person named
	ReceiverGarbled = "garbled" // what comes in cannot be read at any speed
)

// What a receiver may say of its antenna.
const (
	AntennaFine  = "ok"
	AntennaOpen  = "open"
	AntennaShort = "short"
)

// What may keep a server's name from leading to an address.
const (
	NameFine     = ""
	NameNoAnswer = "no_answer" // the resolver does not answer, or fails
	NameUnknown  = "not_found" // there is no such name, or it has no address that may be asked
)

// Advice is the station's state for a person: what the first screen of the page
// shows. Status.Summary is its sentence.
type Advice struct {
	Situation  string   `json:"situation"`  // id of the one that the next step is for, see docs/situations.md
	Situations []string `json:"situations"` // ids of all that there are, the first to see to first; never null
	Sentence   string   `json:"sentence"`   // the situation in one sentence
	Next       string   `json:"next"`       // what the person does
	Time       Light    `json:"time"`
	Network    Light    `json:"network"`
	Updates    Light    `json:"updates"`
}

// Light is how one of three things is.
type Light struct {
	Level    string `json:"level"`    // one of Levels
	Word     string `json:"word"`     // the state in a word or two
	Sentence string `json:"sentence"` // and in a short sentence
}

// The levels of a light.
const (
	LevelGood = "good" // as it should be
	LevelWait = "wait" // on its way, or not there and not missed
	LevelWarn = "warn" // works, and somebody should look
	LevelBad  = "bad"  // does not work until somebody helps
)
