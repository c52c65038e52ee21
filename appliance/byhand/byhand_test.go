package byhand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// names is a resolver of a few names.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	a, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return a, nil
}

// fake has exchanges that do not take place: each takes 10 ms.
type fake struct {
	mu     sync.Mutex
	asked  map[netip.AddrPort][]time.Duration // since the beginning
	begin  time.Time
	answer func(to netip.AddrPort, n int) monitor.Exchange
}

func newFake(answer func(to netip.AddrPort, n int) monitor.Exchange) *fake {
	return &fake{asked: map[netip.AddrPort][]time.Duration{}, begin: time.Now(), answer: answer}
}

func (f *fake) Probe(ctx context.Context, t monitor.Target) monitor.Exchange {
	f.mu.Lock()
	n := len(f.asked[t.Addr])
	f.asked[t.Addr] = append(f.asked[t.Addr], time.Since(f.begin))
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return monitor.Exchange{Outcome: monitor.OutcomeInternal, Finding: monitor.FindingInternal, Detail: "given up"}
	case <-time.After(10 * time.Millisecond):
	}
	x := f.answer(t.Addr, n)
	x.Target, x.Addr = t.ID, t.Addr
	return x
}

// right is an exchange of 20 ms with a server 1.5 ms ahead, seen at an instant of
// virtual time that is always the same.
func right(netip.AddrPort, int) monitor.Exchange {
	const t = int64(1767225600e9)
	return monitor.Exchange{
		Outcome: monitor.OutcomeOK, Finding: monitor.FindingOK,
		T1: t, T2: t + 11_500_000, T3: t + 11_600_000, T4: t + 20_100_000,
		Mono: 1e9 + 10_050_000, Diff: t - 1e9, StampError: 2e-6, Kernel: true,
		Stratum: 2, RefID: 0xc0000263, RootDelay: 0.001, RootDispersion: 0.0005,
		Version: 4, Poll: 6, Precision: -24, ReferenceTime: t - 100e9, TTL: 57, Validated: true,
	}
}

func hosts(t *testing.T, words ...string) []Host {
	t.Helper()
	list, err := ParseHosts(words)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// zoo is a few servers with each its own fault.
func zoo(to netip.AddrPort, n int) monitor.Exchange {
	x := right(to, n)
	switch to.Addr().String() {
	case "192.0.2.1":
		if n > 0 { // nearer, and with word of the one before
			x.T4 -= 5_000_000
			x.Interleaved, x.T3, x.Mono = true, x.T2, x.Mono-2_500_000
			b := right(to, n)
			b.T3 += 1_000_000
			x.Before = &b
		}
	case "192.0.2.2":
		if n == 1 {
			return monitor.Exchange{Outcome: monitor.OutcomeTimeout, Finding: monitor.FindingTimeout, Detail: "no reply within 3s"}
		}
		x.Kernel, x.Version, x.ReferenceTime, x.Leap = false, 3, 0, 1
		x.T2, x.T3 = x.T2-5e6, x.T3-5e6
	case "192.0.2.4":
		if n == 1 {
			x.Outcome, x.Finding, x.Detail = monitor.OutcomeDenied, monitor.FindingKissDeny, "kiss code DENY"
			x.Stratum, x.RefID, x.Kiss, x.Leap, x.T2, x.T3 = 0, 0x44454e59, "DENY", 3, 0, 0
		}
	case "192.0.2.3":
		x.Outcome, x.Finding, x.Detail = monitor.OutcomeUnsynchronized, monitor.FindingUnsynchronized, "stratum 0, INIT"
		x.Stratum, x.RefID, x.Kiss, x.Leap, x.Validated = 0, 0x494e4954, "INIT", 3, false
	case "2001:db8::1":
		return monitor.Exchange{
			Outcome: monitor.OutcomeUnreachable, Finding: monitor.FindingICMPAdmin,
			Detail: "host is unreachable: icmp type 1 code 1 from 2001:db8::fe",
			ICMP:   monitor.ICMP{Type: 1, Code: 1, From: netip.MustParseAddr("2001:db8::fe")},
		}
	}
	return x
}

var zooNames = names{
	"one.example": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::1")},
}

// run has what is found in virtual time.
func run(t *testing.T, o Options, f *fake) (out string, err error) {
	o.Prober, o.Resolver = f, zooNames
	var b bytes.Buffer
	err = Run(t.Context(), o, &b)
	return b.String(), err
}

// golden holds text against a file of testdata; UPDATE=1 writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestText(t *testing.T) {
	for name, clock := range map[string]HostClock{
		"synchronized.txt": func() (float64, bool) { return 0.00123, true },
		"alone.txt":        func() (float64, bool) { return 0, false },
	} {
		synctest.Test(t, func(t *testing.T) {
			out, err := run(t, Options{
				Hosts: hosts(t, "one.example", "192.0.2.2", "192.0.2.3:1123", "192.0.2.4", "none.example"), Count: 3, Clock: clock,
			}, newFake(zoo))
			if !errors.Is(err, ErrNotOK) {
				t.Errorf("%v", err)
			}
			// Who of several comes first within an instant is nobody's concern.
			lines := strings.SplitAfter(out, "\n")
			n := slices.Index(lines, "\n")
			slices.Sort(lines[:n])
			golden(t, name, strings.Join(lines, ""))
		})
	}
}

