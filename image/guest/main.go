// Command guest is what the boot tests run inside an image. As a further
// program of slot a it asks for the page over a VM socket, where there are any,
// makes a VLAN, and has slot b tried once, if something is in it. In slot b it is what the test
// wants that slot to be, as the kernel's command line says:
//
//	truechimer.test=panic    the first process ends, and the kernel panics
//	truechimer.test=hang     the first process stands still
//	truechimer.test=idle     a good system that nobody commits
//	truechimer.test=commit   a good system that is committed, and then restarted
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mdlayher/vsock"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// done is where slot a remembers that it has had slot b tried.
const done = "/perm/guest-tried"

func main() {
	mode := argument("truechimer.test")
	if os.Getpid() == 1 {
		fmt.Printf("guest: first process of slot %s, mode %s\n", argument("truechimer.slot"), mode)
		// A panic leaves behind what the line has not sent yet (tcdrain).
		unix.IoctlSetInt(int(os.Stdout.Fd()), unix.TCSBRK, 1)
		if mode == "hang" {
			select {}
		}
		os.Exit(1)
	}
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		console = os.Stderr
	}
	say := func(format string, args ...any) { fmt.Fprintf(console, "guest: "+format+"\n", args...) }
	if err := logic(mode, say); err != nil {
		say("failed: %v", err)
	}
	os.Exit(125) // gokrazy does not start it again
}

func logic(mode string, say func(string, ...any)) error {
	if err := page("tcp", func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:80") }, say); err != nil {
		return err
	}
	if _, err := os.Stat("/dev/vsock"); err == nil {
		if err := page("vsock", func() (net.Conn, error) { return vsock.Dial(vsock.Local, 80, nil) }, say); err != nil {
			return err
		}
	}
	if err := vlan(say); err != nil {
		return err
	}
	b, err := boards.ByName(os.Getenv("TRUECHIMER_BOARD"))
	if err != nil {
		return err
	}
	slot := bootfs.Slot(os.Getenv("TRUECHIMER_SLOT"))
	boot, err := os.OpenFile(os.Getenv("TRUECHIMER_BOOT_DEVICE"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	state, err := os.OpenFile(os.Getenv("TRUECHIMER_STATE_DEVICE"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	control, err := bootctl.ForBoard(b, slot, boot, state, bootctl.Efivars(bootctl.EfivarsDir))
	if err != nil {
		return err
	}
	now, err := control.Current()
	if err != nil {
		return err
	}
	say("running %s, committed %s, trial %v", now.Running, now.Committed, now.Trial)
	switch {
	case slot == bootfs.SlotB && mode == "commit" && now.Trial:
		if err := control.Commit(slot); err != nil {
			return err
		}
		say("committed %s", slot)
		return restart("", say)
	case slot == bootfs.SlotA && !now.Trial:
		return try(boot, control, say)
	}
	return nil
}

// try has slot b tried, once in the life of the card.
func try(boot *os.File, control bootctl.Control, say func(string, ...any)) error {
	fat, err := bootfs.Open(boot)
	if err != nil {
		return err
	}
	list, err := fat.ReadDir("b")
	if err != nil {
		return err
	}
	if _, err := os.Stat(done); err == nil || len(list) < 2 { // nothing but its room
		return nil
	}
	f, err := os.Create(done)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	argument, err := control.TryOnce(bootfs.SlotB)
	if err != nil {
		return err
	}
	return restart(argument, say)
}

func restart(argument string, say func(string, ...any)) error {
	say("restarting with %q", argument)
	return bootctl.Restart(argument)
}

// page asks for the page until it answers.
func page(network string, dial func() (net.Conn, error), say func(string, ...any)) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() },
	}}
	var err error
	for range 60 {
		var resp *http.Response
		if resp, err = client.Get("http://station/api/v1/status"); err == nil {
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			resp.Body.Close()
			say("page over %s: %s, %d bytes", network, resp.Status, len(b))
			return nil
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("page over %s: %w", network, err)
}

// vlan says whether the kernel makes the link of a VLAN on a cable.
func vlan(say func(string, ...any)) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		if l.Type() != "device" || a.EncapType != "ether" {
			continue
		}
		v := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "vlan4000", ParentIndex: a.Index}, VlanId: 4000}
		err := netlink.LinkAdd(v)
		if errors.Is(err, unix.EOPNOTSUPP) {
			say("no VLANs on %s", a.Name)
			return nil
		}
		if err == nil {
			err = netlink.LinkDel(v)
		}
		say("VLAN on %s: %v", a.Name, err)
		return nil
	}
	return errors.New("there is no Ethernet link")
}

// argument is a value on the kernel's command line.
func argument(name string) string {
	if os.Getpid() == 1 {
		unix.Mount("proc", "/proc", "proc", 0, "")
	}
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	for _, a := range strings.Fields(string(b)) {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
	}
	return ""
}
