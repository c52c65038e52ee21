package logring

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

func TestRing(t *testing.T) {
	var r Ring
	if l, n := r.Last(); l != nil || n != 0 {
		t.Error("something is kept of nothing")
	}
	log := slog.New(slog.NewTextHandler(&r, nil))
	for i := range 3 * Lines / 2 {
		log.Info("line", "i", i)
	}
	l, n := r.Last()
	if len(l) != Lines || n != 3*Lines/2 || r.Count() != n || !strings.HasSuffix(l[0], fmt.Sprint(" i=", Lines/2)) || !strings.HasSuffix(l[Lines-1], fmt.Sprint(" i=", 3*Lines/2-1)) {
		t.Errorf("%d lines of %d: %s ... %s", len(l), n, l[0], l[len(l)-1])
	}
	r.Write([]byte("one\ntwo\n"))
	if l, _ := r.Last(); l[Lines-2] != "one" || l[Lines-1] != "two" {
		t.Errorf("%q", l[Lines-2:])
	}
}

// TestMillionLines: memory stays what it was, whatever the lines are.
func TestMillionLines(t *testing.T) {
	var r Ring
	long := []byte(strings.Repeat("x", 1<<16) + "\n")
	fill := func(n int) uint64 {
		for i := range n {
			if i%1000 == 0 {
				r.Write(long)
			} else {
				r.Write(long[len(long)-200:])
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := fill(2 * Lines)
	after := fill(1_000_000)
	if int64(after)-int64(before) > 256<<10 {
		t.Errorf("%d bytes more", int64(after)-int64(before))
	}
	for _, l := range r.lines {
		if cap(l) > 2*Longest {
			t.Fatalf("a line of %d bytes is kept", cap(l))
		}
	}
}

// TestSecrets: what should never be in a line is not in the ring.
func TestSecrets(t *testing.T) {
	var r Ring
	log := slog.New(slog.NewTextHandler(&r, nil))
	log.Info("fetching", "url", "https://user:s3cr3t@example.net/list?x=1")
	log.Info("joining", "psk", "s3cr3t", "ssid", "home")
	log.Info("odd", "err", `bad line: password = "s3cr3t words" and password="s3cr3t"`)
	log.Info("odd", "token", "s3cr3t words", "Authorization", "s3cr3t")
	log.Info("a password is set")
	l, _ := r.Last()
	all := strings.Join(l, "\n")
	if strings.Contains(all, "s3cr3t") || !strings.Contains(all, "…@example.net/list") || !strings.Contains(all, "ssid=home") || !strings.Contains(all, "a password is set") {
		t.Error(all)
	}
}

func FuzzWrite(f *testing.F) {
	f.Add([]byte("password=x\n\n\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Ring
		if n, err := r.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
		for l, _ := r.Last(); len(l) > 0; l = l[1:] {
			if len(l[0]) > Longest {
				t.Fatalf("%d bytes", len(l[0]))
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	var r Ring
	line := []byte(`time=2026-11-27T02:31:13.328Z level=INFO msg=reference state=numbering reason="no fix"` + "\n")
	b.ReportAllocs()
	for b.Loop() {
		r.Write(line)
	}
}
