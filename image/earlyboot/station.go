package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log"
	"os"
	"strings"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// station is what this boot found out about the device.
type station struct {
	disk     *stationDisk
	identity bootfs.Identity
	build    string // RFC 3339, when the image's source was committed
	slot     string // "a" or "b"; empty unknown
	permMade bool   // /perm's file system is known to be complete
	permTmp  bool   // /perm is a tmpfs: what is kept there is gone with the power
}

// prepare does what has to happen before the runtime mounts /perm.
func prepare(d *stationDisk) *station {
	s := &station{disk: d, build: readLine("/etc/truechimer/build"), slot: slotOf(readLine("/proc/cmdline"))}
	s.identify(strings.TrimRight(readLine("/proc/device-tree/serial-number"), "\x00"))
	s.makePerm()
	return s
}

// identify loads the station's identity, or makes one: at the first boot, and
// where the card has moved to another board (every card of a release is the
// same bits, so a copied card must not become a twin).
func (s *station) identify(serial string) {
	if s.disk.state == nil {
		s.identity = newIdentity(serial)
		return
	}
	id, err := s.disk.state.LoadIdentity()
	switch {
	case err == nil && (serial == "" || id.BoardSerial == "" || id.BoardSerial == serial):
		s.identity = id
		return
	case err == nil:
		log.Printf("this card was in another board: taking a new identity")
	case errors.Is(err, bootfs.ErrNeverWritten):
		log.Printf("first boot: taking an identity")
	default:
		log.Printf("the identity cannot be read (%v): taking a new one", err)
	}
	s.identity = newIdentity(serial)
	if err := s.disk.state.StoreIdentity(s.identity); err != nil {
		log.Printf("keeping the identity: %v", err)
	}
}

func newIdentity(serial string) bootfs.Identity {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	return bootfs.Identity{ID: hex.EncodeToString(b[:]), BoardSerial: serial}
}

// name is the host name: the family's name and the end of the identity.
func (s *station) name() string { return "truechimer-" + s.identity.ID[len(s.identity.ID)-4:] }

// environment tells the appliance what it cannot find out by itself.
func (s *station) environment() []string {
	env := []string{
		"TRUECHIMER_ID=" + s.identity.ID,
		"TRUECHIMER_NAME=" + s.name(),
		"TRUECHIMER_BOARD=" + readLine("/etc/truechimer/board"),
		"TRUECHIMER_SLOT=" + s.slot,
		"TRUECHIMER_BOOT_DEVICE=" + s.disk.partition[disk.Boot],
		"TRUECHIMER_ALIVE=" + aliveSocket,
	}
	if s.permTmp {
		env = append(env, "TRUECHIMER_PERM_VOLATILE=1")
	}
	return env
}

// slotOf reads the slot from the kernel's command line, which belongs to it.
func slotOf(cmdline string) string {
	for _, arg := range strings.Fields(cmdline) {
		if v, ok := strings.CutPrefix(arg, "truechimer.slot="); ok && (v == "a" || v == "b") {
			return v
		}
	}
	return ""
}

func readLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
