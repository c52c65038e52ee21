package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// residentAtMost bounds the appliance's memory on the device, bytes: a board
// has 512 MB for everything.
const residentAtMost = 40 << 20

// memory holds the appliance to its bound.
func (s *bench) memory() {
	s.t.Helper()
	resident, err := residentMemory(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("the appliance's resident memory is %.1f MB", resident/1e6)
	if resident <= 0 || resident > residentAtMost {
		s.t.Errorf("resident memory %.0f, at most %d are allowed", resident, residentAtMost)
	}
}

// residentMemory asks a station, bytes.
func residentMemory(url string) (float64, error) {
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
	m := regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`).FindSubmatch(b)
	if m == nil {
		return 0, fmt.Errorf("no resident memory among the metrics:\n%s", b)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
