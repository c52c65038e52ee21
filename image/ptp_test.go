package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
)

// TestPTP: a PC reads the hardware clock of its network card. That of QEMU's e1000e
// stands still before QEMU 8.1, and is not to be believed then: it falls back, or,
// if Linux sets it anew while the card comes up, has jumped ahead by then.
func TestPTP(t *testing.T) {
	t.Parallel()
	needQEMU(t, boards.VMAmd64)
	p := newPair(t, boards.VMAmd64)
	p.build(buildOptions{Board: p.board.Name, Dir: p.dir, Config: []byte("[ptp]\ndevice = \"/dev/ptp0\"\nbound = \"50ms\"\n"), Log: t.Logf})
	p.nic, p.rtc = "e1000e", time.Now().UTC().Format("2006-01-02T15:04:05")
	p.boot()
	last := ""
	p.until("the PTP clock is followed, or known to be wrong", bootLimit, func() bool {
		st, err := fetchStatus(t.Context(), "http://"+p.options.HTTP)
		if err != nil {
			return false
		}
		r := st.Reference
		if now := fmt.Sprintf("%s, %s: %s", r.State, r.Source, r.Reason); now != last {
			last = now
			t.Log(now)
		}
		stands := r.State == "suspect" && strings.Contains(r.Reason, "the named reference jumped")
		return r.Source == "ptp" && (stands || r.State == "locked" && *r.Bound < 0.1 && st.Station.Uptime > 20)
	})
	p.says(`taking the time from a PTP clock.*device=/dev/ptp0`, 1, time.Second)
}
