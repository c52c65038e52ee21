package status

import "time"

// Update is how the station gets new releases. The version and the slot that
// run are [Station]'s.
type Update struct {
	State   string `json:"state"`   // one of UpdateStates
	Summary string `json:"summary"` // the state in one sentence for a person
	Failure string `json:"failure"` // why the last attempt failed; empty: it did not

	Channel string   `json:"channel"` // of the releases to take, such as stable
	Hosts   []string `json:"hosts"`   // addresses of the update hosts, in the order that they are asked in; never null

	Other     *string `json:"other_version"`     // of the system in the other slot; null: there is none, or it is being written
	Candidate *string `json:"candidate_version"` // that is being installed, was tried or is on trial; null: there is none
	Notes     *string `json:"candidate_notes"`   // the candidate's release notes, in plain text; null: none are known
	Done      *int64  `json:"done_bytes"`        // of the candidate, while it is fetched or read back; else null
	Total     *int64  `json:"total_bytes"`       // of the candidate, likewise
	Tries     int     `json:"tries"`             // how often the candidate was tried, 0 to 3
	Blocked   *string `json:"blocked_version"`   // a release that failed each time and is tried no more; null: there is none

	Scrubbed *time.Time `json:"scrubbed"` // when both slots were last read through and compared with what was written; null: not yet
	Damage   string     `json:"damage"`   // what did not read back as it was written; empty: nothing

	Checked   *time.Time `json:"checked"`   // when the metadata was last verified; null: not since the start
	Freshness string     `json:"freshness"` // one of UpdateFreshness, of the metadata then
	Expires   *time.Time `json:"expires"`   // when the metadata has to be renewed by; null: not known
	Next      *time.Time `json:"next"`      // the next check or try; null: none is planned
}
