package pifirmware

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
)

// card is a boot file system with so much in it.
type card map[string]string

func (c card) ReadFile(path string, limit int64) ([]byte, error) {
	s, ok := c[path]
	if !ok {
		return nil, fmt.Errorf("reading %s: %w", path, fs.ErrNotExist)
	}
	if int64(len(s)) > limit {
		return nil, fmt.Errorf("reading %s: %w", path, bootfs.ErrTooLarge)
	}
	return []byte(s), nil
}

func (c card) Extents(path string) ([]bootfs.Extent, error) {
	if _, ok := c[path]; !ok {
		return nil, fs.ErrNotExist
	}
	return nil, nil
}

// with is a copy with files added; an empty content takes the file away.
func (c card) with(files ...string) card {
	n := card{}
	for k, v := range c {
		n[k] = v
	}
	for i := 0; i < len(files); i += 2 {
		if n[files[i]] = files[i+1]; files[i+1] == "" {
			delete(n, files[i])
		}
	}
	return n
}

// dtb is a flattened device tree of nodes below the root: "node/name" has the
// value that follows it.
func dtb(properties ...string) string {
	var body, strs bytes.Buffer
	word := func(n int) { binary.Write(&body, binary.BigEndian, uint32(n)) }
	text := func(s string) {
		body.WriteString(s)
		body.Write(make([]byte, (4-len(s)%4)%4))
	}
	word(beginNode)
	text("\x00")
	for i := 0; i < len(properties); i += 2 {
		nodes := strings.Split(properties[i], "/")
		name := nodes[len(nodes)-1]
		for _, n := range nodes[:len(nodes)-1] {
			word(beginNode)
			text(n + "\x00")
		}
		word(property)
		word(len(properties[i+1]))
		word(strs.Len())
		text(properties[i+1])
		strs.WriteString(name + "\x00")
		for range nodes[:len(nodes)-1] {
			word(endNode)
		}
	}
	word(endNode)
	word(endTree)
	head := make([]byte, treeHeader)
	binary.BigEndian.PutUint32(head, treeMagic)
	binary.BigEndian.PutUint32(head[8:], treeHeader)
	binary.BigEndian.PutUint32(head[12:], uint32(treeHeader+body.Len()))
	return string(head) + body.String() + strs.String()
}

var plainTree = dtb("__symbols__/uart0", "/u\x00", "__symbols__/usb", "/usb\x00", "__overrides__/watchdog", "x", "__overrides__/i2c_arm", "x")

// bare has the firmware of every model and what they boot without any setting.
func bare() card {
	c := card{}
	for _, f := range []string{"bootcode.bin", "start.elf", "fixup.dat", "start_cd.elf", "fixup_cd.dat", "start4.elf", "fixup4.dat",
		"start4cd.elf", "fixup4cd.dat", "kernel7.img", "kernel7l.img", "kernel8.img", "cmdline.txt"} {
		c[f] = f
	}
	for _, m := range Models() {
		c[m.DTB] = plainTree
	}
	return c
}

func TestFilters(t *testing.T) {
	all := Models()
	only := func(list ...Model) []Model { return list }
	for _, tt := range []struct {
		config string
		want   []Model // where x=1 applies
	}{
		{"x=1", all},
		{"[pi3]\nx=1", only(Pi3B, Pi3BPlus)},
		{"[pi3+]\nx=1", only(Pi3BPlus)},
		{"[pi4]\nx=1", only(Pi4B, Pi400, CM4)},
		{"[pi400]\nx=1", only(Pi400)},
		{"[cm4]\nx=1", only(CM4)},
		{"[pi5]\nx=1", only(Pi5, Pi500, CM5, CM5Lite)},
		{"[pi500]\nx=1", only(Pi500)},
		{"[cm5]\nx=1", only(CM5, CM5Lite)},
		{"[pi02]\nx=1", only(Zero2W)},
		{"[pi0]\nx=1", only(Zero2W)},
		{"[pi1]\nx=1", nil},
		{"[cm3+]\nx=1", nil},
		{"[board-type=0x14]\nx=1", only(CM4)},
		{"[board-type=17]\nx=1", only(Pi4B)},
		{"[board-type=four]\nx=1", nil},
		{"[none]\nx=1", nil},
		{"[none]\n[pi4]\nx=1", nil}, // another type: both have to match
		{"[none]\n[all]\nx=1", all},
		{"[tryboot]\nx=1", nil},
		{"[EDID=DEL-DELL_U2422H]\nx=1", nil},
		{"[0x12345678]\nx=1", nil},
		{"[gpio4=1]\nx=1", nil},
		{"[HDMI:0]\nx=1", nil},
		{"[boot_partition=1]\nx=1", nil},
		{"[bootvar0&0x10]\nx=1", nil},
		{"[pi9]\nx=1", nil},
		{"[PI4]\nx=1", nil},
		{"[pi4\nx=1", nil},
		{"[" + strings.Repeat("x", 70) + "]\nx=1", nil},
		// The same type replaces, another type narrows.
		{"[pi3]\n[pi4]\nx=1", only(Pi4B, Pi400, CM4)},
		{"[pi4]\n[board-type=0x08]\nx=1", only(Pi3B)},
		{"[EDID=A]\n[pi4]\nx=1", nil},
		{"[tryboot]\n[pi4]\nx=1", nil},
		{"[gpio4=1]\n[all]\n[pi4]\nx=1", only(Pi4B, Pi400, CM4)},
		{"[pi9]\n[pi4]\nx=1", nil},
		// Later overrides earlier, and cannot be undone by a filter that does not match.
		{"x=1\n[pi4]\nx=2", only(Pi3B, Pi3BPlus, Zero2W, Pi5, Pi500, CM5, CM5Lite)},
		{"x=1\nx=2", nil},
	} {
		for _, m := range all {
			p, err := Boot(bare().with("config.txt", tt.config+"\n"), m, false)
			if err != nil {
				t.Fatalf("%q, %s: %v", tt.config, m.Name, err)
			}
			want := slices.ContainsFunc(tt.want, func(w Model) bool { return w.Name == m.Name })
			if got := p.Settings["x"] == "1"; got != want {
				t.Errorf("%q, %s: applies %v, want %v", tt.config, m.Name, got, want)
			}
		}
	}
	p, err := Boot(bare().with("tryboot.txt", "[tryboot]\nx=1\n"), Pi4B, true)
	if err != nil || p.Settings["x"] != "1" {
		t.Errorf("[tryboot] in a trial: %q, %v", p.Settings["x"], err)
	}
}

