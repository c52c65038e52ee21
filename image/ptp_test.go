package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
)

// TestPTP: a PC takes the time from the hardware clock of its network card. QEMU's
// e1000e has one, which its driver sets once; who sets it later is not tested here.
func TestPTP(t *testing.T) {
	t.Parallel()
	needQEMU(t, boards.VMAmd64)
	p := newPair(t, boards.VMAmd64)
	p.build(buildOptions{Board: p.board.Name, Dir: p.dir, Config: []byte("[ptp]\ndevice = \"/dev/ptp0\"\nbound = \"50ms\"\n"), Log: t.Logf})
	p.nic, p.rtc = "e1000e", time.Now().UTC().Format("2006-01-02T15:04:05")
	p.boot()
	last := ""
	p.until("the time is the PTP clock's", bootLimit, func() bool {
		st, err := fetchStatus(t.Context(), "http://"+p.options.HTTP)
		if err != nil {
			return false
		}
		r := st.Reference
		if now := fmt.Sprintf("%s, %s: %s", r.State, r.Source, r.Reason); now != last {
			last = now
			t.Log(now)
		}
		return r.Source == "ptp" && r.State == "locked" && *r.Bound < 0.1
	})
	p.says(`taking the time from a PTP clock.*device=/dev/ptp0`, 1, time.Second)
}
