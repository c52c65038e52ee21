package status

// Step is something that the station needs, and what in turn needs that.
type Step struct {
	ID    string `json:"id"`    // one of StepIDs
	Name  string `json:"name"`  // for people
	State string `json:"state"` // one of StepStates
	Text  string `json:"text"`  // how it is: what is wrong, or what it waits for
	Next  []Step `json:"next"`  // what needs it; never null
}

// How a step is.
const (
	StepWorks   = "works"
	StepFails   = "fails"
	StepWaits   = "waits"   // for what it needs, or for something to come
	StepUnknown = "unknown" // nobody here can know, or nothing has been tried
)

// The steps, each after what it needs.
const (
	StepLink    = "link"
	StepAddress = "address"
	StepRoute   = "route"
	StepDNS     = "dns"
	StepUpdates = "update_host"
	StepList    = "list_of_servers"
	StepServers = "servers"

	StepReceiver = "receiver"
	StepAntenna  = "antenna"
	StepFix      = "fix"
	StepPulse    = "pulse"
	StepLock     = "lock"
)

// The words of a Step.
var (
	StepStates = []string{StepWorks, StepFails, StepWaits, StepUnknown}
	StepIDs    = []string{
		StepLink, StepAddress, StepRoute, StepDNS, StepUpdates, StepList, StepServers,
		StepReceiver, StepAntenna, StepFix, StepPulse, StepLock,
	}
)