func TestLines(t *testing.T) {
	limit := strings.Repeat("v", lineLimit-len("key="))
	for _, tt := range []struct {
		name, config string
		key, want    string
		warning      string
	}{
		{name: "plain", config: "key=value", key: "key", want: "value"},
		{name: "carriage return", config: "key=value\r\nother=1\r\n", key: "key", want: "value"},
		{name: "comment", config: "#key=value\n# [none]\nkey=1", key: "key", want: "1"},
		{name: "comment behind a value belongs to it", config: "key=1#x", key: "key", want: "1#x"},
		{name: "indented", config: "  key=1", key: "key", want: "1"},
		{name: "space before", config: "key =1", key: "key", warning: "line 1: a space beside the ="},
		{name: "space after", config: "a=1\nkey= 1", key: "key", warning: "line 2: a space beside the ="},
		{name: "no setting", config: "key", key: "key", warning: `"key" is no setting`},
		{name: "empty", config: "key=1\nkey=", key: "key", want: ""},
		{name: "value with =", config: "gpio=12=op,dh", key: "gpio", want: "12=op,dh"},
		{name: "98 characters", config: "key=" + limit, key: "key", want: limit},
		{name: "99 characters", config: "key=" + limit + "x", key: "key", want: limit, warning: "only the first 98 of 99 characters are read"},
		{name: "a long comment is none of our business", config: "#" + strings.Repeat("x", 200) + "\nkey=1", key: "key", want: "1"},
		{name: "include", config: "include a.txt", key: "key", want: "a"},
		{name: "include overrides", config: "key=1\ninclude a.txt", key: "key", want: "a"},
		{name: "after an include", config: "include a.txt\nkey=1", key: "key", want: "1"},
		{name: "include under a filter", config: "[pi3]\ninclude a.txt", key: "key", want: ""},
		{name: "a filter goes on behind an include", config: "include leaves.txt\nkey=1", key: "key", want: ""},
		{name: "include in an include", config: "include b.txt", key: "key", want: "a"},
		{name: "missing include", config: "include no.txt\nkey=1", key: "key", want: "1", warning: "include: reading no.txt"},
		{name: "no end", config: "include loop.txt\nkey=1", key: "key", want: "1", warning: "include each other without end"},
		{name: "a long name is cut", config: "include " + strings.Repeat("n", 70), key: "key", want: "cut"},
		{name: "a large include", config: "include large.txt\nkey=1", key: "key", want: "1", warning: "file too large"},
		{name: "= is not include's", config: "include=a.txt", key: "key", want: ""},
		{name: "garbage", config: "\x00\xff\xfe=\x80\n\x00\nkey=1", key: "key", want: "1", warning: "is no setting"},
	} {
		p, err := Boot(bare().with("config.txt", tt.config, "a.txt", "key=a\n", "b.txt", "include a.txt\n", "leaves.txt", "[pi3]\n",
			"loop.txt", "include loop.txt\ninclude config.txt\n", "large.txt", strings.Repeat("key=2\n", 3000),
			strings.Repeat("n", includeLimit), "key=cut"), Pi4B, false)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := p.Settings[tt.key]; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := strings.Join(p.Warnings, "\n"); !strings.Contains(got, tt.warning) || tt.warning == "" && got != "" {
			t.Errorf("%s: warnings %q, want %q", tt.name, got, tt.warning)
		}
	}
}

func FuzzBoot(f *testing.F) {
	f.Add("os_prefix=a/\ninclude usercfg.txt\n[pi4]\nkernel=vmlinuz\n", "[tryboot]\ndtoverlay=x,y=1\n", plainTree, uint8(3), false)
	f.Add("[board-type=0x11]\r\ndtparam=a=1,b\ninclude config.txt\n", "initramfs a,b followkernel\n", "", uint8(0), true)
	f.Add("[\n]\n=\n[=]\ninclude \ndtoverlay=,\n[all", "\x00", dtb("__fixups__/x", "/fragment@0:target:0\x00"), uint8(9), true)
	f.Fuzz(func(t *testing.T, config, user, tree string, model uint8, tryboot bool) {
		list := Models()
		m := list[int(model)%len(list)]
		c := bare().with("config.txt", config, "tryboot.txt", user, "usercfg.txt", user, "overlays/x.dtbo", tree, "overlays/overlay_map.dtb", tree)
		p, err := Boot(c, m, tryboot)
		if len(p.Warnings) > warnLimit {
			t.Errorf("%d warnings", len(p.Warnings))
		}
		if err != nil {
			return
		}
		for _, file := range append(append([]string{p.Kernel, p.DTB}, p.Firmware...), p.Initramfs...) {
			if _, ok := c[file]; !ok {
				t.Errorf("%q is started and does not exist", file)
			}
		}
		for _, o := range p.Overlays {
			if _, ok := c[o.Path]; !ok {
				t.Errorf("overlay %q does not exist", o.Path)
			}
		}
	})
}
