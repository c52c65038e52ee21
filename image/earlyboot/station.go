package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log"
	"os"
	"strings"
	"syscall"

	"github.com/truechimer/truechimer/image/bootfs"
)

// machineID is where the identity is kept for programs, and a second time for
// the day the state partition forgets it.
const machineID = "/perm/machine-id"

// station is what this boot found out about the device.
type station struct {
	identity    bootfs.Identity
	board       string
	slot        string // "a" or "b"; empty unknown
	bootDevice  string // partition with the FAT; empty unknown
	stateDevice string // raw state partition; empty unknown
	rootA       string // partition of slot a's root file system; empty unknown
	rootB       string // the same of slot b
	volatile    bool   // /perm is a tmpfs: what is kept there is gone with the power
	safe        bool   // the appliance hung too often and is to serve the page alone
	rescue      bool   // the committed slot cannot be started, this is the other one
}

// identify loads the station's identity, or makes one: at the first boot, and
// where the card has moved to another board (every card of a release is the
// same bits, so a copied card must not become a twin). A record that is lost is
// made up for by what /perm remembers. state may be nil, serial and remembered
// may be empty.
func identify(state *bootfs.State, serial, remembered string) bootfs.Identity {
	if !isID(remembered) {
		remembered = ""
	}
	id, err := bootfs.Identity{}, errNoState
	if state != nil {
		id, err = state.LoadIdentity()
	}
	switch {
	case err == nil && (serial == "" || id.BoardSerial == "" || id.BoardSerial == serial):
		return id
	case err == nil:
		log.Printf("this card was in another board: taking a new identity")
		remembered = ""
	case remembered != "":
		log.Printf("the identity cannot be read (%v): taking the one that /perm remembers", err)
	case errors.Is(err, bootfs.ErrNeverWritten):
		log.Printf("first boot: taking an identity")
	default:
		log.Printf("the identity cannot be read (%v): taking a new one", err)
	}
	id = bootfs.Identity{ID: remembered, BoardSerial: serial}
	if remembered == "" {
		id.ID = newID()
	}
	if err := storeIdentity(state, id, err); err != nil {
		log.Printf("keeping the identity: %v", err)
	}
	return id
}

// storeIdentity keeps an identity that was taken because of why.
func storeIdentity(state *bootfs.State, id bootfs.Identity, why error) error {
	if state == nil {
		return errNoState
	}
	var unanswered syscall.Errno
	if errors.As(why, &unanswered) {
		// A card that did not answer now may do so at the next boot.
		return errors.New("the record is left as it is, for the card may answer at the next boot")
	}
	return state.StoreIdentity(id)
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// isID says whether s is an identity's ID: 32 lower case hex digits.
func isID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == s
}

// boardSerial is a serial number as the device tree has it, ended by a zero.
// One that the identity's record would not take counts as none.
func boardSerial(property string) string {
	const longest = 128
	s := strings.TrimSpace(strings.TrimRight(property, "\x00"))
	if len(s) > longest || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		log.Printf("the board's serial number %.40q is none", s)
		return ""
	}
	return s
}

// keepMachineID writes the id where it is not there already.
func keepMachineID(path, id string) error {
	want := id + "\n"
	if have, err := os.ReadFile(path); err == nil && string(have) == want {
		return nil
	}
	return writeFileSynced(path, want)
}

// name is the host name: the family's name and the end of the identity.
func (s *station) name() string { return "truechimer-" + s.identity.ID[len(s.identity.ID)-4:] }

// facts tell a program what it cannot find out by itself.
func (s *station) facts() []string {
	list := []string{
		"TRUECHIMER_ID=" + s.identity.ID,
		"TRUECHIMER_NAME=" + s.name(),
		"TRUECHIMER_BOARD=" + s.board,
		"TRUECHIMER_SLOT=" + s.slot,
		"TRUECHIMER_BOOT_DEVICE=" + s.bootDevice,
		"TRUECHIMER_STATE_DEVICE=" + s.stateDevice,
		"TRUECHIMER_ROOT_A_DEVICE=" + s.rootA,
		"TRUECHIMER_ROOT_B_DEVICE=" + s.rootB,
	}
	if s.volatile {
		list = append(list, "TRUECHIMER_PERM_VOLATILE=1")
	}
	if s.safe {
		list = append(list, "TRUECHIMER_SAFE_MODE=1")
	}
	if s.rescue {
		list = append(list, "TRUECHIMER_RESCUE=1")
	}
	return list
}

// environment is the appliance's, which alone gives signs of life.
func (s *station) environment() []string {
	return append(s.facts(), "TRUECHIMER_ALIVE="+aliveSocket)
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
