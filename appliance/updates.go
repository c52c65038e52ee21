package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// updateDir is where update metadata is kept, below the configuration's.
const updateDir = "update"

// updater is the part that gets new releases. It is there on stations alone.
//
// It does all its work on one goroutine and a chunk of 256 KiB at a time. It
// is not given a lower priority: the kernel stamps pulses and packets, so that
// nothing waits for a core but ticks of a second, and on a board of one core
// a thread that the kernel sets back while it holds Go's only processor would
// hold up all others.
type updater struct {
	s       *station
	machine machine

	engine  atomic.Pointer[update.Engine] // nil until it runs
	expires atomic.Pointer[time.Time]     // of the metadata; nil: not known
	again   chan struct{}                 // rings when settings or the bundle on /perm have changed
	check   atomic.Bool                   // the next engine checks at once
	taking  sync.Mutex                    // while a bundle is written

	mu      sync.Mutex
	from    updateSource
	other   string // version in the other slot when the part began; empty: none
	missing error  // why there is no engine; nil: it has not been tried yet, or there is one
}

// machine is what an update changes of the machine that it runs on.
type machine struct {
	open    func(path string, writable bool) (partition, error)
	sticks  func(own string) []stick // but those of the disk that own is on
	vars    bootctl.Variables
	restart func(argument string) error
}

// partition is one that was opened.
type partition interface {
	update.Device
	Close() error
}

// run is the part. A card that cannot be opened is a state to show. In safe mode
// nothing is updated, nor is anything committed: a system on trial that got
// there is not well.
func (u *updater) run(ctx context.Context) error {
	if u.s.platform.safe {
		return nil
	}
	for ctx.Err() == nil {
		err := u.update(ctx)
		if err == nil {
			continue // there is something else to go by, or ctx has ended
		}
		u.mu.Lock()
		u.missing = err
		u.mu.Unlock()
		u.s.notes.say(slog.LevelWarn, "updater", "nothing can be updated: "+err.Error())
		wait(ctx, lookAgain)
	}
	return nil
}

// lookAgain is how long to wait before partitions that could not be opened are
// looked for again.
const lookAgain = time.Minute

// update runs an engine until ctx ends, or USB sticks, settings or a bundle that was
// uploaded change.
func (u *updater) update(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	d, err := u.openDevices()
	if err != nil {
		return err
	}
	defer d.close()
	var found offered
	var leave <-chan struct{}
	var sticks []stick
	conf := u.s.inForce.Load().Update
	if conf.Enabled {
		sticks = u.machine.sticks(u.s.platform.bootDevice)
		found = u.findBundle(d.boot, sticks)
	}
	leave = u.watch(ctx, conf.Enabled, sticks)
	defer found.end()
	options, err := u.options(d, found)
	if err != nil {
		return err
	}
	options.Leave = leave
	engine, err := update.New(options)
	if err != nil {
		return err
	}
	u.engine.Store(engine)
	if u.check.Swap(false) {
		engine.Check()
	}
	return engine.Run(ctx)
}

// devices are the partitions of the card.
type devices struct {
	boot, state, active, inactive partition
}

func (d devices) close() {
	for _, p := range []partition{d.boot, d.state, d.active, d.inactive} {
		if p != nil {
			p.Close()
		}
	}
}

// openDevices opens the partitions, and tells the roots apart by the slot that runs.
func (u *updater) openDevices() (devices, error) {
	p := u.s.platform
	active, inactive := p.rootA, p.rootB
	if p.slot == string(bootfs.SlotB) {
		active, inactive = inactive, active
	}
	var d devices
	for _, o := range []struct {
		what, path string
		writable   bool
		to         *partition
	}{
		{"boot", p.bootDevice, true, &d.boot}, {"state", p.state, true, &d.state},
		{"root", active, false, &d.active}, {"other root", inactive, true, &d.inactive},
	} {
		if o.path == "" {
			d.close()
			return devices{}, fmt.Errorf("the %s partition was not found", o.what)
		}
		f, err := u.machine.open(o.path, o.writable)
		if err != nil {
			d.close()
			return devices{}, fmt.Errorf("the %s partition: %w", o.what, err)
		}
		*o.to = f
	}
	return d, nil
}

