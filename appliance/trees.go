package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// trees say what the station needs and what is in the way: the way to servers and
// updates, and the way to the time.
func (s *station) trees(st *status.Status, results []monitor.Result, info gpspps.Info, mono int64) []status.Step {
	net := netFacts{servers: st.Servers, results: results, update: st.Update, lists: st.Assignments}
	if m := s.manager.Load(); m != nil {
		now := m.State()
		net.own, net.state, net.silent = true, now, m.RouterSilent()
	}
	return []status.Step{net.tree(), timeTree(st, s.inbox.above.fixed(), info, mono)}
}

// netFacts are what the way to the servers is told from.
type netFacts struct {
	own     bool // the network is the station's, and this is how it is:
	state   network.State
	silent  bool // the router is
	servers []status.Server
	results []monitor.Result
	update  *status.Update
	lists   []status.Assignments
}

func step(id, name, state, text string) status.Step {
	return status.Step{ID: id, Name: name, State: state, Text: text, Next: []status.Step{}}
}

func (f netFacts) tree() status.Step {
	var beyond []status.Step // what needs names
	if l, ok := f.list(); ok {
		beyond = append(beyond, l)
	}
	if u, ok := f.updates(); ok {
		beyond = append(beyond, u)
	}
	return health.Needed(f.link(), health.Needed(f.address(), health.Needed(f.route(), health.Needed(f.dns(), beyond...), f.asked())))
}

// Where the network is not the station's, the machine looks after it.
const elsewhere = "this machine's, which the station does not look after"

func (f netFacts) link() status.Step {
	const id, name = status.StepLink, "Link"
	switch {
	case !f.own:
		return step(id, name, status.StepUnknown, elsewhere)
	case f.state.Link == "":
		return step(id, name, status.StepFails, or(f.state.Reason, "no cable has a carrier"))
	}
	return step(id, name, status.StepWorks, f.state.Link)
}

func (f netFacts) address() status.Step {
	const id, name = status.StepAddress, "Address"
	if !f.own {
		return step(id, name, status.StepUnknown, elsewhere)
	}
	var has []string
	switch {
	case f.state.Lease != nil:
		has = append(has, "IPv4 by DHCP")
	case slices.ContainsFunc(f.state.Fixed, func(p netip.Prefix) bool { return p.Addr().Is4() }):
		has = append(has, "a fixed one of IPv4")
	}
	if slices.ContainsFunc(f.state.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsGlobalUnicast() }) {
		has = append(has, "IPv6")
	}
	switch {
	case len(has) > 0:
		return step(id, name, status.StepWorks, strings.Join(has, ", "))
	case f.state.LinkLocal.IsValid():
		return step(id, name, status.StepFails, "only one of this link: "+or(f.state.Reason, "nobody gives one that leads further"))
	}
	return step(id, name, status.StepWaits, or(f.state.Reason, "waits for a DHCP server or a router"))
}

func (f netFacts) route() status.Step {
	const id, name = status.StepRoute, "Route"
	switch {
	case !f.own:
		return step(id, name, status.StepUnknown, elsewhere)
	case f.silent:
		return step(id, name, status.StepFails, "the router does not answer")
	case !f.state.WayOut():
		return step(id, name, status.StepFails, "no router leads beyond this network")
	}
	return step(id, name, status.StepWorks, "a router leads beyond this network")
}

// dns is told from the servers that have a name: those that led to an address.
func (f netFacts) dns() status.Step {
	const id, name = status.StepDNS, "DNS"
	named, led, why := 0, 0, ""
	for _, r := range f.results {
		if _, err := netip.ParseAddr(strings.Trim(r.Target.Server.Host, "[]")); err == nil {
			continue
		}
		named++
		if r.Target.Addr.IsValid() {
			led++
		} else {
			why = r.Reason
		}
	}
	switch {
	case f.own && len(f.state.DNS) == 0:
		return step(id, name, status.StepFails, "no resolver is known: the network names none")
	case led > 0 && led == named:
		return step(id, name, status.StepWorks, "every name leads to an address")
	case led > 0:
		return step(id, name, status.StepWorks, fmt.Sprintf("%d of %d names lead to an address", led, named))
	case named > 0:
		return step(id, name, status.StepFails, or(why, "no name leads to an address"))
	}
	return step(id, name, status.StepUnknown, "nobody has asked for a name")
}

