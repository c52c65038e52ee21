//go:build soak

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestUpdatePowerCuts takes about an hour.
func TestUpdatePowerCuts(t *testing.T) {
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.becomes("1.0.0", bootLimit, nil)
	u.throughCuts("1.0.0", 50)
}

// TestUpdateLoaders: an update of a station on each of the other loaders.
func TestUpdateLoaders(t *testing.T) {
	for _, b := range []boards.Board{boards.VMAmd64, boards.RaspberryPi} {
		t.Run(b.Name, func(t *testing.T) {
			u := startUpdated(t, b, "1.0.0")
			u.becomes("1.0.0", bootLimit, nil)
			u.release("1.1.0", nil)
			if b.Loader == boards.LoaderPi {
				u.says(`reboot: Restarting system with command '0 tryboot'`, 1, updateLimit)
				u.flag.Reboot("0 tryboot")
				u.again()
			}
			u.becomes("1.1.0", updateLimit, idle)
			u.machine.stop()
			if got := u.committed(); got != bootfs.SlotB {
				t.Errorf("slot %s is committed", got)
			}
		})
	}
}

// TestUpdateKernel: from gokrazy's kernel to Debian's, and back.
func TestUpdateKernel(t *testing.T) {
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.becomes("1.0.0", bootLimit, nil)
	o := u.optionsOf("1.1.0", u.host.url)
	debians := boards.Rock64.Kernel
	debians.Early = append([]string{"virtio_pci", "virtio_mmio", "pci_host_generic", "i6300esb"}, debians.Early...)
	debians.Modules = append(debians.Early, debians.Modules...)
	o.Kernel = &debians
	u.releaseOf(o, nil)
	u.becomes("1.1.0", updateLimit, idle)
	u.says(`Linux version 6\.12`, 1, time.Second)
	u.release("1.2.0", nil)
	u.becomes("1.2.0", updateLimit, idle)
	u.says(`Linux version 7`, 2, time.Second)
}

// TestUpdateDelta: what a station fetches with a delta, and what without.
func TestUpdateDelta(t *testing.T) {
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.release("1.0.0", nil)
	u.becomes("1.0.0", bootLimit, idle)
	o := u.optionsOf("1.1.0", u.host.url)
	o.Extra = []string{"./guest"}
	u.releaseOf(o, nil)
	u.becomes("1.1.0", updateLimit, idle)
	chunks := u.host.sent()
	u.deltas = true
	u.release("1.2.0", nil)
	u.becomes("1.2.0", updateLimit, idle)
	delta := u.host.sent()
	t.Logf("fetched: %.2f MiB in chunks, %.2f MiB with a delta", float64(chunks)/(1<<20), float64(delta)/(1<<20))
	if delta == 0 || delta >= chunks/2 {
		t.Error("the delta saves nothing")
	}
}

// TestUpdateStick: a station that knows no host takes the bundle on a USB stick
// that is plugged in, and keeps it without the stick.
func TestUpdateStick(t *testing.T) {
	for _, b := range []boards.Board{boards.VMAmd64, boards.VMArm64} {
		t.Run(b.Name, func(t *testing.T) {
			u := newUpdated(t, b)
			u.usb = true
			u.build(u.optionsOf("1.0.0", ""))
			u.releaseOf(u.optionsOf("1.1.0", ""), nil)
			u.boot()
			off := func(st *status.Status) bool { return st.Update != nil && st.Update.State == "off" }
			u.becomes("1.0.0", bootLimit, off)
			unplug := u.plug(u.stick())
			u.becomes("1.1.0", updateLimit, idle)
			unplug()
			u.becomes("1.1.0", time.Minute, off)
			u.again()
			u.becomes("1.1.0", bootLimit, off)
		})
	}
}

// stick makes one as they are sold, with one partition of FAT32. The newest release
// is on it.
func (u *updated) stick() string {
	u.t.Helper()
	const start, sectors = 2048, 200 << 11
	bundled := filepath.Join(u.dir, "truechimer.truechimer")
	if _, err := u.repo.Bundle(u.t.Context(), u.board.Name, "stable", bundled); err != nil {
		u.t.Fatal(err)
	}
	path := filepath.Join(u.dir, "stick")
	mbr := make([]byte, 512)
	mbr[446+4] = 0x0c
	binary.LittleEndian.PutUint32(mbr[446+8:], start)
	binary.LittleEndian.PutUint32(mbr[446+12:], sectors)
	mbr[510], mbr[511] = 0x55, 0xaa
	if err := errors.Join(os.WriteFile(path, mbr, 0o600), os.Truncate(path, (start+sectors)*512)); err != nil {
		u.t.Fatal(err)
	}
	for _, c := range [][]string{
		{"mkfs.fat", "-F", "32", "-s", "4", "--offset", fmt.Sprint(start), path, fmt.Sprint(sectors / 2)},
		{"mcopy", "-i", fmt.Sprintf("%s@@%d", path, start*512), bundled, "::Update for the attic.truechimer"},
	} {
		if out, err := exec.CommandContext(u.t.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
			u.t.Fatalf("%q: %v: %s", c, err, out)
		}
	}
	return path
}

// plug plugs a stick in; what it returns pulls it out again.
func (p *pair) plug(path string) (unplug func()) {
	p.t.Helper()
	p.ask(fmt.Sprintf(`{"execute":"blockdev-add","arguments":{"driver":"raw","node-name":"stick","file":{"driver":"file","filename":%q}}}`, path),
		`{"execute":"device_add","arguments":{"driver":"usb-storage","bus":"usb.0","id":"stick0","drive":"stick"}}`)
	return func() { p.ask(`{"execute":"device_del","arguments":{"id":"stick0"}}`) }
}

// TestBadUpdates: whatever is wrong with a release, the old version is back by
// itself; after three tries a newer one is awaited, and taken.
func TestBadUpdates(t *testing.T) {
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.becomes("1.0.0", bootLimit, nil)
	good := "1.0.0"
	for i, bad := range []struct {
		name   string
		change func(*parts)
	}{
		{"panics", broken(u.pair, "panic")},
		{"hangs", broken(u.pair, "hang")},
		{"shows no page", func(made *parts) {
			u.replaceProgram(made, "user/appliance")
			made.board.Cmdline = append(made.board.Cmdline[:len(made.board.Cmdline):len(made.board.Cmdline)], "truechimer.trial=60s")
		}},
		{"cannot verify metadata", nil},
	} {
		o := u.optionsOf(fmt.Sprintf("1.%d.0", 2*i+1), u.host.url)
		if bad.change == nil {
			// Nobody answers at the port of a host that has just closed it.
			o = u.optionsOf(o.Version, "http://"+guestView+":9")
		}
		u.releaseOf(o, bad.change)
		began := time.Now()
		u.becomes(good, 3*updateLimit, func(st *status.Status) bool {
			return idle(st) && st.Update.Blocked != nil && *st.Update.Blocked == o.Version
		})
		t.Logf("a release that %s is blocked after %v", bad.name, time.Since(began).Round(time.Second))
		good = fmt.Sprintf("1.%d.0", 2*i+2)
		u.release(good, nil)
		u.becomes(good, updateLimit, idle)
	}
}
