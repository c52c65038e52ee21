package web

import (
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

// networkView is which addresses the station has and how it is found.
type networkView struct {
	Reason string
	Facts  []fact
}

// originNotes say where an address is from.
var originNotes = map[string]string{
	status.AddressFixed:      "fixed in the settings",
	status.AddressDHCP:       "leased",
	status.AddressDHCPv6:     "leased",
	status.AddressAdvertised: "from what a router advertises",
	status.AddressOfLink:     "on this link alone",
}

// newNetworkView is nil where the network is not the station's.
func newNetworkView(a *status.Network) *networkView {
	if a == nil {
		return nil
	}
	v := &networkView{Reason: a.Reason}
	add := func(name, value, note string) {
		if value != "" {
			v.Facts = append(v.Facts, fact{name, value, note})
		}
	}
	link := a.Link
	if link == "" {
		link = "none yet"
	}
	add("Link", link, "")
	for _, x := range a.Addresses {
		note := originNotes[x.Origin]
		if x.Lasts != nil {
			note += ", " + health.Span(*x.Lasts) + " left"
		}
		add("Address", x.Address, note)
	}
	add("Way out", strings.Join(a.Gateways, ", "), "")
	add("Name servers", strings.Join(a.DNS, ", "), "")
	add("Name on this link", optional(a.LocalName), "")
	return v
}

// Bounds of what is shown of lists that the network may have had a word in.
const (
	maxOwnAddresses = 32
	maxRouters      = 16
)

// tidyAddresses is tidyOwn for those of the network.
func tidyAddresses(n *status.Network) {
	n.Reason, n.LocalName = health.Clean(n.Reason, maxReason), clean(n.LocalName, maxAddress)
	n.Addresses = append([]status.Address{}, n.Addresses[:min(len(n.Addresses), maxOwnAddresses)]...)
	for i := range n.Addresses {
		x := &n.Addresses[i]
		x.Address, x.Lasts = health.Clean(x.Address, maxAddress), known(x.Lasts)
		x.Origin = word(x.Origin, status.AddressOrigins, status.AddressAdvertised)
	}
	list := func(from []string) []string {
		out := []string{}
		for _, s := range from[:min(len(from), maxRouters)] {
			out = append(out, health.Clean(s, maxAddress))
		}
		return out
	}
	n.Gateways, n.DNS = list(n.Gateways), list(n.DNS)
}
