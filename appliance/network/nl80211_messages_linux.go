package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Groups of nl80211's notices.
const (
	groupScan = unix.NL80211_MULTICAST_GROUP_SCAN
	groupMLME = unix.NL80211_MULTICAST_GROUP_MLME
)

// Suites of WPA2 with a pre-shared key (IEEE 802.11-2020 tables 9-149 and 9-151).
const (
	cipherCCMP = 0x000fac04
	akmPSK     = 0x000fac02
)

// conversation is with nl80211, for what github.com/mdlayher/wifi does not do:
// names of networks as they are, bytes of any value; keys that are no
// passphrase; and how joining went.
type conversation struct {
	// Of its own each: a notice that comes between a command and its answer
	// would be taken for the answer.
	commands, notices *genetlink.Conn
	family            genetlink.Family
	stop              func() bool
}

// converse opens a conversation that hears a group's notices and ends with ctx.
func converse(ctx context.Context, group string) (c *conversation, err error) {
	c = &conversation{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.commands, err = genetlink.Dial(nil); err != nil {
		return nil, err
	}
	if c.notices, err = genetlink.Dial(nil); err != nil {
		return nil, err
	}
	if c.family, err = c.commands.GetFamily(unix.NL80211_GENL_NAME); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.family.Groups, func(g genetlink.MulticastGroup) bool { return g.Name == group })
	if i < 0 {
		return nil, fmt.Errorf("nl80211 has no notices %q", group)
	}
	if err = c.notices.JoinGroup(c.family.Groups[i].ID); err != nil {
		return nil, err
	}
	c.stop = context.AfterFunc(ctx, func() {
		c.commands.Close()
		c.notices.Close()
	})
	return c, nil
}

func (c *conversation) close() {
	if c.stop != nil {
		c.stop()
	}
	for _, conn := range []*genetlink.Conn{c.commands, c.notices} {
		if conn != nil {
			conn.Close()
		}
	}
}

// tell sends a command about a link, and waits until the kernel has taken it.
func (c *conversation) tell(command uint8, index int, with func(*netlink.AttributeEncoder)) error {
	_, err := c.exchange(command, netlink.Request|netlink.Acknowledge, index, with)
	return err
}

func (c *conversation) exchange(command uint8, flags netlink.HeaderFlags, index int, with func(*netlink.AttributeEncoder)) ([]genetlink.Message, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(unix.NL80211_ATTR_IFINDEX, uint32(index))
	if with != nil {
		with(ae)
	}
	b, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	return c.commands.Execute(genetlink.Message{Header: genetlink.Header{Command: command, Version: c.family.Version}, Data: b}, c.family.ID, flags)
}

// connect has the radio join a network with a WPA2 key, and do the exchange of
// keys with it by itself.
func (c *conversation) connect(index int, ssid string, key []byte) error {
	able, err := c.handshakes(index)
	if err != nil {
		return err
	}
	if !able {
		return errUnable
	}
	return c.tell(unix.NL80211_CMD_CONNECT, index, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.NL80211_ATTR_SSID, []byte(ssid))
		ae.Uint32(unix.NL80211_ATTR_AUTH_TYPE, unix.NL80211_AUTHTYPE_OPEN_SYSTEM)
		ae.Uint32(unix.NL80211_ATTR_WPA_VERSIONS, unix.NL80211_WPA_VERSION_2)
		ae.Uint32(unix.NL80211_ATTR_CIPHER_SUITES_PAIRWISE, cipherCCMP)
		ae.Uint32(unix.NL80211_ATTR_CIPHER_SUITE_GROUP, cipherCCMP)
		ae.Uint32(unix.NL80211_ATTR_AKM_SUITES, akmPSK)
		ae.Flag(unix.NL80211_ATTR_WANT_1X_4WAY_HS, true)
		ae.Bytes(unix.NL80211_ATTR_PMK, key)
	})
}

