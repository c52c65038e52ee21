// Command debugshell starts the SSH server of a builder's image. No release
// contains it.
//
// The server binds to the addresses that the station has when it starts, and
// keeps from starting by itself. So this waits for an address, and starts it as
// somebody would who asked for it.
package main

import (
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	for !reachable(net.InterfaceAddrs) {
		time.Sleep(time.Second)
	}
	if err := start(syscall.Exec, os.Environ()); err != nil {
		log.Print(err)
		os.Exit(1) // it is started again
	}
}

// start becomes the server. /perm holds its host key.
func start(exec func(path string, args, env []string) error, env []string) error {
	const server = "/user/breakglass"
	args := []string{server, "-authorized_keys=/etc/breakglass.authorized_keys", "-host_key=/perm/breakglass.host_key"}
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, "GOKRAZY_FIRST_START=") {
			kept = append(kept, v)
		}
	}
	if err := exec(server, args, kept); err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	return nil
}

// reachable says whether there is an address that the server would bind to and
// that others can reach: a private one that is not the loopback's.
func reachable(addrs func() ([]net.Addr, error)) bool {
	list, err := addrs()
	if err != nil {
		log.Printf("listing addresses: %v", err)
		return false
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsPrivate() {
			return true
		}
	}
	return false
}
