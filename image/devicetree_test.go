package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/u-root/u-root/pkg/dt"
)

func flatten(t *testing.T, root *dt.Node) []byte {
	t.Helper()
	var b bytes.Buffer
	header := dt.Header{Magic: dt.Magic, Version: 17, LastCompVersion: 16}
	if _, err := (&dt.FDT{Header: header, RootNode: root}).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readTree(t *testing.T, name string) *dt.FDT {
	t.Helper()
	tree, err := dt.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// text is the value of a node's property, followed by the zero that ends it.
func text(t *testing.T, tree *dt.FDT, path, property string) string {
	t.Helper()
	n := tree.RootNode
	if path != "" {
		var err error
		if n, err = nodeAt(n, path); err != nil {
			t.Fatal(err)
		}
	}
	p, ok := n.LookProperty(property)
	if !ok {
		return ""
	}
	return string(p.Value)
}

// virt is what matters of the tree that QEMU's virt machine dumps.
func virt() *dt.Node {
	return dt.NewNode("", dt.WithChildren(
		dt.NewNode("gpio-keys", dt.WithChildren(dt.NewNode("poweroff"))),
		dt.NewNode("pl061@9030000", dt.WithProperty(dt.PropertyString("compatible", "arm,pl061"))),
		dt.NewNode("pl011@9000000", dt.WithProperty(dt.PropertyString("status", "okay"))),
	))
}

func TestVirtTree(t *testing.T) {
	out := filepath.Join(t.TempDir(), "machine.dtb")
	if err := editTree(flatten(t, virt()), out, virtTree); err != nil {
		t.Fatal(err)
	}
	tree := readTree(t, out)
	if _, err := nodeAt(tree.RootNode, "gpio-keys"); err == nil {
		t.Error("the power key is still on the pulse's line")
	}
	if got, want := text(t, tree, "pl061@9030000", "gpio-line-names"), "\x00\x00\x00GPIO18\x00\x00\x00\x00\x00"; got != want {
		t.Errorf("line names %q, want %q", got, want)
	}
	if got := text(t, tree, "pl011@9000000", "status"); got != "okay\x00" {
		t.Errorf("the console's status became %q", got)
	}

	// A QEMU that puts no key there, and one without the controller.
	root := virt()
	root.Children = root.Children[1:]
	if err := editTree(flatten(t, root), out, virtTree); err != nil {
		t.Errorf("no key: %v", err)
	}
	root.Children = root.Children[1:]
	if err := editTree(flatten(t, root), out, virtTree); err == nil || !strings.Contains(err.Error(), "no pl061") {
		t.Errorf("no controller: %v", err)
	}
}

func TestRaspi3bTreeOfTheKernelModule(t *testing.T) {
	k := boardParts(t, boards.RaspberryPi).kernel
	name := filepath.Join(k.trees, "bcm2710-rpi-3-b.dtb")
	in, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before := readTree(t, name)
	out := filepath.Join(t.TempDir(), "machine.dtb")
	if err := editTree(in, out, raspi3bTree); err != nil {
		t.Fatal(err)
	}
	after := readTree(t, out)
	for path, want := range map[string]string{
		"soc/serial@7e215040":   "disabled\x00",
		"soc/mailbox@7e00b840":  "disabled\x00",
		"soc/watchdog@7e100000": "disabled\x00",
		"soc/serial@7e201000":   "okay\x00",
	} {
		if got := text(t, after, path, "status"); got != want {
			t.Errorf("%s: status %q, want %q", path, got, want)
		}
	}
	if got := text(t, after, "aliases", "serial0"); got != "/soc/serial@7e201000\x00" {
		t.Errorf("serial0 is %q", got)
	}
	if _, err := nodeAt(before.RootNode, "soc/serial@7e201000/bluetooth"); err != nil {
		t.Errorf("the board's own tree: %v; nothing is left to remove", err)
	}
	if _, err := nodeAt(after.RootNode, "soc/serial@7e201000/bluetooth"); err == nil {
		t.Error("Bluetooth is still on the receiver's UART")
	}
	// All else is what the board has.
	count := func(tree *dt.FDT) (nodes int) {
		tree.RootNode.Walk(func(*dt.Node) error { nodes++; return nil })
		return nodes
	}
	if b, a := count(before), count(after); a != b-1 {
		t.Errorf("%d nodes of %d", a, b)
	}
	for _, p := range []string{"model", "compatible"} {
		if got, want := text(t, after, "", p), text(t, before, "", p); got != want || want == "" {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}

func TestRaspi3bTreeMissingNodes(t *testing.T) {
	soc := func(names ...string) *dt.Node {
		n := dt.NewNode("soc")
		for _, name := range names {
			n.Children = append(n.Children, dt.NewNode(name))
		}
		return n
	}
	all := []string{"serial@7e215040", "mailbox@7e00b840", "watchdog@7e100000", "serial@7e201000"}
	for i := range all {
		root := dt.NewNode("", dt.WithChildren(soc(all[:i]...), dt.NewNode("aliases")))
		if err := raspi3bTree(&dt.FDT{RootNode: root}); err == nil || !strings.Contains(err.Error(), "no node soc/"+all[i]) {
			t.Errorf("without %s: %v", all[i], err)
		}
	}
	if err := raspi3bTree(&dt.FDT{RootNode: dt.NewNode("", dt.WithChildren(soc(all...)))}); err == nil || !strings.Contains(err.Error(), "no node aliases") {
		t.Errorf("without aliases: %v", err)
	}
	if err := raspi3bTree(&dt.FDT{RootNode: dt.NewNode("", dt.WithChildren(soc(all...), dt.NewNode("aliases")))}); err != nil {
		t.Errorf("without Bluetooth: %v", err)
	}
}

func TestEditTreeFailures(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.dtb")
	good := flatten(t, virt())
	for name, in := range map[string][]byte{"empty": nil, "text": []byte("not a device tree at all, but long enough for a header"), "cut": good[:len(good)/2]} {
		if err := editTree(in, out, virtTree); err == nil || !strings.Contains(err.Error(), "device tree: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	errEdit := errors.New("cannot be edited")
	if err := editTree(good, out, func(*dt.FDT) error { return errEdit }); !errors.Is(err, errEdit) {
		t.Errorf("edit: %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
	if err := editTree(good, "/nowhere/out.dtb", virtTree); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
