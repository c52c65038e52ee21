package main

import (
	"errors"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"golang.org/x/sys/unix"
)

const (
	// trialTime is how long a slot on trial has to be committed: the ten minutes
	// in which its health is judged, and some more.
	trialTime = 15 * time.Minute
	// A slot's command line may say truechimer.trial=90s instead, within bounds:
	// with less a station could not show that it is well, with more it would be
	// without its old, good system for too long.
	trialLeast = 30 * time.Second
	trialMost  = time.Hour
)

// trialLimit reads how long a trial may take from the slot's command line.
func trialLimit(cmdline string) time.Duration {
	for _, arg := range strings.Fields(cmdline) {
		text, ok := strings.CutPrefix(arg, "truechimer.trial=")
		if !ok {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			log.Printf("%.60q is no duration such as 90s: a trial takes %v", arg, trialTime)
			return trialTime
		}
		return min(max(d, trialLeast), trialMost)
	}
	return trialTime
}

// rescued says that this slot was started because the committed one could not
// be: no trial, and nothing to go back to. U-Boot's script says so (image/uboot).
func rescued(cmdline string) bool {
	return slices.Contains(strings.Fields(cmdline), "truechimer.rescue=1")
}

// bootControl opens the boot control of the board that this is.
func (d *stationDisk) bootControl(board, slot string) (bootctl.Control, error) {
	b, err := boards.ByName(board)
	if err != nil {
		return nil, err
	}
	if d.partition == nil {
		return nil, errors.New("the disk was not found")
	}
	boot, err := os.OpenFile(d.partition[disk.Boot], os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	state, err := os.OpenFile(d.partition[disk.State], os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return bootctl.ForBoard(b, bootfs.Slot(slot), boot, state, bootctl.Efivars(bootctl.EfivarsDir))
}

// trial is the first boot of a new release: unless it is committed in time,
// the station goes back to the slot that it came from. Any restart does that.
type trial struct {
	control bootctl.Control
	limit   time.Duration
	wait    func(time.Duration)
	restart func()
}

// begin watches over the trial, if this boot is one, until it is decided.
func (t *trial) begin() {
	now, err := t.control.Current()
	if err != nil {
		// A committed slot is not restarted for that; one on trial will not be
		// committed either, so whoever tries it sees to it.
		log.Printf("which slot is committed is not known: %v", err)
		return
	}
	if !now.Trial {
		return
	}
	log.Printf("slot %s is on trial: unless it is committed within %v, slot %s starts again", now.Running, t.limit, now.Committed)
	go t.watch()
}

func (t *trial) watch() {
	t.wait(t.limit)
	now, err := t.control.Current()
	if err == nil && !now.Trial {
		log.Printf("slot %s is committed", now.Running)
		return
	}
	log.Printf("slot %s was not committed in time (%v): going back", now.Running, err)
	t.restart()
}

// restart starts the board anew, from the committed slot.
func restart() { log.Printf("%v; the watchdog will do it", bootctl.Restart("")) }
