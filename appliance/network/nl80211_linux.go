package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/mdlayher/wifi"
	"github.com/vishvananda/netlink"
)

// nl80211 is the kernel's radio. One call at a time.
type nl80211 struct {
	log    *slog.Logger
	client *wifi.Client // nil: not opened, or there is no nl80211 yet
	ifi    *wifi.Interface
	warned string // of what was warned last
}

func newNL80211(log *slog.Logger) *nl80211 { return &nl80211{log: log} }

// close is for when no call is to come.
func (n *nl80211) close() {
	if n.client != nil {
		n.client.Close()
	}
}

func (n *nl80211) find(context.Context) (index int, name string, err error) {
	if n.client == nil {
		c, err := wifi.New()
		if errors.Is(err, fs.ErrNotExist) { // neither in the kernel nor loaded
			return 0, "", n.absent()
		}
		if err != nil {
			return 0, "", fmt.Errorf("the kernel's nl80211 cannot be used: %w", err)
		}
		n.client = c
	}
	list, err := n.client.Interfaces()
	if err != nil {
		return 0, "", fmt.Errorf("the radios cannot be listed: %w", err)
	}
	n.ifi = nil
	for _, i := range list {
		if i.Type == wifi.InterfaceTypeStation && i.Index > 0 && (n.ifi == nil || i.Index < n.ifi.Index) {
			n.ifi = i
		}
	}
	if n.ifi == nil {
		return 0, "", n.absent()
	}
	return n.ifi.Index, n.ifi.Name, nil
}

// absent says what it means that there is no radio's link.
func (n *nl80211) absent() error {
	if name := silentRadio(os.DirFS("/sys/bus")); name != "" {
		return fmt.Errorf("%w: the radio %s is there, and its driver did not start; this image may have no firmware for it", errNoFirmware, name)
	}
	return errNoRadio
}

func (n *nl80211) prepare(_ context.Context, index int, country string) error {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return err
	}
	if country != "" {
		// A kernel with cfg80211 built in has looked for the rules before there
		// was a root file system, and looks again only when it is told to.
		err := n.client.ReloadRegulatoryDatabase()
		if err == nil {
			err = n.client.SetRegulatoryRegion(country, wifi.RegulatoryHintUser)
		}
		if err == nil {
			n.warned = ""
		} else if n.warned != err.Error() { // once, and those that hold everywhere stay
			n.warned = err.Error()
			n.log.Warn("network: a country's rules for Wi-Fi cannot be set", "country", country, "err", err)
		}
	}
	return netlink.LinkSetUp(link)
}

func (n *nl80211) scan(ctx context.Context, index int, ssid string, hidden bool) (bool, error) {
	c, err := converse(ctx, groupScan)
	if err != nil {
		return false, err
	}
	defer c.close()
	if err := c.scan(index, ssid, hidden); err != nil {
		return false, orEnd(ctx, err)
	}
	found, err := c.sees(index, ssid)
	return found, orEnd(ctx, err)
}

func (n *nl80211) join(ctx context.Context, index int, ssid string, key []byte) error {
	// Heard from before the radio is told, so that the answer is not missed.
	c, err := converse(ctx, groupMLME)
	if err != nil {
		return err
	}
	defer c.close()
	if key == nil {
		err = n.client.Connect(n.ifi, ssid)
	} else {
		err = c.connect(index, ssid, key)
	}
	if err != nil {
		return err
	}
	if err := c.outcome(index); err != nil {
		return orEnd(ctx, err)
	}
	// A radio that dozes between beacons lets answers wait for a tenth of a
	// second and more, in one direction only.
	if err := c.stayAwake(index); err != nil {
		n.log.Warn("network: the radio saves power, and delays what it receives", "err", err)
	}
	return nil
}

func (n *nl80211) leave(_ context.Context, index int) error {
	if n.client == nil || n.ifi == nil || n.ifi.Index != index {
		return nil
	}
	return n.client.Disconnect(n.ifi)
}

// orEnd is err, or why ctx has ended: the connection was closed by that.
func orEnd(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
