package status

import "time"

// Satellite is one that the receiver tells of. Where the antenna is, nothing here says.
type Satellite struct {
	System    string `json:"system"`        // one of Systems; empty: not known
	Number    int    `json:"number"`        // in its system
	Elevation *int   `json:"elevation_deg"` // 0 to 90, in steps of 10, so that nobody learns from them where the antenna is
	Azimuth   *int   `json:"azimuth_deg"`   // from north by east, 0 to 350, in the same steps
	CN0       *int   `json:"cn0_dbhz"`      // of the signal that is heard best; null: not heard
	Used      bool   `json:"used"`
}

// Systems are the letters of satellite systems, as RINEX has them: GPS, GLONASS,
// Galileo, BeiDou, QZSS, SBAS, NavIC.
var Systems = []string{"G", "R", "E", "C", "J", "S", "I"}

// Prediction is how well the time will be known if no further pulse comes.
type Prediction struct {
	After       float64 `json:"after_s"` // from now
	Uncertainty float64 `json:"uncertainty_s"`
}

// Deviation is the overlapping Allan deviation of the station's clock over its pulses.
type Deviation struct {
	Interval  float64 `json:"interval_s"`
	Deviation float64 `json:"deviation"`
	Count     int     `json:"count"` // second differences that it is the mean of
}

// Tracking is what `chronyc tracking` shows, under the same names. What a station does
// not know, or has no such thing as, is null.
type Tracking struct {
	ReferenceID       *string    `json:"reference_id"`   // eight hexadecimal digits
	ReferenceName     *string    `json:"reference_name"` // the same in letters
	Stratum           *int       `json:"stratum"`
	RefTime           *time.Time `json:"ref_time"`      // of the last pulse that counted
	SystemTime        *float64   `json:"system_time_s"` // the system's clock minus true time; positive: fast
	LastOffset        *float64   `json:"last_offset_s"` // of the clock by the last pulse against what was expected of it; positive: ahead
	RMSOffset         *float64   `json:"rms_offset_s"`  // of the last ten minutes
	Frequency         *float64   `json:"frequency_ppm"` // of the oscillator left alone; positive: fast
	ResidualFrequency *float64   `json:"residual_frequency_ppm"`
	Skew              *float64   `json:"skew_ppm"` // half-width of the 95 % interval of Frequency
	RootDelay         *float64   `json:"root_delay_s"`
	RootDispersion    *float64   `json:"root_dispersion_s"` // the bound of the reference
	UpdateInterval    *float64   `json:"update_interval_s"`
	LeapStatus        string     `json:"leap_status"` // one of LeapStatuses
}

// LeapStatuses are the words of chronyc.
var LeapStatuses = []string{"Normal", "Insert second", "Delete second", "Not synchronised"}

// Minute is what the pulses of a minute were like.
type Minute struct {
	Time        time.Time `json:"time"` // its middle, UTC
	Age         float64   `json:"-"`    // seconds before now
	Pulses      int       `json:"pulses"`
	Mean        *float64  `json:"mean_offset_s"` // of pulse minus estimate
	Jitter      *float64  `json:"jitter_s"`      // RMS around it
	Uncertainty *float64  `json:"uncertainty_s"`
	State       string    `json:"state"` // one of States
}