// The names that programs rely on: those of the record that the project's
// research proposes, as far as they apply, and some more.
var recordNames = []string{
	"v", "name", "addr", "af", "port", "seq", "t_sched", "t1", "t2", "t3", "t4", "mode", "ts_src",
	"offset_ns", "delay_ns", "proc_ns", "path_bound_ns", "err_bound_ns", "u_ref_ns", "ref_ok", "ref_source",
	"li", "ver", "stratum", "poll_log2", "precision_log2", "root_delay_ns", "root_disp_ns", "root_dist_ns",
	"refid_hex", "refid_text", "ref_time", "ref_age_ns", "kiss", "auth", "rx_ttl", "bogus_rx", "icmp",
	"result", "detail", "warn", "beevik_valid", "before",
}

func decode(t *testing.T, out string) (list []map[string]any) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var m map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, m)
	}
	return list
}

func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := run(t, Options{
			Hosts: hosts(t, "one.example", "192.0.2.2", "192.0.2.3", "none.example"), Count: 2, JSON: true,
			Clock: func() (float64, bool) { return 0.00123, true },
		}, newFake(zoo))
		if !errors.Is(err, ErrNotOK) {
			t.Errorf("%v", err)
		}
		list := decode(t, out)
		if len(list) != 9 {
			t.Errorf("%d records, want 9", len(list))
		}
		for _, m := range list {
			var got []string
			for k := range m {
				got = append(got, k)
			}
			if want := slices.Sorted(slices.Values(recordNames)); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
				t.Errorf("names %v, want %v", got, want)
			}
			if m["warn"] == nil {
				t.Error("warn is null")
			}
			if !slices.Contains(monitor.Findings, monitor.Finding(m["result"].(string))) {
				t.Errorf("result %v", m["result"])
			}
		}
	})
}

// Every field of one record.
func TestRecord(t *testing.T) {
	at := time.Unix(1767225600, 0)
	s := &subject{host: Host{Name: "one.example", Port: 123}, addr: netip.MustParseAddrPort("192.0.2.1:123")}
	a := answer{of: s, seq: 2, at: at, x: zoo(s.addr, 1), warnings: []monitor.Warning{monitor.WarnLoop}, uref: 0.00123, refKnown: true}
	b, err := json.MarshalIndent(record(a), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "record.json", string(b)+"\n")

	a.refKnown = false
	if r := record(a); r.URef != nil || r.Bound != nil || r.RefOK || *r.PathBound != 7_552_000 {
		t.Errorf("without a word of the kernel's: %+v", r)
	}
	kiss := right(s.addr, 0)
	kiss.Outcome, kiss.Finding, kiss.Kiss = monitor.OutcomeDenied, monitor.FindingKissDeny, "DENY"
	kiss.Stratum, kiss.RefID, kiss.T2, kiss.T3, kiss.ReferenceTime = 0, 0x44454e59, 0, 0, 0
	a.x = kiss
	if r := record(a); r.Offset != nil || r.T2 != nil || r.RefTime != nil || *r.Kiss != "DENY" || *r.RefIDText != "DENY" {
		t.Errorf("a kiss without stamps: %+v", r)
	}
	// Null is what every field is that the server did not fill.
	a.x = monitor.Exchange{Outcome: monitor.OutcomeTimeout, Finding: monitor.FindingTimeout}
	v := reflect.ValueOf(record(a))
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if known := f.Name == "Addr" || f.Name == "AF"; f.Type.Kind() == reflect.Pointer && v.Field(i).IsNil() == known {
			t.Errorf("%s of an exchange without a reply", f.Name)
		}
	}
}

