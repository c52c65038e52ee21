//go:build corpus

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// said is one epoch by us, or one TPV object by gpsd.
type said struct {
	Class string   `json:"class"`
	Time  *string  `json:"time"`
	Mode  int      `json:"mode"`
	Leap  *int     `json:"leap"`
	Leaps *int     `json:"leapseconds"`
	Lat   *float64 `json:"lat"`
	Lon   *float64 `json:"lon"`
}

// byTime reads JSON lines; only is the class of the objects that count. order
// has the times in the order in which they come first.
func byTime(t *testing.T, text []byte, only string) (out map[string][]said, order []string) {
	t.Helper()
	out = map[string][]said{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s said
		if b := lines.Bytes(); len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &s) != nil || s.Class != only || s.Time == nil {
			continue
		}
		if out[*s.Time] == nil {
			order = append(order, *s.Time)
		}
		out[*s.Time] = append(out[*s.Time], s)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out, order
}

// TestCorpus compares what is decoded of the recordings in TRUECHIMER_CORPUS,
// a directory of gpsd's test logs, with what gpsd made of them (FILE.log.chk):
// each time, to the millisecond; and the place, the kind of fix and the leap
// seconds that gpsd has at that time. What differs must be in the table of
// exceptions, and what is there must differ.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("TRUECHIMER_CORPUS")
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if dir == "" || err != nil || len(files) == 0 {
		t.Fatalf("TRUECHIMER_CORPUS=%q has no FILE.log: write make corpus DIR=...", dir)
	}
	open := map[string]string{}
	for _, e := range exceptions() {
		open[e.file+" "+e.what] = e.why
	}
	fmt.Printf("%-34s %6s %6s %6s %6s %8s\n", "recording", "epochs", "timed", "gpsd's", "equal", "differ")
	var table []string
	var epochs, equal, differ int
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".log")
		var out bytes.Buffer
		if err := runGPS([]string{"decode", file}, nil, &out); err != nil {
			t.Fatal(err)
		}
		chk, err := os.ReadFile(file + ".chk")
		if err != nil {
			t.Fatal(err)
		}
		ours, order := byTime(t, out.Bytes(), "")
		theirs, their := byTime(t, chk, "TPV")
		found := compare(ours, theirs)
		order = slices.DeleteFunc(order, func(at string) bool { return theirs[at] == nil })
		their = slices.DeleteFunc(their, func(at string) bool { return ours[at] == nil })
		if !slices.Equal(order, their) {
			found = append(found, "order of the times")
		}
		same := len(order)
		n := bytes.Count(out.Bytes(), []byte("\n"))
		epochs, equal, differ = epochs+n, equal+same, differ+len(found)
		fmt.Printf("%-34s %6d %6d %6d %6d %8d\n", name, n, len(ours), len(theirs), same, len(found))
		for _, what := range found {
			why, ok := open[name+" "+what]
			if !ok {
				t.Errorf("%s: %s, which is no known exception", name, what)
				continue
			}
			delete(open, name+" "+what)
			table = append(table, fmt.Sprintf("%-30s %-34s %s", name, what, why))
		}
	}
	fmt.Printf("%d recordings, %d epochs, %d times equal, %d exceptions:\n", len(files), epochs, equal, differ)
	fmt.Println(strings.Join(table, "\n"))
	for key := range open {
		if file, _, _ := strings.Cut(key, " "); slices.Contains(files, filepath.Join(dir, file+".log")) {
			t.Errorf("%s is no exception any more", key)
		}
	}
}

// compare says what differs, in the words of the table of exceptions.
func compare(ours, theirs map[string][]said) (found []string) {
	modes := 0
	for at, list := range ours {
		g := theirs[at]
		if g == nil {
			found = append(found, "only ours "+at)
			continue
		}
		for _, s := range list {
			if !slices.ContainsFunc(g, func(x said) bool { return x.Mode == s.Mode }) {
				modes++
			}
			if s.Lat != nil && !slices.ContainsFunc(g, func(x said) bool { return x.Lat == nil || near(s, x) }) {
				found = append(found, "place at "+at)
			}
			if slices.ContainsFunc(g, func(x said) bool { return x.Leaps != nil }) &&
				!slices.ContainsFunc(g, func(x said) bool { return x.Leaps != nil && s.Leap != nil && *x.Leaps == *s.Leap }) {
				found = append(found, "leap seconds at "+at)
			}
		}
	}
	for at := range theirs {
		if ours[at] == nil {
			found = append(found, "only gpsd's "+at)
		}
	}
	if modes > 0 {
		found = append(found, fmt.Sprintf("mode of %d epochs", modes))
	}
	slices.Sort(found)
	return found
}

// near says whether two places are the same, to 1e-6 degrees, a decimetre.
func near(a, b said) bool {
	return math.Abs(*a.Lat-*b.Lat) < 1e-6 && math.Abs(*a.Lon-*b.Lon) < 1e-6
}
