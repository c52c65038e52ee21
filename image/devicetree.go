package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/dt"
)

// pulseLine is the line of the virt machine's GPIO controller that carries the
// emulated pulse, pulsePin the name a Raspberry Pi's device tree gives the pin
// that most receiver hats use.
const (
	pulseLine = 3
	pulsePin  = "GPIO18"
)

// virtTree makes QEMU's device tree of the virt machine one with a pulse line:
// the power key that QEMU puts on the line goes, and the line gets a name.
func virtTree(tree *dt.FDT) error {
	root := tree.RootNode
	if i, ok := root.FindFirstMatchingChildIndex(func(n *dt.Node) bool { return n.Name == "gpio-keys" }); ok {
		if err := root.RemoveSubTreeAtIndex(i); err != nil {
			return fmt.Errorf("removing gpio-keys: %w", err)
		}
	}
	gpio, ok := root.Find(func(n *dt.Node) bool { return strings.HasPrefix(n.Name, "pl061@") })
	if !ok {
		return fmt.Errorf("this QEMU's virt machine has no pl061 GPIO controller; use QEMU 6 or newer")
	}
	const lines = 8 // of a PL061
	var names bytes.Buffer
	for i := range lines {
		if i == pulseLine {
			names.WriteString(pulsePin)
		}
		names.WriteByte(0)
	}
	gpio.Update(dt.Property{Name: "gpio-line-names", Value: names.Bytes()})
	return nil
}

// raspi3bTree makes a Raspberry Pi 3B's own device tree one that QEMU's
// raspi3b machine can run: no Bluetooth on the first UART (what the
// disable-bt overlay does on the board), and without two devices that the
// machine does not have.
func raspi3bTree(tree *dt.FDT) error {
	disabled := []byte("disabled\x00")
	for _, path := range []string{"soc/serial@7e215040", "soc/mailbox@7e00b840", "soc/watchdog@7e100000"} {
		n, err := nodeAt(tree.RootNode, path)
		if err != nil {
			return err
		}
		n.Update(dt.Property{Name: "status", Value: disabled})
	}
	uart, err := nodeAt(tree.RootNode, "soc/serial@7e201000")
	if err != nil {
		return err
	}
	if i, ok := uart.FindFirstMatchingChildIndex(func(n *dt.Node) bool { return strings.HasPrefix(n.Name, "bluetooth") }); ok {
		if err := uart.RemoveSubTreeAtIndex(i); err != nil {
			return fmt.Errorf("removing bluetooth: %w", err)
		}
	}
	uart.Update(dt.Property{Name: "status", Value: []byte("okay\x00")})
	aliases, err := nodeAt(tree.RootNode, "aliases")
	if err != nil {
		return err
	}
	aliases.Update(dt.Property{Name: "serial0", Value: []byte("/soc/serial@7e201000\x00")})
	return nil
}

func nodeAt(n *dt.Node, path string) (*dt.Node, error) {
	for name := range strings.SplitSeq(path, "/") {
		child, ok := n.LookupChildByName(name)
		if !ok {
			return nil, fmt.Errorf("the device tree has no node %s", path)
		}
		n = child
	}
	return n, nil
}

// editTree writes an edited copy of a flattened device tree.
func editTree(in []byte, out string, edit func(*dt.FDT) error) error {
	b, err := editedTree(in, edit)
	if err != nil {
		return err
	}
	return os.WriteFile(out, b, 0o600)
}

// editedTree is an edited copy of a flattened device tree.
func editedTree(in []byte, edit func(*dt.FDT) error) ([]byte, error) {
	tree, err := dt.ReadFDT(bytes.NewReader(in))
	if err != nil {
		return nil, fmt.Errorf("device tree: %w", err)
	}
	if err := edit(tree); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := tree.Write(&b); err != nil {
		return nil, fmt.Errorf("device tree: %w", err)
	}
	return b.Bytes(), nil
}
