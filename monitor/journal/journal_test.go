package journal

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// station is a journal's surroundings in virtual time.
type station struct {
	t     *testing.T
	card  *card
	begun time.Time // of this run
	known atomic.Bool
	wrong time.Duration // how far what it takes for true time is ahead
	most  int64         // bytes
	j     *Journal
	stop  func()
}

// start starts a run of the station on a card; its monotonic clock begins at 0.
func start(t *testing.T, c *card, known bool) *station {
	return startIn(t, c, known, 8<<20)
}

// startIn does so on a card of some bytes.
func startIn(t *testing.T, c *card, known bool, most int64) *station {
	s := &station{t: t, card: c, begun: time.Now(), most: most}
	s.known.Store(known)
	random := numbered(uint64(time.Now().UnixNano()) + 5)
	j, err := New(Config{
		Open:      func() (Dir, int64, error) { return c, s.most, c.refuses("dir", "") },
		Now:       s.mono,
		Reference: s.reference,
		Random:    random,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.j = j
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- j.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	return s
}

func (s *station) mono() int64 { return 1 + int64(time.Since(s.begun)) }

func (s *station) reference(mono int64, _ string) Reference {
	if !s.known.Load() {
		return Reference{Source: "none", State: "cold"}
	}
	return Reference{
		UTC: s.begun.Add(time.Duration(mono - 1)).Add(s.wrong).UnixNano(), Known: true, Usable: true,
		Uncertainty: 1e-6, Source: "gps+pps", State: "locked",
	}
}

// exchange is one that a server answered just now, ahead by a time.
func (s *station) exchange(server string, ahead time.Duration) (monitor.Exchange, monitor.Result) {
	offset, bound, uncertainty, rtt := ahead.Seconds(), 0.01, 0.001, 0.02
	return monitor.Exchange{
			Target: server, Addr: netip.MustParseAddrPort("192.0.2.1:123"), Outcome: monitor.OutcomeOK, Mono: s.mono(),
			Kernel: true, StampError: 1e-5, Stratum: 2, RefID: 0xC0000201, RootDelay: 0.015625, RootDispersion: 0.25,
		}, monitor.Result{
			Target:  monitor.Target{ID: server, Server: monitor.Server{Name: server, Limit: 0.025}},
			Verdict: monitor.OK, Provisional: true, Latest: &monitor.Measurement{Offset: offset, Uncertainty: uncertainty, Bound: bound, RTT: rtt}, RTT: &rtt,
		}
}

// silence is a request that nothing answered; what a result says besides is of
// the exchange before.
func (s *station) silence(server string) (monitor.Exchange, monitor.Result) {
	x, r := s.exchange(server, time.Hour)
	x.Outcome, r.Provisional = monitor.OutcomeTimeout, false
	return x, r
}

// ask has an exchange and its final verdict half a minute later.
func (s *station) ask(server string, ahead time.Duration) {
	x, r := s.exchange(server, ahead)
	s.j.Put(x, r)
	time.AfterFunc(32*time.Second, func() {
		r.Provisional, r.Assured = false, true
		s.j.Put(x, r)
	})
}

// all are the records there are.
func (s *station) all(q Query) (list []Record, found Found) {
	s.t.Helper()
	found, err := s.j.Range(context.Background(), q, func(r *Record) error { list = append(list, *r); return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return list, found
}

// TestFinalVerdict keeps one record of each exchange, in their order.
func TestFinalVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, newCard(), true)
		began := time.Now()
		s.ask("a", time.Millisecond)
		time.Sleep(time.Second)
		x, r := s.exchange("b", 2*time.Millisecond)
		s.j.Put(x, r) // and no final verdict for a quarter of an hour
		time.Sleep(time.Second)
		s.j.Put(s.silence("c"))
		time.Sleep(time.Second)
		s.ask("d", 4*time.Millisecond)
		if _, ok := s.j.Range(context.Background(), Query{}, func(*Record) error { return nil }); ok != nil {
			t.Fatal(ok)
		}
		time.Sleep(15 * time.Minute)
		r.Provisional = false
		s.j.Put(x, r)
		time.Sleep(5 * time.Minute)

		list, _ := s.all(Query{})
		if len(list) != 4 || s.j.Status().Records != 4 || s.j.Status().Late != 1 || s.j.Status().Waiting != 0 {
			t.Fatalf("%+v, %+v", list, s.j.Status())
		}
		for i, want := range []struct {
			id                             string
			provisional, assured, measured bool
			offset                         time.Duration
			outcome                        monitor.Outcome
		}{
			{"a", false, true, true, time.Millisecond, monitor.OutcomeOK},
			{"b", true, false, true, 2 * time.Millisecond, monitor.OutcomeOK},
			{"c", false, false, false, 0, monitor.OutcomeTimeout},
			{"d", false, true, true, 4 * time.Millisecond, monitor.OutcomeOK},
		} {
			got := list[i]
			if got.Target.ID != want.id || got.Provisional != want.provisional || got.Assured != want.assured ||
				got.Measured != want.measured || got.Offset != int64(want.offset) || got.Outcome != want.outcome ||
				got.Timed != want.measured || !got.Time.Equal(began.Add(time.Duration(i)*time.Second)) {
				t.Errorf("record %d: %+v", i, got)
			}
		}
		if got := list[0]; got.Stratum != 2 || got.RefID != 0xC0000201 || got.RootDelay != 0.015625 || got.RootDispersion != 0.25 ||
			got.Delay != 20e6 || !got.Kernel || got.Reference.Source != "gps+pps" || got.Reference.State != "locked" || !got.Reference.Usable ||
			got.Target.Limit != 0.025 || got.Target.Addr.String() != "192.0.2.1:123" {
			t.Errorf("%+v", got)
		}
		s.ask("e", 0)
		s.stop()

		s = start(t, s.card, true)
		defer s.stop()
		if list, _ := s.all(Query{}); len(list) != 5 || !list[4].Provisional {
			t.Errorf("after the end: %+v", list)
		}
	})
}

