package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
)

// TestAntennaIsKept: a survey outlasts a restart, in a file that nobody else
// reads, until people say that the antenna was moved.
func TestAntennaIsKept(t *testing.T) {
	p := &platform{perm: filepath.Join(t.TempDir(), "truechimer")}
	path := filepath.Join(p.perm, antennaName)
	var log bytes.Buffer
	start := func(c config.Config) *station {
		w := newWorld(lack{})
		return newStation(p, c, w, w, nil, slog.New(slog.NewTextHandler(&log, nil)))
	}
	write := func(s *station) {
		t.Helper()
		if err := s.writeAntenna(path); err != nil {
			t.Fatal(err)
		}
	}
	write(start(config.Default()))
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("a file without a survey: %v", err)
	}
	if err := os.MkdirAll(p.perm, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, durable.Summed(antennaHead, []byte(`{"Lat": -41.28, "Lon": 174.77}`)), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(config.Default())
	if at, ok := s.ref.Antenna(); !ok || at.Lat != -41.28 || at.Lon != 174.77 {
		t.Fatalf("kept %v %g %g", ok, at.Lat, at.Lon)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(s)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if at := p.surveyed(); at == nil || at.Lat != -41.28 || at.Lon != 174.77 {
		t.Errorf("read back %v", at)
	}
	s.platform.safe = true
	if err := (changed{s}).Moved(); err == nil {
		t.Error("in safe mode nobody looks for it anew")
	}
	s.platform.safe = false
	s.antennaSet.Store(true)
	if err := (changed{s}).Moved(); err == nil {
		t.Error("what was restored just now is forgotten")
	}
	s.antennaSet.Store(false)
	if err := (changed{s}).Moved(); err != nil {
		t.Error(err)
	}
	if _, ok := s.ref.Antenna(); ok || p.surveyed() != nil {
		t.Error("the old place is still kept")
	}
	if s := start(config.Default()); s.platform.surveyed() != nil {
		t.Error("a power cut has the old place back")
	}
	if strings.Contains(log.String(), "41.28") || strings.Contains(log.String(), "174.77") {
		t.Errorf("the position is in the log: %s", log.String())
	}
}

// TestAntennaIsNotKept: what cannot be used does no harm.
func TestAntennaIsNotKept(t *testing.T) {
	for _, c := range []string{"", "{}", "null", `{"Lat":1}`, `{"Lat":"1","Lon":2}`, `{"Lat":91,"Lon":2}`, `{"Lat":1,"Lon":-181}`, "[1,2]", strings.Repeat(" ", antennaMost) + `{"Lat":1,"Lon":2}`} {
		p := &platform{perm: t.TempDir()}
		for _, b := range [][]byte{[]byte(c), durable.Summed(antennaHead, []byte(c))} {
			if err := os.WriteFile(p.antennaPath(), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if at := p.surveyed(); at != nil {
				t.Errorf("%.20q is %g %g", c, at.Lat, at.Lon)
			}
		}
	}
	for _, p := range []*platform{{}, {perm: "/perm", volatile: true}, {perm: "/perm", safe: true}} {
		if path := p.antennaPath(); path != "" {
			t.Errorf("%+v keeps it at %s", p, path)
		}
	}
	moving := config.Default()
	moving.Receiver.Moving = true
	p := &platform{perm: t.TempDir()}
	if err := os.WriteFile(p.antennaPath(), []byte(`{"Lat": 1, "Lon": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(lack{})
	s := newStation(p, moving, w, w, nil, slog.New(slog.DiscardHandler))
	if err := s.writeAntenna(p.antennaPath()); err != nil || p.surveyed() != nil {
		t.Errorf("a vehicle's place is kept: %v, %v", p.surveyed(), err)
	}
}

// FuzzAntenna: whatever the file holds, a place is one on the Earth.
func FuzzAntenna(f *testing.F) {
	f.Add([]byte(`{"Lat": -41.28, "Lon": 174.77}`))
	f.Add([]byte(`{"Lat": 1e999}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, durable.Summed(antennaHead, b)} {
			if at := parseAntenna(b); at != nil && !(at.Lat >= -90 && at.Lat <= 90 && at.Lon >= -180 && at.Lon <= 180) {
				t.Errorf("%q is %g %g", b, at.Lat, at.Lon)
			}
		}
	})
}
