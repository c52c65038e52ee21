package journal

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

var update = flag.Bool("update", false, "write the golden files anew")

// exported are records that show all there is to show.
func exported() []Record {
	ok, kiss, silent, undated := makeSample(1), makeSample(2), makeSample(3), makeSample(4)
	ok.RefID, ok.Stratum, ok.Assured = 0x50505300, 1, true // PPS
	kiss.Outcome, kiss.Verdict, kiss.Kiss, kiss.Stratum, kiss.RefID = monitor.OutcomeRateLimited, monitor.RateLimited, true, 0, 0x52415445
	kiss.Measured, kiss.Timed, kiss.Kernel = false, false, true
	silent = Record{
		Target: Target{ID: "=cmd|'/C calc'!A0/ipv6", Name: "é, \"quoted\"\n", Addr: netip.MustParseAddrPort("[2001:db8::1]:1123"), Limit: 0.001},
		Time:   silent.Time.Add(time.Nanosecond), Outcome: monitor.OutcomeTimeout, Verdict: monitor.Unreachable, Provisional: true,
		Reference: Reference{Source: "none", State: "cold"},
	}
	undated.Time, undated.Mono, undated.Reference, undated.Stratum, undated.RefID = time.Time{}, 12e9, Reference{Source: "none", State: "cold"}, 2, 0xC0000201
	undated.Target.Addr = netip.AddrPort{}
	return []Record{ok, kiss, silent, undated}
}

// exporting is a journal with some records.
func exporting(t testing.TB, list []Record) *Journal {
	s := testStore(t, newCard(), 1)
	for i := range list {
		if err := s.add(&list[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.flush(true); err != nil {
		t.Fatal(err)
	}
	j := &Journal{}
	j.store.Store(s)
	return j
}

func TestExport(t *testing.T) {
	j := exporting(t, exported())
	for _, f := range []Format{CSV, JSON} {
		var b bytes.Buffer
		found, err := j.Export(context.Background(), &b, "0123456789abcdef", f, Query{Undated: true})
		if err != nil || found.Records != 4 {
			t.Fatalf("%+v, %v", found, err)
		}
		path := filepath.Join("testdata", "export."+string(f))
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s:\n%s\nwant\n%s", f, b.Bytes(), want)
		}
	}
	if _, err := j.Export(context.Background(), io.Discard, "", "xml", Query{}); err == nil {
		t.Error("no such format")
	}
	refused := errors.New("refused")
	for _, f := range []Format{CSV, JSON} {
		if _, err := j.Export(context.Background(), refusing{refused}, "", f, Query{}); !errors.Is(err, refused) {
			t.Errorf("%s: %v", f, err)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.Export(ended, io.Discard, "", CSV, Query{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }

// TestSameNames holds the two formats against each other.
func TestSameNames(t *testing.T) {
	j := exporting(t, exported()[:1])
	var lines, object bytes.Buffer
	if _, err := j.Export(context.Background(), &lines, "m", CSV, Query{}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Export(context.Background(), &object, "m", JSON, Query{}); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(&lines).ReadAll()
	if err != nil || len(table) != 2 {
		t.Fatalf("%v, %v", table, err)
	}
	d := json.NewDecoder(&object)
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for i, name := range table[0] {
		key, err := d.Token()
		if err != nil || key != name {
			t.Fatalf("%v where CSV has %s", key, name)
		}
		value, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		want := table[1][i]
		switch v := value.(type) {
		case nil:
			if want != "" {
				t.Errorf("%s is null, and %s in CSV", name, want)
			}
		case bool:
			if want != map[bool]string{true: "true", false: "false"}[v] {
				t.Errorf("%s is %v, and %s in CSV", name, v, want)
			}
		case json.Number:
			if want != v.String() {
				t.Errorf("%s is %s, and %s in CSV", name, v, want)
			}
		default:
			if want != v {
				t.Errorf("%s is %v, and %s in CSV", name, v, want)
			}
		}
	}
	if d.More() {
		t.Error("JSON has more")
	}
}

// BenchmarkExport is a record's way out.
func BenchmarkExport(b *testing.B) {
	var list []Record
	for i := range 500 {
		list = append(list, sample(i))
	}
	j := exporting(b, list)
	for _, f := range []Format{CSV, JSON} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.Export(context.Background(), io.Discard, "m", f, Query{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestStampsOfCards(t *testing.T) {
	for want, card := range map[string]uint8{"kernel": 0, "mixed": 1, "hw": 2} {
		rec := makeSample(2)
		if rec.Card = card; *newRow("", &rec).Stamps != want {
			t.Errorf("%d stamps of the card are %s, want %s", card, *newRow("", &rec).Stamps, want)
		}
	}
}
