package status

// Claims are what a server says of itself. No verdict is drawn from them.
type Claims struct {
	Leap           string   `json:"leap"` // one of Leaps
	RootDelay      float64  `json:"root_delay_s"`
	RootDispersion float64  `json:"root_dispersion_s"`
	RootDistance   float64  `json:"root_distance_s"` // how far it may be from true time: half the delay and the dispersion
	RefID          string   `json:"reference_id"`    // what it follows: letters at stratum 1, else an IPv4 address or what looks like one
	ReferenceAge   *float64 `json:"reference_age_s"` // since it last heard from there; negative: it says later than now; null: it does not say
}

// What a server may say of the next leap second.
const (
	LeapNone           = "none"
	LeapInsert         = "insert"
	LeapDelete         = "delete"
	LeapUnsynchronized = "unsynchronized"
)

// Latest is what the last exchange that was measured says by itself.
type Latest struct {
	Offset      float64 `json:"offset_s"` // server minus true time
	Uncertainty float64 `json:"uncertainty_s"`
	Bound       float64 `json:"bound_s"`
	RTT         float64 `json:"rtt_s"`
}
