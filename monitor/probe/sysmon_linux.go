package probe

import (
	"os"
	"strconv"
)

const (
	// napSlack is how much later than due the naps of Go's monitor thread may end,
	// ns. It takes them 20 us long whenever anything of the process runs, and the
	// timer interrupt that ends one, 10 to 20 us of a processor, falls into the
	// moment between a packet's transmit stamp and the wire for some 4 of 100
	// packets: T1 is then as much too early. A nap with slack ends with another
	// interrupt where there is one, and is longer where not. What the thread is for
	// may wait so long: to take a processor from a system call that blocks, or from
	// a goroutine that runs for more than 10 ms.
	napSlack = 1_000_000
	// workSlack is the same for the other threads, ns. One that would take over
	// what has just become ready elsewhere naps for 3 us first. With the usual
	// slack of 50 us the interrupt that ends this comes when the loop, woken on
	// that very processor meanwhile, is sending.
	workSlack = 1
)

// calm has the naps end when they do the least harm. It takes CAP_SYS_NICE, as a
// station has it; to go without is no failure. The monitor's thread is the first
// that the runtime starts, and so the second in the list; were it another, that
// one's sleep would be longer. So is that of threads which the monitor starts,
// where it ends by a timer. A thread has the slack of the one that starts it.
func calm() {
	d, err := os.Open("/proc/self/task")
	if err != nil {
		return
	}
	defer d.Close()
	list, err := d.Readdirnames(-1)
	if err != nil {
		return
	}
	for i, thread := range list {
		slack := workSlack
		if i == 1 {
			slack = napSlack
		}
		os.WriteFile("/proc/"+thread+"/timerslack_ns", []byte(strconv.Itoa(slack)), 0o600)
	}
}
