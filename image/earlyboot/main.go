// Command earlyboot is /gokrazy/init of a station image: the first process.
//
// It makes the file system of /perm at the first boot, hands over to gokrazy's
// runtime for mounting and supervision, gives the station its identity, starts
// the appliance, and feeds the hardware watchdog for as long as the appliance
// shows that it is alive.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/gokrazy/gokrazy"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/disk"
	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("init: ")
	if err := logic(); err != nil {
		log.Printf("the station cannot be brought up: %v", err)
	}
	// The first process must not end: the kernel would panic and boot again,
	// and again. A station that could not be brought up shows no sign of life,
	// so the watchdog resets it, but only as often as it may.
	for {
		time.Sleep(time.Hour)
	}
}

// logic brings the station up. What it starts goes on when it has returned.
func logic() error {
	// Before gokrazy opens it: its own pinger feeds the watchdog whatever the
	// appliance does.
	guard := &dog{clock: sinceBoot}
	missing := guard.open()
	mountKernelFilesystems()
	loadModules()
	if missing != nil { // the driver may be among them
		missing = guard.open()
	}
	if missing != nil {
		log.Printf("no hardware watchdog: %v", missing)
	}
	mountEFIVariables()
	card := findDisk()
	cmdline := readLine("/proc/cmdline")
	board, slot := readLine("/etc/truechimer/board"), slotOf(cmdline)
	rescue := rescued(cmdline)
	if control, err := card.bootControl(board, slot); err != nil {
		log.Printf("boot control: %v", err)
	} else if rescue {
		log.Printf("the committed slot cannot be started: this is the other one")
	} else {
		// Before anything that may fail in a new release.
		(&trial{control, trialLimit(cmdline), time.Sleep, restart}).begin()
	}
	safe := guard.watchOver(card)
	usable := card.makePerm(formatPerm)

	if err := gokrazy.Boot(readLine("/etc/truechimer/build")); err != nil {
		return fmt.Errorf("gokrazy: %w", err)
	}
	guard.listen(aliveSocket)

	station := &station{
		board:       board,
		slot:        slot,
		bootDevice:  card.partition[disk.Boot],
		stateDevice: card.partition[disk.State],
		rootA:       card.partition[disk.RootA],
		rootB:       card.partition[disk.RootB],
		volatile:    settlePerm(usable),
		safe:        safe,
		rescue:      rescue,
	}
	what, err := boards.ByName(board)
	if err != nil {
		log.Print(err)
	}
	station.identity = identify(card.state, serialOf("/", what), readLine(machineID))
	if err := keepMachineID(machineID, station.identity.ID); err != nil {
		log.Printf("keeping the machine id: %v", err)
	}
	if err := unix.Sethostname([]byte(station.name())); err != nil {
		log.Printf("setting the host name: %v", err)
	}

	appliance := exec.Command("/user/appliance")
	appliance.Env = append(os.Environ(), station.environment()...)
	randomd := exec.Command("/gokrazy/randomd")
	services := []*gokrazy.Service{gokrazy.NewService(appliance), gokrazy.NewService(randomd)}
	for _, path := range extraPrograms("/") {
		program := exec.Command(path)
		program.Env = append(os.Environ(), station.facts()...)
		services = append(services, gokrazy.NewService(program))
	}
	if err := gokrazy.SuperviseServices(services); err != nil {
		return fmt.Errorf("gokrazy: %w", err)
	}
	log.Printf("%s is up after %s", station.name(), sinceBoot().Round(10*time.Millisecond))
	return nil
}

// mountKernelFilesystems mounts /proc and /sys, which finding the disk needs;
// gokrazy.Boot accepts that they are there, and mounts them where this fails.
func mountKernelFilesystems() {
	for _, m := range []struct{ fs, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := unix.Mount(m.fs, m.at, m.fs, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil && err != unix.EBUSY {
			log.Printf("mounting %s: %v", m.at, err)
		}
	}
}

// mountEFIVariables mounts the variables that the firmware of a PC keeps, where
// the machine has such firmware.
func mountEFIVariables() {
	if _, err := os.Stat(bootctl.EfivarsDir); err != nil {
		return
	}
	if err := unix.Mount("efivarfs", bootctl.EfivarsDir, "efivarfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil && err != unix.EBUSY {
		log.Printf("mounting %s: %v", bootctl.EfivarsDir, err)
	}
}

func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
