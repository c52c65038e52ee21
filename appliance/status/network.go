package status

// Network is the station's own side of the network, where it gives itself its
// addresses.
type Network struct {
	Trouble string `json:"trouble"` // one of NetworkTroubles
	Reason  string `json:"reason"`  // what it waits for or lacks, in words; empty when all is well
	Link    string `json:"link"`    // name of the link in use, "vlan12" for a VLAN; empty: none
	Radio   bool   `json:"radio"`   // it is Wi-Fi
	IPv4    bool   `json:"ipv4"`    // it has an address of IPv4 that is not the link's alone
	IPv6    bool   `json:"ipv6"`    // it has one of IPv6
	// RouterRTT is how long the router takes to answer on the link, the median of
	// the last times, seconds; null: not measured, which is done on Wi-Fi only.
	RouterRTT *float64 `json:"router_rtt_s"`

	Addresses []Address `json:"addresses"`  // of the link; never null
	Gateways  []string  `json:"gateways"`   // routers beyond this net, in use; never null
	DNS       []string  `json:"dns"`        // resolvers in use; never null
	LocalName *string   `json:"local_name"` // by which it is found on its link, such as "attic.local"; null: by none
}

// What a station's network may lack.
const (
	NetworkFine     = ""
	NetworkNoLink   = "no_link"       // no cable has a carrier and no Wi-Fi is joined
	NetworkNoLease  = "no_address"    // there is a link, and nobody gives an address on it
	NetworkNoRouter = "no_router"     // there is an address, and no way beyond this net
	NetworkSilent   = "router_silent" // the router does not answer
)

// Address is one address of the link.
type Address struct {
	Address string `json:"address"` // with the length of its prefix
	Origin  string `json:"origin"`  // one of AddressOrigins
	// Lasts is how long it may be used unless its server renews it, seconds; null:
	// no server says.
	Lasts *float64 `json:"lasts_s"`
}

// Where an address is from.
const (
	AddressFixed      = "fixed"      // a person named it
	AddressDHCP       = "dhcp"       // leased, IPv4
	AddressDHCPv6     = "dhcpv6"     // leased, IPv6
	AddressAdvertised = "advertised" // made of a prefix that a router advertises (RFC 4862)
	AddressOfLink     = "link"       // good on this link alone (RFC 3927, RFC 4291)
)

// AddressOrigins are all of these.
var AddressOrigins = []string{AddressFixed, AddressDHCP, AddressDHCPv6, AddressAdvertised, AddressOfLink}
