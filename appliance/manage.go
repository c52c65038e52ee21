package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/settings"
	"github.com/truechimer/truechimer/appliance/web"
)

// secureAt says where the page is served over TLS: at an address that is given, or
// nowhere where only the plain one's is, except on a station.
func (p *platform) secureAt(listen, secure string) {
	switch {
	case secure != "":
		p.secure = secure
	case listen != "" && !p.station:
		p.secure = ""
	}
}

// newAccess makes who may change the station known to its page.
func (s *station) newAccess() (*access.Access, error) {
	p := s.platform
	o := access.Options{
		Dir: p.perm, Name: p.name, Host: s.hostname(), Interfaces: func() ([]net.Addr, error) { return s.interfaces() },
		Plain: !p.station, Begin: settings.Servers, Build: p.build, Code: s.conf.Admin.ClaimCode.Reveal(),
		Secure: func() net.Addr {
			at, _ := s.secure.Load().(net.Addr)
			return at
		},
		OnTrial: func() bool {
			m := s.manager.Load()
			if m == nil {
				return false
			}
			_, on := m.Trial()
			return on
		},
		Tell: s.notes.set, Log: s.log,
	}
	if o.Dir == "" {
		o.Dir = p.keep
	}
	if s.conf.Name != "" {
		o.Name = s.conf.Name
	}
	if text := s.conf.Admin.PasswordHash.Reveal(); text != "" {
		h, err := password.Parse(text)
		if err != nil {
			return nil, err // config has looked at it
		}
		o.Preset = h
	}
	if p.bootDevice != "" {
		o.Reset = p.readReset
	}
	return access.New(o)
}

// readReset reads the file on the card that has the password forgotten, also by the
// names that editors that hide or add an ending give it.
func (p *platform) readReset() (b []byte, err error) {
	fat, end, err := p.openCard()
	if err != nil {
		return nil, err
	}
	defer end()
	bare := strings.TrimSuffix(access.ResetName, ".txt")
	for _, name := range []string{access.ResetName, bare, bare + ".txt.txt"} {
		if b, err = fat.ReadFile(name, access.MaxReset); !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, err
}

// listenSecurely gives the listener of the page over TLS; nil where there is none
// yet, or none is wanted.
func (s *station) listenSecurely() (net.Listener, error) {
	if s.platform.secure == "" {
		return nil, nil
	}
	l, err := s.listen("tcp", s.platform.secure)
	switch {
	case err == nil:
		s.secure.Store(l.Addr())
		return l, nil
	case !s.platform.station:
		return nil, fmt.Errorf("the page cannot be served over TLS: %w; choose another address with -https", err)
	}
	s.log.Error("the page cannot be served over TLS yet", "error", err)
	return nil, nil
}

// serveSecurely serves the page over TLS on l, or on a new listener where there is
// none.
func (s *station) serveSecurely(server *http.Server, l net.Listener) error {
	if l == nil {
		var err error
		if l, err = s.listen("tcp", s.platform.secure); err != nil {
			return err
		}
		s.secure.Store(l.Addr())
	}
	s.log.Info("serving the page over TLS", "address", l.Addr())
	if err := server.Serve(tls.NewListener(web.Limit(l), s.access.TLS())); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// runPassword prints the hash of a password for truechimer.toml.
func runPassword(args []string, in *os.File, out io.Writer) error {
	if len(args) > 0 {
		return errors.New("password takes no arguments: the password is asked for, or comes in as one line")
	}
	var text string
	var err error
	if term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(os.Stderr, "The password: ")
		var b []byte
		b, err = term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(os.Stderr)
		text = string(b)
	} else {
		text, err = bufio.NewReader(io.LimitReader(in, password.Most+2)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		text = strings.TrimRight(text, "\r\n")
	}
	if err != nil {
		return err
	}
	if err := password.Check(text); err != nil {
		return err
	}
	fmt.Fprintln(out, password.New(text))
	return nil
}