// handshakes says whether a radio does WPA2's exchange of keys by itself.
func (c *conversation) handshakes(index int) (bool, error) {
	const feature = unix.NL80211_EXT_FEATURE_4WAY_HANDSHAKE_STA_PSK
	list, err := c.exchange(unix.NL80211_CMD_GET_WIPHY, netlink.Request|netlink.Dump, index, func(ae *netlink.AttributeEncoder) {
		ae.Flag(unix.NL80211_ATTR_SPLIT_WIPHY_DUMP, true)
	})
	if err != nil {
		return false, err
	}
	able := false
	for _, m := range list {
		err = errors.Join(err, each(m.Data, func(kind uint16, b []byte) {
			if kind == unix.NL80211_ATTR_EXT_FEATURES && len(b) > feature/8 && b[feature/8]&(1<<(feature%8)) != 0 {
				able = true
			}
		}))
	}
	return able, err
}

// outcome waits for how joining went.
func (c *conversation) outcome(index int) error {
	m, err := c.notice(index, unix.NL80211_CMD_CONNECT, unix.NL80211_CMD_DISCONNECT)
	if err != nil {
		return err
	}
	code, late := 0, false
	err = each(m.Data, func(kind uint16, b []byte) {
		switch kind {
		case unix.NL80211_ATTR_STATUS_CODE, unix.NL80211_ATTR_REASON_CODE:
			code = number(b)
		case unix.NL80211_ATTR_TIMED_OUT:
			late = true
		}
	})
	switch {
	case err != nil:
		return err
	case late: // no answer came
		return context.DeadlineExceeded
	case code != 0 || m.Header.Command == unix.NL80211_CMD_DISCONNECT:
		return &refusal{code}
	}
	return nil
}

// stayAwake has the radio save no power.
func (c *conversation) stayAwake(index int) error {
	return c.tell(unix.NL80211_CMD_SET_POWER_SAVE, index, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.NL80211_ATTR_PS_STATE, unix.NL80211_PS_DISABLED)
	})
}

// scan looks for networks. One that hides its name is asked by it.
func (c *conversation) scan(index int, ssid string, hidden bool) error {
	err := c.tell(unix.NL80211_CMD_TRIGGER_SCAN, index, func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.NL80211_ATTR_SCAN_SSIDS, func(names *netlink.AttributeEncoder) error {
			names.Bytes(1, nil) // any
			if hidden {
				names.Bytes(2, []byte(ssid))
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	m, err := c.notice(index, unix.NL80211_CMD_NEW_SCAN_RESULTS, unix.NL80211_CMD_SCAN_ABORTED)
	if err == nil && m.Header.Command == unix.NL80211_CMD_SCAN_ABORTED {
		err = errors.New("the scan was aborted")
	}
	return err
}

// sees says whether a network was seen lately: the kernel forgets one after 30 s.
func (c *conversation) sees(index int, ssid string) (bool, error) {
	list, err := c.exchange(unix.NL80211_CMD_GET_SCAN, netlink.Request|netlink.Dump, index, nil)
	if err != nil {
		return false, err
	}
	found := false
	elements := func(kind uint16, b []byte) {
		if kind == unix.NL80211_BSS_INFORMATION_ELEMENTS || kind == unix.NL80211_BSS_BEACON_IES {
			found = found || hasSSID(b, ssid)
		}
	}
	for _, m := range list {
		var inner error
		outer := each(m.Data, func(kind uint16, b []byte) {
			if kind == unix.NL80211_ATTR_BSS {
				inner = errors.Join(inner, each(b, elements))
			}
		})
		err = errors.Join(err, inner, outer)
	}
	return found, err
}

// notice waits for one of some commands about a link.
func (c *conversation) notice(index int, commands ...uint8) (genetlink.Message, error) {
	for {
		list, _, err := c.notices.Receive()
		if err != nil {
			return genetlink.Message{}, err
		}
		for _, m := range list {
			about := false
			if err := each(m.Data, func(kind uint16, b []byte) {
				about = about || kind == unix.NL80211_ATTR_IFINDEX && number(b) == index
			}); err != nil || !about {
				continue
			}
			if slices.Contains(commands, m.Header.Command) {
				return m, nil
			}
		}
	}
}

// each calls f for every attribute.
func each(b []byte, f func(kind uint16, b []byte)) error {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return err
	}
	for ad.Next() {
		f(ad.Type(), ad.Bytes())
	}
	return ad.Err()
}

// number reads an attribute of two or four bytes; others are 0.
func number(b []byte) int {
	switch len(b) {
	case 2:
		return int(binary.NativeEndian.Uint16(b))
	case 4:
		return int(binary.NativeEndian.Uint32(b))
	}
	return 0
}
