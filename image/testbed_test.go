package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// smallBed is a testbed whose real server is a name only.
func smallBed(t *testing.T) *testbed {
	t.Helper()
	servers, err := ntptest.StartSet()
	if err != nil {
		t.Fatal(err)
	}
	servers.Add("chronyd", netip.MustParseAddrPort("127.0.0.1:11123"))
	bed := &testbed{receiver: gpstest.New(1), servers: servers, code: "red-attic-door"}
	t.Cleanup(bed.close)
	return bed
}

func TestTestbedControl(t *testing.T) {
	bed := smallBed(t)
	for _, command := range []string{
		"gps off", "gps on", "gps garbage", "gps leap -1", "gps sats 2", "pps off", "pps double", " pps  on ",
		"server ahead offset 80ms", "server right-1 dead", "server right-1 right",
	} {
		if err := bed.control(command); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
	for command, want := range map[string]string{
		"":                           "write gps, pps or server",
		"  \t ":                      "write gps, pps or server",
		"reboot":                     `"reboot" is no command; write gps, pps or server`,
		"gps":                        "gps on|off",
		"gps sideways":               `"sideways" is not known`,
		"gps leap":                   "needs one number",
		"gps leap one":               "whole number",
		"gps off now":                "takes nothing after it",
		"pps maybe":                  `"maybe" is not known`,
		"server":                     "write: server NAME",
		"server right-1":             "write: server NAME",
		"server nobody dead":         `no server is called "nobody"; there are right-1,`,
		"server chronyd dead":        "cannot be told to misbehave",
		"server right-1 sing":        "sing",
		"server right-1 offset much": "much",
	} {
		if err := bed.control(command); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one line with %q", command, err, want)
		}
	}
}

// What the testbed assigns is what a station takes.
func TestTestbedConfig(t *testing.T) {
	c, err := config.Parse("truechimer.toml", smallBed(t).config())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range c.Servers {
		names = append(names, s.Name)
		if s.Host != guestView || s.Port <= 1023 {
			t.Errorf("%s is at %s, port %d: a guest cannot reach it", s.Name, s.Host, s.Port)
		}
	}
	if got := c.Admin.ClaimCode.Reveal(); got != "red-attic-door" {
		t.Errorf("claim code %q", got)
	}
	if got := strings.Join(names, " "); got != "right-1 right-2 right-3 ahead unsynchronized dead chronyd" {
		t.Errorf("servers %s", got)
	}
}

func TestTestbedWithoutChronyd(t *testing.T) {
	// Whether or not this machine has one, it is this that is found, and fails.
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "chronyd"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", path)
	bed, err := newTestbed(t.Context(), t.TempDir(), t.TempDir(), t.Logf)
	if err == nil {
		bed.close()
	}
	if err == nil || !strings.Contains(err.Error(), "chrony") {
		t.Errorf("got %v", err)
	}
	(&testbed{}).close() // one that got nowhere
}
