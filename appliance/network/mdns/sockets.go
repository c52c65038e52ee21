package mdns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	port = 5353 // RFC 6762 section 5
	hops = 255  // section 11
	// maxPacket is the largest that may come, section 17.
	maxPacket = 9000
	// mostPerSecond is how many packets are looked at of each family; more are left
	// to the kernel, which drops them.
	mostPerSecond = 200
)

var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: port}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: port}
)

type packet struct {
	from netip.AddrPort
	b    []byte
}

// sockets are those of one link, of the families that it has.
type sockets struct {
	link    *net.Interface
	four    *ipv4.PacketConn
	six     *ipv6.PacketConn
	packets chan packet // closed when no socket is left; err says why
	err     error
	done    chan struct{}
}

// openSockets joins the groups of both families on a link; one is enough.
func openSockets(name string) (*sockets, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	s := &sockets{link: ifi, packets: make(chan packet, 16), done: make(chan struct{})}
	err4, err6 := s.open4(), s.open6()
	if s.four == nil && s.six == nil {
		return nil, fmt.Errorf("port %d cannot be used: %w", port, errors.Join(err4, err6))
	}
	var readers sync.WaitGroup
	var mu sync.Mutex
	reader := func(receive func([]byte) (int, net.Addr, int, error)) {
		err := s.receive(receive)
		mu.Lock()
		defer mu.Unlock()
		s.err = errors.Join(s.err, err)
	}
	if s.four != nil {
		readers.Go(func() {
			reader(func(b []byte) (int, net.Addr, int, error) {
				n, cm, from, err := s.four.ReadFrom(b)
				if cm == nil {
					return n, from, 0, err
				}
				return n, from, cm.IfIndex, err
			})
		})
	}
	if s.six != nil {
		readers.Go(func() {
			reader(func(b []byte) (int, net.Addr, int, error) {
				n, cm, from, err := s.six.ReadFrom(b)
				if cm == nil {
					return n, from, 0, err
				}
				return n, from, cm.IfIndex, err
			})
		})
	}
	go func() {
		readers.Wait()
		close(s.packets)
	}()
	return s, nil
}

func (s *sockets) open4() error {
	c, err := net.ListenPacket("udp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(c)
	err = errors.Join(p.JoinGroup(s.link, group4), p.SetMulticastInterface(s.link), p.SetMulticastTTL(hops), p.SetTTL(hops),
		p.SetMulticastLoopback(false), p.SetControlMessage(ipv4.FlagInterface, true))
	if err != nil {
		return errors.Join(err, c.Close())
	}
	s.four = p
	return nil
}

func (s *sockets) open6() error {
	c, err := net.ListenPacket("udp6", fmt.Sprintf("[::]:%d", port))
	if err != nil {
		return err
	}
	p := ipv6.NewPacketConn(c)
	err = errors.Join(p.JoinGroup(s.link, group6), p.SetMulticastInterface(s.link), p.SetMulticastHopLimit(hops), p.SetHopLimit(hops),
		p.SetMulticastLoopback(false), p.SetControlMessage(ipv6.FlagInterface, true))
	if err != nil {
		return errors.Join(err, c.Close())
	}
	s.six = p
	return nil
}

// receive hands packets of the link on until the socket is closed or broken.
func (s *sockets) receive(from func([]byte) (int, net.Addr, int, error)) error {
	b := make([]byte, maxPacket)
	second, n := time.Now(), 0
	for {
		size, addr, index, err := from(b)
		if err != nil {
			return err
		}
		if since := time.Since(second); since >= time.Second {
			second, n = time.Now(), 0
		} else if n++; n > mostPerSecond {
			select {
			case <-s.done:
			case <-time.After(time.Second - since):
			}
		}
		udp, ok := addr.(*net.UDPAddr)
		if !ok || index != s.link.Index {
			continue
		}
		select {
		case s.packets <- packet{udp.AddrPort(), append([]byte(nil), b[:size]...)}:
		case <-s.done:
			return nil
		}
	}
}

// send sends to one host, or to all where to is not valid. What cannot be sent is
// lost, as any packet may be.
func (s *sockets) send(to netip.AddrPort, b []byte) {
	limit := time.Now().Add(time.Second)
	if s.four != nil && (!to.IsValid() || to.Addr().Unmap().Is4()) {
		_ = s.four.SetWriteDeadline(limit)
		dst := group4
		if to.IsValid() {
			dst = net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
		}
		_, _ = s.four.WriteTo(b, nil, dst)
	}
	if s.six != nil && (!to.IsValid() || !to.Addr().Unmap().Is4()) {
		_ = s.six.SetWriteDeadline(limit)
		dst := group6
		if to.IsValid() {
			dst = net.UDPAddrFromAddrPort(to)
		}
		_, _ = s.six.WriteTo(b, nil, dst)
	}
}

// close closes the sockets and waits for their readers.
func (s *sockets) close() {
	close(s.done)
	if s.four != nil {
		_ = s.four.Close()
	}
	if s.six != nil {
		_ = s.six.Close()
	}
	for range s.packets {
	}
}
