package kmod

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// object is an ELF object with a .modinfo section of the given entries.
func object(entries ...string) []byte {
	info := []byte(strings.Join(entries, "\x00") + "\x00")
	names := []byte("\x00.modinfo\x00.shstrtab\x00")
	const header, section = 64, 64
	le := binary.LittleEndian
	b := make([]byte, header)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 1) // relocatable
	le.PutUint16(b[18:], 183)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[40:], uint64(header+len(info)+len(names)))
	le.PutUint16(b[52:], header)
	le.PutUint16(b[58:], section)
	le.PutUint16(b[60:], 3)
	le.PutUint16(b[62:], 2)
	b = append(append(b, info...), names...)
	entry := func(name, typ uint32, at, size int) {
		e := make([]byte, section)
		le.PutUint32(e[0:], name)
		le.PutUint32(e[4:], typ)
		le.PutUint64(e[24:], uint64(at))
		le.PutUint64(e[32:], uint64(size))
		b = append(b, e...)
	}
	entry(0, 0, 0, 0)
	entry(1, 1, header, len(info))
	entry(10, 3, header+len(info), len(names))
	return b
}

// fake is a kernel package: path to the module's entries.
type fake struct {
	files   map[string][]string
	builtIn []string
}

func (f fake) Paths() []string   { return slices.Collect(maps.Keys(f.files)) }
func (f fake) BuiltIn() []string { return f.builtIn }
func (f fake) Read(p string) ([]byte, error) {
	e, ok := f.files[p]
	if !ok {
		return nil, fmt.Errorf("no %s", p)
	}
	return object(e...), nil
}

var package1 = fake{
	files: map[string][]string{
		"kernel/fs/ext4/ext4.ko.xz":                  {"name=ext4", "depends=jbd2,mbcache", "alias=fs-ext4", "softdep=pre: crc32c"},
		"kernel/fs/jbd2/jbd2.ko.xz":                  {"name=jbd2", "depends="},
		"kernel/fs/mbcache.ko.xz":                    {"name=mbcache"},
		"kernel/drivers/block/virtio_blk.ko.xz":      {"name=virtio_blk", "alias=virtio:d00000002v*"},
		"kernel/drivers/mmc/host/dw_mmc-rockchip.ko": {"name=dw_mmc_rockchip", "depends=dw-mmc,dw_mmc-pltfm", "alias=of:N*T*Crockchip,rk3288-dw-mshc"},
		"kernel/drivers/mmc/host/dw_mmc.ko":          {"name=dw_mmc", "softdep=post: nothing pre: jbd2"},
		"kernel/drivers/mmc/host/dw_mmc-pltfm.ko":    {"name=dw_mmc_pltfm", "depends=dw_mmc"},
		"kernel/broken.ko":                           {"depends=nowhere", "name=broken"},
	},
	builtIn: []string{"kernel/drivers/virtio/virtio_pci.ko"},
}

func paths(list []Module) (out []string) {
	for _, m := range list {
		out = append(out, m.Path)
	}
	return out
}

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		names, want []string
		err         string
	}{
		{[]string{"ext4"}, []string{"kernel/fs/ext4/ext4.ko", "kernel/fs/jbd2/jbd2.ko", "kernel/fs/mbcache.ko"}, ""},
		{[]string{"virtio-blk", "virtio_pci", "virtio_blk"}, []string{"kernel/drivers/block/virtio_blk.ko"}, ""},
		{[]string{"dw-mmc-rockchip"}, []string{
			"kernel/drivers/mmc/host/dw_mmc-pltfm.ko", "kernel/drivers/mmc/host/dw_mmc-rockchip.ko",
			"kernel/drivers/mmc/host/dw_mmc.ko", "kernel/fs/jbd2/jbd2.ko"}, ""},
		{nil, nil, ""},
		{[]string{"mistyped"}, nil, "the kernel has no module mistyped"},
		{[]string{"broken"}, nil, "the kernel has no module nowhere, which broken depends on"},
	} {
		list, err := Pick(package1, tt.names)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: %v, want %q", tt.names, err, tt.err)
			}
			continue
		}
		if err != nil || !slices.Equal(paths(list), tt.want) {
			t.Errorf("%v: %v, %v; want %v", tt.names, paths(list), err, tt.want)
		}
	}
}