// options are what the engine works with.
func (u *updater) options(d devices, found offered) (update.Options, error) {
	p, conf := u.s.platform, u.s.inForce.Load().Update
	control, err := bootctl.ForBoard(p.board, bootfs.Slot(p.slot), d.boot, d.state, u.machine.vars)
	if err != nil {
		return update.Options{}, err
	}
	store := tuf.DirStore(filepath.Join(p.perm, updateDir))
	state := bootfs.OpenState(d.state)
	from := p.updateSource(conf, found.files != nil, func(name string) bool { _, err := store.Load(name); return err == nil })
	if found.files != nil {
		found.note = fmt.Sprintf("The bundle %s %s has been found. It is looked into within minutes.", found.name, found.where)
		if from.hold != "" {
			found.note = fmt.Sprintf("The bundle %s %s is not taken. %s", found.name, found.where, from.hold)
		}
	}
	u.s.notes.set(bundleTopic, found.note)
	if from.hold == "" {
		u.s.notes.set("update root", from.ownRoot(update.Anchor(state, store)))
	}
	u.mu.Lock()
	u.from, u.other = from, versionIn(d.inactive)
	u.mu.Unlock()
	zone, _ := zoneOf(u.s.conf)
	o := update.Options{
		System: update.System{
			Board: p.board.Name, Arch: p.board.GOARCH, Channel: from.channel, ID: p.id, Version: u.s.version, Slot: bootfs.Slot(p.slot),
			Epoch: from.epoch, Build: p.build, Floor: from.floor, EEPROM: p.eeprom(), Rescue: p.rescue,
		},
		Zone:    zone,
		Hold:    from.hold,
		Control: control, Pointers: bootctl.Pointers(p.board), Boot: d.boot, State: state,
		RootActive: d.active, RootInactive: d.inactive,
		Store: store, Root: from.root, OwnRoot: from.own,
		Settled: u.removeSpent, Health: &vitals{s: u.s}, Restart: u.machine.restart, Clock: stationClock{u.s}, Notice: u.s.notes.set, Log: u.s.log,
	}
	if w := conf.Window; w != nil {
		o.Window = &update.Window{From: w.From, To: w.To}
	}
	if from.hold != "" {
		return o, nil
	}
	metadata, files, err := u.sources(from, store, found)
	o.Metadata, o.Files = watched{metadata, &u.expires}, files
	return o, err
}

// sources are the update hosts, the bundle, or both.
func (u *updater) sources(from updateSource, store tuf.Store, found offered) (update.Metadata, update.Files, error) {
	var hosts update.Metadata
	var m *fetch.Client
	if len(from.hosts) > 0 {
		// One client each: that a file does not verify says nothing of the metadata.
		clients := make([]*fetch.Client, 2)
		for i := range clients {
			var err error
			if clients[i], err = fetch.New(fetch.Options{Bases: from.hosts, Dial: u.s.dial, Now: stationClock{u.s}.likely, Log: u.s.log}); err != nil {
				return nil, nil, err
			}
		}
		hosts, m = update.NewRepository(clients[0], store), clients[1]
	}
	if found.files == nil {
		return hosts, m, nil
	}
	b := &bundled{
		offered: found, own: update.NewRepository(found.files, store), hosts: hosts, mirrors: m,
		say: func(text string) { u.s.notes.set(bundleTopic, text) },
	}
	return b, b, nil
}

// watched remembers until when the metadata holds.
type watched struct {
	update.Metadata
	expires *atomic.Pointer[time.Time]
}

// Refresh implements update.Metadata.
func (w watched) Refresh(ctx context.Context, t update.Trust) (update.Trusted, error) {
	got, err := w.Metadata.Refresh(ctx, t)
	if err == nil {
		at := got.Expires()
		w.expires.Store(&at)
	} else if at := w.expires.Load(); errors.Is(err, tuf.ErrExpired) && at != nil && at.After(t.Now) {
		w.expires.Store(nil) // other metadata has expired, and when is not said
	}
	return got, err
}
