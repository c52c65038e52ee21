package pifirmware

import (
	"slices"
	"strings"
	"testing"
)

// slots is bare with two slots as our images have them, and no kernel outside.
func slots() card {
	c := bare().with("kernel7.img", "", "kernel7l.img", "", "kernel8.img", "", "cmdline.txt", "")
	for _, s := range []string{"a/", "b/"} {
		for _, f := range []string{"vmlinuz", "cmdline.txt", "overlays/README"} {
			c[s+f] = f
		}
		for _, m := range Models() {
			delete(c, m.DTB)
			c[s+m.DTB] = plainTree
		}
		c[s+"overlays/uart.dtbo"] = dtb("__fixups__/uart0", "/fragment@0:target:0\x00", "__overrides__/speed", "x")
	}
	return c.with("config.txt", "os_prefix=a/\nkernel=vmlinuz\narm_64bit=1\ndtoverlay=uart\n",
		"tryboot.txt", "os_prefix=b/\nkernel=vmlinuz\narm_64bit=1\ndtoverlay=uart\n")
}

func TestKernels(t *testing.T) {
	for _, tt := range []struct {
		model  Model
		config string
		want   string
		arm64  bool
	}{
		{Pi3B, "", "kernel7.img", false},
		{Zero2W, "", "kernel7.img", false},
		{Pi3BPlus, "arm_64bit=1", "kernel8.img", true},
		{Pi4B, "", "kernel8.img", true},
		{Pi400, "arm_64bit=0", "kernel7l.img", false},
		{CM4, "kernel=kernel7l.img", "kernel7l.img", false},
		{Pi3B, "kernel=kernel8.img", "kernel8.img", true},
		{Pi3B, "kernel=vmlinuz", "vmlinuz", false},
		{Pi3B, "kernel=/vmlinuz\nos_prefix=nowhere/", "vmlinuz", false},
		{Pi5, "arm_64bit=0", "kernel8.img", true},
		{CM5, "[cm4]\nkernel=vmlinuz", "kernel8.img", true},
		{Pi5, "kernel=vmlinuz", "vmlinuz", true},
	} {
		c := bare().with("config.txt", tt.config+"\n", "vmlinuz", "x")
		p, err := Boot(c, tt.model, false)
		if err != nil || p.Kernel != tt.want || p.ARM64 != tt.arm64 {
			t.Errorf("%s, %q: %q, 64 bits %v, %v; want %q, %v", tt.model.Name, tt.config, p.Kernel, p.ARM64, err, tt.want, tt.arm64)
		}
	}
	p, err := Boot(bare().with("config.txt", "#\n", "kernel_2712.img", "x"), Pi500, false)
	if err != nil || p.Kernel != "kernel_2712.img" {
		t.Errorf("a kernel of its own: %q, %v", p.Kernel, err)
	}
}

