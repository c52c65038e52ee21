package main

import (
	"errors"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/mdlayher/watchdog"
	"github.com/truechimer/truechimer/image/bootfs"
)

const (
	// aliveSocket takes a datagram from the appliance whenever it has proven
	// to itself that it lives.
	aliveSocket = "/run/truechimer/alive"
	// patience is how long the appliance may be silent before the watchdog is
	// left to reset the board; long enough for a start on a slow card and for
	// gokrazy to restart a crashed process many times.
	patience = 2 * time.Minute
	// hungResetsAtMost is how many resets in a row for a silent appliance are
	// tried. After them the board stays up: a reboot loop helps nobody, and
	// what still runs may still be reached.
	hungResetsAtMost = 3
	// healthyAfter is how long the appliance must have lived for the resets
	// before to be forgotten.
	healthyAfter = time.Hour
)

// dog is the hardware watchdog; device is nil where there is none.
type dog struct {
	device *watchdog.Device
	last   atomic.Int64 // sinceBoot of the last sign of life, ns
}

func openWatchdog() *dog {
	d := &dog{}
	dev, err := watchdog.Open()
	if err != nil {
		log.Printf("no hardware watchdog: %v", err)
		return d
	}
	d.device = dev
	if err := dev.Ping(); err != nil {
		log.Printf("pinging the watchdog: %v", err)
	}
	return d
}

// feed pings the watchdog every second while the appliance is heard of.
func (d *dog) feed(disk *stationDisk) {
	d.last.Store(int64(sinceBoot()))
	if err := d.listen(); err != nil {
		log.Printf("listening for signs of life: %v; the watchdog is fed regardless", err)
		d.last.Store(int64(1 << 62))
	}
	hung := disk.hungResets()
	if hung >= hungResetsAtMost {
		log.Printf("the appliance hung %d times in a row: not resetting for it any more", hung)
	}
	born := sinceBoot()
	gaveUp := false
	for range time.Tick(time.Second) {
		now := sinceBoot()
		silent := now - time.Duration(d.last.Load())
		if silent > patience && hung < hungResetsAtMost {
			if !gaveUp {
				gaveUp = true
				log.Printf("no sign of life from the appliance for %v: leaving it to the watchdog", silent.Round(time.Second))
				disk.setHungResets(hung + 1)
			}
			continue
		}
		if gaveUp { // it came back before the watchdog bit
			gaveUp = false
			disk.setHungResets(hung)
		}
		if hung > 0 && silent < patience && now-born > healthyAfter {
			hung = 0
			disk.setHungResets(0)
		}
		if d.device == nil {
			continue
		}
		if err := d.device.Ping(); err != nil {
			log.Printf("pinging the watchdog: %v", err)
		}
	}
}

func (d *dog) listen() error {
	if err := os.MkdirAll(filepath.Dir(aliveSocket), 0o755); err != nil {
		return err
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: aliveSocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	if err := os.Chmod(aliveSocket, 0o600); err != nil {
		return err
	}
	go func() {
		var b [16]byte
		for {
			if _, err := c.Read(b[:]); err != nil {
				return
			}
			d.last.Store(int64(sinceBoot()))
		}
	}()
	return nil
}

func (d *stationDisk) hungResets() int {
	if d.state == nil {
		return 0
	}
	boot, err := d.state.LoadBoot()
	if errors.Is(err, bootfs.ErrNeverWritten) {
		return 0
	}
	if err != nil {
		// Resets that cannot be counted cannot be bounded: none, then.
		log.Printf("the boot record cannot be read: %v", err)
		return hungResetsAtMost
	}
	return boot.HungResets
}

func (d *stationDisk) setHungResets(n int) {
	if d.state == nil {
		return
	}
	boot, err := d.state.LoadBoot()
	if err == nil {
		boot.HungResets = n
		err = d.state.StoreBoot(boot)
	}
	if err != nil {
		log.Printf("counting resets: %v", err)
	}
}
