package flash

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// card is a disk in memory, full of what was on it before.
type card struct {
	data    []byte
	cache   []byte // what is read while the system remembers it
	fail    int64  // writing from here on fails; -1 never
	lie     int64  // this byte is lost; -1 none
	forgot  bool
	synced  bool
	closed  bool
	syncErr error
}

func newCard(size int) *card {
	return &card{data: bytes.Repeat([]byte{0xee}, size), cache: make([]byte, size), fail: -1, lie: -1}
}

func (c *card) WriteAt(b []byte, off int64) (int, error) {
	if c.fail >= 0 && off+int64(len(b)) > c.fail {
		return 0, syscall.EIO
	}
	if off+int64(len(b)) > int64(len(c.data)) {
		return 0, syscall.ENOSPC
	}
	copy(c.cache[off:], b)
	n := copy(c.data[off:], b)
	if c.lie >= off && c.lie < off+int64(n) {
		c.data[c.lie] ^= 1
	}
	return n, nil
}

func (c *card) ReadAt(b []byte, off int64) (int, error) {
	from := c.cache
	if c.forgot {
		from = c.data
	}
	if off >= int64(len(from)) {
		return 0, io.EOF
	}
	return copy(b, from[off:]), nil
}

func (c *card) Sync() error   { c.synced = true; return c.syncErr }
func (c *card) Forget() error { c.forgot = c.synced; return nil }
func (c *card) Close() error  { c.closed = true; return nil }

