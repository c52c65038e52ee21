package journal

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"
)

// TestBytesADay watches a hundred servers a minute for a day, and the reference, and counts
// what reaches the file system, whole blocks. What makes files is shown beside it: that ends when
// there are as many as may be. The reference's minute is put just behind the card's flush, and
// just before it, where it is what each flush leaves.
func TestBytesADay(t *testing.T) {
	for name, phase := range map[string]time.Duration{"behind": 50 * time.Millisecond, "before": -50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { bytesADay(t, phase) }) })
	}
}

func bytesADay(t *testing.T, phase time.Duration) {
	s := startIn(t, newCard(), true, MostBytes)
	defer s.stop()
	var names [100]string
	for i := range names {
		names[i] = fmt.Sprintf("server-%d.example.net/ipv4", i)
	}
	time.Sleep(flushEvery + phase)
	minute := func() {
		for _, name := range names {
			s.ask(name, time.Millisecond)
			time.Sleep(time.Minute / 100)
		}
		s.ownMinute(60, 0)
	}
	for range 10 {
		minute()
	}
	before, made, records := s.card.writing, s.j.Status().Size, s.j.Status().Records
	for range 60 * 24 {
		minute()
	}
	st := s.j.Status()
	reached := float64(s.card.writing-before) / 1e6
	t.Logf("%d records, %.2f MB, and %.1f MB of files made", st.Records-records, reached, float64(st.Size-made)/1e6)
	if st.Records-records < 143_000 || st.Dropped > 0 || reached > 10 {
		t.Errorf("%.1f MB a day: %+v", reached, st)
	}
}

// BenchmarkPut is an exchange's two verdicts, with a thousand others waiting.
func BenchmarkPut(b *testing.B) {
	s := &station{begun: time.Now()}
	s.known.Store(true)
	j, err := New(Config{Open: func() (Dir, int64, error) { return newCard(), 8 << 20, nil }, Now: s.mono, Reference: s.reference})
	if err != nil {
		b.Fatal(err)
	}
	x, r := s.exchange("server", time.Millisecond)
	final := r
	final.Provisional = false
	var list [batch]Record
	for i := range 1000 {
		x.Mono = int64(i + 1)
		j.Put(x, r)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.Mono = int64(i + 1001)
		j.Put(x, r)
		x.Mono = int64(i + 1)
		j.Put(x, final)
		if i%batch == 0 {
			j.take(list[:], false)
		}
	}
}

// BenchmarkWrite is a record's way to a card that costs nothing.
func BenchmarkWrite(b *testing.B) {
	s, _, err := openStore(idle{}, MostBytes, 1, numbered(1))
	if err != nil {
		b.Fatal(err)
	}
	rec := sample(1)
	b.ReportAllocs()
	b.SetBytes(slotSize)
	for i := 0; b.Loop(); i++ {
		if err := s.add(&rec); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 0 {
			if err := s.flush(false); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// idle is a card that keeps nothing.
type idle struct{}

func (idle) Open(string) (File, error)        { return nil, fs.ErrNotExist }
func (idle) Make(string, int64) (File, error) { return idle{}, nil }
func (idle) Remove(string) error              { return nil }

func (idle) ReadAt(p []byte, _ int64) (int, error)  { clear(p); return len(p), nil }
func (idle) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (idle) Size() (int64, error)                   { return 0, nil }
func (idle) Sync() error                            { return nil }
func (idle) Close() error                           { return nil }
