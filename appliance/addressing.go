package main

import (
	"net/netip"
	"slices"
	"time"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
)

// addAddresses adds to what the network lacks which addresses the station has.
func addAddresses(out *status.Network, st network.State, now time.Time) {
	out.Reason, out.Addresses, out.Gateways, out.DNS = st.Reason, []status.Address{}, []string{}, []string{}
	for _, p := range st.Addresses {
		a := status.Address{Address: p.String()}
		switch l, l6, ip := st.Lease, st.Lease6, p.Addr(); {
		case slices.Contains(st.Fixed, p):
			a.Origin = status.AddressFixed
		case ip.IsLinkLocalUnicast():
			a.Origin = status.AddressOfLink
		case ip.Is4():
			a.Origin = status.AddressDHCP
			if l != nil && l.Address.Addr() == ip && !l.Forever {
				a.Lasts = left(l.End, now)
			}
		case l6 != nil && l6.Address == ip:
			a.Origin = status.AddressDHCPv6
			if !l6.Forever {
				a.Lasts = left(l6.End, now)
			}
		default:
			a.Origin = status.AddressAdvertised
		}
		out.Addresses = append(out.Addresses, a)
	}
	gateway := func(a netip.Addr) {
		if text := a.String(); a.IsValid() && !slices.Contains(out.Gateways, text) {
			out.Gateways = append(out.Gateways, text)
		}
	}
	if st.Lease != nil {
		gateway(st.Lease.Router)
	}
	for _, a := range slices.Concat(st.Gateways, st.Routers6) {
		gateway(a)
	}
	for _, a := range st.DNS {
		out.DNS = append(out.DNS, a.String())
	}
}

// left is how long it is until end, in seconds.
func left(end, now time.Time) *float64 {
	v := max(end.Sub(now).Seconds(), 0)
	return &v
}
