package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

func TestLogInTheZoneOfTheStation(t *testing.T) {
	when := time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"Europe/Berlin": "time=2026-07-02T00:30:00.000+02:00 ", "America/Argentina/Buenos_Aires": "time=2026-07-01T19:30:00.000-03:00 ",
		"UTC": "time=2026-07-01T22:30:00.000Z ", "Europe/Berln": "time=2026-07-01T22:30:00.000Z ",
	} {
		z, notice := zoneOf(config.Config{Timezone: zone})
		if (notice != "") != (zone == "Europe/Berln") || notice != "" && !strings.Contains(notice, `"Europe/Berln" is not known`) {
			t.Errorf("%s: notice %q", zone, notice)
		}
		var out bytes.Buffer
		record := slog.NewRecord(when, slog.LevelInfo, "hello", 0)
		record.AddAttrs(slog.Time("other", when))
		if err := newLog(&out, z).Handler().Handle(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), "other=2026-07-01T22:30:00.000Z") {
			t.Errorf("%s: %q, want %q", zone, out.String(), want)
		}
	}
	if z, notice := zoneOf(config.Config{}); z != time.Local || notice != "" {
		t.Errorf("of nothing: %v, %q", z, notice)
	}
}
