package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// numbered is a source of salts and sessions.
func numbered(seed uint64) func() uint64 {
	r := rand.New(rand.NewPCG(seed, 1))
	return r.Uint64
}

var day = time.Date(2026, 11, 26, 20, 0, 0, 0, time.UTC)

// sample is the record of a number, which its offset tells; all else follows
// from that, so that a record that is wrong anywhere is noticed.
func sample(i int) Record {
	if i >= 0 && i < len(samples) {
		return samples[i]
	}
	return makeSample(i)
}

var samples = func() (list [2000]Record) {
	for i := range list {
		list[i] = makeSample(i)
	}
	return list
}()

func makeSample(i int) Record {
	n, card := i%7, uint8(0)
	if i > 4 && i%2 == 0 {
		card = uint8(i / 2 % 3)
	}
	return Record{
		Target: Target{
			ID: fmt.Sprintf("server %d, named at some length so that more than one slot is needed", n), Name: fmt.Sprint("s", n),
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 123), Limit: 0.025,
		},
		Time:    day.Add(time.Duration(i) * time.Second),
		Outcome: monitor.OutcomeOK, Verdict: monitor.OK, Measured: true, Timed: true, Kernel: i%2 == 0, Card: card,
		Offset: int64(i), Delay: int64(i * 3), Bound: float64(float32(i) / 1e6), Uncertainty: float64(float32(i) / 1e7), StampError: 0.25,
		Stratum: uint8(1 + i%15), RefID: uint32(i * 77), RootDelay: float64(i%1000) / 65536, RootDispersion: 0.5,
		Reference: Reference{Known: true, Usable: true, Uncertainty: 0.125, Source: "gps+pps", State: "locked"},
	}
}

// same says whether what was read is the sample of its number.
func same(got *Record) bool {
	want := sample(int(got.Offset))
	want.Segment, want.Slot, want.Session = got.Segment, got.Slot, got.Session
	return *got == want
}

// testStore opens a store with few, small segments.
func testStore(t testing.TB, dir Dir, session uint64) *store {
	t.Helper()
	s, _, err := openStore(dir, leastBytes, session, numbered(session))
	if err != nil {
		t.Fatal(err)
	}
	s.records.most = 4
	return s
}

// numbers are those of the records there are.
func numbers(t testing.TB, s *store, note string) (list []int) {
	t.Helper()
	found, err := s.each(context.Background(), Query{}, func(rec *Record) error {
		if !same(rec) {
			t.Fatalf("%s: a wrong record: %+v", note, *rec)
		}
		list = append(list, int(rec.Offset))
		return nil
	})
	if err != nil || found.Damaged > 0 {
		t.Fatalf("%s: %v, %+v", note, err, found)
	}
	return list
}

// unbroken checks that a list counts on.
func unbroken(list []int) bool {
	for i := range list {
		if list[i] != list[0]+i {
			return false
		}
	}
	return true
}

// TestCut cuts the power after each write and each flush of a journal that is full
// and uses its files anew, anywhere in a write and in any order of sectors: what is
// there afterwards is a beginning of what was written, with all of what was
// flushed, and the journal goes on behind it; then it is cut once more.
func TestCut(t *testing.T) {
	var (
		c       = newCard()
		s       = testStore(t, c, 1)
		added   = map[int]int{} // records, by deeds
		flushed = map[int]int{}
		n, sure int
	)
	note := func() { added[len(c.log)], flushed[len(c.log)] = n, sure }
	for minute := range 22 {
		for range 11 + minute*13%90 {
			rec := sample(n)
			if err := s.add(&rec); err != nil {
				t.Fatal(err)
			}
			n++
			note()
		}
		if err := s.flush(minute%5 == 0); err != nil {
			t.Fatal(err)
		}
		sure = n - len(s.records.waiting)
		note()
	}
	if oldest := numbers(t, s, "uncut")[0]; oldest == 0 {
		t.Fatal("no file was used anew")
	}
	first, again, next := len(c.log)/2, 0, uint64(2)
	shown := cuts(nil, c.log, first, 12, func(one cut) {
		how := fmt.Sprintf("cut after %d deeds, %s", one.after, one.how)
		before := at(flushed, one.after)
		after := at(added, len(c.log))
		next++
		s := testStore(t, one.card, next)
		got := numbers(t, s, how)
		if !unbroken(got) || len(got) > 0 && got[len(got)-1] >= after || before > 0 && (len(got) == 0 || got[len(got)-1] < before-1) {
			t.Fatalf("%s: %d were flushed, %d written; there are %v", how, before, after, got)
		}
		// It goes on with what is another record than the lost one, and is as good as
		// before: nothing that was cut comes back.
		end := 0
		if len(got) > 0 {
			end = got[len(got)-1] + 1
		}
		var start map[string][]byte
		if again++; again%97 == 0 {
			start = one.card.copied().files
		}
		for i := range 70 {
			rec := sample(end + i)
			if err := s.add(&rec); err != nil {
				t.Fatal(how, err)
			}
			if i%25 == 0 {
				if err := s.flush(true); err != nil {
					t.Fatal(how, err)
				}
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(how, err)
		}
		next++
		if after := numbers(t, testStore(t, one.card, next), how+", then gone on"); !unbroken(after) || after[len(after)-1] != end+69 {
			t.Fatalf("%s: then there are %v", how, after)
		}
		if start != nil {
			cuts(start, one.card.log, 0, 3, func(second cut) {
				next++
				if got := numbers(t, testStore(t, second.card, next), how+", and once more "+second.how); !unbroken(got) {
					t.Fatalf("%s, and once more %s: there are %v", how, second.how, got)
				}
			})
		}
	})
	t.Logf("%d states after %d deeds", shown, len(c.log)-first)
	if shown < 1500 {
		t.Errorf("%d states, want 1500", shown)
	}
}

// at is what was noted at a number of deeds, or before.
func at(m map[int]int, deeds int) int {
	for ; deeds >= 0; deeds-- {
		if v, ok := m[deeds]; ok {
			return v
		}
	}
	return 0
}
