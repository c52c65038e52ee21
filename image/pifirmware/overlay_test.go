package pifirmware

import (
	"slices"
	"strings"
	"testing"
)

func TestOverlays(t *testing.T) {
	files := []string{
		"overlays/overlay_map.dtb", dtb("uart/bcm2835", "", "uart/bcm2711", "", "uart/bcm2712", "uart-pi5\x00",
			"old/renamed", "uart\x00", "four/bcm2711", "", "ring/renamed", "ring\x00"),
		"overlays/uart.dtbo", dtb("__fixups__/uart0", "/fragment@0:target:0\x00", "__overrides__/speed", "x", "__symbols__/new", "/x\x00"),
		"overlays/uart-pi5.dtbo", dtb(),
		"overlays/four.dtbo", dtb(),
		"overlays/second.dtbo", dtb("__fixups__/new", "/fragment@0:target:0\x00"),
		"overlays/lost.dtbo", dtb("__fixups__/nowhere", "/fragment@0:target:0\x00"),
		"overlays/dormant.dtbo", dtb("__fixups__/nowhere", "/fragment@1/__dormant__:pin:0\x00", "fragment@1/__dormant__/x", "y"),
		"overlays/broken.dtbo", "x",
	}
	for _, tt := range []struct {
		name    string
		model   Model
		lines   string
		want    string // name(params) ...; base's parameters
		warning string
	}{
		{name: "plain", model: Pi4B, lines: "dtoverlay=uart", want: "uart()"},
		{name: "mapped", model: Pi5, lines: "dtoverlay=uart", want: "uart-pi5()"},
		{name: "by its own name", model: Pi5, lines: "dtoverlay=uart-pi5", want: "uart-pi5()"},
		{name: "renamed", model: Pi3B, lines: "dtoverlay=old", want: "uart()"},
		{name: "renamed without end", model: Pi3B, lines: "dtoverlay=ring", warning: "renamed without end"},
		{name: "for another", model: Pi3B, lines: "dtoverlay=four", warning: "not for this model"},
		{name: "missing", model: Pi4B, lines: "dtoverlay=none", warning: "reading overlays/none.dtbo"},
		{name: "broken", model: Pi4B, lines: "dtoverlay=broken", warning: "not a device tree"},
		{name: "does not fit", model: Pi4B, lines: "dtoverlay=lost", warning: "no nowhere"},
		{name: "a dormant fragment", model: Pi4B, lines: "dtoverlay=dormant", want: "dormant()"},
		{name: "on top of another", model: Pi4B, lines: "dtoverlay=uart\ndtoverlay=second", want: "uart() second()"},
		{name: "too early", model: Pi4B, lines: "dtoverlay=second\ndtoverlay=uart", want: "uart()", warning: "no new"},
		{name: "parameters", model: Pi4B, lines: "dtoverlay=uart,speed=3", want: "uart(speed=3)"},
		{name: "parameters apart", model: Pi4B, lines: "dtoverlay=uart\ndtparam=speed=3,speed", want: "uart(speed=3 speed)"},
		{name: "of the base", model: Pi4B, lines: "dtparam=watchdog=on,i2c_arm", want: "watchdog=on i2c_arm"},
		{name: "of the base behind an overlay", model: Pi4B, lines: "dtoverlay=uart\ndtparam=watchdog=on", want: "uart() watchdog=on"},
		{name: "ended", model: Pi4B, lines: "dtoverlay=uart\ndtoverlay=\ndtparam=speed=3", want: "uart()", warning: `unknown parameter "speed"`},
		{name: "of one that failed", model: Pi4B, lines: "dtoverlay=uart\ndtoverlay=none\ndtparam=speed=3", want: "uart()", warning: `unknown parameter "speed"`},
		{name: "unknown", model: Pi4B, lines: "dtparam=nonsense=1", warning: `unknown parameter "nonsense"`},
		{name: "of a filter", model: Pi4B, lines: "[pi5]\ndtoverlay=uart", want: ""},
	} {
		p, err := Boot(bare().with(files...).with("config.txt", tt.lines+"\n"), tt.model, false)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		for _, o := range p.Overlays {
			got = append(got, o.Name+"("+strings.Join(o.Params, " ")+")")
		}
		got = append(got, p.Params...)
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
		if s := strings.Join(p.Warnings, "\n"); !strings.Contains(s, tt.warning) || tt.warning == "" && s != "" {
			t.Errorf("%s: warnings %q, want %q", tt.name, s, tt.warning)
		}
	}
	p, err := Boot(bare().with(files...).with("config.txt", "dtoverlay=uart\n", "overlays/overlay_map.dtb", "x"), Pi4B, false)
	if err != nil || !slices.Equal(p.OverlayNames(), []string{"uart"}) || len(p.Warnings) != 1 {
		t.Errorf("with a broken map: %q, %q, %v", p.OverlayNames(), p.Warnings, err)
	}
}

func TestParseTree(t *testing.T) {
	good := dtb("node/name", "value\x00", "a/b/c", "")
	tree, err := parseTree([]byte(good))
	if err != nil || string(tree["/node"]["name"]) != "value\x00" || !tree.has("/a/b", "c") || tree.has("/a", "c") {
		t.Fatalf("%v, %v", tree, err)
	}
	for n := range len(good) {
		if n >= len(good)-len("name\x00c\x00") {
			break // the names' end is cut: not every cut shows
		}
		if _, err := parseTree([]byte(good[:n])); err == nil {
			t.Errorf("%d of %d bytes are a tree", n, len(good))
		}
	}
	for i := range len(good) {
		b := []byte(good)
		b[i] ^= 0xff
		parseTree(b) // must return
	}
	deep := make([]string, treeDepth+1)
	for i := range deep {
		deep[i] = "n"
	}
	if _, err := parseTree([]byte(dtb(strings.Join(deep, "/"), ""))); err == nil {
		t.Error("deeper than allowed")
	}
	if _, err := parseTree([]byte(dtb(strings.Repeat("n", treeName+1)+"/p", ""))); err == nil {
		t.Error("a longer name than allowed")
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte(plainTree))
	f.Add([]byte(dtb("a/b/c", "x", "__overrides__/p", "\x00\x00\x00\x01status\x00")))
	f.Add([]byte(dtb()[:40]))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := parseTree(b)
		if err != nil {
			return
		}
		for path := range tree {
			if len(path) > treeDepth*(treeName+1) {
				t.Errorf("a path of %d characters", len(path))
			}
		}
	})
}