func TestPrefix(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  []string
		tryboot bool

		prefix, kernel, cmdline, overlay string
		warning, err                     string
	}{
		{name: "slot a", prefix: "a/", kernel: "a/vmlinuz", cmdline: "a/cmdline.txt", overlay: "a/overlays/uart.dtbo"},
		{name: "slot b", tryboot: true, prefix: "b/", kernel: "b/vmlinuz", cmdline: "b/cmdline.txt", overlay: "b/overlays/uart.dtbo"},
		{name: "no kernel in b", tryboot: true, change: []string{"b/vmlinuz", ""}, warning: "os_prefix=b/ is ignored", err: "no kernel: there is no vmlinuz"},
		{name: "no tree in b", tryboot: true, change: []string{"b/bcm2711-rpi-4-b.dtb", ""}, warning: "os_prefix=b/ is ignored", err: "no kernel"},
		{name: "a rescue in the root", tryboot: true, change: []string{"b/vmlinuz", "", "vmlinuz", "x", "bcm2711-rpi-4-b.dtb", plainTree},
			kernel: "vmlinuz", warning: "os_prefix=b/ is ignored"},
		{name: "half a rescue", change: []string{"a/vmlinuz", "", "vmlinuz", "x"}, warning: "is ignored", err: "no device tree"},
		{name: "shared overlays", change: []string{"a/overlays/README", "", "overlays/uart.dtbo", dtb()},
			prefix: "a/", kernel: "a/vmlinuz", cmdline: "a/cmdline.txt", overlay: "overlays/uart.dtbo", warning: "no a/overlays/README"},
		{name: "a prefix of overlays", change: []string{"usercfg.txt", "overlay_prefix=o-\n", "config.txt", "os_prefix=a/\nkernel=vmlinuz\ndtoverlay=uart\ninclude usercfg.txt\n",
			"a/o-README", "x", "a/o-uart.dtbo", dtb()}, prefix: "a/", kernel: "a/vmlinuz", cmdline: "a/cmdline.txt", overlay: "a/o-uart.dtbo"},
		{name: "the command line of the root", change: []string{"a/cmdline.txt", "", "cmdline.txt", "x"},
			prefix: "a/", kernel: "a/vmlinuz", cmdline: "cmdline.txt", overlay: "a/overlays/uart.dtbo"},
		{name: "no command line", change: []string{"a/cmdline.txt", ""}, prefix: "a/", kernel: "a/vmlinuz", overlay: "a/overlays/uart.dtbo", warning: "no command line"},
		{name: "upstream", change: []string{"config.txt", "upstream_kernel=1\nkernel=vmlinuz\n", "upstream/vmlinuz", "x", "upstream/bcm2711-rpi-4-b.dtb", plainTree},
			prefix: "upstream/", kernel: "upstream/vmlinuz", warning: "no command line"},
		{name: "an empty tree", change: []string{"config.txt", "os_prefix=a/\nkernel=vmlinuz\ndevice_tree=\n"}, err: "device_tree= is empty"},
		{name: "a broken tree", change: []string{"a/bcm2711-rpi-4-b.dtb", "x"}, err: "a/bcm2711-rpi-4-b.dtb: not a device tree"},
		{name: "another tree", change: []string{"config.txt", "os_prefix=a/\nkernel=vmlinuz\ndevice_tree=mine.dtb\n", "a/mine.dtb", plainTree},
			prefix: "a/", kernel: "a/vmlinuz", cmdline: "a/cmdline.txt"},
	} {
		p, err := Boot(slots().with(tt.change...), Pi4B, tt.tryboot)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else {
			overlay := ""
			if len(p.Overlays) > 0 {
				overlay = p.Overlays[0].Path
			}
			if p.Prefix != tt.prefix || p.Kernel != tt.kernel || p.Cmdline != tt.cmdline || tt.overlay != "" && overlay != tt.overlay {
				t.Errorf("%s: %+v", tt.name, p)
			}
		}
		if got := strings.Join(p.Warnings, "\n"); tt.warning != "" && !strings.Contains(got, tt.warning) || tt.warning == "" && err == nil && got != "" {
			t.Errorf("%s: warnings %q, want %q", tt.name, got, tt.warning)
		}
	}
}

// A person's usercfg.txt comes last and may take anything back: what is to be
// safe from it has to stand behind the include.
func TestTheLastLineWins(t *testing.T) {
	mine := "kernel=/mine\nos_prefix=\n"
	before := slots().with("config.txt", "os_prefix=a/\nkernel=vmlinuz\ninclude usercfg.txt\n", "usercfg.txt", mine)
	if p, err := Boot(before, Pi4B, false); err == nil {
		t.Errorf("boots %s", p.Kernel)
	}
	behind := slots().with("config.txt", "include usercfg.txt\n[all]\nos_prefix=a/\nkernel=vmlinuz\n", "usercfg.txt", mine+"[pi3]\n")
	if p, err := Boot(behind, Pi4B, false); err != nil || p.Kernel != "a/vmlinuz" {
		t.Errorf("boots %q, %v", p.Kernel, err)
	}
}

func TestConfigurationFile(t *testing.T) {
	for _, tt := range []struct {
		name    string
		model   Model
		change  []string
		tryboot bool
		config  string
		err     string
	}{
		{name: "normal", model: Pi4B, config: "config.txt"},
		{name: "trial", model: Pi4B, tryboot: true, config: "tryboot.txt"},
		{name: "trial without a file", model: Pi4B, tryboot: true, change: []string{"tryboot.txt", ""}, config: "config.txt"},
		{name: "nothing on a 4", model: Pi4B, change: []string{"config.txt", "", "kernel8.img", "x", Pi4B.DTB, plainTree}, config: ""},
		{name: "nothing on a 5", model: Pi5, change: []string{"config.txt", "", "kernel8.img", "x", Pi5.DTB, plainTree}, err: "needs a config.txt"},
		{name: "too large", model: Pi5, change: []string{"config.txt", strings.Repeat("#", fileLimit+1)}, err: "file too large"},
		{name: "A and B partitions", model: Pi4B, tryboot: true, change: []string{"autoboot.txt", "[all]\ntryboot_a_b=1\n"}, config: "config.txt"},
		{name: "another partition", model: Pi4B, change: []string{"autoboot.txt", "boot_partition=2\n"}, err: "leads to partition 2"},
		{name: "another partition in a trial", model: Pi4B, change: []string{"autoboot.txt", "boot_partition=1\n[tryboot]\nboot_partition=3\n"}, tryboot: true, err: "leads to partition 3"},
		{name: "the same partition", model: Pi4B, change: []string{"autoboot.txt", "boot_partition=1\n[tryboot]\nboot_partition=3\n"}, config: "config.txt"},
		{name: "ramdisk", model: Pi4B, change: []string{"config.txt", "boot_ramdisk=1\n"}, err: "boot_ramdisk"},
	} {
		p, err := Boot(slots().with(tt.change...), tt.model, tt.tryboot)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil || p.Config != tt.config {
			t.Errorf("%s: %q, %v", tt.name, p.Config, err)
		}
	}
}

