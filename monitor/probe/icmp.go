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
	switch no {
	case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENOPROTOOPT, syscall.EPROTO:
		return &icmpError{errno: no}
	case syscall.EPERM, syscall.EACCES, syscall.ENETDOWN, syscall.EMSGSIZE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL:
		return &icmpError{errno: no, local: true}
	}
	return err
}
