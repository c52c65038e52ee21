package pifirmware

import (
	"slices"
	"strconv"
	"strings"
)

// Flag is the one-shot flag by which the next start reads tryboot.txt
// (bootflow-eeprom.adoc, "Fail-safe OS updates"): the firmware clears it before it
// starts anything, so that whatever happens then, the start after it reads
// config.txt. The zero value is a board that was just given power.
type Flag struct{ set bool }

// Reboot is the reboot system call with an argument: a partition's number, then
// words, of which tryboot sets the flag. Any other argument leaves it as it is.
func (f *Flag) Reboot(argument string) {
	words := strings.Fields(argument)
	if len(words) == 0 {
		return
	}
	if _, err := strconv.ParseUint(words[0], 10, 6); err == nil && slices.Contains(words[1:], "tryboot") {
		f.set = true
	}
}

// PowerCut takes the power away, and the flag with it. (A 4B of revision 1.0 or
// 1.1 keeps it in the EEPROM; it is cleared when read there too.)
func (f *Flag) PowerCut() { f.set = false }

// Start is the firmware starting, after a reboot, a watchdog's reset or a power
// cut: it says what to give to Boot, once.
func (f *Flag) Start() (tryboot bool) {
	tryboot = f.set
	f.set = false
	return tryboot
}
