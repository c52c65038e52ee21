package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
)

const (
	// lifeEvery is how often a sign of life is given.
	lifeEvery = 5 * time.Second
	// pageMost is how long the page may take to answer.
	pageMost = 5 * time.Second
	// lifeMost bounds the wait for an init that does not listen.
	lifeMost = time.Second
)

// liveness watches the parts that must not stop: the tick that keeps time, and
// the monitor's loop. In safe mode neither runs, and the page's answer is all.
func liveness(safe bool) *health.Liveness {
	l := health.NewLiveness(time.Now)
	if safe {
		return l
	}
	l.Watch("time", 10*time.Second)
	l.Watch("monitor", 10*time.Second)
	return l
}

// alive says what has stopped moving, if anything has.
func (s *station) alive() error { return s.live.Check(time.Now()) }

// showSignsOfLife tells init that the station works: its parts move and its
// own page answers. Init feeds the hardware watchdog only then.
func (s *station) showSignsOfLife(ctx context.Context) error {
	if s.platform.alive == "" {
		return nil
	}
	client := s.pageClient()
	tick := time.NewTicker(lifeEvery)
	defer tick.Stop()
	for {
		err := s.signOfLife(ctx, client)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.notes.say(slog.LevelWarn, "sign of life", "no sign of life given: "+err.Error())
		default:
			s.notes.say(slog.LevelInfo, "sign of life", "")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *station) signOfLife(ctx context.Context, client *http.Client) error {
	if err := s.pageAnswers(ctx, client); err != nil {
		return err
	}
	c, err := s.dial(ctx, "unixgram", s.platform.alive)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(lifeMost))
	_, err = c.Write([]byte("alive"))
	return err
}

// pageClient asks the station's own page.
func (s *station) pageClient() *http.Client {
	return &http.Client{
		Timeout: pageMost,
		// A new connection each time: that the page takes one is the point.
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: s.dial},
	}
}

// pageAnswers asks the page, which says whether the parts move.
func (s *station) pageAnswers(ctx context.Context, client *http.Client) error {
	resp, err := s.askPage(ctx, client, "/healthz")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// askPage gets what the page has at a path. An answer that is not 200 is an error.
func (s *station) askPage(ctx context.Context, client *http.Client, path string) (*http.Response, error) {
	page, ok := s.page.Load().(net.Addr)
	if !ok {
		return nil, fmt.Errorf("the page is not served")
	}
	host, port, err := net.SplitHostPort(page.String())
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the page says %s", resp.Status)
	}
	return resp, nil
}