// TestDates starts a station that does not know the time, twice, with a clock that
// may be anywhere: its records have no date until it is known, and then the right
// one, also those of a start before; those of a start that never knew keep none.
func TestDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard()
		never := start(t, c, false)
		never.ask("never", 0)
		time.Sleep(10 * time.Minute)
		never.stop()

		s := start(t, c, false)
		began := time.Now()
		for range 10 {
			s.ask("a", 0)
			time.Sleep(time.Minute)
		}
		time.Sleep(10 * time.Minute)
		if list, _ := s.all(Query{Undated: true}); len(list) != 11 || !list[0].Time.IsZero() || !list[10].Time.IsZero() || list[1].Mono != 1 {
			t.Fatalf("%+v", list)
		}
		if list, _ := s.all(Query{}); len(list) != 0 {
			t.Fatalf("dated by nobody: %+v", list)
		}
		s.known.Store(true)
		time.Sleep(10 * time.Minute)
		s.ask("a", 0)
		time.Sleep(10 * time.Minute)
		check := func(s *station) {
			t.Helper()
			list, _ := s.all(Query{From: began})
			if len(list) != 11 {
				t.Fatalf("%d records", len(list))
			}
			for i, r := range list[:10] {
				if want := began.Add(time.Duration(i) * time.Minute); !r.Time.Equal(want) || !r.DatedLater {
					t.Errorf("record %d is dated %s, not %s", i, r.Time, want)
				}
			}
			if r := list[10]; r.DatedLater || !r.Time.Equal(began.Add(30*time.Minute)) {
				t.Errorf("%+v", r)
			}
			if list, _ := s.all(Query{To: began.Add(150 * time.Second)}); len(list) != 3 {
				t.Errorf("%d records in the first two and a half minutes", len(list))
			}
			if list, _ := s.all(Query{Undated: true, Target: "never"}); len(list) != 1 || !list[0].Time.IsZero() {
				t.Errorf("%+v", list)
			}
		}
		check(s)
		s.stop()
		s = start(t, c, true)
		defer s.stop()
		check(s)
	})
}

