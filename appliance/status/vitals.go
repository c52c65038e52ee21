package status

// Vitals are how the device itself is. What its kernel does not tell is null.
type Vitals struct {
	Temperature *float64 `json:"temperature_c"`              // of the processor, degrees Celsius
	CardWritten *float64 `json:"card_written_bytes"`         // since the device was started, by everything on it
	CardPerDay  *float64 `json:"card_written_bytes_per_day"` // at that rate; null in the first hour
}
