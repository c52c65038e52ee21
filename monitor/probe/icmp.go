package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/truechimer/truechimer/monitor"
)

// icmpError is a failure of the request reported after it had been sent: by an
// ICMP message, or by the station's own stack.
type icmpError struct {
	errno syscall.Errno
	local bool       // not from the path: this station's own doing
	from  netip.Addr // who sent the ICMP message, where known
	typ   uint8      // ICMP type and code, where from is known
	code  uint8
}

func (e *icmpError) Error() string {
	switch {
	case e.local:
		return fmt.Sprintf("the station could not send: %v", e.errno)
	case e.from.IsValid():
		return fmt.Sprintf("%v: icmp type %d code %d from %s", e.errno, e.typ, e.code, e.from)
	default:
		return e.errno.Error()
	}
}

func (e *icmpError) Unwrap() error { return e.errno }

// outcome is what the failure of a request to an address means. Refused is the
// server's own word only: a router or firewall on the way, the station's own
// included, may send the same. Where the sender is not known, it is believed.
func (e *icmpError) outcome(to netip.Addr) monitor.Outcome {
	switch {
	case e.local:
		return monitor.OutcomeSendError
	case e.errno == syscall.ECONNREFUSED && (!e.from.IsValid() || e.from.Unmap() == to.Unmap().WithZone("")):
		return monitor.OutcomeRefused
	default:
		return monitor.OutcomeUnreachable
	}
}

// finding is the failure by its ICMP message or, where that is not known, by the
// error that the system makes of it. ICMP: RFC 792, RFC 1122 section 3.2.2.1, RFC
// 1812 section 5.2.7.1; ICMPv6: RFC 4443 section 3.
func (e *icmpError) finding() monitor.Finding {
	// Code 1 of exceeded is about fragments.
	const unreachable, exceeded, unreachable6, exceeded6 = 3, 11, 1, 3
	six := e.from.IsValid() && !e.from.Unmap().Is4()
	switch {
	case e.local:
		return monitor.FindingSendError
	case !e.from.IsValid():
		return errnoFinding(e.errno)
	case e.code == 0 && (!six && e.typ == exceeded || six && e.typ == exceeded6):
		return monitor.FindingTTLExceeded
	case !six && e.typ == unreachable:
		switch e.code {
		case 0, 6, 11:
			return monitor.FindingICMPNet
		case 1, 7, 8, 12:
			return monitor.FindingICMPHost
		case 3:
			return monitor.FindingICMPPort
		case 9, 10, 13:
			return monitor.FindingICMPAdmin
		}
	case six && e.typ == unreachable6:
		switch e.code {
		case 0:
			return monitor.FindingICMPNet
		case 3:
			return monitor.FindingICMPHost
		case 4:
			return monitor.FindingICMPPort
		case 1, 5, 6: // the last two tell more of the first
			return monitor.FindingICMPAdmin
		}
	}
	return monitor.FindingICMPOther
}

func errnoFinding(no syscall.Errno) monitor.Finding {
	switch no {
	case syscall.ECONNREFUSED:
		return monitor.FindingICMPPort
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN, hostIsolated:
		return monitor.FindingICMPHost
	case syscall.ENETUNREACH:
		return monitor.FindingICMPNet
	}
	return monitor.FindingICMPOther
}

// classifyErrno turns an error of a receive call into an icmpError if it is
// one: a connected UDP socket has no other source of these numbers. queued is
// what the error queue says about it, nil if nothing.
func classifyErrno(err error, queued *icmpError) error {
	var no syscall.Errno
	if err == nil || !errors.As(err, &no) {
		return err
	}
	if queued != nil {
		return queued
	}
	if no == hostIsolated {
		return &icmpError{errno: no}
	}
	switch no {
	case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENOPROTOOPT, syscall.EPROTO:
		return &icmpError{errno: no}
	case syscall.EPERM, syscall.EACCES, syscall.ENETDOWN, syscall.EMSGSIZE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL:
		return &icmpError{errno: no, local: true}
	}
	return err
}
