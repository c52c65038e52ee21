package journal

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"
	"time"
)

// FuzzOpen opens a card from elsewhere. What lies on it may be anything, with right
// checksums as well: nothing panics, and the journal goes on behind it or beside it.
func FuzzOpen(f *testing.F) {
	c := newCard()
	s := testStore(f, c, 1)
	for i := range 300 {
		rec := sample(i)
		if i < 5 {
			rec.Time = time.Time{}
		}
		if err := s.add(&rec); err != nil {
			f.Fatal(err)
		}
	}
	for i := range 3 {
		m := sampleMinute(i)
		if err := s.addMinute(&m); err != nil {
			f.Fatal(err)
		}
	}
	h := hours{s: s}
	box := &Outbox{s: s, name: "a", cells: cells{dir: c, name: "outbox-a", count: 2, stride: blockSize}}
	for _, err := range []error{
		s.addGap(7), s.flush(true), s.anchor(5, day.UnixNano()), h.roll(day.Add(3 * time.Hour).UnixNano()),
		s.rollups.flush(true), box.write(place{1, 9}, 3), s.close(),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	for _, sealed := range []bool{false, true} {
		f.Add(c.files["x-000"], c.files["x-001"], c.files["h-000"], c.files["anchors"][:256], c.files["outbox-a"], sealed)
		f.Add(c.files["x-001"][:5000], c.files["x-000"][:100], []byte{}, []byte{1}, c.files["outbox-a"][:70], sealed)
	}
	f.Fuzz(func(t *testing.T, x0, x1, h0, anchors, box []byte, sealed bool) {
		c := newCard()
		for name, b := range map[string][]byte{"x-000": x0, "x-003": x1, "h-000": h0, "anchors": anchors, "outbox-a": box} {
			if len(b) > 64<<10 {
				return
			}
			b = append([]byte(nil), b...)
			if sealed {
				reseal(b)
			}
			c.files[name] = b
		}
		s, _, err := openStore(c, leastBytes, 9, numbered(9))
		if err != nil {
			t.Fatal(err) // no card refuses anything here
		}
		s.records.most = 4
		j := &Journal{}
		j.store.Store(s)
		utc := day.Add(24 * time.Hour).UnixNano()
		s.keep(utc)
		j.Range(context.Background(), Query{Undated: true}, func(*Record) error { return nil })
		j.Rollups(context.Background(), Query{}, func(*Rollup) error { return nil })
		j.ExportMinutes(context.Background(), io.Discard, "", JSON, Query{Undated: true})
		j.Earlier(context.Background())
		h := hours{s: s}
		h.begin()
		for range 3 {
			if err := h.roll(utc); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.ExportReferenceHours(context.Background(), io.Discard, "", JSON, Query{}); err != nil {
			t.Fatal(err)
		}
		o, err := j.Outbox("a")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b, err := o.Next(10)
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Records) > 0 {
				if err := o.Done(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		o.Stats()
		const more = 700 // all files are used anew
		for i := range more {
			rec := sample(i)
			if err := s.add(&rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.flush(true); err != nil {
			t.Fatal(err)
		}
		last := -1
		if _, err := s.each(context.Background(), Query{}, func(rec *Record) error { last = int(rec.Offset); return nil }); err != nil || last != more-1 {
			t.Fatalf("the last record is %d: %v", last, err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// reseal makes the checksums of a file right, whatever kind it is of.
func reseal(b []byte) {
	if len(b) < slotSize {
		return
	}
	le := binary.LittleEndian
	if b[6] != 'x' && b[6] != 'h' {
		for at := 0; at+slotSize <= len(b); at += slotSize {
			le.PutUint32(b[at:], crc32.Checksum(b[at+4:at+slotSize], castagnoli))
		}
		return
	}
	le.PutUint32(b, crc32.Checksum(b[4:slotSize], castagnoli))
	salt, session := le.Uint64(b[16:]), le.Uint64(b[24:])
	for slot := 1; (slot+1)*slotSize <= len(b); {
		n := min(max(int(b[slot*slotSize+5]), 1), maxSlots, len(b)/slotSize-slot)
		e := b[slot*slotSize : (slot+n)*slotSize]
		e[5] = byte(n)
		le.PutUint32(e, checksum(salt+session, slot, e))
		if e[4] == kindSession {
			session = le.Uint64(e[8:])
		}
		slot += n
	}
}
