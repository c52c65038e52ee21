package update

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/truechimer/truechimer/appliance/update/fetch"
)

// plain is an error as people read it: without the names of calls and files that
// it came through where it is the network's or the card's. The log has all of it.
func plain(err error) string {
	for _, class := range []error{errReach, errFetch, errKeep, errRoot} {
		if !errors.Is(err, class) {
			continue
		}
		if list, ok := causes(err, "the update host"); ok {
			return fmt.Sprintf("%v: %s", class, strings.Join(list, "; "))
		}
		if class == errRoot {
			return class.Error()
		}
	}
	return err.Error()
}

// causes are what the errors that err is made of say in plain words, each once;
// not ok if none of them is known. At is where what follows happened.
func causes(err error, at string) (list []string, ok bool) {
	switch e := err.(type) {
	case *url.Error:
		if u, err := url.Parse(e.URL); err == nil && u.Host != "" {
			at = u.Host
		}
	case *net.OpError:
		if e.Op == "dial" && e.Addr != nil {
			at = e.Addr.String()
		}
	}
	if s := cause(err, at); s != "" {
		return []string{s}, true
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			more, known := causes(part, at)
			for _, s := range more {
				if known && !slices.Contains(list, s) {
					list = append(list, s)
				}
			}
		}
		return list, len(list) > 0
	case interface{ Unwrap() error }:
		if list, ok = causes(e.Unwrap(), at); ok {
			return list, true
		}
		if _, is := e.(*url.Error); is { // what it wraps is plain already
			return []string{at + ": " + e.Unwrap().Error()}, true
		}
	}
	return nil, false
}

// cause is what one error says, not those that it wraps; empty: it is not known.
func cause(err error, at string) string {
	switch e := err.(type) {
	case *net.DNSError:
		if e.IsNotFound {
			return fmt.Sprintf("there is no host of the name %s", e.Name)
		}
		return fmt.Sprintf("no name server tells the address of %s", e.Name)
	case x509.HostnameError:
		return fmt.Sprintf("the certificate of %s is another host's", at)
	case x509.CertificateInvalidError:
		if e.Reason == x509.Expired {
			return fmt.Sprintf("the certificate of %s has expired, or is not valid yet", at)
		}
	case *tls.CertificateVerificationError:
		if inner := cause(e.Err, at); inner != "" {
			return inner
		}
		return fmt.Sprintf("the certificate of %s is not one to be trusted", at)
	case tls.RecordHeaderError:
		return fmt.Sprintf("%s does not speak https", at)
	case syscall.Errno:
		switch e {
		case syscall.ECONNREFUSED:
			return at + " refuses connections"
		case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL:
			return "there is no way to " + at
		case syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE:
			return at + " breaks connections off"
		case syscall.ETIMEDOUT:
			return at + " does not answer"
		}
		return e.Error() // the card's
	case interface{ Unwrap() error }:
		switch e.Unwrap() {
		case fetch.ErrRefused, fetch.ErrSlow, fetch.ErrTooLarge: // which say more around it
			return err.Error()
		}
		return ""
	case interface{ Timeout() bool }:
		if e.Timeout() {
			return at + " does not answer"
		}
	}
	switch err {
	case http.ErrSchemeMismatch:
		return at + " does not speak https"
	case io.EOF, io.ErrUnexpectedEOF:
		return at + " breaks connections off"
	case fs.ErrNotExist:
		return at + " does not have all files"
	}
	return ""
}
