package main

import (
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// tracer is who looks at paths, nil if p cannot.
func tracer(p prober) monitor.Tracer {
	t, _ := p.(monitor.Tracer)
	return t
}

// path is p for the page and the API.
func path(p *monitor.Path) *status.Path {
	if p == nil {
		return nil
	}
	at, took := p.At, p.Took.Seconds()
	out := &status.Path{
		At: &at, End: string(p.End), Summary: p.String(), Inside: p.Inside(), PortPath: p.PortPath,
		Packets: p.Packets, Took: &took, Hops: []status.Hop{},
	}
	for i, h := range p.Hops {
		hop := status.Hop{Hop: i + 1}
		if h.Addr.IsValid() {
			addr, rtt := h.Addr.String(), h.RTT.Seconds()
			hop.Address, hop.RTT = &addr, &rtt
			if h.Type != 0 {
				typ, code := int(h.Type), int(h.Code)
				hop.Type, hop.Code = &typ, &code
			}
		}
		out.Hops = append(out.Hops, hop)
	}
	return out
}