func TestFirmwareFiles(t *testing.T) {
	for _, tt := range []struct {
		model   Model
		config  string
		want    string // files, or what the error says
		missing bool
	}{
		{Pi3B, "", "bootcode.bin start.elf fixup.dat", false},
		{Zero2W, "gpu_mem=16", "bootcode.bin start_cd.elf fixup_cd.dat", false},
		{CM4, "", "start4.elf fixup4.dat", false},
		{Pi4B, "gpu_mem=16", "start4cd.elf fixup4cd.dat", false},
		{Pi4B, "include gpu.txt", "start4.elf fixup4.dat", false}, // too late for the EEPROM
		{Pi4B, "start_x=1", "start4x.elf is missing", true},
		{Pi3B, "start_debug=1", "start_db.elf is missing", true},
		{Pi3B, "start_file=mine.elf", "mine.elf is missing", true},
		{Pi3B, "fixup_file=start.elf", "bootcode.bin start.elf start.elf", false},
		{Pi5, "gpu_mem=16", "", false},
	} {
		c := bare().with("config.txt", tt.config+"\n", "gpu.txt", "gpu_mem=16\n")
		p, err := Boot(c, tt.model, false)
		if tt.missing {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %q: %v, want %q", tt.model.Name, tt.config, err, tt.want)
			}
			continue
		}
		if got := strings.Join(p.Firmware, " "); err != nil || got != tt.want {
			t.Errorf("%s, %q: %q, %v; want %q", tt.model.Name, tt.config, got, err, tt.want)
		}
		for _, f := range p.Firmware {
			if _, err := Boot(c.with(f, ""), tt.model, false); err == nil {
				t.Errorf("%s starts without %s", tt.model.Name, f)
			}
		}
	}
}

func TestInitramfs(t *testing.T) {
	for _, tt := range []struct {
		config string
		want   []string
		warns  bool
	}{
		{"", nil, false},
		{"initramfs a,b followkernel", []string{"a", "b"}, false},
		{"initramfs a 0x00800000", []string{"a"}, false},
		{"initramfs a somewhere", []string{"a"}, true},
		{"initramfs a,none", nil, true},
		{"ramfsfile=b", []string{"b"}, false},
		{"auto_initramfs=1", []string{"initramfs8"}, false},
		{"auto_initramfs=1\nkernel=a", nil, false},
	} {
		p, err := Boot(bare().with("config.txt", tt.config+"\n", "a", "x", "b", "x", "initramfs8", "x"), Pi4B, false)
		if err != nil || !slices.Equal(p.Initramfs, tt.want) || tt.warns != (len(p.Warnings) > 0) {
			t.Errorf("%q: %q, %v, %q", tt.config, p.Initramfs, err, p.Warnings)
		}
	}
}

func TestCommandLine(t *testing.T) {
	p, err := Boot(slots().with("config.txt", "os_prefix=a/\nkernel=vmlinuz\nkernel_watchdog_timeout=60\nenable_uart=1\n"), Pi3B, false)
	if err != nil || !p.UART || p.WatchdogTimeout != 60 {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := p.CommandLine([]byte("root=x ro\r\nmore\n")); got != "root=x ro watchdog.open_timeout=60" {
		t.Errorf("%q", got)
	}
	if got := (Plan{}).CommandLine(nil); got != "" {
		t.Errorf("%q of nothing", got)
	}
}

func TestFlag(t *testing.T) {
	for _, tt := range []struct {
		argument string
		want     bool
	}{
		{"0 tryboot", true}, {"1 tryboot", true}, {"  0   tryboot ", true}, {"0 x tryboot", true},
		{"", false}, {"0", false}, {"tryboot", false}, {"tryboot 0", false}, {"0 trybooty", false}, {"64 tryboot", false}, {"x tryboot", false},
	} {
		var f Flag
		f.Reboot(tt.argument)
		if got := f.Start(); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.argument, got, tt.want)
		}
		if f.Start() {
			t.Errorf("%q: tries twice", tt.argument)
		}
	}
	var f Flag
	if f.Start() {
		t.Error("a new board tries")
	}
	f.Reboot("0 tryboot")
	f.PowerCut()
	if f.Start() {
		t.Error("the flag outlives a power cut")
	}
}
