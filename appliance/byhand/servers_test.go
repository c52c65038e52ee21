package byhand

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor/ntptest"
	"github.com/truechimer/truechimer/monitor/probe"
)

// Servers on loopback, and a real chronyd beside them.
func TestServers(t *testing.T) {
	start := func(b ...ntptest.Behaviour) string {
		s, err := ntptest.Start("", b...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s.Addr().String()
	}
	words := []string{start(), start(ntptest.Offset(time.Hour)), start(ntptest.Unsynchronized()), start(ntptest.Version(1), ntptest.NoReferenceTime())}
	chronyd := startChronyd(t)
	if chronyd != "" {
		words = append(words, chronyd)
	}
	p := probe.New(probe.Timeout(time.Minute)) // however starved the machine is
	defer p.Close()
	var b bytes.Buffer
	err := Run(t.Context(), Options{Hosts: hosts(t, words...), Count: 1, JSON: true, Prober: p, Clock: KernelClock, Own: LocalAddresses}, &b)
	if !errors.Is(err, ErrNotOK) {
		t.Errorf("%v", err)
	}
	got := map[string]map[string]any{}
	for _, m := range decode(t, b.String()) {
		got[m["addr"].(string)+":"+m["port"].(json.Number).String()] = m
	}
	number := func(w, name string) int64 {
		n, ok := got[w][name].(json.Number)
		if !ok {
			t.Fatalf("%s: %s is %v", w, name, got[w][name])
		}
		v, _ := n.Int64()
		return v
	}
	for i, w := range words {
		wantResult, wantWarn, truth := "ok", "[]", int64(0)
		switch i {
		case 1:
			truth = int64(time.Hour)
		case 2:
			wantResult = "unsynchronized"
		case 3:
			wantWarn = "[reftime_zero version_low]"
		}
		var warn []string
		for _, v := range got[w]["warn"].([]any) {
			if v != "too_wide" { // of a machine that is starved
				warn = append(warn, v.(string))
			}
		}
		if s := "[" + strings.Join(warn, " ") + "]"; got[w]["result"] != wantResult || s != wantWarn {
			t.Errorf("%s: %v %s, want %s %s", w, got[w]["result"], s, wantResult, wantWarn)
		}
		if wrong, bound := number(w, "offset_ns")-truth, number(w, "path_bound_ns"); max(wrong, -wrong) > bound+1000 {
			t.Errorf("%s: wrong by %d ns, bound %d ns", w, wrong, bound)
		}
	}
	if m := got[chronyd]; chronyd != "" && (m["stratum"] != json.Number("1") || m["refid_hex"] != "7f7f0101" || m["beevik_valid"] != true) {
		t.Errorf("chronyd: %v", m)
	}
}

// startChronyd is the address of a real chronyd; empty where there is none.
func startChronyd(t *testing.T) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	path, err := ntptest.FetchChronyd(t.Context(), filepath.Join(dir, "truechimer"))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Logf("without a chronyd: %v", err)
		return ""
	}
	free, err := ntptest.Start("")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	c, err := ntptest.StartChronyd(t.Context(), ntptest.ChronydOptions{Path: path, Dir: t.TempDir(), Port: free.Addr().Port()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.Addr().String()
}
