package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// guestView is the host as a guest on QEMU's user network sees it.
const guestView = "10.0.2.2"

// testbed is the world around an emulated station: a GPS receiver with its
// pulse, and NTP servers to judge, a real chronyd among them.
type testbed struct {
	receiver *gpstest.Receiver
	servers  *ntptest.Set
	chronyd  *ntptest.Chronyd
	code     string // claims the station from anywhere
}

// newTestbed starts the servers. cache keeps a chronyd that had to be fetched.
func newTestbed(ctx context.Context, dir, cache string, log func(string, ...any)) (*testbed, error) {
	program, err := ntptest.FetchChronyd(ctx, cache)
	if err != nil {
		return nil, err
	}
	t := &testbed{receiver: gpstest.New(time.Now().UnixNano()), code: rand.Text()}
	port, err := freeUDPPort()
	if err != nil {
		return nil, err
	}
	if t.chronyd, err = ntptest.StartChronyd(ctx, ntptest.ChronydOptions{
		Path: program, Dir: filepath.Join(dir, "chronyd"), Port: port,
	}); err != nil {
		return nil, err
	}
	if t.servers, err = ntptest.StartSet(); err != nil {
		t.close()
		return nil, err
	}
	t.servers.Add("chronyd", t.chronyd.Addr())
	log("NTP servers on this machine: %s", strings.Join(t.servers.Names(), ", "))
	return t, nil
}

// freeUDPPort is a port on loopback that nobody has right now.
func freeUDPPort() (uint16, error) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port(), nil
}

// config is the truechimer.toml that assigns the servers to a guest, and the claim
// code.
func (t *testbed) config() []byte {
	return fmt.Appendf(t.servers.Config(guestView), "[admin]\nclaim_code = %q\n", t.code)
}

// run drives the receiver until ctx ends: sentences to uart, edges to pulse.
func (t *testbed) run(ctx context.Context, uart io.Writer, pulse func(time.Time)) error {
	return t.receiver.Run(ctx, uart, pulse, gpstest.RealClock{})
}

// control carries out one command and says why not where it cannot.
func (t *testbed) control(command string) error {
	args := strings.Fields(command)
	if len(args) == 0 {
		return fmt.Errorf("no command; write gps, pps or server")
	}
	switch args[0] {
	case "gps", "pps":
		return t.receiver.Set(args...)
	case "server":
		return t.servers.Control(args[1:]...)
	}
	return fmt.Errorf("%q is no command; write gps, pps or server", args[0])
}

func (t *testbed) close() {
	if t.servers != nil {
		t.servers.Close()
	}
	if t.chronyd != nil {
		t.chronyd.Close()
	}
}

// cacheDir is where downloaded packages are kept between runs.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "truechimer"), nil
}
