package status

// Addressing is which addresses the station has, where each is from, and by what
// else it reaches others and is found.
type Addressing struct {
	Link      string    `json:"link"`       // name of the link in use, "vlan12" for a VLAN; empty: none
	Reason    string    `json:"reason"`     // what it waits for or lacks; empty when all is well
	Addresses []Address `json:"addresses"`  // of the link; never null
	Gateways  []string  `json:"gateways"`   // routers beyond this net, in use; never null
	DNS       []string  `json:"dns"`        // resolvers in use; never null
	LocalName *string   `json:"local_name"` // by which it is found on its link, such as "attic.local"; null: by none
}

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
