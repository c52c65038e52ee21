package main

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/wifi"
	vnetlink "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Management frames of IEEE 802.11-2020 section 9.3.3, as the first byte has them.
const (
	assocRequest     = 0x00
	assocResponse    = 0x10
	reassocRequest   = 0x20
	reassocResponse  = 0x30
	probeRequest     = 0x40
	probeResponse    = 0x50
	beacon           = 0x80
	disassociation   = 0xa0
	authentication   = 0xb0
	deauthentication = 0xc0
)

const (
	frequency = 2412 // MHz, channel 1: allowed everywhere
	interval  = 100  // between beacons, 1024 µs
	header    = 24   // bytes of a frame's header
	ess       = 1    // capability: an access point's network, open
)

// rates are 1, 2, 5.5 and 11 Mbit/s, all of them basic.
var rates = []byte{0x82, 0x84, 0x8b, 0x96}

// ap is an open access point. The kernel sends its beacons; it answers by itself.
type ap struct {
	radio  *wifi.Interface
	orders *kernel
	frames *kernel // hears the management frames
	say    func(string, ...any)
	// members are the stations that have joined, each time.
	members chan net.HardwareAddr
}

func startAP(radio *wifi.Interface, say func(string, ...any)) (*ap, error) {
	a := &ap{radio: radio, say: say, members: make(chan net.HardwareAddr, 100)}
	var err error
	if a.orders, err = dial(); err != nil {
		return nil, err
	}
	if a.frames, err = dial(); err != nil {
		return nil, err
	}
	if err := a.orders.tell(unix.NL80211_CMD_SET_INTERFACE, func(ae *netlink.AttributeEncoder) {
		a.on(ae)
		ae.Uint32(unix.NL80211_ATTR_IFTYPE, unix.NL80211_IFTYPE_AP)
	}); err != nil {
		return nil, fmt.Errorf("access point mode: %w", err)
	}
	link, err := vnetlink.LinkByIndex(radio.Index)
	if err != nil {
		return nil, err
	}
	if err := vnetlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	if err := vnetlink.AddrAdd(link, &vnetlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}}); err != nil {
		return nil, err
	}
	for _, kind := range []uint16{assocRequest, reassocRequest, probeRequest, disassociation, authentication, deauthentication} {
		if err := a.frames.tell(unix.NL80211_CMD_REGISTER_FRAME, func(ae *netlink.AttributeEncoder) {
			a.on(ae)
			ae.Uint16(unix.NL80211_ATTR_FRAME_TYPE, kind)
			ae.Bytes(unix.NL80211_ATTR_FRAME_MATCH, nil)
		}); err != nil {
			return nil, fmt.Errorf("frames %#x: %w", kind, err)
		}
	}
	err = a.orders.tell(unix.NL80211_CMD_START_AP, func(ae *netlink.AttributeEncoder) {
		a.on(ae)
		ae.Bytes(unix.NL80211_ATTR_BEACON_HEAD, a.frame(beacon, broadcast, a.about()))
		ae.Uint32(unix.NL80211_ATTR_BEACON_INTERVAL, interval)
		ae.Uint32(unix.NL80211_ATTR_DTIM_PERIOD, 1)
		ae.Bytes(unix.NL80211_ATTR_SSID, []byte(ssid))
		ae.Uint32(unix.NL80211_ATTR_WIPHY_FREQ, frequency)
		ae.Uint32(unix.NL80211_ATTR_CHANNEL_WIDTH, unix.NL80211_CHAN_WIDTH_20_NOHT)
		ae.Uint32(unix.NL80211_ATTR_AUTH_TYPE, unix.NL80211_AUTHTYPE_OPEN_SYSTEM)
	})
	if err != nil {
		return nil, fmt.Errorf("starting the access point: %w", err)
	}
	return a, nil
}

func (a *ap) on(ae *netlink.AttributeEncoder) {
	ae.Uint32(unix.NL80211_ATTR_IFINDEX, uint32(a.radio.Index))
}

var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// frame is a management frame to a station.
func (a *ap) frame(kind byte, to net.HardwareAddr, body []byte) []byte {
	f := []byte{kind, 0, 0, 0}
	f = append(append(append(f, to...), a.radio.HardwareAddr...), a.radio.HardwareAddr...)
	return append(append(f, 0, 0), body...)
}

