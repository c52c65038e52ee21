package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// residentAtMost bounds the appliance's memory on the device, bytes: a board
// has 512 MB for everything.
const residentAtMost = 40 << 20

// usage holds the appliance to its bound of memory, and tells its share of a core
// over ten seconds.
func (s *bench) usage() {
	s.t.Helper()
	var began, took, cpu float64
	s.await("ten seconds more", 60*time.Second, func(st status.Status) string {
		now, err := metric(s.url, "process_cpu_seconds_total")
		if err != nil {
			return err.Error()
		}
		if began == 0 {
			began, cpu = st.Station.Uptime, now
		}
		if took = st.Station.Uptime - began; took < 10 {
			return fmt.Sprintf("%.0f s are over", took)
		}
		cpu = now - cpu
		return ""
	})
	resident, err := residentMemory(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("the appliance takes %.1f %% of an emulated core, and %.1f MB of memory", 100*cpu/took, resident/1e6)
	if resident <= 0 || resident > residentAtMost {
		s.t.Errorf("resident memory %.0f, at most %d are allowed", resident, residentAtMost)
	}
}

// residentMemory asks a station, bytes.
func residentMemory(url string) (float64, error) { return metric(url, "process_resident_memory_bytes") }

// metric asks a station for one without labels.
func metric(url, name string) (float64, error) {
	// One that is switched off meanwhile never answers.
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(url + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(b)
	if m == nil {
		return 0, fmt.Errorf("no %s among the metrics:\n%s", name, b)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
