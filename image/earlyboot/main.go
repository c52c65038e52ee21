// Command earlyboot is /gokrazy/init of a station image: the first process.
//
// It gives the station its identity, makes the file system of /perm at the
// first boot, hands over to gokrazy's runtime for mounting and supervision,
// starts the appliance, and feeds the hardware watchdog for as long as the
// appliance shows that it is alive.
package main

import (
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/gokrazy/gokrazy"
	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("init: ")
	// Without the runtime there is neither page nor update: the kernel's
	// panic=10 and the boot loader's rules decide what is booted next.
	log.Fatal(logic())
}

// logic returns only when the station cannot be brought up.
func logic() error {
	// Before gokrazy opens it: its own pinger feeds the watchdog whatever the
	// appliance does.
	dog := openWatchdog()
	if err := mountKernelFilesystems(); err != nil {
		return err
	}
	disk := findDisk()
	station := prepare(disk)

	if err := gokrazy.Boot(station.build); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(station.name())); err != nil {
		log.Printf("setting the host name: %v", err)
	}
	station.settlePerm()
	go dog.feed(disk)

	env := append(os.Environ(), station.environment()...)
	appliance := exec.Command("/user/appliance")
	appliance.Env = env
	randomd := exec.Command("/gokrazy/randomd")
	if err := gokrazy.SuperviseServices([]*gokrazy.Service{
		gokrazy.NewService(appliance),
		gokrazy.NewService(randomd),
	}); err != nil {
		return err
	}
	log.Printf("%s is up after %s", station.name(), sinceBoot().Round(10*time.Millisecond))
	select {}
}

// mountKernelFilesystems mounts /proc and /sys, which finding the disk needs;
// gokrazy.Boot accepts that they are there.
func mountKernelFilesystems() error {
	for _, m := range []struct{ fs, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := unix.Mount(m.fs, m.at, m.fs, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil && err != unix.EBUSY {
			return &os.PathError{Op: "mount", Path: m.at, Err: err}
		}
	}
	return nil
}

func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
