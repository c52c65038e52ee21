package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// tcpListen is the kernel's number for a listening TCP socket.
const tcpListen = 10

// settled is how long after its start the station has all its sockets open.
const settled = 20 * time.Second

// logOpenSockets logs, once the station has settled, every socket on which it
// can be reached from the network: what a person would find with ss.
func logOpenSockets(ctx context.Context, log *slog.Logger) error {
	wait(ctx, settled)
	if ctx.Err() != nil {
		return nil
	}
	list, err := openSockets("/proc")
	if err != nil {
		return fmt.Errorf("open sockets are not known: %w", err)
	}
	log.Info("open sockets", "list", strings.Join(list, ", "))
	return nil
}

func openSockets(proc string) ([]string, error) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, t := range []struct {
		name string
		read func() (procfs.NetTCP, error)
		//lint:ignore SA1019 slow with very many sockets, of which a station has a handful
	}{{"tcp", fs.NetTCP}, {"tcp", fs.NetTCP6}} {
		lines, err := t.read()
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if l.St == tcpListen {
				list = append(list, fmt.Sprintf("%s %s", t.name, address(l.LocalAddr, l.LocalPort)))
			}
		}
	}
	for _, read := range []func() (procfs.NetUDP, error){fs.NetUDP, fs.NetUDP6} {
		lines, err := read()
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			// A connected socket takes packets from its peer alone.
			if l.RemPort == 0 && !l.LocalAddr.IsLoopback() {
				list = append(list, "udp "+address(l.LocalAddr, l.LocalPort))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func address(ip net.IP, port uint64) string {
	return net.JoinHostPort(ip.String(), fmt.Sprint(port))
}
