package update

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/powercut"
)

// TestMain has the zstd decoder made outside of all bubbles of synctest, which
// share it.
func TestMain(m *testing.M) {
	artifact.Unpack(nil, nil, artifact.Chunk{Size: 1, PackedSum: noSum})
	os.Exit(m.Run())
}

// noSum is the SHA-256 of nothing.
var noSum = artifact.Sum{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// files is /perm.
type files struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (f *files) Load(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.m[name]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

func (f *files) Save(name string, b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m[name] = b
	return nil
}

func (f *files) Delete(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.m, name)
	return nil
}

// world is a station with its card, its loader and its publisher. All of it
// lives in a bubble of synctest.
type world struct {
	t         testing.TB
	loader    boards.Loader
	card      *cutDisk
	vars      variables
	perm      *files
	publisher *publisher
	releases  map[string]*release // that were ever published

	// How the station is.
	vitals   Vitals // but for what follows from the release
	synced   bool
	id       string // of the station
	window   Window
	zone     *time.Location
	clock    time.Time // when the world began, zero: as synctest has it
	argument string    // of the restart that comes next

	// What happened.
	slot    bootfs.Slot // that ran last
	engine  *Engine
	trials  map[string]int // boots of a release that was not committed
	options func(*Options)
	control func(bootctl.Control) bootctl.Control
	log     *slog.Logger
}

func newWorld(t testing.TB, l boards.Loader, first *release) *world {
	t.Helper()
	return &world{
		t: t, loader: l, slot: bootfs.SlotA, card: newCutDisk(newCard(t, first), rand.New(rand.NewPCG(1, 2))),
		vars: variables{}, perm: &files{m: map[string][]byte{}},
		publisher: &publisher{offers: first},
		releases:  map[string]*release{first.version: first},
		vitals:    Vitals{Perm: true, Network: true, Locked: true, Asked: true, Fix: true},
		synced:    true, trials: map[string]int{},
	}
}

// publish offers a release.
func (w *world) publish(r *release) {
	w.releases[r.version] = r
	w.publisher.offer(r)
}

// Now is Clock: the world begins when the image was built.
func (w *world) Now() (time.Time, bool) {
	if w.clock.IsZero() {
		return built.Add(time.Since(epoch)), w.synced
	}
	return w.clock, w.synced
}

// epoch is when time begins in synctest.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// running is a system that runs.
type running struct {
	w     *world
	r     *release
	since time.Time
}

func (s running) Vitals(context.Context) Vitals {
	v := s.w.vitals
	v.Up = time.Since(s.since)
	v.Serving = s.r.called()
	switch s.r.kind {
	case silent:
		v.Serving = ""
	case lost:
		v.Network, v.Asked = false, false
	}
	return v
}

// called is the version that a release calls itself.
func (r *release) called() string {
	if r.kind == liar {
		return "9.9.9"
	}
	return r.version
}

// blindly is metadata as a system sees it that cannot verify any.
type blindly struct{ *publisher }

func (b blindly) Refresh(ctx context.Context, t Trust) (Trusted, error) {
	return nil, fmt.Errorf("%w", errOffline)
}

// how a system ended.
type how string

const (
	restarted how = "restarted"
	cut       how = "cut"
	outlived  how = "outlived" // it still ran when the time was over
	left      how = "left"     // its engine did, for another one
)

// trialTime is what init gives a system on trial.
const trialTime = 15 * time.Minute

// live switches the station on, or restarts it, and lets it run for a time.
func (w *world) live(d time.Duration) how {
	w.t.Helper()
	w.card.cut = func() {}
	slot, err := w.loads(w.argument)
	w.argument = ""
	if errors.Is(err, errCut) {
		w.card.power()
		return cut
	}
	if err != nil {
		w.t.Fatalf("the loader boots nothing: %v", err)
	}
	r, err := w.holds(slot)
	if err != nil {
		w.t.Fatal(err)
	}
	w.slot = slot
	at, err := w.open(slot).Current()
	if err != nil && !isPointer(err) {
		w.t.Fatal(err)
	}
	if err == nil && at.Trial {
		w.trials[r.version]++
		d = min(d, trialTime)
	}
	switch r.kind {
	case panics:
		time.Sleep(10 * time.Second)
		return restarted
	case hangs:
		time.Sleep(trialTime)
		return restarted
	}
	out := w.run(r, d)
	if out == outlived && err == nil && at.Trial {
		if now, err := w.open(slot).Current(); err != nil || now.Trial {
			return restarted // by init
		}
	}
	return out
}

func (w *world) open(slot bootfs.Slot) bootctl.Control {
	c, err := bootctl.Open(w.loader, slot, bootctl.Parts{
		Boot: bootPart(w.card), State: statePart(w.card), Variables: w.vars,
		Config: config, Tryboot: tryboot, LoaderConf: loaderConf,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// run runs a system's engine.
func (w *world) run(r *release, d time.Duration) how {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := make(chan string, 8)
	off := make(chan bool, 1)
	w.card.cut = func() {
		off <- true
		cancel()
	}
	o := Options{
		System: System{
			Board: "rpi", Arch: "arm64", Channel: "stable", ID: w.id, Version: r.called(), Slot: w.slot, Epoch: r.epoch, Build: built,
		},
		Control: w.open(w.slot), Pointers: pointers(w.loader),
		Boot: partition{bootPart(w.card)}, State: bootfs.OpenState(statePart(w.card)),
		RootActive:   partition{rootPart(w.card, w.slot)},
		RootInactive: partition{rootPart(w.card, w.slot.Other())},
		Metadata:     w.publisher, Files: w.publisher, Store: w.perm, Root: []byte("root"),
		Health: running{w, r, time.Now()}, Clock: w,
		Restart: func(argument string) error { asked <- argument; return nil },
		Random:  func() float64 { return 0.5 },
		Window:  &w.window, Zone: w.zone,
		Log: w.log,
	}
	if r.kind == blind {
		o.Metadata = blindly{w.publisher}
	}
	if w.control != nil {
		o.Control = w.control(o.Control)
	}
	if w.options != nil {
		w.options(&o)
	}
	e, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine = e
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	out := outlived
	select {
	case w.argument = <-asked:
		out = restarted
	case <-off:
		out = cut
	case err := <-done:
		out = left
		done <- err
	case <-time.After(d):
	}
	cancel()
	if err := <-done; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	if out == cut {
		w.argument = "" // it lives in a register
	}
	w.card.power()
	return out
}

// committed is what boots from a card that is switched on.
func (w *world) committed() *release {
	w.t.Helper()
	at, err := w.open(w.slot).Current()
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := w.holds(at.Committed)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// record is what the card remembers.
func (w *world) record() Record {
	w.t.Helper()
	b, err := bootfs.OpenState(statePart(w.card.medium)).Load(bootfs.KindUpdate)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := parseRecord(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// over is a world whose card lies over another one's, which must not change.
func (w *world) over() *world {
	c := *w
	c.card = newCutDisk(powercut.Over(w.card.medium), rand.New(rand.NewPCG(3, 4)))
	c.vars, c.trials = variables{}, map[string]int{}
	for k, v := range w.vars {
		c.vars[k] = v
	}
	c.perm = &files{m: map[string][]byte{}}
	for k, v := range w.perm.m {
		c.perm.m[k] = v
	}
	return &c
}
