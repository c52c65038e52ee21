package status

// Assignments is one source of the servers that the station watches. A server
// that several name is one, with the name and the settings of the first.
type Assignments struct {
	Source  string   `json:"source"`  // one of AssignmentsSources
	State   string   `json:"state"`   // one of AssignmentsStates
	URL     *string  `json:"url"`     // of the list; null: it is none of the web
	Servers int      `json:"servers"` // how many it names now
	Refused int      `json:"refused"` // how many of them no list from elsewhere may name: on its word, they are not asked
	Age     *float64 `json:"age_s"`   // since the list was last known to be the present one; null: not known, or it cannot be old
	Next    *float64 `json:"next_s"`  // until it is asked for again; null: not planned
	Failure string   `json:"failure"` // why there is no newer list; empty: nothing failed
}

// Where assignments come from.
const (
	AssignmentsFile = "file" // truechimer.toml
	AssignmentsURL  = "url"  // a list on the web
)

// How a source is.
const (
	AssignmentsCurrent = "current" // what it says now is in force
	AssignmentsKept    = "kept"    // its last good list is in force, and it is not known whether there is another
	AssignmentsNone    = "none"    // it has said nothing yet
)
