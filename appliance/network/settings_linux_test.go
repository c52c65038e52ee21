package network

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/vishvananda/netlink"
)

// TestTrialInNamespace: an address on trial is used and given back in time, and
// stays when it is confirmed.
func TestTrialInNamespace(t *testing.T) { inOwnNamespace(t, trialOnLink) }

func trialOnLink(t *testing.T) {
	w := build(t)
	var kept []Settings
	r := start(t, Options{Keep: func(s Settings) error {
		kept = append(kept, s)
		return nil
	}})
	leased := func(s State) bool { return has(s, "192.0.2.10/24") && len(s.Fixed) == 0 && s.Reason == "" }
	fixed := func(s State) bool {
		return has(s, "192.0.2.7/24") && !has(s, "192.0.2.10/24") && s.Lease == nil && s.Reason == ""
	}
	r.until("a lease", leased)
	change := Settings{Network: config.Network{Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}, Gateways: addrs("192.0.2.1")}}
	if _, err := r.m.Try(change, maxTrial); err != nil {
		t.Fatal(err)
	}
	r.until("on trial", fixed)
	if _, err := r.m.Try(change, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	r.until("not confirmed", func(s State) bool {
		_, trying := r.m.Trial()
		return leased(s) && !trying
	})
	if got := defaultRoutes(t); !slices.Equal(got, []string{"192.0.2.1"}) || len(kept) != 0 {
		t.Errorf("routes %v, kept %v", got, kept)
	}
	token, err := r.m.Try(change, maxTrial)
	if err != nil {
		t.Fatal(err)
	}
	r.until("on trial again", fixed)
	if err := r.m.Confirm(token); err != nil || len(kept) != 1 {
		t.Errorf("%v, kept %v", err, kept)
	}
	asked := w.asked.Load()
	r.until("confirmed", fixed)
	if n := w.asked.Load(); n != asked {
		t.Errorf("DHCP was asked %d times", n-asked)
	}
}

// TestVLANInNamespace: the VLAN that the settings name is used where the kernel
// has VLANs, and else people are told, and the cable's other net is not used.
func TestVLANInNamespace(t *testing.T) { inOwnNamespace(t, vlanOnLink) }

func vlanOnLink(t *testing.T) {
	w := build(t)
	n := config.Network{VLAN: 12, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.12.7/24")}}
	far := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "far.12", ParentIndex: w.link.Attrs().Index}, VlanId: 12}
	has8021q := w.h.LinkAdd(far) == nil
	r := start(t, Options{Network: n})
	if has8021q {
		s := r.until("an address in the VLAN", func(s State) bool { return has(s, "192.0.12.7/24") && s.Reason == "" })
		if s.Link != "vlan12" {
			t.Errorf("it is on %s", s.Link)
		}
		if !w.answered(r.m, "far.12", netip.MustParseAddr("192.0.12.7")) {
			t.Error("nobody has the address in the VLAN")
		}
	} else {
		s := r.until("no VLANs", func(s State) bool { return strings.Contains(s.Reason, "kernel has no VLANs") })
		if s.Link != "eth0" || !strings.Contains(s.Reason, "VLAN 12 on eth0") || len(ofKernel(t)) != 0 {
			t.Errorf("%+v, addresses %v", s, ofKernel(t))
		}
	}
	if w.asked.Load() != 0 {
		t.Errorf("DHCP without a tag was asked %d times", w.asked.Load())
	}
	if _, err := r.m.Try(Settings{}, maxTrial); err != nil {
		t.Fatal(err)
	}
	r.until("a lease without a tag", func(s State) bool { return has(s, "192.0.2.10/24") && s.Link == "eth0" })
	if _, err := netlink.LinkByName("vlan12"); err == nil {
		t.Error("the VLAN's link is left")
	}
	if err := w.h.LinkSetDown(w.link); err != nil {
		t.Fatal(err)
	}
	r.until("no carrier", func(s State) bool { return s.Link == "" })
}
