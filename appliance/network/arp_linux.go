package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// arpSocket hears and sends ARP on one link. It implements wire.
type arpSocket struct{ conn *packet.Conn }

func openARP(link netlink.Link) (*arpSocket, error) {
	ifi, err := net.InterfaceByIndex(link.Attrs().Index)
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(ifi, packet.Datagram, unix.ETH_P_ARP, nil)
	if err != nil {
		return nil, fmt.Errorf("ARP cannot be heard on %s: %w", link.Attrs().Name, err)
	}
	return &arpSocket{conn}, nil
}

func (s *arpSocket) receive(ctx context.Context, d time.Duration) (arp, bool, error) {
	end := time.Now().Add(d)
	if err := s.conn.SetReadDeadline(end); err != nil {
		return arp{}, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, 64) // what is behind a packet of ARP is padding
	for {
		n, _, err := s.conn.ReadFrom(b)
		if ctx.Err() != nil {
			return arp{}, false, ctx.Err()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return s.late(b)
		}
		if err != nil {
			return arp{}, false, err
		}
		if p, ok := parseARP(b[:n]); ok {
			return p, true, nil
		}
	}
}

// late gives what has come by now.
func (s *arpSocket) late(b []byte) (arp, bool, error) {
	for range mostLate {
		n, err := s.come(b)
		if err != nil || n == 0 {
			return arp{}, false, err
		}
		if p, ok := parseARP(b[:n]); ok {
			return p, true, nil
		}
	}
	return arp{}, false, nil
}

// come reads what has come without waiting; 0: nothing. A read with a deadline
// that is over does not look.
func (s *arpSocket) come(b []byte) (n int, err error) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	readErr := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
		return true
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		n, err = 0, nil
	}
	return max(n, 0), errors.Join(readErr, err)
}

func (s *arpSocket) send(p arp) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := s.conn.WriteTo(p.bytes(), &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}})
	return err
}