// about is the body of a beacon, and of the answer to a probe.
func (a *ap) about() []byte {
	b := make([]byte, 8) // the time: the kernel writes it
	b = binary.LittleEndian.AppendUint16(b, interval)
	b = binary.LittleEndian.AppendUint16(b, ess)
	b = element(b, 0, []byte(ssid))
	b = element(b, 1, rates)
	return element(b, 3, []byte{1}) // the channel
}

func element(b []byte, id byte, value []byte) []byte {
	return append(append(b, id, byte(len(value))), value...)
}

// serve answers stations until a connection fails.
func (a *ap) serve() error {
	for {
		list, _, err := a.frames.Receive()
		if err != nil {
			return err
		}
		for _, m := range list {
			if m.Header.Command != unix.NL80211_CMD_FRAME {
				continue
			}
			ad, err := netlink.NewAttributeDecoder(m.Data)
			if err != nil {
				return err
			}
			for ad.Next() {
				if ad.Type() == unix.NL80211_ATTR_FRAME {
					if err := a.answer(ad.Bytes()); err != nil {
						return err
					}
				}
			}
		}
	}
}

func (a *ap) answer(f []byte) error {
	if len(f) < header {
		return nil
	}
	from := net.HardwareAddr(f[10:16])
	switch f[0] {
	case probeRequest:
		return a.transmit(a.frame(probeResponse, from, a.about()))
	case authentication:
		// Open system, the second of two frames, success.
		return a.transmit(a.frame(authentication, from, []byte{0, 0, 2, 0, 0, 0}))
	case assocRequest, reassocRequest:
		_ = a.forget(from) // from a former time
		if err := a.admit(from); err != nil {
			return fmt.Errorf("admitting a station: %w", err)
		}
		body := []byte{ess, 0, 0, 0, 1, 0xc0} // success, association 1
		kind := byte(assocResponse)
		if f[0] == reassocRequest {
			kind = reassocResponse
		}
		a.members <- from
		return a.transmit(a.frame(kind, from, element(body, 1, rates)))
	case disassociation, deauthentication:
		a.say("%s leaves", from)
		_ = a.forget(from)
	}
	return nil
}

func (a *ap) transmit(f []byte) error {
	// The kernel answers with a cookie: no further acknowledgement.
	return a.orders.send(unix.NL80211_CMD_FRAME, 0, func(ae *netlink.AttributeEncoder) {
		a.on(ae)
		ae.Uint32(unix.NL80211_ATTR_WIPHY_FREQ, frequency)
		ae.Bytes(unix.NL80211_ATTR_FRAME, f)
	})
}

func (a *ap) admit(who net.HardwareAddr) error {
	const flags = 1<<unix.NL80211_STA_FLAG_AUTHENTICATED | 1<<unix.NL80211_STA_FLAG_ASSOCIATED | 1<<unix.NL80211_STA_FLAG_AUTHORIZED
	both := binary.NativeEndian.AppendUint32(nil, flags) // which, and how
	both = binary.NativeEndian.AppendUint32(both, flags)
	return a.orders.tell(unix.NL80211_CMD_NEW_STATION, func(ae *netlink.AttributeEncoder) {
		a.on(ae)
		ae.Bytes(unix.NL80211_ATTR_MAC, who)
		ae.Uint16(unix.NL80211_ATTR_STA_LISTEN_INTERVAL, 1)
		ae.Bytes(unix.NL80211_ATTR_STA_SUPPORTED_RATES, []byte{2, 4, 11, 22})
		ae.Uint16(unix.NL80211_ATTR_STA_AID, 1)
		ae.Bytes(unix.NL80211_ATTR_STA_FLAGS2, both)
	})
}

// dismiss sends a station away. Reason 5: the access point cannot handle all of
// its stations.
func (a *ap) dismiss(who net.HardwareAddr) error {
	if err := a.transmit(a.frame(deauthentication, who, []byte{5, 0})); err != nil {
		return err
	}
	return a.forget(who)
}

func (a *ap) forget(who net.HardwareAddr) error {
	return a.orders.tell(unix.NL80211_CMD_DEL_STATION, func(ae *netlink.AttributeEncoder) {
		a.on(ae)
		ae.Bytes(unix.NL80211_ATTR_MAC, who)
	})
}