// TestReadOnce reads segments whose records had no dates once, not for each query.
func TestReadOnce(t *testing.T) {
	c, opened := newCard(), 0
	s := testStore(t, c, 1)
	add := func(from, to int, dated bool) {
		t.Helper()
		for i := from; i < to; i++ {
			rec := sample(i)
			if !dated {
				rec.Time, rec.Mono = time.Time{}, int64(i)*1e9
			}
			if err := s.add(&rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, 170, false)
	add(170, 500, true)
	if err := s.flush(true); err != nil {
		t.Fatal(err)
	}
	c.fail = func(what, _ string) error {
		if what == "open" {
			opened++
		}
		return nil
	}
	ask := func(q Query) (records uint64, files int) {
		t.Helper()
		opened = 0
		found, err := s.each(context.Background(), q, func(*Record) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return found.Records, opened
	}
	early, late := Query{To: day.Add(20 * time.Second)}, Query{From: day.Add(490 * time.Second)}
	for i, want := range [][2]int{{10, 2}, {10, 1}} {
		if n, files := ask(late); n != uint64(want[0]) || files != want[1] {
			t.Errorf("query %d: %d records in %d files", i, n, files)
		}
	}
	if n, files := ask(early); n != 0 || files != 0 {
		t.Errorf("without dates: %d records in %d files", n, files)
	}
	if n, _ := ask(Query{To: early.To, Undated: true}); n != 170 {
		t.Errorf("asked for those without: %d", n)
	}
	if err := s.anchor(200e9, day.Add(200*time.Second).UnixNano()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, files := ask(early); n != 20 || files != 1 {
			t.Errorf("with dates: %d records in %d files", n, files)
		}
	}
}

// TestTrouble has a card refuse each thing for an hour: the station goes on, people
// are told, and afterwards the journal is written again, and knows what it lost.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		what string
		on   string // what is refused
		err  error
	}{
		{"read-only from the start", "dir", syscall.EROFS},
		{"read-only", "write", syscall.EROFS},
		{"a bad place", "sync", syscall.EIO},
		{"full", "make", syscall.ENOSPC},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				card := newCard()
				var failing atomic.Bool
				card.fail = func(what, name string) error {
					if failing.Load() && what == c.on && name != "anchors" {
						return fmt.Errorf("%s: %w", name, c.err)
					}
					return nil
				}
				failing.Store(true)
				s := start(t, card, true)
				defer s.stop()
				n := 0
				ask := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); n++ {
						s.ask("a", time.Duration(n))
						time.Sleep(10 * time.Second)
					}
				}
				ask(10 * time.Minute)
				if p := s.j.Status().Problem; !strings.Contains(p, c.err.Error()) || !strings.Contains(p, "The station goes on") {
					t.Errorf("people are told %q", p)
				}
				failing.Store(false)
				ask(10 * time.Minute)
				failing.Store(true)
				ask(time.Hour)
				failing.Store(false)
				ask(10 * time.Minute)
				time.Sleep(5 * time.Minute)
				st := s.j.Status()
				if st.Problem != "" || int(st.Records+st.Dropped) != n || st.Dropped > 0 {
					t.Errorf("of %d: %+v", n, st)
				}
				list, found := s.all(Query{})
				if len(list) != int(st.Records) || found.Missing != st.Dropped || found.Damaged != 0 {
					t.Errorf("%d records, %+v; %+v", len(list), found, st)
				}
				last := int64(-1)
				for _, r := range list {
					if r.Offset <= last {
						t.Fatalf("%d after %d", r.Offset, last)
					}
					last = r.Offset
				}
			})
		})
	}
}

// TestFull goes on in the files there are when the file system takes no more.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := newCard()
		s := start(t, card, true)
		defer s.stop()
		made := 0
		card.fail = func(what, name string) error {
			if _, is := card.files[name]; what == "make" && !is {
				if made++; made > 2 {
					return syscall.ENOSPC
				}
			}
			return nil
		}
		n := 0
		for range 100 {
			for range 300 {
				s.ask("a", time.Duration(n))
				n++
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(5 * time.Minute)
		list, _ := s.all(Query{})
		if st := s.j.Status(); st.Problem != "" || st.Dropped != 0 || int(st.Records) != n || len(list) < 500 || list[len(list)-1].Offset != int64(n-1) {
			t.Errorf("%d of %d: %+v", len(list), n, st)
		}
	})
}

// TestStuckCard never returns from a flush: Put does not wait, its memory is
// bounded, and people are told.
func TestStuckCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card, free := newCard(), make(chan struct{})
		var stuck atomic.Bool
		s := start(t, card, true)
		slow := &slowDir{Dir: card, wait: func() {
			if stuck.Load() {
				<-free
			}
		}}
		s.j.cfg.Open = func() (Dir, int64, error) { return slow, 8 << 20, nil }
		s.stop()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { s.j.Run(ctx); close(done) }()
		time.Sleep(2 * time.Minute)
		stuck.Store(true)
		for i := range 3 * queueMost {
			x, r := s.exchange("a", time.Duration(i))
			s.j.Put(x, r)
			time.Sleep(100 * time.Millisecond)
		}
		st := s.j.Status()
		if !strings.Contains(st.Problem, "taking no writes") || st.Dropped == 0 || st.Waiting > queueMost+1000 || len(s.j.waited) > queueMost {
			t.Errorf("%+v", st)
		}
		stuck.Store(false)
		close(free)
		time.Sleep(10 * time.Minute)
		if after := s.j.Status(); after.Problem != "" || after.Waiting > 0 || after.Records+after.Dropped != 3*queueMost {
			t.Errorf("%+v", after)
		}
		cancel()
		<-done
	})
}

// slowDir waits before each flush.
type slowDir struct {
	Dir
	wait func()
}

type slowFile struct {
	File
	wait func()
}

func (d *slowDir) Make(name string, size int64) (File, error) {
	f, err := d.Dir.Make(name, size)
	return slowFile{f, d.wait}, err
}

func (f slowFile) Sync() error { f.wait(); return f.File.Sync() }

// TestLittleRoom refuses to work where it could not keep anything.
func TestLittleRoom(t *testing.T) {
	if _, _, err := openStore(newCard(), leastBytes-1, 1, numbered(1)); err == nil {
		t.Error("a megabyte is needed")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a journal of nothing")
	}
	j, err := New(Config{Open: func() (Dir, int64, error) { return nil, 0, errors.New("none") }, Now: func() int64 { return 1 }, Reference: func(int64, string) Reference { return Reference{} }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Range(context.Background(), Query{}, nil); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
}
