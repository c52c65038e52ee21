package pulse

import "golang.org/x/sys/unix"

// From include/uapi/linux/sched.h.
const (
	schedFIFO        = 1
	schedResetOnFork = 1 // of the flags: threads made by this one are ordinary
)

// urgent lets the thread it is called on be interrupted as little as can be:
// away from the first processor, which takes the interrupts unless somebody
// spread them, and ahead of other programs where there is the right to that. Such
// a thread must not be busy for more than a few milliseconds of a second. What
// is not allowed stays as it was: the readings show how much that matters.
func urgent() {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil && set.Count() > 1 {
		for cpu := 0; ; cpu++ {
			if set.IsSet(cpu) {
				set.Clear(cpu)
				break
			}
		}
		_ = unix.SchedSetaffinity(0, &set)
	}
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: schedFIFO, Priority: 1, Flags: schedResetOnFork,
	}, 0)
}
