package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/web"
)

// served is a station whose page is served, and init's socket for signs of life.
func served(t *testing.T, listen string, alive func() error) (*station, *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // short: socket paths are bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "alive")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := testStation(t, &platform{station: true, alive: path, listen: listen}, stopped{})
	if alive == nil {
		alive = s.alive
	}
	h, err := web.New(web.Options{Source: s, Alive: alive})
	if err != nil {
		t.Fatal(err)
	}
	server := web.Server(h, s.log)
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	s.page.Store(l.Addr())
	done := make(chan error, 1)
	go func() { done <- s.servePage(server, l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return s, c
}

func TestSignOfLife(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", ":0"} {
		s, c := served(t, listen, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.showSignsOfLife(ctx) }()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 16)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != "alive" {
			t.Errorf("%q, %v", b[:n], err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestNoSignOfLife(t *testing.T) {
	silent := func(s *station, c *net.UnixConn, want string) {
		t.Helper()
		// A sign would be in the socket when signOfLife returns.
		err := s.signOfLife(t.Context(), &http.Client{Timeout: pageMost})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if n, err := c.Read(make([]byte, 16)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	s, c := served(t, "127.0.0.1:0", func() error { return errors.New("the monitor stands still") })
	silent(s, c, "503")
	s, c = served(t, "127.0.0.1:0", nil)
	s.page.Store(net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}))
	silent(s, c, "127.0.0.1:1")
	s = testStation(t, &platform{alive: s.platform.alive}, stopped{})
	silent(s, c, "the page is not served")
}

// TestInitThatDoesNotRead: a full socket must not hold the station up for good.
func TestInitThatDoesNotRead(t *testing.T) {
	s, _ := served(t, "127.0.0.1:0", nil)
	client := &http.Client{Timeout: pageMost}
	for range 10_000 {
		if err := s.signOfLife(t.Context(), client); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the socket was never full")
}

func TestWhatStandsStill(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	if err := s.alive(); err != nil {
		t.Errorf("at the start: %v", err)
	}
	for _, part := range []string{"time", "monitor"} {
		l := liveness(false)
		l.Forget(map[string]string{"time": "monitor", "monitor": "time"}[part])
		if err := l.Check(time.Now().Add(11 * time.Second)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

// TestStationWithoutInit gives no signs and is no fault.
func TestStationWithoutInit(t *testing.T) {
	s := testStation(t, &platform{station: true}, stopped{})
	if err := s.showSignsOfLife(t.Context()); err != nil {
		t.Error(err)
	}
}
