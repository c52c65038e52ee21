// Command initrd is /init of a slot's initial file system: it loads what the
// kernel needs to reach the root, arms the hardware watchdog, mounts the root
// that the command line names and makes it the first process's.
//
// There is no shell and no second way: what goes wrong is said on the console,
// and the kernel starts anew when the first process has ended (panic=10). A
// slot on trial is then not tried again.
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/mdlayher/watchdog"
	"github.com/truechimer/truechimer/image/kmod"
	"golang.org/x/sys/unix"
)

const (
	newRoot = "/root"
	program = "/gokrazy/init"
	// patience is how long disks may take to appear: those on USB are slow.
	patience = 60 * time.Second
	again    = 100 * time.Millisecond
	// readable is how long the reason stays on a screen before the kernel's own
	// last words.
	readable = 5 * time.Second
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("initrd: ")
	err := logic()
	log.Printf("the root cannot be reached: %v", err)
	time.Sleep(readable)
	os.Exit(1) // the kernel panics, and starts anew after panic= seconds
}

// logic returns only if it fails.
func logic() error {
	mounts := []struct{ fs, at string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}}
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.fs, m.at, m.fs, unix.MS_NOSUID, ""); err != nil {
			return &os.PathError{Op: "mount", Path: m.at, Err: err}
		}
	}
	// The archive holds no device node, so the kernel gave this process no console.
	if console, err := os.OpenFile("/dev/console", os.O_RDWR, 0); err == nil {
		for fd := range 3 {
			unix.Dup3(int(console.Fd()), fd, 0)
		}
	}
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	want, err := parseRoot(string(cmdline))
	if err != nil {
		return err
	}
	device, err := await(want)
	if err != nil {
		return err
	}
	armWatchdog()
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(device, newRoot, "squashfs", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", device, err)
	}
	return switchRoot()
}

// await loads modules until the disk with the root is there.
func await(want root) (device string, err error) {
	modules, err := kmod.Running()
	if err != nil {
		return "", err
	}
	modules.Log = log.Printf
	modules.Always()
	for range patience / again {
		for modules.Coldplug() > 0 {
		}
		if device, err = want.find("/sys/block", "/dev"); err == nil {
			return device, nil
		}
		time.Sleep(again)
	}
	return "", err
}

// armWatchdog starts the hardware watchdog, so that the root's first process
// is reset if it hangs before it gets to that. It goes on when this process
// has become that one.
func armWatchdog() {
	w, err := watchdog.Open()
	if err == nil {
		err = w.Ping()
	}
	if err != nil && !os.IsNotExist(err) {
		log.Printf("the watchdog is not armed: %v", err)
	}
}

// switchRoot makes the new root the only one, frees what the initial file
// system took of the memory, and starts the first process there.
func switchRoot() error {
	if err := unix.Mount("/dev", newRoot+"/dev", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving /dev: %w", err)
	}
	for _, at := range []string{"/proc", "/sys"} {
		unix.Unmount(at, unix.MNT_DETACH)
	}
	for _, p := range []string{"/init", "/lib"} {
		os.RemoveAll(p)
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", program, unix.Exec(program, []string{program}, os.Environ()))
}