// Nobody is asked more often than is polite, under whatever names.
func TestPace(t *testing.T) {
	at := func(s ...float64) (list []time.Duration) {
		for _, v := range s {
			list = append(list, time.Duration(v*1000+0.5)*time.Millisecond)
		}
		return list
	}
	kiss := func(code monitor.Finding, o monitor.Outcome, when int) func(netip.AddrPort, int) monitor.Exchange {
		return func(a netip.AddrPort, n int) monitor.Exchange {
			x := right(a, n)
			if n == when {
				x.Outcome, x.Finding = o, code
			}
			return x
		}
	}
	for _, tt := range []struct {
		name   string
		hosts  []string
		o      Options
		answer func(netip.AddrPort, int) monitor.Exchange
		want   []time.Duration
		good   bool
	}{
		{"four", []string{"192.0.2.1"}, Options{}, right, at(0, 2.01, 4.02, 6.03), true},
		{"one under two names", []string{"192.0.2.1", "one.example"}, Options{Count: 2}, right, at(0, 2.01), true},
		{"many, of a public one", []string{"192.0.2.1"}, Options{Count: 10}, right,
			at(0, 2.01, 4.02, 6.03, 8.04, 10.05, 12.06, 14.07, 30.08, 46.09), true},
		{"many, of a neighbour", []string{"192.168.2.1"}, Options{Count: 10}, right,
			at(0, 2.01, 4.02, 6.03, 8.04, 10.05, 12.06, 14.07, 16.08, 18.09), true},
		{"denied", []string{"192.0.2.1"}, Options{}, kiss(monitor.FindingKissDeny, monitor.OutcomeDenied, 1), at(0, 2.01), false},
		{"asked too often", []string{"192.0.2.1"}, Options{}, kiss(monitor.FindingKissRate, monitor.OutcomeRateLimited, 1), at(0, 2.01), false},
		{"asked too often, watched", []string{"192.0.2.1"}, Options{Watch: true}, kiss(monitor.FindingKissRate, monitor.OutcomeRateLimited, 1),
			at(0, 2.01, 18.02, 22.03, 26.04), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(tt.answer)
			tt.o.Hosts, tt.o.Prober, tt.o.Resolver = hosts(t, tt.hosts...), f, zooNames
			ctx, cancel := context.WithTimeout(t.Context(), 28*time.Second)
			if !tt.o.Watch {
				ctx = t.Context()
			}
			defer cancel()
			err := Run(ctx, tt.o, new(bytes.Buffer))
			if (err == nil) != tt.good || err != nil && !errors.Is(err, ErrNotOK) {
				t.Errorf("%s: %v", tt.name, err)
			}
			for a, got := range f.asked {
				if a.Addr().Is4() && !slices.Equal(got, tt.want) {
					t.Errorf("%s: %v asked at %v, want %v", tt.name, a, got, tt.want)
				}
			}
		})
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestBrokenPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, asJSON := range []bool{false, true} {
			err := Run(t.Context(), Options{Hosts: hosts(t, "192.0.2.1"), Watch: true, JSON: asJSON, Prober: newFake(right)}, brokenPipe{})
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("%v", err)
			}
		}
	})
}

// What is looked back upon is bounded, however long it is watched.
func TestWindow(t *testing.T) {
	s := &summary{s: &subject{}, counts: map[monitor.Finding]int{}}
	for n := range 10_000 {
		x := right(netip.AddrPort{}, n)
		x.T2, x.T3 = x.T2+int64(n%3)*1e6, x.T3+int64(n%3)*1e6
		s.add(answer{seq: n + 1, x: x})
	}
	best, jitter := s.best()
	if len(s.samples) != window || best.delay != 20_000_000 || jitter < 1e5 || jitter > 2e6 || s.answered != 10_000 {
		t.Errorf("%d samples, best %+v, jitter %g", len(s.samples), best, jitter)
	}
}

func TestPrecise(t *testing.T) {
	for _, tt := range []struct {
		ns, bound int64
		want      string
	}{
		{79_991_681, 12_258, "+79.99168 ms"},
		{-79_991_681, 12_258_000, "−79.99 ms"},
		{-79_991_681, 1_225_800_000, "−80 ms"},
		{-8_299, 11_390, "−8.30 µs"},
		{8_299, 1_139, "+8.299 µs"},
		{3_600_000_012_345, 7_400, "+3600.000012345 s"},
		{12, 7_400, "+12 ns"},
		{0, 7_400, "0 ns"},
	} {
		if got := signed(tt.ns, tt.bound); got != tt.want {
			t.Errorf("%d ± %d: %s, want %s", tt.ns, tt.bound, got, tt.want)
		}
	}
}

// The documentation has every word that a record may hold, and every name.
func TestWordsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/probe.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	words := slices.Clone(recordNames)
	for _, f := range monitor.Findings {
		words = append(words, string(f))
	}
	for _, w := range []monitor.Warning{
		monitor.WarnReftimeZero, monitor.WarnReftimeFuture, monitor.WarnStaleRef, monitor.WarnVersionLow,
		monitor.WarnLeapPending, monitor.WarnRootDistance, monitor.WarnTooWide, monitor.WarnLoop,
	} {
		words = append(words, string(w))
		if said(w) == said("") {
			t.Errorf("%s is said to people by nothing but its word", w)
		}
	}
	for _, w := range words {
		if !strings.Contains(doc, "`"+w+"`") {
			t.Errorf("docs/probe.md does not have %s", w)
		}
	}
}
