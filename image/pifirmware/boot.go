package pifirmware

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Plan is what the firmware starts. Paths are those of the boot file system.
type Plan struct {
	Config   string   // config.txt or tryboot.txt; empty where there was none
	Firmware []string // what is loaded of the firmware itself; nothing on a 5
	Prefix   string   // os_prefix; empty also where the one that was set is not viable

	Kernel    string
	ARM64     bool
	DTB       string
	Params    []string  // dtparam of the base device tree
	Overlays  []Overlay // in the order in which they are applied
	Cmdline   string    // empty: none
	Initramfs []string  // loaded one after the other

	UART            bool // enable_uart
	WatchdogTimeout int  // kernel_watchdog_timeout, seconds; 0: off

	Settings map[string]string // last values of all that applies
	Warnings []string          // what is not as it was meant
}

// CommandLine is the kernel's, from the content of Cmdline: its first line, and
// what the firmware appends for the watchdog (boot.adoc,
// "kernel_watchdog_timeout").
func (p Plan) CommandLine(file []byte) string {
	line, _, _ := strings.Cut(string(file), "\n")
	line = strings.TrimSpace(line)
	if p.WatchdogTimeout > 0 {
		line += fmt.Sprintf(" watchdog.open_timeout=%d", p.WatchdogTimeout)
	}
	return strings.TrimSpace(line)
}

// Boot says what a model's firmware starts, tryboot being what [Flag.Start]
// said. An error means that the board stays where it is, blinking: the firmware
// does not try anything else by itself.
func Boot(files Files, m Model, tryboot bool) (Plan, error) {
	name, err := configName(files, m, tryboot)
	if err != nil {
		return Plan{}, err
	}
	r := &reader{files: files, model: m, tryboot: tryboot}
	p := Plan{Config: name}
	if err := r.config(&p); err != nil {
		return Plan{Config: p.Config, Warnings: r.warnings}, err
	}
	err = r.boot(&p)
	p.Warnings = r.warnings
	return p, err
}

// configName is the configuration's file: autoboot.txt may say that the normal
// one is to be read in any case (autoboot.adoc, "tryboot_a_b"), and that it is on
// another partition.
func configName(files Files, m Model, tryboot bool) (string, error) {
	auto := &reader{files: files, model: m, tryboot: tryboot}
	// It is optional; only its first 512 bytes would be read.
	if err := auto.file("autoboot.txt", depthLimit); err == nil {
		if n := number(auto.get("boot_partition")); n > 1 {
			return "", fmt.Errorf("autoboot.txt leads to partition %d; delete the file", n)
		}
		if number(auto.get("tryboot_a_b")) == 1 {
			tryboot = false
		}
	}
	if tryboot {
		return "tryboot.txt", nil
	}
	return "config.txt", nil
}

// config reads the configuration.
func (r *reader) config(p *Plan) error {
	err := r.file(p.Config, 0)
	if err != nil && p.Config != "config.txt" {
		// No page says what happens; the other file is the kinder guess.
		r.warn("%v; config.txt is read instead", err)
		p.Config = "config.txt"
		err = r.file(p.Config, 0)
	}
	if err != nil {
		p.Config = ""
		// "Raspberry Pi 5 requires a config.txt file to be present to indicate
		// that the partition is bootable" (boot.adoc).
		if r.model.loader == whole {
			return fmt.Errorf("a Raspberry Pi %s needs a config.txt: %w", r.model.Name, err)
		}
		r.warn("%v; everything is at its default", err)
	}
	if number(r.early("boot_ramdisk")) != 0 {
		return fmt.Errorf("boot_ramdisk is not in this model")
	}
	return nil
}

// boot fills the plan from the settings.
func (r *reader) boot(p *Plan) error {
	p.Settings = map[string]string{}
	for _, s := range r.settings {
		p.Settings[s.key] = s.value
	}
	p.UART = number(r.get("enable_uart")) != 0
	p.WatchdogTimeout = int(max(0, number(r.get("kernel_watchdog_timeout"))))
	var err error
	if p.Firmware, err = r.firmware(); err != nil {
		return err
	}
	if err := r.system(p); err != nil {
		return err
	}
	if p.Cmdline = p.Prefix + or(r.get("cmdline"), "cmdline.txt"); !r.exists(p.Cmdline) {
		// Seen in a log of a 5 (raspberrypi/linux issue 7319): the file beside
		// config.txt is the second try.
		p.Cmdline = or(r.get("cmdline"), "cmdline.txt")
		if !r.exists(p.Cmdline) {
			p.Cmdline = ""
			r.warn("no command line")
		}
	}
	r.initramfs(p)
	h, err := newHardware(r, p.DTB, r.overlayPrefix(p.Prefix))
	if err != nil {
		return err
	}
	h.apply()
	p.Params, p.Overlays = h.params, h.overlays
	return nil
}