func TestIndex(t *testing.T) {
	list, err := Pick(package1, []string{"dw_mmc_rockchip", "ext4"})
	if err != nil {
		t.Fatal(err)
	}
	files := Index(list, []string{"virtio_pci", "dw-mmc", "ext4"})
	if got := files["modules.load"]; got != "dw_mmc\next4\n" {
		t.Errorf("modules.load: %q", got)
	}
	if want := "kernel/drivers/mmc/host/dw_mmc-rockchip.ko: kernel/drivers/mmc/host/dw_mmc-pltfm.ko kernel/drivers/mmc/host/dw_mmc.ko kernel/fs/jbd2/jbd2.ko\n"; !strings.Contains(files["modules.dep"], want) {
		t.Errorf("modules.dep:\n%s", files["modules.dep"])
	}
	tab := parse(files["modules.dep"], files["modules.alias"], files["modules.load"])
	for alias, want := range map[string]string{
		"of:NmmcT(null)Crockchip,rk3288-dw-mshc": "[dw_mmc_rockchip]",
		"fs-ext4":                                "[ext4]",
		"fs-ext":                                 "[]",
		"of:Nmmc/0TxCrockchip,rk3288-dw-mshc":    "[dw_mmc_rockchip]",
	} {
		if got := fmt.Sprint(tab.match(alias)); got != want {
			t.Errorf("%s: %s, want %s", alias, got, want)
		}
	}
}

func TestNameOf(t *testing.T) {
	for file, want := range map[string]string{
		"kernel/fs/ext4.ko": "ext4", "a/b-c.ko.xz": "b_c", "x.ko.zst": "x", "modules.dep": "", "a.kos": "", "kernel": "",
	} {
		if got := NameOf(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func FuzzReadInfo(f *testing.F) {
	f.Add(object("name=ext4", "depends=jbd2,mbcache", "alias=fs-ext4", "softdep=pre: a b post: c"))
	f.Add(object("license=GPL"))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ReadInfo(b)
		if err == nil && in.Name == "" {
			t.Error("a module without a name was accepted")
		}
	})
}

func FuzzParse(f *testing.F) {
	list, err := Pick(package1, []string{"dw_mmc_rockchip", "ext4"})
	if err != nil {
		f.Fatal(err)
	}
	files := Index(list, []string{"ext4"})
	f.Add(files["modules.dep"], files["modules.alias"], "of:N*T*C")
	f.Add("a.ko: a.ko", "alias [ a", "[")
	f.Fuzz(func(t *testing.T, dep, alias, device string) {
		parse(dep, alias, dep).match(device)
	})
}

func TestReadInfoErrors(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("not an object"), "no name": object("license=GPL"),
		"cut": object("name=x")[:100],
	} {
		if in, err := ReadInfo(b); err == nil {
			t.Errorf("%s: %+v", name, in)
		}
	}
	in, err := ReadInfo(object("name=a-b", "depends=c-d,,e", "softdep=pre: f post: g", "alias=x", "alias=y", "vermagic"))
	if err != nil || in.Name != "a_b" || !slices.Equal(in.Depends, []string{"c_d", "e"}) ||
		!slices.Equal(in.Before, []string{"f"}) || !slices.Equal(in.Aliases, []string{"x", "y"}) {
		t.Errorf("%+v, %v", in, err)
	}
	if !bytes.HasPrefix(object("name=x"), []byte("\x7fELF")) {
		t.Error("the test's object is none")
	}
}
