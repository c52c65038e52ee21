package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/pifirmware"
	"github.com/truechimer/truechimer/image/squash"
)

// pair is an emulated station with two slots: a good one, and one that image/guest
// has tried once.
type pair struct {
	t       *testing.T
	board   boards.Board
	dir     string
	image   string
	options machineOptions
	machine *machine
	started time.Time
	console []string        // file by start of QEMU
	flag    pifirmware.Flag // of a Raspberry Pi's firmware, which the test stands in for
	usb     bool            // sticks can be plugged in
	nic     string          // the network card; empty: the usual one
	display bool            // a PC has one
	rtc     string          // what the clock starts at; empty: as machineOptions has it
}

// newPair is a station that has no image yet.
func newPair(t *testing.T, b boards.Board) *pair {
	t.Helper()
	dir, err := os.MkdirTemp("", "tc") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &pair{t: t, board: b, dir: dir, started: time.Now()}
}

// startPair builds a board's image, puts what mode says into slot b, and boots.
func startPair(t *testing.T, b boards.Board, mode string) *pair {
	t.Helper()
	needQEMU(t, b)
	p := newPair(t, b)
	p.build(buildOptions{Board: b.Name, Dir: p.dir, Extra: []string{"./guest"}, Log: t.Logf})
	if mode != "" {
		p.fillSlotB(mode)
	}
	p.boot()
	return p
}

// build makes the card.
func (p *pair) build(o buildOptions) {
	p.t.Helper()
	var err error
	if p.image, err = build(p.t.Context(), o); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Truncate(p.image, cardSize(p.board)); err != nil {
		p.t.Fatal(err)
	}
}

// boot starts the station for the first time.
func (p *pair) boot() {
	p.t.Helper()
	fw, err := findFirmware(p.t.Context(), p.board, p.t.Logf)
	if err != nil {
		p.t.Fatal(err)
	}
	p.options = machineOptions{Board: p.board, Firmware: fw, Image: p.image, Dir: p.dir, HTTP: freePort(p.t), Display: p.display, USB: p.usb, NIC: p.nic, RTC: p.rtc}
	p.start()
	p.t.Cleanup(func() {
		p.machine.stop()
		if p.t.Failed() {
			p.t.Logf("console:\n%s", p.consoleText())
		}
	})
}

// fillSlotB writes a second bootable pair. Its kernel is slot a's.
func (p *pair) fillSlotB(mode string) {
	p.t.Helper()
	made := boardParts(p.t, p.board)
	bin := p.t.TempDir()
	if err := compile(p.t.Context(), p.board.GOARCH, made.edition, bin, ownModule+"/image/guest", ownModule+"/image/earlyboot/initrd"); err != nil {
		p.t.Fatal(err)
	}
	var err error
	if p.board.Kernel.Initrd {
		if made.initrd, err = makeInitrd(p.board, made.kernel, filepath.Join(bin, "initrd")); err != nil {
			p.t.Fatal(err)
		}
	}
	files, err := slotFiles(made, "b", cmdline(p.board, "b")+" truechimer.trial=30s truechimer.test="+mode)
	if err != nil {
		p.t.Fatal(err)
	}
	f, err := os.OpenFile(p.image, os.O_RDWR, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if err := bootfs.WriteSlot(io.NewOffsetWriter(f, disk.BootStart), bootfs.SlotB, files, buildDate); err != nil {
		p.t.Fatal(err)
	}
	rootB := io.NewOffsetWriter(f, disk.RootBStart)
	if mode == "idle" || mode == "commit" {
		if _, err := io.Copy(rootB, io.NewSectionReader(f, disk.RootAStart, disk.RootASize)); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	guest := filepath.Join(bin, "guest")
	st, err := os.Stat(guest)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := squash.Write(rootB, []squash.Entry{
		{Path: "dev", Mode: os.ModeDir | 0o755}, {Path: "proc", Mode: os.ModeDir | 0o755},
		{Path: "gokrazy/init", Mode: 0o755, Size: st.Size(), Open: opener(guest)},
	}, buildDate); err != nil {
		p.t.Fatal(err)
	}
}

// start starts QEMU. What a Raspberry Pi's firmware was told is forgotten by that.
func (p *pair) start() {
	p.t.Helper()
	p.console = append(p.console, filepath.Join(p.dir, fmt.Sprintf("console-%d.log", len(p.console)+1)))
	p.options.Console, p.options.Tryboot = p.console[len(p.console)-1], p.flag.Start()
	var err error
	if p.machine, err = startMachine(p.t.Context(), p.options); err != nil {
		p.t.Fatal(err)
	}
}

// again stands in for the firmware of a Raspberry Pi, which QEMU does not have:
// the board was reset, and starts anew.
func (p *pair) again() {
	p.t.Helper()
	p.machine.stop()
	p.start()
}

func (p *pair) consoleText() string {
	text := ""
	for _, name := range p.console {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // QEMU may not have come so far
			p.t.Fatal(err)
		}
		text += string(b)
	}
	return text
}

// says waits until the consoles say something for the nth time.
func (p *pair) says(pattern string, n int, limit time.Duration) {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	p.until(fmt.Sprintf("the console says %q, %d times", pattern, n), limit, func() bool {
		return len(want.FindAllString(p.consoleText(), -1)) >= n
	})
}

// runs waits until the page is served from a slot.
func (p *pair) runs(slot string, limit time.Duration) {
	p.t.Helper()
	p.until("the page of slot "+slot, limit, func() bool {
		st, err := fetchStatus(p.t.Context(), "http://"+p.options.HTTP)
		return err == nil && st.Station.Slot != nil && *st.Station.Slot == slot && st.Station.Board == p.board.Name
	})
}

func (p *pair) until(what string, limit time.Duration, done func() bool) {
	p.t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if done() {
			p.t.Logf("%5.1f s: %s", time.Since(p.started).Seconds(), what)
			return
		}
		select {
		case <-p.machine.done:
			p.t.Fatalf("%s: QEMU ended: %v", what, p.machine.err)
		case <-tick.C:
		}
	}
	p.t.Fatalf("%s: not within %v", what, limit)
}

