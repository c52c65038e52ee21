package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

// needs makes a test depend on a program. On CI it must be there.
func needs(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; .ci/run installs %s", program, pkg)
	}
	t.Skipf("%s is missing; install %s to run this test", program, pkg)
}

// needQEMU is needs for the program that emulates a board.
func needQEMU(t *testing.T, b boards.Board) {
	t.Helper()
	if err := ensureQEMU(t.Context(), b, t.Logf); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// bench is one emulated station on its testbed.
type bench struct {
	t       *testing.T
	bed     *testbed
	url     string
	secure  string // the same over TLS
	console string
	traffic string
	machine *machine
	started time.Time
	image   string

	seen []status.Status // every answer of the API so far
}

// startBench builds a board's image with the testbed's servers assigned and boots it.
func startBench(t *testing.T, b boards.Board, commands ...string) *bench {
	t.Helper()
	return startBenchOf(t, b, buildOptions{Log: t.Logf}, commands...)
}

// startBenchOf does the same with what else the image is to be.
func startBenchOf(t *testing.T, b boards.Board, o buildOptions, commands ...string) *bench {
	t.Helper()
	needQEMU(t, b)
	dir, err := os.MkdirTemp("", "tc") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	s := &bench{t: t, console: filepath.Join(dir, "console.log"), traffic: filepath.Join(dir, "traffic.pcap")}
	if s.bed, err = newTestbed(t.Context(), dir, cache, t.Logf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bed.close)
	for _, c := range commands {
		s.do(c)
	}
	o.Board, o.Dir, o.Config = b.Name, dir, s.bed.config()
	if s.image, err = build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.image, cardSize(b)); err != nil {
		t.Fatal(err)
	}
	fw, err := findFirmware(t.Context(), b, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	addr, secure := freePort(t), freePort(t)
	s.url, s.secure = "http://"+addr, "https://"+secure
	s.started = time.Now()
	s.machine, err = startMachine(t.Context(), machineOptions{
		Board: b, Firmware: fw, Image: s.image, Dir: dir, HTTP: addr, HTTPS: secure, Console: s.console, Traffic: s.traffic,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.bed.run(ctx, s.machine.receiver, s.machine.pulse)
	}()
	t.Cleanup(func() {
		cancel()
		s.machine.stop()
		<-done
		if t.Failed() {
			log, _ := os.ReadFile(s.console)
			t.Logf("console:\n%s", log)
		}
	})
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *bench) do(command string) {
	s.t.Helper()
	if err := s.bed.control(command); err != nil {
		s.t.Fatal(err)
	}
}

// await asks the station once a second until want is content; want says what
// is still missing.
func (s *bench) await(what string, limit time.Duration, want func(status.Status) string) status.Status {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	missing := "the page does not answer"
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if st, err := fetchStatus(s.t.Context(), s.url); err == nil {
			s.check(st)
			if missing = want(st); missing == "" {
				s.t.Logf("%5.1f s: %s", time.Since(s.started).Seconds(), what)
				return st
			}
		}
		select {
		case <-s.machine.done:
			s.t.Fatalf("QEMU ended: %v", s.machine.err)
		case <-tick.C:
		}
	}
	s.t.Fatalf("%s: not within %v: %s", what, limit, missing)
	return status.Status{}
}

// check holds every answer to what must always be true.
func (s *bench) check(st status.Status) {
	s.t.Helper()
	s.seen = append(s.seen, st)
	r := st.Reference
	if !slices.Contains(status.States, r.State) || !slices.Contains(status.Sources, r.Source) {
		s.t.Fatalf("reference %q, %q: not among the words", r.State, r.Source)
	}
	for _, v := range st.Servers {
		if !slices.Contains(status.Verdicts, v.Verdict) {
			s.t.Fatalf("%s: verdict %q is not among the words", v.Name, v.Verdict)
		}
		right := strings.HasPrefix(v.Name, "right") || v.Name == "chronyd"
		if right && v.Verdict == "off" {
			s.t.Fatalf("a right server was convicted: %+v", v)
		}
		// The clock starts decades off and is stepped: an exchange judged
		// across the step would show it.
		if v.Offset != nil && (v.Verdict == "ok" || v.Verdict == "doubtful" || v.Verdict == "off") && math.Abs(*v.Offset) > 1 {
			s.t.Fatalf("judged across a step: %+v", v)
		}
	}
}

// judged says what is missing until every server is named for what it is.
func judged(st status.Status) string {
	want := map[string]string{
		"right-1": "ok", "right-2": "ok", "right-3": "ok", "chronyd": "ok",
		"ahead": "off", "unsynchronized": "unsynchronized", "dead": "unreachable",
	}
	for _, v := range st.Servers {
		if v.Verdict != want[v.Name] {
			return fmt.Sprintf("%s is %s (%s), not %s; the reference is %s", v.Name, v.Verdict, v.Reason, want[v.Name], st.Reference.State)
		}
		switch v.Verdict {
		case "ok":
			if v.Offset == nil || math.Abs(*v.Offset) >= 0.010 {
				return fmt.Sprintf("%s: offset %v is not below 10 ms", v.Name, value(v.Offset))
			}
		case "off":
			if v.Offset == nil || math.Abs(*v.Offset-0.080) >= 0.010 {
				return fmt.Sprintf("%s: offset %v is not 80 ms", v.Name, value(v.Offset))
			}
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		return fmt.Sprintf("not listed: %v", want)
	}
	return ""
}

// anyJudged says what is missing until the first server's time is judged.
func anyJudged(st status.Status) string {
	for _, v := range st.Servers {
		if v.Verdict == "ok" || v.Verdict == "off" {
			return ""
		}
	}
	return "no server's time is judged"
}

func value(p *float64) any {
	if p == nil {
		return nil
	}
	return *p
}

func reference(state, source string) func(status.Status) string {
	return func(st status.Status) string {
		if st.Reference.State == state && st.Reference.Source == source {
			return ""
		}
		return fmt.Sprintf("the reference is %s, %s (%s)", st.Reference.State, st.Reference.Source, st.Reference.Reason)
	}
}

func both(a, b func(status.Status) string) func(status.Status) string {
	return func(st status.Status) string {
		if m := a(st); m != "" {
			return m
		}
		return b(st)
	}
}

// consoleLines counts the console's lines that match.
func (s *bench) consoleLines(pattern string) []string {
	s.t.Helper()
	b, err := os.ReadFile(s.console)
	if err != nil {
		s.t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^.*`+pattern+`.*$`).FindAllString(string(b), -1)
}

// oneStep insists that the clock was stepped exactly once.
func (s *bench) oneStep() {
	s.t.Helper()
	if steps := s.consoleLines("clock stepped"); len(steps) != 1 {
		s.t.Errorf("the clock was stepped %d times, not once: %q", len(steps), steps)
	}
}

// TestStation is the whole line, twice: an image's first boot with a receiver,
// which loses and finds its signal, and a first boot without.
func TestStation(t *testing.T) {
	var ids []string
	t.Run("receiver", func(t *testing.T) {
		s := startBench(t, boards.VMArm64)
		s.await("the page answers", 60*time.Second, func(status.Status) string { return "" })
		s.await("first lock", 120*time.Second-time.Since(s.started), reference("locked", "gps+pps"))
		s.await("first verdict drawn from the time", 120*time.Second-time.Since(s.started), anyJudged)
		s.await("every server judged", 120*time.Second-time.Since(s.started), both(reference("locked", "gps+pps"), judged))
		s.await("the open sockets are known", 60*time.Second, func(status.Status) string {
			if len(s.consoleLines("open sockets")) == 0 {
				return "not logged yet"
			}
			return ""
		})

		s.claim()
		s.usage()
		s.await("the battery-backed clock has been set", 60*time.Second, func(status.Status) string {
			return s.batteryClock(time.Now())
		})

		s.do("gps off")
		first := s.await("holdover", 30*time.Second, reference("holdover", "gps+pps"))
		s.await("uncertainty grows", 60*time.Second, func(st status.Status) string {
			if st.Reference.State != "holdover" {
				return "the reference is " + st.Reference.State
			}
			if *st.Reference.Uncertainty <= *first.Reference.Uncertainty {
				return fmt.Sprintf("the uncertainty is still %g", *st.Reference.Uncertainty)
			}
			if *st.Reference.Holdover < 5 {
				return "too early"
			}
			return ""
		})
		s.do("gps on")
		last := s.await("locked again, every server judged", 120*time.Second, both(reference("locked", "gps+pps"), judged))

		s.oneStep()
		s.ownListenersOnly()
		for _, bad := range []string{"/perm cannot be used", "no hardware watchdog", "panic: |Kernel panic", "level=ERROR"} {
			if lines := s.consoleLines(bad); len(lines) > 0 {
				t.Errorf("the console says: %q", lines)
			}
		}
		// A machine under load may well be worth a warning.
		t.Logf("warnings: %q", s.consoleLines("level=WARN"))
		checkTraffic(t, s.traffic)
		ids = append(ids, last.Station.ID)
		if last.Station.Slot == nil || *last.Station.Slot != "a" || last.Station.Board != "vm-arm64" {
			t.Errorf("station: %+v", last.Station)
		}
	})
	t.Run("no receiver", func(t *testing.T) {
		s := startBench(t, boards.VMArm64, "gps off")
		st := s.await("a quorum stands in, every server judged", 120*time.Second, both(reference("locked", "quorum"), judged))
		s.oneStep()
		ids = append(ids, st.Station.ID)
		checkTraffic(t, s.traffic)
	})
	if len(ids) == 2 && ids[0] == ids[1] {
		t.Errorf("two first boots took the same identity %s", ids[0])
	}
}

// batteryClock says what is missing until the machine's real-time clock (a PL031),
// which began in 2000, shows now. The station's kernel sets it once it has been told
// that its clock is right.
func (s *bench) batteryClock(now time.Time) string {
	s.t.Helper()
	answer, err := s.machine.test("readl 0x9010000") // RTCDR, seconds
	if err != nil {
		s.t.Fatal(err)
	}
	at, err := strconv.ParseInt(answer, 0, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	if off := time.Unix(at, 0).Sub(now); off.Abs() > 2*time.Second {
		return fmt.Sprintf("it is %v off", off)
	}
	return ""
}

// ownListenersOnly insists that the guest listens on the page's two ports and, to be
// found by its name, on that of multicast DNS alone, and otherwise has just the
// sockets that its exchanges are had from.
func (s *bench) ownListenersOnly() {
	s.t.Helper()
	lines := s.consoleLines("open sockets")
	if len(lines) == 0 {
		s.t.Fatal("the open sockets were not logged")
	}
	_, list, _ := strings.Cut(lines[len(lines)-1], "list=")
	var got []string
	exchanges := map[string]bool{}
	for _, l := range strings.Split(strings.Trim(list, "\"\r\n"), ", ") {
		// One socket a family that requests are sent from, on a port of the
		// kernel's choice.
		host, port, _ := net.SplitHostPort(strings.TrimPrefix(l, "udp "))
		n, _ := strconv.Atoi(port)
		if strings.HasPrefix(l, "udp ") && (host == "0.0.0.0" || host == "::") && n >= 32768 && !exchanges[host] {
			exchanges[host] = true
			continue
		}
		got = append(got, l)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"tcp [::]:443", "tcp [::]:80", "udp 0.0.0.0:5353", "udp [::]:5353"}) {
		s.t.Errorf("open sockets: %q, want tcp [::]:80 and [::]:443, udp port 5353 and a port for exchanges of each family", list)
	}
}

// addFile adds a file to the card's FAT as a PC would, and has it checked.
func addFile(t *testing.T, image string) {
	t.Helper()
	dir := t.TempDir()
	note := filepath.Join(dir, "note.txt")
	text := strings.Repeat("a person's own file\n", 100_000)
	if err := os.WriteFile(note, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fat := filepath.Join(dir, "boot.fat")
	if err := copyBootPartition(image, fat); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"mcopy", "-i", fat, note, "::/A person's note.txt"},
		{"fsck.fat", "-n", fat},
		{"mcopy", "-i", fat, "::/A person's note.txt", filepath.Join(dir, "back.txt")},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	if back, err := os.ReadFile(filepath.Join(dir, "back.txt")); err != nil || string(back) != text {
		t.Errorf("the file came back as %d bytes, %v", len(back), err)
	}
}
