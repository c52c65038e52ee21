//go:build browser

package browsertest

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/image/bootfs"
)

// device is the program as an image boots it: it owns the network at its end of a
// cable, its page is at ports 80 and 443, its storage is /perm and its card has a
// truechimer.toml. What an image's init tells it, the environment does.
//
// It sees nothing of this machine's devices and may not set its clock.
type device struct {
	*station
	c    *cable
	root string // the directory that it has for its root
	dhcp *leases
}

// envDevice has the test's own program become a device, with this root directory.
const envDevice = "TRUECHIMER_BROWSERTEST_DEVICE"

const deviceName = "truechimer-beef"

// newDevice plugs a device in and starts it, with the servers' names on its card.
func newDevice(t *testing.T) *device {
	t.Helper()
	c := newCable(t)
	d := &device{station: &station{t: t}, c: c, root: t.TempDir(), dhcp: c.lease()}
	for _, dir := range []string{"proc", "sys", "dev", "tmp", "etc", "perm"} {
		c.station.must(os.Mkdir(filepath.Join(d.root, dir), 0o755))
	}
	d.copyProgram()
	card, err := os.Create(filepath.Join(d.root, "card"))
	c.station.must(err)
	defer card.Close()
	file := c.serve()
	c.station.must(bootfs.Write(card, bootfs.Spec{Label: "TRUECHIMER", Time: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC), Root: []bootfs.File{{
		Path: "truechimer.toml", Size: int64(len(file)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(file)), nil },
	}}}))
	c.station.must(card.Truncate(bootfs.Size))
	d.boot()
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			t.Logf("the device's log:\n%s", d.said())
		}
	})
	return d
}

func (d *device) copyProgram() {
	from, err := os.Open(os.Getenv(envStation))
	d.c.station.must(err)
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(d.root, "appliance"), os.O_WRONLY|os.O_CREATE, 0o755)
	d.c.station.must(err)
	defer to.Close()
	_, err = io.Copy(to, from)
	d.c.station.must(err)
}

// boot starts the program.
func (d *device) boot() {
	d.t.Helper()
	args := append(d.c.station.within(), os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), envDevice+"="+d.root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	d.start(cmd)
}

// becomeDevice makes this process, in a mount namespace of its own, a device: it
// returns only what keeps it from that.
func becomeDevice(root string) error {
	runtime.LockOSThread() // whose rights the program has
	mount := func(source, target, kind string, flags uintptr) error {
		target = filepath.Join(root, target)
		if err := unix.Mount(source, target, kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"/proc", "proc", "", unix.MS_BIND},
		{"sysfs", "sys", "sysfs", unix.MS_RDONLY},
		{"tmpfs", "dev", "tmpfs", 0},
		{"tmpfs", "tmp", "tmpfs", 0},
	} {
		if err := mount(m.source, m.target, m.kind, m.flags); err != nil {
			return err
		}
	}
	for _, name := range []string{"null", "zero", "random", "urandom"} {
		f, err := os.Create(filepath.Join(root, "dev", name))
		if err != nil {
			return err
		}
		f.Close()
		if err := mount("/dev/"+name, "dev/"+name, "", unix.MS_BIND); err != nil {
			return err
		}
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	keep := map[uintptr]bool{
		unix.CAP_NET_ADMIN: true, unix.CAP_NET_RAW: true, unix.CAP_NET_BIND_SERVICE: true,
		unix.CAP_DAC_OVERRIDE: true, unix.CAP_CHOWN: true, unix.CAP_FOWNER: true,
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if keep[c] {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL { // the kernel knows fewer
			return fmt.Errorf("give up capability %d: %w", c, err)
		}
	}
	return unix.Exec("/appliance", []string{"/appliance"}, []string{
		"TRUECHIMER_ID=00112233445566778899aabbccddbeef", "TRUECHIMER_NAME=" + deviceName, "TRUECHIMER_BOARD=vm-amd64",
		"TRUECHIMER_SLOT=a", "TRUECHIMER_BOOT_DEVICE=/card",
	})
}

// leases is the DHCP server at the far end of a cable.
type leases struct {
	net    atomic.Int32 // third byte of what is granted; 0: 77
	silent atomic.Bool
}

// leased is the address that it grants in a net, 192.168.<net>.0/24.
func leased(net int) string { return fmt.Sprintf("192.168.%d.20", net) }

// lease starts the server.
func (c *cable) lease() *leases {
	c.servers.t.Helper()
	l := &leases{}
	var server *server4.Server
	c.servers.in(func() (err error) {
		server, err = server4.NewServer("cable", nil, l.answer)
		return err
	})
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve() })
	c.servers.t.Cleanup(func() {
		server.Close()
		wg.Wait()
	})
	return l
}

func (l *leases) answer(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
	if l.silent.Load() {
		return
	}
	third := byte(cmp.Or(l.net.Load(), 77))
	router := net.IPv4(192, 168, third, 1)
	kind := dhcpv4.MessageTypeOffer
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
	}
	reply, err := dhcpv4.NewReplyFromRequest(m,
		dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.IPv4(192, 168, third, 20)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(router)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithRouter(router), dhcpv4.WithLeaseTime(3600),
	)
	if err == nil {
		_, _ = conn.WriteTo(reply.ToBytes(), peer) // who does not hear it asks once more
	}
}