func (f netFacts) list() (status.Step, bool) {
	const id, name = status.StepList, "List of servers"
	at := slices.IndexFunc(f.lists, func(a status.Assignments) bool { return a.Source == status.AssignmentsURL })
	if at < 0 {
		return status.Step{}, false
	}
	a := f.lists[at]
	switch a.State {
	case status.AssignmentsCurrent:
		return step(id, name, status.StepWorks, fmt.Sprintf("names %d servers", a.Servers)), true
	case status.AssignmentsKept:
		return step(id, name, status.StepFails, "the last good one holds: "+or(a.Failure, "it is not confirmed")), true
	}
	return step(id, name, status.StepWaits, or(a.Failure, "waits for the first one")), true
}

func (f netFacts) updates() (status.Step, bool) {
	const id, name = status.StepUpdates, "Update host"
	u := f.update
	switch {
	case u == nil:
		return status.Step{}, false
	case len(u.Hosts) == 0:
		return step(id, name, status.StepUnknown, "none is named"), true
	case u.Failure != "":
		return step(id, name, status.StepFails, u.Failure), true
	case u.Checked != nil:
		return step(id, name, status.StepWorks, "answered and was verified at "+u.Checked.UTC().Format("2006-01-02 15:04")+" UTC"), true
	case u.State == string(update.StateOff):
		return step(id, name, status.StepUnknown, or(u.Summary, "updates are off")), true
	}
	return step(id, name, status.StepWaits, "not asked yet"), true
}

func (f netFacts) asked() status.Step {
	const id, name = status.StepServers, "Servers"
	sent, answering := 0, 0
	for _, s := range f.servers {
		if s.Sent > 0 {
			sent++
		}
		if s.Reach != 0 {
			answering++
		}
	}
	switch n := len(f.servers); {
	case n == 0:
		return step(id, name, status.StepUnknown, "none is assigned")
	case answering == n:
		return step(id, name, status.StepWorks, fmt.Sprintf("all %d answer", n))
	case answering > 0:
		return step(id, name, status.StepWorks, fmt.Sprintf("%d of %d answer", answering, n))
	case sent > 0:
		return step(id, name, status.StepFails, fmt.Sprintf("none of %d answers", n))
	}
	return step(id, name, status.StepWaits, "none has been asked yet")
}