// firmware names the files that are loaded before the kernel.
func (r *reader) firmware() ([]string, error) {
	if r.model.loader == whole {
		return nil, nil
	}
	four := ""
	list := []string{"bootcode.bin"}
	if r.model.loader == inEEPROM {
		four, list = "4", nil
	}
	start, fixup := "start"+four+".elf", "fixup"+four+".dat"
	variant := func(with, without string) {
		start, fixup = "start"+four+with+".elf", "fixup"+four+with+".dat"
		if four == "" {
			start, fixup = "start"+without+".elf", "fixup"+without+".dat"
		}
	}
	switch {
	case number(r.early("gpu_mem")) == 16:
		// "The only way to enable the cut-down firmware is to specify
		// gpu_mem=16" (boot.adoc, "start_file, fixup_file").
		variant("cd", "_cd")
	case number(r.early("start_x")) == 1:
		variant("x", "_x")
	case number(r.early("start_debug")) == 1:
		variant("db", "_db")
	}
	if s := r.early("start_file"); s != "" {
		start = s
	}
	if s := r.early("fixup_file"); s != "" {
		fixup = s
	}
	list = append(list, start, fixup)
	for _, f := range list {
		if !r.exists(f) {
			return nil, fmt.Errorf("firmware file %s is missing; flash the card again", short(f))
		}
	}
	return list, nil
}

// system chooses kernel and device tree. "Unless the expected kernel and .dtb
// can be found at the new location/name, the prefix is ignored" (boot.adoc,
// "os_prefix").
func (r *reader) system(p *Plan) error {
	kernel := r.get("kernel")
	p.ARM64 = r.model.arm64(r.get("arm_64bit"), kernel)
	kernels := r.model.kernels(p.ARM64)
	if kernel != "" {
		kernels = []string{kernel}
	}
	tree, set := r.last("device_tree", false)
	if set && tree == "" {
		return fmt.Errorf("device_tree= is empty: a 64-bit kernel does not start without a device tree")
	}
	tree = or(tree, r.model.DTB)

	wanted, set := r.last("os_prefix", false)
	if !set && number(r.get("upstream_kernel")) == 1 {
		wanted = "upstream/"
	}
	for _, prefix := range slices.Compact([]string{wanted, ""}) {
		p.Prefix, p.DTB = prefix, prefixed(prefix, tree)
		p.Kernel = ""
		for _, k := range kernels {
			if p.Kernel == "" && r.exists(prefixed(prefix, k)) {
				p.Kernel = prefixed(prefix, k)
			}
		}
		if p.Kernel != "" && r.exists(p.DTB) {
			return nil
		}
		if prefix != "" {
			r.warn("os_prefix=%s is ignored: it lacks %s or %s", short(prefix), strings.Join(kernels, " and "), tree)
		}
	}
	if p.Kernel == "" {
		return fmt.Errorf("no kernel: there is no %s; turn the power off and on, or flash the card again", strings.Join(kernels, " and no "))
	}
	return fmt.Errorf("no device tree: there is no %s; turn the power off and on, or flash the card again", short(p.DTB))
}

// overlayPrefix is where overlays are. They belong to the prefix only where a
// README stands beside them, and else are shared (boot.adoc, "overlay_prefix").
func (r *reader) overlayPrefix(prefix string) string {
	overlays, set := r.last("overlay_prefix", false)
	if !set {
		overlays = "overlays/"
	}
	if prefix == "" || r.exists(prefix+overlays+"README") {
		return prefix + overlays
	}
	r.warn("there is no %sREADME: overlays are looked for in /%s", short(prefix+overlays), short(overlays))
	return overlays
}

// initramfs takes "names address" or, with auto_initramfs, what goes with the
// kernel's name: initramfs8 with kernel8.img (boot.adoc, "auto_initramfs").
func (r *reader) initramfs(p *Plan) {
	names, address, _ := strings.Cut(or(r.get("initramfs"), r.get("ramfsfile")), " ")
	if address = strings.TrimSpace(address); address != "" && address != "followkernel" && number(address) == 0 && address != "0" {
		r.warn("initramfs: %q is no address", address)
	}
	if names == "" && number(r.get("auto_initramfs")) == 1 {
		base := strings.TrimPrefix(strings.TrimSuffix(p.Kernel, ".img"), p.Prefix)
		if rest, ok := strings.CutPrefix(base, "kernel"); ok && r.exists(prefixed(p.Prefix, "initramfs"+rest)) {
			names = "initramfs" + rest
		}
	}
	if names == "" {
		return
	}
	var list []string
	for name := range strings.SplitSeq(names, ",") {
		name = prefixed(p.Prefix, name)
		if !r.exists(name) {
			r.warn("there is no %s: the initramfs is left out", short(name))
			return
		}
		list = append(list, name)
	}
	p.Initramfs = list
}

func (r *reader) exists(path string) bool {
	_, err := r.files.Extents(path)
	return err == nil
}

// prefixed puts the prefix in front of a name, unless that is absolute.
func prefixed(prefix, name string) string {
	if rest, ok := strings.CutPrefix(name, "/"); ok {
		return rest
	}
	return prefix + name
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// OverlayNames are the names of the overlays that are applied, sorted.
func (p Plan) OverlayNames() []string {
	names := map[string]bool{}
	for _, o := range p.Overlays {
		names[o.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
