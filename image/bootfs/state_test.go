package bootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"testing"
)

func value(t *testing.T, d Device) string {
	t.Helper()
	b, err := OpenState(d).Load(KindBoot)
	if errors.Is(err, ErrNeverWritten) {
		return ""
	}
	if err != nil {
		t.Fatalf("neither the old nor the new value: %v", err)
	}
	return string(b)
}

// TestCutAtEveryPoint cuts the power in one Store, and again in the next five, at
// every operation and in every way; the value is the old one or the new one.
func TestCutAtEveryPoint(t *testing.T) {
	states := 0
	tried := make(map[string]bool)
	var try func(card *faulty, depth int)
	try = func(card *faulty, depth int) {
		// Cards whose copies are alike in all that Store looks at are tried once.
		c := OpenState(card).readCopies(KindBoot)
		key := fmt.Sprint(depth)
		for _, f := range c {
			key += fmt.Sprintf(" %v %v %d %s", f.err == nil, f.blank, f.sequence, f.payload)
		}
		if tried[key] {
			return
		}
		tried[key] = true
		old := value(t, card)
		// As long as the last sectors of the payload, which reaches over five.
		want := fmt.Sprintf("value %d %s", depth, strings.Repeat("x", StatePayload-8))
		for cut := 0; ; cut++ {
			d := card.after()
			d.left = cut
			err := OpenState(d).Store(KindBoot, []byte(want))
			for _, after := range d.outcomes() {
				states++
				got := value(t, after)
				if got != old && got != want {
					t.Fatalf("cut %d at depth %d: %.20q", cut, depth, got)
				}
				if err == nil && got != want {
					t.Fatalf("Store returned, but the value is %.20q", got)
				}
				if depth < 6 {
					try(after, depth+1)
				}
			}
			if err == nil {
				if cut != 4 { // write, sync, write, sync
					t.Fatalf("Store took %d operations", cut)
				}
				break
			}
			if !errors.Is(err, errPower) {
				t.Fatal(err)
			}
		}
	}
	fresh := &faulty{medium: &memory{}, left: -1}
	try(fresh, 1)
	full := &faulty{medium: &memory{}, left: -1}
	for _, v := range []string{"first", "second"} {
		if err := OpenState(full).Store(KindBoot, []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	try(full, 1)
	if states < 5000 {
		t.Errorf("only %d states were tried", states)
	}
	t.Logf("%d states", states)
}

// TestLyingCard: a card that says "synced" and then loses any of the writes
// leaves the old value or the new one.
func TestLyingCard(t *testing.T) {
	medium := &memory{}
	if err := OpenState(&faulty{medium: medium, left: -1}).Store(KindBoot, []byte("old")); err != nil {
		t.Fatal(err)
	}
	d := &faulty{medium: medium, left: -1, liar: true}
	if err := OpenState(d).Store(KindBoot, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if len(d.cache) != 2 {
		t.Fatalf("%d writes", len(d.cache))
	}
	for lost := range 4 {
		m := medium.clone()
		for i, w := range d.cache {
			if lost&(1<<i) == 0 {
				m.WriteAt(w.b, w.off)
			}
		}
		want := "new"
		if lost == 3 {
			want = "old"
		}
		if got := value(t, &faulty{medium: m, left: -1}); got != want {
			t.Errorf("writes lost %b: %q", lost, got)
		}
	}
}

// TestEitherCopyMayRot: once Store has returned, one copy is enough, and Store
// mends the other.
func TestEitherCopyMayRot(t *testing.T) {
	for copy := range 2 {
		for n := range 4 {
			m := &memory{}
			d := &faulty{medium: m, left: -1}
			s := OpenState(d)
			for i := range n + 1 {
				if err := s.Store(KindUpdate, fmt.Appendf(nil, "value %d", i)); err != nil {
					t.Fatal(err)
				}
			}
			patch(m, KindUpdate.offset(copy)+30, 0xaa)
			got, err := s.Load(KindUpdate)
			if err != nil || string(got) != fmt.Sprintf("value %d", n) {
				t.Errorf("copy %d, %d: %q, %v", copy, n, got, err)
			}
			if err := s.Store(KindUpdate, []byte("mended")); err != nil {
				t.Fatal(err)
			}
			patch(m, KindUpdate.offset(1-copy)+30, 0xaa)
			if got, err := s.Load(KindUpdate); err != nil || string(got) != "mended" {
				t.Errorf("copy %d, %d: %q, %v", copy, n, got, err)
			}
		}
	}
}

func TestNeverWrittenIsNotDamaged(t *testing.T) {
	m := &memory{}
	d := &faulty{medium: m, left: -1}
	s := OpenState(d)
	if _, err := s.Load(KindIdentity); !errors.Is(err, ErrNeverWritten) || errors.Is(err, ErrStateDamaged) {
		t.Errorf("fresh: %v", err)
	}
	if err := s.Store(KindIdentity, nil); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Load(KindIdentity); err != nil || len(b) != 0 {
		t.Errorf("an empty payload: %q, %v", b, err)
	}
	if _, err := s.Load(KindBoot); !errors.Is(err, ErrNeverWritten) {
		t.Errorf("another kind: %v", err)
	}
	patch(m, KindIdentity.offset(0), 0)
	patch(m, KindIdentity.offset(1), 0)
	_, err := s.Load(KindIdentity)
	if !errors.Is(err, ErrStateDamaged) || errors.Is(err, ErrNeverWritten) {
		t.Errorf("both damaged: %v", err)
	}
	patch(m, KindIdentity.offset(0), make([]byte, StateRecord)...)
	if _, err := s.Load(KindIdentity); !errors.Is(err, ErrStateDamaged) || errors.Is(err, ErrNeverWritten) {
		t.Errorf("one wiped, one damaged: %v", err)
	}
	if err := s.Store(KindIdentity, []byte("again")); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Load(KindIdentity); err != nil || string(b) != "again" {
		t.Errorf("stored again: %q, %v", b, err)
	}
	d.dead = map[int64]bool{0: true, copyDistance / 4096: true}
	if _, err := s.Load(KindIdentity); !errors.Is(err, ErrStateDamaged) || !errors.Is(err, errDead) {
		t.Errorf("unreadable: %v", err)
	}
	// A copy of another kind's record is not this kind's.
	other := make([]byte, StateRecord)
	if err := s.Store(KindUpdate, []byte("update")); err != nil {
		t.Fatal(err)
	}
	m.ReadAt(other, KindUpdate.offset(0))
	patch(m, KindBoot.offset(0), other...)
	patch(m, KindBoot.offset(1), other...)
	if _, err := s.Load(KindBoot); !errors.Is(err, ErrStateDamaged) {
		t.Errorf("misplaced: %v", err)
	}
}

func TestStoreReportsFailures(t *testing.T) {
	flip := func(b []byte) []byte { b[100] ^= 1; return b }
	for n := 1; n <= 4; n++ { // write, sync, write, sync
		for _, how := range []string{"error", "flip"} {
			if how == "flip" && n%2 == 0 {
				continue
			}
			d := &faulty{medium: &memory{}, left: -1}
			s := OpenState(d)
			if err := s.Store(KindBoot, []byte("old")); err != nil {
				t.Fatal(err)
			}
			count := 0
			d.fail = func(string) error {
				d.mangle = nil
				if count++; count != n {
					return nil
				}
				if how == "flip" {
					d.mangle = flip
					return nil
				}
				return io.ErrClosedPipe
			}
			err := s.Store(KindBoot, []byte("new"))
			d.fail, d.mangle = nil, nil
			if err == nil || errors.Is(err, ErrOneCopy) != (n > 2) {
				t.Errorf("%s at %d: %v", how, n, err)
			}
			got := value(t, d)
			if n > 2 && got != "new" || n == 1 && got != "old" || got != "old" && got != "new" {
				t.Errorf("%s at %d: %q", how, n, got)
			}
		}
	}
	s := OpenState(&faulty{medium: &memory{}, left: -1})
	if err := s.Store(KindBoot, make([]byte, StatePayload+1)); err == nil {
		t.Error("an endless payload was stored")
	}
	for _, k := range []Kind{0, 9, 65535} {
		if _, err := s.Load(k); err == nil || errors.Is(err, ErrNeverWritten) {
			t.Errorf("kind %d: %v", k, err)
		}
		if err := s.Store(k, nil); err == nil {
			t.Errorf("kind %d was stored", k)
		}
	}
}

func TestStateLayout(t *testing.T) {
	seen := make(map[int64]bool)
	for k := Kind(1); k <= 8; k++ {
		for c := range 2 {
			o := k.offset(c)
			if o%4096 != 0 || o+StateRecord > StateSize || seen[o] {
				t.Errorf("%v, copy %d at %d", k, c, o)
			}
			seen[o] = true
		}
		if k.offset(1)-k.offset(0) < 1<<20 {
			t.Errorf("%v: its copies are too near to each other", k)
		}
	}
	if KindIdentity.offset(0) != 0 || KindBoot.offset(0) != 512<<10 || KindUpdate.offset(1) != 5<<20 {
		t.Error("a kind has moved: cards in the field would lose it")
	}
}

// TestRecordBytes is a record as the first release writes it.
func TestRecordBytes(t *testing.T) {
	b := encodeRecord(KindBoot, record{sequence: 7, payload: []byte("{}")})
	if !bytes.HasPrefix(b, []byte("TCSTATE1\x02\x00\x02\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00{}\x00")) || len(b) != 4096 {
		t.Errorf("% x", b[:32])
	}
	if got := crc32.Checksum([]byte("123456789"), castagnoli); got != 0xe3069283 { // the check value of CRC-32C
		t.Errorf("checksum %#x", got)
	}
	if r, err := decodeRecord(KindBoot, b); err != nil || r.sequence != 7 || string(r.payload) != "{}" {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if _, err := decodeRecord(KindBoot, b); err == nil {
				t.Fatalf("bit %d of byte %d is not guarded", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func TestConcurrentStores(t *testing.T) {
	s := OpenState(&faulty{medium: &memory{}, left: -1})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := s.StoreBoot(Boot{HungResets: i}); err != nil {
				t.Error(err)
			}
			if _, err := s.LoadBoot(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestIdentityAndBoot(t *testing.T) {
	s := OpenState(&faulty{medium: &memory{}, left: -1})
	if _, err := s.LoadIdentity(); !errors.Is(err, ErrNeverWritten) {
		t.Error(err)
	}
	if _, err := s.LoadBoot(); !errors.Is(err, ErrNeverWritten) {
		t.Error(err)
	}
	id := Identity{ID: "0123456789abcdef0123456789abcdef", BoardSerial: "10000000abcdef01"}
	if err := s.StoreIdentity(id); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadIdentity(); err != nil || got != id {
		t.Errorf("%+v, %v", got, err)
	}
	boot := Boot{PermMade: true, HungResets: 3}
	if err := s.StoreBoot(boot); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadBoot(); err != nil || got != boot {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []Identity{
		{}, {ID: strings.Repeat("A", 32)}, {ID: strings.Repeat("a", 31)}, {ID: strings.Repeat("g", 32)},
		{ID: id.ID, BoardSerial: strings.Repeat("x", 129)}, {ID: id.ID, BoardSerial: "a\nb"},
	} {
		if s.StoreIdentity(bad) == nil {
			t.Errorf("%+v was stored", bad)
		}
	}
	for _, n := range []int{-1, 1_000_001} {
		if s.StoreBoot(Boot{HungResets: n}) == nil {
			t.Errorf("%d hung resets were stored", n)
		}
	}
	for _, raw := range []string{"", "null", "{", `{"id":7}`, `{"id":"x"}`} {
		if err := s.Store(KindIdentity, []byte(raw)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.LoadIdentity(); err == nil || got != (Identity{}) || errors.Is(err, ErrNeverWritten) {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	// A later release's record is read for what is known of it.
	if err := s.Store(KindBoot, []byte(`{"perm_made":true,"later":[1]}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadBoot(); err != nil || !got.PermMade {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzDecodeRecord: what is accepted is exactly what encodeRecord writes. The
// checksum is put right first, or nothing would ever get past it.
func FuzzDecodeRecord(f *testing.F) {
	f.Add(uint16(KindBoot), encodeRecord(KindBoot, record{1, []byte(`{"perm_made":true}`)}))
	f.Add(uint16(KindIdentity), encodeRecord(KindIdentity, record{1 << 40, nil}))
	f.Add(uint16(KindUpdate), encodeRecord(KindUpdate, record{9, make([]byte, StatePayload)}))
	f.Add(uint16(1), []byte(stateMagic))
	f.Add(uint16(1), encodeRecord(1, record{0, nil}))
	f.Fuzz(func(t *testing.T, kind uint16, b []byte) {
		for _, b := range [][]byte{b, resum(b)} {
			r, err := decodeRecord(Kind(kind), b)
			if err != nil {
				continue
			}
			if len(r.payload) > StatePayload || r.sequence == 0 {
				t.Fatalf("%+v", r)
			}
			if !bytes.Equal(encodeRecord(Kind(kind), r), b) {
				t.Fatalf("accepted % x", b[:64])
			}
		}
	})
}

// resum makes b a whole record with a right checksum, whatever else is in it.
func resum(b []byte) []byte {
	full := make([]byte, StateRecord)
	copy(full, b)
	n := min(int(full[10])|int(full[11])<<8, StatePayload)
	clear(full[stateHeader+n:])
	binary.LittleEndian.PutUint32(full[stateSum:], crc32.Checksum(full[:stateSum], castagnoli))
	return full
}
