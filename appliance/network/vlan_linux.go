package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vlan makes the link for one VLAN of a cable (IEEE 802.1Q), new, so that nothing
// is left of another process's. Its error is for people.
func (m *Manager) vlan(parent netlink.Link, id int) (netlink.Link, error) {
	a := parent.Attrs()
	name := fmt.Sprintf("vlan%d", id)
	if old, err := netlink.LinkByName(name); err == nil && old.Type() == "vlan" {
		if err := netlink.LinkDel(old); err != nil && !gone(err) {
			return nil, fmt.Errorf("the old link of VLAN %d stays: %w", id, err)
		}
	}
	v := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: name, ParentIndex: a.Index}, VlanId: id, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
	err := netlink.LinkAdd(v)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, fmt.Errorf("this station's kernel has no VLANs (IEEE 802.1Q), so that it cannot use VLAN %d on %s; take vlan out of [network], and have the switch hand that net to the station's port without a tag", id, a.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("VLAN %d cannot be set up on %s: %w", id, a.Name, err)
	}
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err == nil {
		link, err = netlink.LinkByName(name)
	}
	if err != nil {
		m.dropVLAN(v)
		return nil, fmt.Errorf("VLAN %d cannot be set up on %s: %w", id, a.Name, err)
	}
	return link, nil
}

func (m *Manager) dropVLAN(v netlink.Link) {
	if err := netlink.LinkDel(v); err != nil && !gone(err) {
		m.log.Warn("network: the link of a VLAN stays", "link", v.Attrs().Name, "err", err)
	}
}

// stuck says why a link cannot be used as the settings have it, until its carrier
// is lost, the settings change or ctx ends. Its other nets are not used in place
// of the one that was named: whoever keeps nets apart does not want that.
func (m *Manager) stuck(ctx context.Context, link netlink.Link, turn int, why error) {
	m.change(func(s *State, _ *[]netip.Addr) { s.Link, s.Reason, s.only4 = link.Attrs().Name, why.Error(), false })
	for ctx.Err() == nil {
		change := m.changed.next()
		now, err := netlink.LinkByIndex(link.Attrs().Index)
		if _, t := m.now(); err != nil || !carrier(now) || t != turn {
			break
		}
		m.wait(ctx, change)
	}
	m.change(func(s *State, _ *[]netip.Addr) { *s = State{Reason: why.Error()} })
}
