//go:build soak

package main

import (
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestTrials: whatever is wrong with slot b, on each loader slot a comes back
// by itself, untouched. It takes about half an hour.
func TestTrials(t *testing.T) {
	for _, b := range []boards.Board{boards.VMArm64, boards.VMAmd64, boards.RaspberryPi} {
		for _, mode := range []string{"panic", "hang", "idle"} {
			t.Run(b.Name+"/"+mode, func(t *testing.T) { comesBack(t, b, mode) })
		}
	}
}

// TestCommit: a slot that is committed on its trial boots from then on.
func TestCommit(t *testing.T) {
	for _, b := range []boards.Board{boards.VMArm64, boards.VMAmd64, boards.RaspberryPi} {
		t.Run(b.Name, func(t *testing.T) {
			p := startPair(t, b, "commit")
			p.says(`guest: restarting with`, 1, bootLimit)
			if b.Loader == boards.LoaderPi {
				p.says(`reboot: Restarting system with command '0 tryboot'`, 1, resetLimit)
				p.flag.Reboot("0 tryboot")
				p.again()
			}
			p.says(`guest: running b, committed a, trial true`, 1, bootLimit)
			p.says(`guest: committed b`, 1, bootLimit)
			if b.Loader == boards.LoaderPi {
				p.says(`reboot: Restarting system`, 2, resetLimit)
				p.flag.Reboot("")
				p.again()
			}
			p.says(`guest: running b, committed b, trial false`, 1, bootLimit)
			p.runs("b", bootLimit)
			p.machine.stop()
			if got := p.committed(); got != bootfs.SlotB {
				t.Errorf("slot %s is committed", got)
			}
		})
	}
}
