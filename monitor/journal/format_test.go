package journal

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFormat holds what lies on the card against files of this version: a card has
// to be readable after an update, and after going back.
func TestFormat(t *testing.T) {
	c := newCard()
	s := testStore(t, c, 1)
	list := exported()
	for i := range list {
		if err := s.add(&list[i]); err != nil {
			t.Fatal(err)
		}
	}
	h := hours{s: s}
	box := &Outbox{s: s, name: "hub", cells: cells{dir: c, name: "outbox-hub", count: 2, stride: blockSize}}
	for _, err := range []error{
		s.addGap(3), s.flush(true), s.anchor(20e9, day.Add(30*time.Second).UnixNano()), h.roll(day.Add(3 * time.Hour).UnixNano()), box.write(place{1, 7}, 2), s.close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden := newCard()
	for _, name := range []string{"x-000", "h-000", "anchors", "outbox-hub"} {
		path, got := filepath.Join("testdata", name), bytes.TrimRight(c.files[name], "\x00")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is written another way than before:\n% x\nwant\n% x", name, got, want)
		}
		golden.files[name] = make([]byte, len(c.files[name]))
		copy(golden.files[name], want)
	}

	j := &Journal{}
	j.store.Store(testStore(t, golden, 2))
	var b bytes.Buffer
	found, err := j.Export(context.Background(), &b, "0123456789abcdef", JSON, Query{Undated: true})
	if err != nil || found != (Found{Records: 4, Missing: 3}) {
		t.Errorf("%+v, %v", found, err)
	}
	hours := 0
	if err := j.Rollups(context.Background(), Query{}, func(*Rollup) error { hours++; return nil }); err != nil || hours != 4 {
		t.Errorf("%d roll-ups: %v", hours, err)
	}
	if o, err := j.Outbox("hub"); err != nil || o.at != (place{1, 7}) || o.dropped != 2 {
		t.Errorf("%+v, %v", o, err)
	}

	// A later version's segment is left alone until its turn comes.
	head := golden.files["x-000"]
	head[4] = version + 1
	reseal(head[:slotSize])
	next := testStore(t, golden, 3)
	rec := sample(1)
	if err := next.add(&rec); err != nil {
		t.Fatal(err)
	}
	if err := next.close(); err != nil {
		t.Fatal(err)
	}
	if got := golden.files["x-000"]; got[4] != version+1 || len(golden.files["x-001"]) == 0 {
		t.Error("a later version's segment was written over")
	}
	if got := numbers(t, testStore(t, golden, 4), "beside a later version's"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
