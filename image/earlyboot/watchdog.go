package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mdlayher/watchdog"
	"github.com/truechimer/truechimer/image/bootfs"
)

// aliveSocket takes a datagram from the appliance whenever it has proven to
// itself that it lives.
const aliveSocket = "/run/truechimer/alive"

// dog feeds the hardware watchdog. Until watchOver it does so regardless.
type dog struct {
	clock  func() time.Duration       // since boot
	device interface{ Ping() error }  // nil: none
	keep   func(hungResets int) error // into the boot record

	mu    sync.Mutex
	watch *watch

	starving bool   // of tick only
	trouble  string // of tick only: what the last ping complained of
}

// open finds the hardware watchdog and feeds it every second from now on:
// it may be running since the boot loader, and bites after as little as 15 s.
func (d *dog) open() error {
	dev, err := watchdog.Open()
	if err != nil {
		return err
	}
	d.device = dev
	go d.feed(context.Background())
	return nil
}

// feed ticks every second, at once for the first time.
func (d *dog) feed(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		d.tick()
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// watchOver has the watchdog left alone from now on when no sign of life comes.
// It says whether the appliance is to be started in safe mode, since it hung too
// often.
func (d *dog) watchOver(card *stationDisk) (safe bool) {
	boot, err := card.loadBoot()
	w := newWatch(d.clock(), boot.HungResets)
	if err != nil {
		log.Printf("resets cannot be counted (%v): the watchdog is fed regardless", err)
		w.regardless = true
	} else if w.safe {
		log.Printf("the appliance hung %d times in a row: starting it in safe mode, and not resetting for it", w.hung)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keep = func(n int) error {
		return card.changeBoot(func(b *bootfs.Boot) { b.HungResets = n })
	}
	d.watch = w
	return w.safe
}

// tick feeds the watchdog, or does not.
func (d *dog) tick() {
	feed := true
	d.mu.Lock()
	if d.watch != nil {
		var n int
		var keep bool
		if feed, n, keep = d.watch.next(d.clock()); keep {
			go d.count(n) // the card may take its time, the watchdog does not
		}
	}
	d.mu.Unlock()
	if !feed {
		if !d.starving {
			log.Printf("no sign of life from the appliance for %v: leaving it to the watchdog", patience)
		}
		d.starving = true
		return
	}
	d.starving = false
	trouble := ""
	if err := d.device.Ping(); err != nil {
		trouble = err.Error()
	}
	if trouble != d.trouble && trouble != "" {
		log.Printf("pinging the watchdog: %v", trouble)
	}
	d.trouble = trouble
}

func (d *dog) count(n int) {
	err := d.keep(n)
	if err != nil {
		log.Printf("counting resets: %v; the watchdog is fed regardless", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch.wasKept(n, err)
}

// listen hears signs of life on a socket, from whoever may write to it, for as
// long as the process lives. The patience begins anew.
func (d *dog) listen(path string) {
	d.mu.Lock()
	d.watch.begin(d.clock())
	d.mu.Unlock()
	c, err := listenAlive(path)
	if err != nil {
		d.deaf(err)
		return
	}
	go d.hear(c)
}

// hear takes whatever can be read for a sign of life.
func (d *dog) hear(c io.ReadCloser) {
	defer c.Close()
	var b [16]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			d.deaf(err)
			return
		}
		d.sign()
	}
}

func listenAlive(path string) (*net.UnixConn, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (d *dog) sign() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch.sign(d.clock())
}

// deaf has the watchdog fed regardless: silence proves nothing any more.
func (d *dog) deaf(err error) {
	log.Printf("listening for signs of life: %v; the watchdog is fed regardless", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch.regardless = true
}
