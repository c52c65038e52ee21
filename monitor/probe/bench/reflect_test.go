//go:build bench && linux

package bench

import (
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
)

// reflectPort is where the reflector answers, for rates that are no test of
// chronyd, whose socket has room for some hundred packets.
const reflectPort = 124

// reflectAll answers every request, from the address it came to.
func reflectAll() error {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: reflectPort})
	if err != nil {
		return err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 8<<20)
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUFFORCE, 8<<20)
	})
	p := ipv4.NewPacketConn(c)
	if err := p.SetControlMessage(ipv4.FlagDst, true); err != nil {
		return err
	}
	list := make([]ipv4.Message, 64)
	for i := range list {
		list[i].Buffers = [][]byte{make([]byte, 48)}
		list[i].OOB = ipv4.NewControlMessage(ipv4.FlagDst)
	}
	var cm ipv4.ControlMessage
	for {
		n, err := p.ReadBatch(list, 0)
		if err != nil {
			return err
		}
		now := time.Now()
		stamp := uint64(now.Unix()+2208988800)<<32 | uint64(now.Nanosecond())<<32/1e9
		for i := range list[:n] {
			m := &list[i]
			b := m.Buffers[0]
			b[0], b[1], b[3] = 4<<3|4, 1, 0xec
			copy(b[24:32], b[40:48])
			binary.BigEndian.PutUint64(b[32:], stamp)
			binary.BigEndian.PutUint64(b[40:], stamp)
			cm.Parse(m.OOB[:m.NN])
			m.OOB = append(m.OOB[:0], (&ipv4.ControlMessage{Src: cm.Dst}).Marshal()...)
		}
		for at := 0; at < n; {
			k, err := p.WriteBatch(list[at:n], 0)
			if err != nil {
				at++ // the client is gone
				continue
			}
			at += k
		}
		for i := range list {
			list[i].OOB = list[i].OOB[:cap(list[i].OOB)]
		}
	}
}

// reflect starts the reflector.
func (w *world) reflect() {
	cmd := bound(exec.Command("ip", "netns", "exec", w.far, os.Args[0]))
	cmd.Env = append(os.Environ(), roleVar+"="+role{Do: "reflect"}.String())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}
