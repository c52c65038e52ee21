// Package pifirmware is a model of how a Raspberry Pi's firmware reads the boot
// partition: which file it takes for the configuration, what of it applies to
// a model, and which kernel, device tree, overlays and command line it hands
// over. It stands in for the real firmware in tests, and says what QEMU's
// raspi3b machine, which has none, is to boot.
//
// The rules are those of Raspberry Pi's documentation (its repository's pages
// config_txt/conditional.adoc, config_txt/boot.adoc, config_txt/autoboot.adoc,
// what_is_config_txt.adoc, configuration/device-tree.adoc, raspberry-pi/
// bootflow-eeprom.adoc) and of rpi-eeprom's release notes. Where those are silent the
// model takes the worse outcome and says so in Plan.Warnings. It has not been
// compared with a board.
package pifirmware

import (
	"slices"
	"strconv"
	"strings"
)

// Model is a model of the Raspberry Pi, as the firmware sees it.
type Model struct {
	Name    string
	DTB     string   // device tree's file, as the firmware spells it
	Filters []string // model filters that match (conditional.adoc)
	Type    int      // what [board-type=] compares (revision-codes.adoc)

	soc    string // in overlay_map.dtb
	loader loader
}

// loader is the part of the firmware that lies outside of the kernel's slot.
type loader int

const (
	onCard   loader = iota // bootcode.bin, start.elf and fixup.dat on the card
	inEEPROM               // the boot code in the EEPROM; start4.elf and fixup4.dat on the card
	whole                  // all of it in the EEPROM
)

// The models that images for the Raspberry Pi are for. A Compute Module 5
// without eMMC (Lite) has a device tree of its own.
var (
	Pi3B     = Model{"3B", "bcm2710-rpi-3-b.dtb", []string{"pi3"}, 0x08, "bcm2835", onCard}
	Pi3BPlus = Model{"3B+", "bcm2710-rpi-3-b-plus.dtb", []string{"pi3", "pi3+"}, 0x0d, "bcm2835", onCard}
	Zero2W   = Model{"Zero 2 W", "bcm2710-rpi-zero-2-w.dtb", []string{"pi0", "pi0w", "pi02"}, 0x12, "bcm2835", onCard}
	Pi4B     = Model{"4B", "bcm2711-rpi-4-b.dtb", []string{"pi4"}, 0x11, "bcm2711", inEEPROM}
	Pi400    = Model{"400", "bcm2711-rpi-400.dtb", []string{"pi4", "pi400"}, 0x13, "bcm2711", inEEPROM}
	CM4      = Model{"CM4", "bcm2711-rpi-cm4.dtb", []string{"pi4", "cm4"}, 0x14, "bcm2711", inEEPROM}
	Pi5      = Model{"5", "bcm2712-rpi-5-b.dtb", []string{"pi5"}, 0x17, "bcm2712", whole}
	Pi500    = Model{"500", "bcm2712-rpi-500.dtb", []string{"pi5", "pi500"}, 0x19, "bcm2712", whole}
	CM5      = Model{"CM5", "bcm2712-rpi-cm5-cm5io.dtb", []string{"pi5", "cm5"}, 0x18, "bcm2712", whole}
	CM5Lite  = Model{"CM5 Lite", "bcm2712-rpi-cm5l-cm5io.dtb", []string{"pi5", "cm5"}, 0x1a, "bcm2712", whole}
)

// Models lists them all.
func Models() []Model {
	return []Model{Pi3B, Pi3BPlus, Zero2W, Pi4B, Pi400, CM4, Pi5, Pi500, CM5, CM5Lite}
}

// modelFilters are all there are (conditional.adoc, "Model Filters").
var modelFilters = []string{"pi0", "pi0w", "pi02", "pi1", "pi2", "pi3", "pi3+", "pi4", "pi400", "pi5", "pi500",
	"cm0", "cm1", "cm3", "cm3+", "cm4", "cm4s", "cm5"}

// kernels are the names that are tried where config.txt has no kernel=
// (boot.adoc, "kernel").
func (m Model) kernels(arm64 bool) []string {
	switch {
	case m.loader == whole:
		return []string{"kernel_2712.img", "kernel8.img"}
	case arm64:
		return []string{"kernel8.img"}
	case m.loader == inEEPROM:
		return []string{"kernel7l.img"}
	}
	return []string{"kernel7.img"}
}

// arm64 says whether the processor starts in 64-bit mode (boot.adoc,
// "arm_64bit"): a 3 and a Zero 2 W only when told to, a 5 always; the name of
// a kernel that the firmware knows decides otherwise.
func (m Model) arm64(setting, kernel string) bool {
	switch {
	case m.loader == whole || kernel == "kernel8.img" || kernel == "kernel_2712.img":
		return true
	case kernel == "kernel.img" || kernel == "kernel7.img" || kernel == "kernel7l.img":
		return false
	case setting == "":
		return m.loader == inEEPROM
	}
	return number(setting) != 0
}

// filterKind is a type of filter. Filters of one type replace each other, those
// of different types all have to match (conditional.adoc, "Combining
// Conditional Filters").
type filterKind int

const (
	byModel filterKind = iota
	byTryboot
	byMonitor
	bySerial
	byGPIO
	byPort
	byValue
	byNothing // [none], and what no page describes
	filterKinds
)

// filters are the conditions in force.
type filters struct{ off [filterKinds]bool }

func (f *filters) pass() bool { return *f == filters{} }

// section takes the text between the brackets. What cannot be known here (a
// serial number, a monitor, a GPIO, a register) does not match; ok is false
// where no page describes the filter, which does not match either.
func (f *filters) section(name string, m Model, tryboot bool) (ok bool) {
	kind, match := byNothing, false
	before, after, valued := strings.Cut(name, "=")
	switch {
	case name == "all":
		*f = filters{}
		return true
	case name == "none":
	case name == "tryboot":
		kind, match = byTryboot, tryboot
	case slices.Contains(modelFilters, name):
		kind, match = byModel, slices.Contains(m.Filters, name)
	case valued && before == "board-type":
		// Listed among the model filters, so it replaces them.
		n, err := strconv.ParseInt(after, 0, 32)
		kind, match = byModel, err == nil && int(n) == m.Type
	case valued && before == "EDID":
		kind = byMonitor
	case valued && strings.HasPrefix(before, "gpio"):
		kind = byGPIO
	case strings.HasPrefix(name, "0x"):
		kind = bySerial
	case strings.HasPrefix(name, "HDMI:"):
		kind = byPort
	case isExpression(name):
		kind = byValue
	default:
		f.off[byNothing] = true
		return false
	}
	f.off[kind] = !match
	return true
}

// isExpression recognises the filters that compare a number (rpi-eeprom's
// release notes of 2025-02-11 and later).
func isExpression(name string) bool {
	i := strings.IndexAny(name, "=&<>")
	return i > 0 && slices.Contains([]string{"boot_arg1", "boot_count", "boot_partition", "partition", "bootvar0", "board_attributes"}, name[:i])
}

// number reads as C's strtol does: what is no number is 0.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 0, 32)
	if err != nil {
		return 0
	}
	return n
}