// optional is what is not known as nothing.
func optional(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// or is s, or otherwise where it is empty.
func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

const (
	// fixTakes is how many satellites a fix takes.
	fixTakes = 4
	// pulseFresh is how long a pulse holds, ns.
	pulseFresh = int64(3 * time.Second)
)

// timeTree is the way to the time. fixed says whether the receiver vouches for its
// fix; known, whether it has said anything of late.
func timeTree(st *status.Status, fix fixState, info gpspps.Info, mono int64) status.Step {
	lock, pulse := lockStep(st), pulseStep(st, info, mono)
	if st.Reference.PulseAlone {
		return health.Needed(pulse, lock)
	}
	return health.Needed(receiverStep(st), health.Needed(antennaStep(st, fix), health.Needed(fixStep(fix), health.Needed(pulse, lock))))
}

func receiverStep(st *status.Status) status.Step {
	const id, name = status.StepReceiver, "Receiver"
	rx := st.Receiver
	switch {
	case rx.Device == nil && st.Reference.Counters.Fixes > 0 && len(st.Reference.Satellites) > 0:
		return step(id, name, status.StepWorks, "heard") // one that is simulated has no port
	case rx.Device == nil:
		return step(id, name, status.StepFails, or(unheard[optional(rx.Trouble)], "none is heard on any serial port"))
	case rx.Model != nil:
		return step(id, name, status.StepWorks, *rx.Model+" on "+*rx.Device)
	}
	return step(id, name, status.StepWorks, "on "+*rx.Device)
}

// unheard is why no receiver is, in words.
var unheard = map[string]string{
	status.ReceiverPort:    "no serial port can be used",
	status.ReceiverSilent:  "nothing comes in on any serial port",
	status.ReceiverSpeed:   "something comes in, at another speed than truechimer.toml names",
	status.ReceiverGarbled: "what comes in cannot be read at any speed",
}

func antennaStep(st *status.Status, fix fixState) status.Step {
	const id, name = status.StepAntenna, "Antenna"
	heard := 0
	for _, s := range st.Reference.Satellites {
		if s.CN0 != nil {
			heard++
		}
	}
	switch said := optional(st.Receiver.Antenna); {
	case said == status.AntennaOpen && fix != fixGood:
		return step(id, name, status.StepFails, "the receiver finds none connected")
	case said == status.AntennaShort:
		return step(id, name, status.StepFails, "the receiver finds its cable shorted")
	case heard >= fixTakes || fix == fixGood && heard > 0:
		return step(id, name, status.StepWorks, fmt.Sprintf("hears %d satellites", heard))
	case fix == fixGood:
		return step(id, name, status.StepWorks, "hears enough for a fix")
	case heard > 0:
		return step(id, name, status.StepWaits, fmt.Sprintf("hears %d of the %d satellites that a fix takes: it may need more sky", heard, fixTakes))
	case fix == fixNone:
		return step(id, name, status.StepFails, "hears no satellite: it may be indoors, not connected or broken")
	}
	return step(id, name, status.StepUnknown, "the receiver says nothing of it")
}

func fixStep(fix fixState) status.Step {
	const id, name = status.StepFix, "Fix"
	switch fix {
	case fixGood:
		return step(id, name, status.StepWorks, "the receiver knows where and when it is")
	case fixNone:
		return step(id, name, status.StepWaits, "the receiver has none yet; after a cold start that takes minutes")
	}
	return step(id, name, status.StepUnknown, "nothing is heard of one")
}

func pulseStep(st *status.Status, info gpspps.Info, mono int64) status.Step {
	const id, name = status.StepPulse, "Pulse"
	where := ""
	if st.Receiver.Pulse != nil {
		where = " on " + *st.Receiver.Pulse
	}
	switch {
	case info.LastPulse != 0 && mono-info.LastPulse <= pulseFresh:
		return step(id, name, status.StepWorks, "comes every second"+where)
	case st.Receiver.PulseElsewhere != nil:
		return step(id, name, status.StepFails, "it comes on "+*st.Receiver.PulseElsewhere+", and truechimer.toml names another line")
	case info.LastPulse != 0:
		return step(id, name, status.StepFails, "the last one came "+health.Span(float64(mono-info.LastPulse)/1e9)+" ago")
	}
	return step(id, name, status.StepFails, "none has come"+where)
}

func lockStep(st *status.Status) status.Step {
	const id, name = status.StepLock, "Lock"
	r := st.Reference
	switch gpspps.State(r.State) {
	case gpspps.StateLocked:
		text := "the time is known"
		if r.Uncertainty != nil {
			text += " within " + health.Within(*r.Uncertainty)
		}
		if r.Reason != "" {
			text += " from elsewhere: " + r.Reason
		}
		return step(id, name, status.StepWorks, text)
	case gpspps.StateHoldover:
		return step(id, name, status.StepWaits, "the oscillator carries the time on: "+r.Reason)
	case gpspps.StateSuspect:
		return step(id, name, status.StepFails, or(r.Reason, "what tells the time contradicts itself"))
	}
	return step(id, name, status.StepWaits, or(r.Reason, "waits for the pulse and the fix"))
}

// fixState is what the receiver last said of its fix.
type fixState int

const (
	fixUnknown fixState = iota
	fixNone
	fixGood
)
