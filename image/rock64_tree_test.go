package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/u-root/u-root/pkg/dt"
)

// rock64 is what matters of Linux's rk3328-rock64.dtb.
func rock64() *dt.Node {
	pinctrl := dt.NewNode("pinctrl", dt.WithChildren(
		dt.NewNode("pcfg-pull-up", dt.WithProperty(dt.PropertyU32("phandle", 0x5b))),
		dt.NewNode("pcfg-pull-down", dt.WithProperty(dt.PropertyU32("phandle", 0x63))),
	))
	for i, name := range rock64Banks {
		pinctrl.Children = append(pinctrl.Children, dt.NewNode(name, dt.WithProperty(
			dt.PropertyString("compatible", "rockchip,gpio-bank"), dt.PropertyU32("phandle", uint32(0x40+i)))))
	}
	return dt.NewNode("", dt.WithChildren(
		dt.NewNode("watchdog@ff1a0000", dt.WithProperty(dt.PropertyString("compatible", "snps,dw-wdt"))),
		dt.NewNode("serial@ff130000", dt.WithProperty(dt.PropertyString("status", "okay"))),
		dt.NewNode("pinctrl@0", dt.WithProperty(dt.PropertyU32("phandle", 0x70))),
		pinctrl,
	))
}

// checkRock64 holds an edited tree against the one it was made from.
func checkRock64(t *testing.T, before, after *dt.FDT) {
	t.Helper()
	for bank, name := range rock64Banks {
		var want string
		for line := range 32 {
			for _, p := range boards.Rock64Pins {
				if p.Bank == bank && p.Line == line {
					want += p.Name
				}
			}
			want += "\x00"
		}
		if strings.Trim(want, "\x00") == "" {
			want = ""
		}
		if got := text(t, after, "pinctrl/"+name, "gpio-line-names"); got != want {
			t.Errorf("%s: line names %q, want %q", name, got, want)
		}
	}
	group := text(t, after, "pinctrl", "pinctrl-0")
	if got := text(t, after, "pinctrl/truechimer/pulse-pins", "phandle"); got != group || len(got) != 4 {
		t.Errorf("the pins' phandle is %x, pinctrl's is %x", got, group)
	}
	seen := make(map[string]int)
	after.RootNode.Walk(func(n *dt.Node) error {
		if p, ok := n.LookProperty("phandle"); ok {
			seen[string(p.Value)]++
		}
		return nil
	})
	for h, n := range seen {
		if n != 1 {
			t.Errorf("%d nodes have phandle %x", n, h)
		}
	}
	pins := text(t, after, "pinctrl/truechimer/pulse-pins", "rockchip,pins")
	down := text(t, before, "pinctrl/pcfg-pull-down", "phandle")
	if want := "\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x00" + down; len(pins) != 16*len(boards.Rock64Pins) || !strings.HasPrefix(pins, want) {
		t.Errorf("pins %x, want %x first", pins, want)
	}
	if got := text(t, after, "watchdog@ff1a0000", "status"); got != "" && got != "okay\x00" {
		t.Errorf("the watchdog's status is %q", got)
	}

	added := difference(list(after.RootNode, ""), list(before.RootNode, ""))
	lost := difference(list(before.RootNode, ""), list(after.RootNode, ""))
	for _, line := range added {
		if !strings.HasPrefix(line, "/pinctrl/truechimer") && !strings.HasPrefix(line, "/pinctrl pinctrl-") &&
			!strings.Contains(line, " gpio-line-names=") && !strings.HasPrefix(line, "/watchdog@ff1a0000 status=") {
			t.Errorf("added: %s", line)
		}
	}
	for _, line := range lost {
		if !strings.HasPrefix(line, "/watchdog@ff1a0000 status=") {
			t.Errorf("lost: %s", line)
		}
	}
}

// list is all nodes and properties of a tree, one a line.
func list(n *dt.Node, path string) []string {
	l := []string{path}
	for _, p := range n.Properties {
		l = append(l, fmt.Sprintf("%s %s=%x", path, p.Name, p.Value))
	}
	for _, c := range n.Children {
		l = append(l, list(c, path+"/"+c.Name)...)
	}
	return l
}

func difference(a, b []string) (d []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			d = append(d, s)
		}
	}
	return d
}

func TestRock64Tree(t *testing.T) {
	off := rock64()
	off.Children[0].Update(dt.PropertyString("status", "disabled"))
	for name, root := range map[string]*dt.Node{"as it is": rock64(), "watchdog off": off} {
		t.Run(name, func(t *testing.T) {
			in := flatten(t, root)
			out := filepath.Join(t.TempDir(), "board.dtb")
			if err := editTree(in, out, rock64Tree); err != nil {
				t.Fatal(err)
			}
			before, err := dt.ReadFDT(bytes.NewReader(in))
			if err != nil {
				t.Fatal(err)
			}
			checkRock64(t, before, readTree(t, out))

			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := editTree(b, out, rock64Tree); err == nil || !strings.Contains(err.Error(), "already") {
				t.Errorf("edited twice: %v", err)
			}
		})
	}
	for _, missing := range []string{"watchdog@ff1a0000", "pinctrl"} {
		root := rock64()
		root.Children = slices.DeleteFunc(root.Children, func(n *dt.Node) bool { return n.Name == missing })
		err := editTree(flatten(t, root), filepath.Join(t.TempDir(), "board.dtb"), rock64Tree)
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}