// image is noise with a long hole in it.
func image() []byte {
	b := make([]byte, 3*chunk+12345)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		if i < chunk || i > 2*chunk {
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

// clock goes on by a quarter of a second each time it is asked.
func clock() func() time.Time {
	at := time.Unix(1e9, 0)
	return func() time.Time { at = at.Add(250 * time.Millisecond); return at }
}

func job(b []byte, steps *[]Step) Job {
	return Job{Image: bytes.NewReader(b), Total: int64(len(b)), Now: clock(), Report: func(s Step) { *steps = append(*steps, s) }}
}

func TestWriteAndVerify(t *testing.T) {
	want := image()
	c := newCard(len(want) + 1000)
	var steps []Step
	w, err := job(want, &steps).Write(t.Context(), c)
	if err != nil || w.Size != int64(len(want)) || w.SHA != sha256.Sum256(want) {
		t.Fatalf("%+v, %v", w, err)
	}
	// The hole too: what was there before is gone.
	if !bytes.Equal(c.data[:len(want)], want) || c.data[len(want)] != 0xee {
		t.Error("the card holds something else")
	}
	verifying := false
	for i, s := range steps {
		if s.Total != w.Size || s.Done > s.Total || s.Rate <= 0 || verifying && !s.Verifying || (s.Done < s.Total) != (s.Left > 0) {
			t.Errorf("step %d: %+v", i, s)
		}
		verifying = s.Verifying
	}
	if last := steps[len(steps)-1]; !last.Verifying || last.Done != w.Size {
		t.Errorf("the last step is %+v", last)
	}
	if got := (Step{Done: 3 << 20, Total: 9 << 20, Rate: 2.5e6, Left: 3 * time.Second}).String(); got != "writing: 3 of 9 MiB, 2.5 MB/s, 3s left" {
		t.Error(got)
	}
}

func TestCardsThatFail(t *testing.T) {
	b := image()
	random := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		at := random.Int64N(int64(len(b)))
		var steps []Step
		c := newCard(len(b))
		c.fail = at
		if _, err := job(b, &steps).Write(t.Context(), c); !errors.Is(err, syscall.EIO) {
			t.Errorf("writing fails from byte %d on: %v", at, err)
		}
		c = newCard(len(b))
		c.lie = at
		if _, err := job(b, &steps).Write(t.Context(), c); !errors.Is(err, ErrLies) {
			t.Errorf("byte %d is lost: %v", at, err)
		}
	}
	var steps []Step
	if _, err := job(b, &steps).Write(t.Context(), newCard(len(b)-1)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a short card: %v", err)
	}
	c := newCard(len(b))
	c.syncErr = syscall.EIO
	if _, err := job(b, &steps).Write(t.Context(), c); !errors.Is(err, syscall.EIO) {
		t.Errorf("it cannot be synced: %v", err)
	}
	if _, err := job(nil, &steps).Write(t.Context(), newCard(1)); err == nil {
		t.Error("an empty image is written")
	}
	torn := job(b, &steps)
	torn.Image = io.MultiReader(bytes.NewReader(b[:100]), broken{})
	if _, err := torn.Write(t.Context(), newCard(len(b))); !errors.Is(err, errBroken) {
		t.Errorf("a damaged image: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := job(b, &steps).Write(ctx, newCard(len(b))); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

// series is some cards that a person puts in one after another.
type series struct {
	t     *testing.T
	sys   System
	b     []byte
	cards []*card
	said  []string
	enter []func() // what the person does before each Enter
	slept int
}

func (s *series) Read(b []byte) (int, error) {
	if len(s.enter) == 0 {
		return 0, io.EOF
	}
	do := s.enter[0]
	s.enter = s.enter[1:]
	do()
	return copy(b, "\n"), nil
}

func (s *series) set(name, value string) {
	if err := os.WriteFile(filepath.Join(s.sys.Sys, "block/sdx", name), []byte(value), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *series) write(count int) error {
	return Cards{
		System: s.sys, Device: "/dev/sdx", Need: need, Count: count,
		Image: func() (io.ReadCloser, int64, error) { return io.NopCloser(bytes.NewReader(s.b)), 0, nil },
		Open: func(name string) (Device, error) {
			c := newCard(len(s.b))
			s.cards = append(s.cards, c)
			return c, nil
		},
		In: bufio.NewReader(s), Report: func(Step) {}, Now: clock(),
		Say:   func(format string, args ...any) { s.said = append(s.said, fmt.Sprintf(format, args...)) },
		Sleep: func(context.Context, time.Duration) error { s.slept++; s.set("size", "8192"); return nil },
	}.Write(s.t.Context())
}

func TestCards(t *testing.T) {
	s := &series{t: t, sys: host(t, nil), b: image()[:100_000]}
	s.enter = []func(){
		func() {}, // pressed without changing the card
		func() { s.set("diskseq", "8"); s.set("size", "0") },      // the reader takes a moment
		func() { s.set("diskseq", "9"); s.set("removable", "0") }, // not a card
		func() { s.set("removable", "1") },
	}
	if err := s.write(3); err != nil {
		t.Fatal(err)
	}
	if len(s.cards) != 3 || s.slept < 11 {
		t.Errorf("%d cards, slept %d times", len(s.cards), s.slept)
	}
	for i, c := range s.cards {
		if !bytes.Equal(c.data, s.b) || !c.closed {
			t.Errorf("card %d does not hold the image, or was left open", i)
		}
	}
	for _, want := range []string{"card that was just written", "is no removable disk", "card 3 of 3: written and verified"} {
		if !slices.ContainsFunc(s.said, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("it does not say %q: %q", want, s.said)
		}
	}

	// A system that cannot tell cards apart leaves it to the person.
	s = &series{t: t, sys: host(t, map[string]string{"sys/block/sdx/diskseq": ""}), b: image()[:100_000], enter: []func(){func() {}}}
	if err := s.write(2); err != nil || len(s.cards) != 2 {
		t.Errorf("%d cards, %v", len(s.cards), err)
	}

	s = &series{t: t, sys: host(t, nil), b: image()[:100_000]}
	if err := s.write(2); err == nil || !strings.Contains(err.Error(), "1 of 2 cards are written") {
		t.Errorf("nobody there: %v", err)
	}
	if err := s.write(0); err == nil {
		t.Error("no cards are fine")
	}
	s = &series{t: t, sys: host(t, map[string]string{"sys/block/sdx/removable": "0"}), b: image()[:100]}
	if err := s.write(1); err == nil || len(s.cards) != 0 {
		t.Errorf("a disk that was refused is opened: %v", err)
	}
}
