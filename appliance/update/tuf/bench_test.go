package tuf_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// large makes a repository with as many targets as a publisher may ever have.
func large() *tuftest.Repo {
	r := tuftest.New(day0)
	for i := range 100 {
		r.Add(fmt.Sprintf("channel-%d/board/manifest.json", i), []byte{byte(i)})
	}
	r.Publish()
	return r
}

// BenchmarkRefresh is a station's first refresh, over loopback, into memory.
func BenchmarkRefresh(b *testing.B) {
	for name, r := range map[string]*tuftest.Repo{"small": tuftest.New(day0), "100 targets": large()} {
		b.Run(name, func(b *testing.B) {
			source, err := fetch.New(fetch.Options{Bases: []string{r.Serve(b)}})
			if err != nil {
				b.Fatal(err)
			}
			defer source.Close()
			b.ReportAllocs()
			for b.Loop() {
				s := &station{store: newMemory(), first: r.Initial(), now: day0}
				if _, err := s.refreshFrom(source); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPoll is what a station does every few hours when nothing is new.
func BenchmarkPoll(b *testing.B) {
	r := large()
	source, err := fetch.New(fetch.Options{Bases: []string{r.Serve(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	s := &station{store: newMemory(), first: r.Initial(), now: day0}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.refreshFrom(source); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostile is the largest file that is looked at before any signature
// or hash is known to be good, full of small things.
func BenchmarkHostile(b *testing.B) {
	r := tuftest.New(day0)
	for _, c := range []struct {
		like, file string
		size       int
	}{{"1.root.json", "2.root.json", 128 << 10}, {"timestamp.json", "timestamp.json", 16 << 10}} {
		b.Run(c.file, func(b *testing.B) {
			good := r.File("metadata/" + c.like)
			junk := strings.Repeat(",[]", min(4000, (c.size-len(good)-20)/3)) // each counts twice
			source := instead{r, "metadata/" + c.file, bytes.Replace(good, []byte(`"signed": {`), []byte(`"signed": {"x":[0`+junk+`],`), 1)}
			b.ReportAllocs()
			for b.Loop() {
				s := &station{store: newMemory(), first: r.Initial(), now: day0}
				if _, err := s.refreshFrom(source); !errors.Is(err, tuf.ErrSignature) {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ tuf.Source = (*fetch.Client)(nil)
