package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/truechimer/truechimer/boards"
	"github.com/u-root/u-root/pkg/dt"
)

// rock64Banks are the GPIO controllers of the RK3328, below /pinctrl.
var rock64Banks = [...]string{"gpio@ff210000", "gpio@ff220000", "gpio@ff230000", "gpio@ff240000"}

// rock64Tree makes Linux's device tree of the ROCK64 one with pulse lines: the
// header's pins get names by which they are found, and are inputs that are
// pulled down, so that an open one makes no pulses. The watchdog is switched on
// should a kernel's tree have it off.
func rock64Tree(tree *dt.FDT) error {
	pinctrl, err := nodeAt(tree.RootNode, "pinctrl")
	if err != nil {
		return err
	}
	if _, ok := pinctrl.LookProperty("pinctrl-0"); ok {
		return fmt.Errorf("the device tree's pinctrl sets pins of its own already; see what they are before adding to them")
	}
	pull, err := nodeAt(pinctrl, "pcfg-pull-down")
	if err != nil {
		return err
	}
	pullDown, err := handle(pull)
	if err != nil {
		return err
	}
	var pins []byte
	for bank, name := range rock64Banks {
		gpio, err := nodeAt(pinctrl, name)
		if err != nil {
			return err
		}
		names := make([]string, 32)
		named := false
		for _, p := range boards.Rock64Pins {
			if p.Bank != bank {
				continue
			}
			names[p.Line], named = p.Name, true
			// Bank, line, function 0 (GPIO), configuration.
			for _, v := range []uint32{uint32(p.Bank), uint32(p.Line), 0, pullDown} {
				pins = binary.BigEndian.AppendUint32(pins, v)
			}
		}
		if !named {
			continue
		}
		if _, ok := gpio.LookProperty("gpio-line-names"); ok {
			return fmt.Errorf("the device tree names the lines of %s already", name)
		}
		gpio.Update(dt.Property{Name: "gpio-line-names", Value: lineNames(names)})
	}

	// The controller holds these pins itself, whether or not somebody asks for the lines.
	group := freeHandle(tree.RootNode)
	pinctrl.Children = append(pinctrl.Children, dt.NewNode("truechimer", dt.WithChildren(
		dt.NewNode("pulse-pins", dt.WithProperty(
			dt.Property{Name: "rockchip,pins", Value: pins},
			dt.PropertyU32("phandle", group),
		)),
	)))
	pinctrl.Update(dt.PropertyString("pinctrl-names", "default"))
	pinctrl.Update(dt.PropertyU32("pinctrl-0", group))

	watchdog, err := nodeAt(tree.RootNode, "watchdog@ff1a0000")
	if err != nil {
		return err
	}
	if _, ok := watchdog.LookProperty("status"); ok { // without one a device is on
		watchdog.Update(dt.PropertyString("status", "okay"))
	}
	return nil
}

// lineNames is a list of strings, empty ones included.
func lineNames(names []string) []byte {
	var b bytes.Buffer
	for _, n := range names {
		b.WriteString(n)
		b.WriteByte(0)
	}
	return b.Bytes()
}

// handle is the number by which other nodes refer to n.
func handle(n *dt.Node) (uint32, error) {
	p, ok := n.LookProperty("phandle")
	if !ok || len(p.Value) != 4 {
		return 0, fmt.Errorf("the device tree has no phandle for %s", n.Name)
	}
	return binary.BigEndian.Uint32(p.Value), nil
}

// freeHandle is a number that no node has.
func freeHandle(root *dt.Node) uint32 {
	last := uint32(0)
	root.Walk(func(n *dt.Node) error { // the function never fails
		if h, err := handle(n); err == nil {
			last = max(last, h)
		}
		return nil
	})
	return last + 1
}
