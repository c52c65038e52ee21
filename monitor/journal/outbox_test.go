package journal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutbox hands on each record at least once, the same batch until it is done,
// also after a restart.
func TestOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, newCard(), true)
		for i := range 30 {
			s.ask("a", time.Duration(i))
			time.Sleep(10 * time.Second)
		}
		time.Sleep(5 * time.Minute)
		if _, err := s.j.Outbox("../x"); err == nil {
			t.Error("a name that leads elsewhere")
		}
		o, err := s.j.Outbox("hub")
		if err != nil {
			t.Fatal(err)
		}
		if st := o.Stats(); st.Pending != 30 || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
		first, err := o.Next(20)
		if err != nil || len(first.Records) != 20 || first.Records[0].Offset != 0 {
			t.Fatalf("%+v, %v", first, err)
		}
		if again, _ := o.Next(7); again.ID != first.ID || len(again.Records) != 20 {
			t.Errorf("then %s", again.ID)
		}
		if err := o.Done(Batch{ID: "another"}); err == nil {
			t.Error("a batch that was not handed out is done")
		}
		if err := o.Done(first); err != nil {
			t.Fatal(err)
		}
		second, err := o.Next(20)
		if err != nil || len(second.Records) != 10 || second.ID == first.ID {
			t.Fatalf("%+v, %v", second, err)
		}
		s.stop()
		if _, err := o.Next(1); !errors.Is(err, ErrNotOpen) {
			t.Error(err)
		}

		s = start(t, s.card, true)
		defer s.stop()
		if o, err = s.j.Outbox("hub"); err != nil {
			t.Fatal(err)
		}
		again, err := o.Next(20)
		if err != nil || again.ID != second.ID || len(again.Records) != 10 || again.Records[0].Slot != second.Records[0].Slot {
			t.Fatalf("%+v, %v", again, err)
		}
		if err := o.Done(again); err != nil {
			t.Fatal(err)
		}
		if none, err := o.Next(20); err != nil || len(none.Records) != 0 {
			t.Fatalf("%+v, %v", none, err)
		}
		s.ask("a", 30)
		time.Sleep(5 * time.Minute)
		if last, err := o.Next(20); err != nil || len(last.Records) != 1 || last.Records[0].Offset != 30 {
			t.Fatalf("%+v, %v", last, err)
		}
	})
}

// TestOutboxDrops counts what is dropped before it is handed on, to the record, and
// cuts the power everywhere: what was done does not come again but for what was
// done last, and nothing is left out uncounted.
func TestOutboxDrops(t *testing.T) {
	c := newCard()
	s := testStore(t, c, 1)
	j := &Journal{}
	j.store.Store(s)
	o, err := j.Outbox("hub")
	if err != nil {
		t.Fatal(err)
	}
	next, handed := 0, 0
	for i := range 2000 {
		rec := sample(i)
		if err := s.add(&rec); err != nil {
			t.Fatal(err)
		}
		if i%100 != 99 {
			continue
		}
		if err := s.flush(true); err != nil {
			t.Fatal(err)
		}
		if i > 400 && i < 1500 {
			continue // nobody is there to take them
		}
		b, err := o.Next(70)
		if err != nil {
			t.Fatal(err)
		}
		if lost := int(b.Records[0].Offset) - next; lost < 0 || uint64(handed+lost)+o.Stats().Dropped < uint64(next) {
			t.Fatalf("%d follows %d", b.Records[0].Offset, next)
		}
		handed += len(b.Records)
		next = int(b.Records[len(b.Records)-1].Offset) + 1
		if err := o.Done(b); err != nil {
			t.Fatal(err)
		}
	}
	dropped := o.Stats().Dropped
	if int(dropped)+handed != next || dropped == 0 {
		t.Fatalf("%d handed on, %d dropped, the next is %d", handed, dropped, next)
	}
	session := uint64(2)
	cuts(nil, c.log, len(c.log)*9/10, 3, func(one cut) {
		session++
		j := &Journal{}
		j.store.Store(testStore(t, one.card, session))
		o, err := j.Outbox("hub")
		if err != nil {
			t.Fatal(one.how, err)
		}
		b, err := o.Next(10)
		if err != nil {
			t.Fatal(one.how, err)
		}
		if len(b.Records) > 0 && int(b.Records[0].Offset) > next {
			t.Fatalf("%s: %d is next, after %d", one.how, b.Records[0].Offset, next)
		}
		if at := o.at; at.seq == 0 {
			t.Fatalf("%s: it begins anew", one.how)
		}
	})
}
