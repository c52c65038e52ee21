package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

func runCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image run", flag.ContinueOnError)
	board := flags.String("board", boards.VMArm64.Name, "the board to emulate")
	addr := flags.String("http", "127.0.0.1:8080", "where to serve the station's page on this machine")
	secure := flags.String("https", "127.0.0.1:8443", "where to serve it over TLS, to change something")
	ctl := flags.String("ctl", ".run/ctl", "the control socket to open")
	gps := flags.String("gps", "on", "whether the receiver has power at first: on or off")
	keep := flags.String("dir", ".run", "where the image, the console's log and the traffic are kept")
	rtc := flags.String("rtc", "", "what the guest's clock starts at, like 2000-01-01T00:00:00 (the default: boards have no clock)")
	if err := parseAll(flags, args); err != nil {
		return err
	}
	b, err := boards.ByName(*board)
	if err != nil {
		return err
	}
	log := progress("run")
	if err := ensureQEMU(ctx, b, log); err != nil {
		return err
	}
	// A control socket that cannot be had is known before anything is built.
	var bed *testbed
	ready := make(chan struct{})
	control, err := serveControl(ctx, *ctl, func(c string) error {
		select {
		case <-ready:
			return bed.control(c)
		default:
			return errors.New("the image is not running yet")
		}
	})
	if err != nil {
		return err
	}
	defer control.Close()
	tmp, err := os.MkdirTemp("", "truechimer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	if bed, err = newTestbed(ctx, tmp, cache, log); err != nil {
		return err
	}
	defer bed.close()
	if err := bed.control("gps " + *gps); err != nil {
		return err
	}
	image, err := build(ctx, buildOptions{Board: b.Name, Dir: *keep, Config: bed.config(), Log: log})
	if err != nil {
		return err
	}
	if err := os.Truncate(image, cardSize(b)); err != nil {
		return err
	}
	fw, err := findFirmware(ctx, b, log)
	if err != nil {
		return err
	}
	m, err := startMachine(ctx, machineOptions{
		Board: b, Firmware: fw, Image: image, Dir: tmp, HTTP: *addr, HTTPS: *secure, RTC: *rtc,
		Console: filepath.Join(*keep, "console.log"), Traffic: filepath.Join(*keep, "traffic.pcap"),
	})
	if err != nil {
		return err
	}
	defer m.stop()
	close(ready)
	log("QEMU is running; console: %s", filepath.Join(*keep, "console.log"))
	log("control: go run ./image ctl -ctl %s gps off   (gps, pps, server: see the README)", *ctl)
	log("status page: http://%s", *addr)
	log("to change something: https://%s/account   (the browser will warn of its certificate; the claim code is %s)", *secure, bed.code)
	log("Ctrl-C ends everything")

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go narrate(ctx, "http://"+*addr, log)
	failed := make(chan error, 1)
	go func() { failed <- bed.run(ctx, m.receiver, m.pulse) }()
	select {
	case <-ctx.Done():
		return nil
	case <-m.done:
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("QEMU ended by itself: %w", errors.Join(m.err, errors.New("see the console's log")))
	case err := <-failed:
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the emulated receiver: %w", err)
	}
}

// narrate prints what the station says of itself whenever it changes.
func narrate(ctx context.Context, url string, log func(string, ...any)) {
	start := time.Now()
	last := ""
	for ctx.Err() == nil {
		if s, err := fetchStatus(ctx, url); err == nil {
			if now := s.Reference.State + ", " + s.Reference.Source; now != last {
				last = now
				log("%3.0f s: %s: %s", time.Since(start).Seconds(), now, s.Summary)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func fetchStatus(ctx context.Context, url string) (s status.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return s, json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 16<<20)).Decode(&s)
}