// slotA is what belongs to slot a, as a sum.
func (p *pair) slotA() string {
	p.t.Helper()
	f, err := os.Open(p.image)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	for _, x := range append(bootfs.SlotExtents(bootfs.SlotA), bootfs.Extent{Offset: disk.RootAStart - disk.BootStart, Length: disk.RootASize}) {
		if _, err := io.Copy(h, io.NewSectionReader(f, disk.BootStart+x.Offset, x.Length)); err != nil {
			p.t.Fatal(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// committed reads from the card which slot boots.
func (p *pair) committed() bootfs.Slot {
	p.t.Helper()
	f, err := os.OpenFile(p.image, os.O_RDWR, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	c, err := bootctl.ForBoard(p.board, bootfs.SlotA, &part{f, disk.BootStart, disk.BootSize}, &part{f, disk.StateStart, disk.StateSize}, noVariables{})
	if err != nil {
		p.t.Fatal(err)
	}
	now, err := c.Current()
	if err != nil {
		p.t.Fatal(err)
	}
	return now.Committed
}

// part is a partition of a disk image.
type part struct {
	f           *os.File
	start, size int64
}

func (p *part) ReadAt(b []byte, off int64) (int, error) {
	return io.NewSectionReader(p.f, p.start, p.size).ReadAt(b, off)
}
func (p *part) WriteAt(b []byte, off int64) (int, error) { return p.f.WriteAt(b, p.start+off) }
func (p *part) Sync() error                              { return p.f.Sync() }

// noVariables are those of a firmware that keeps none for us.
type noVariables struct{}

func (noVariables) Read(string) ([]byte, error) { return nil, os.ErrNotExist }
func (noVariables) Write(string, []byte) error  { return os.ErrPermission }
func (noVariables) Delete(string) error         { return nil }

// Limits of how long things may take on a slow, shared machine.
const (
	bootLimit  = 4 * time.Minute
	resetLimit = 3 * time.Minute
)

// comesBack boots slot a, which has slot b tried, and waits for what becomes of
// that: slot a runs again, and is as it was.
func comesBack(t *testing.T, b boards.Board, mode string) *pair {
	t.Helper()
	p := startPair(t, b, mode)
	before := p.slotA()
	// It has had an answer from the page by then, and restarts at once.
	p.says(`guest: page over tcp: 200 OK`, 1, bootLimit)
	p.says(`guest: running a, committed a, trial false`, 1, bootLimit)
	p.says(`guest: restarting with`, 1, bootLimit)
	if b.Loader == boards.LoaderPi {
		p.says(`reboot: Restarting system with command '0 tryboot'`, 1, resetLimit)
		p.flag.Reboot("0 tryboot")
		p.again()
	}
	switch mode {
	case "panic":
		p.says(`guest: first process of slot b, mode panic`, 1, bootLimit)
		p.says(`Kernel panic`, 1, bootLimit)
	case "hang":
		p.says(`guest: first process of slot b, mode hang`, 1, bootLimit)
	case "idle":
		p.runs("b", bootLimit)
		p.says(`init: slot b is on trial`, 1, bootLimit)
		p.says(`init: slot b was not committed in time`, 1, resetLimit)
	}
	if b.Loader == boards.LoaderPi {
		// A panic and an end of the trial restart the board; a hang is for the
		// watchdog that the firmware has started.
		p.flag.PowerCut()
		p.again()
	}
	p.says(`guest: running a, committed a, trial false`, 2, bootLimit+resetLimit)
	p.runs("a", bootLimit)
	p.machine.stop()
	if p.slotA() != before {
		t.Error("slot a was changed")
	}
	if got := p.committed(); got != bootfs.SlotA {
		t.Errorf("slot %s is committed", got)
	}
	return p
}
