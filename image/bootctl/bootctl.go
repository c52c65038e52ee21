// Package bootctl says which slot boots: now, next time, and from then on.
//
// A new release is tried once and committed later. Until it is, each restart
// but the one that tries it boots the committed slot, whatever happened: no
// counter is kept that a few power cuts could use up. Three loaders do that in
// three ways:
//
//	loader        committed                     tried once
//	pi            config.txt's os_prefix        tryboot.txt's, if reboot(2) asks for it
//	systemd-boot  loader.conf's default         the EFI variable LoaderEntryOneShot
//	uboot         a raw sector, two copies      a raw sector that boot.scr clears first
//
// A commit changes one byte of one sector ([bootfs.SetPointer], or see
// [bootfs.CommittedSector1]): a power cut leaves the old slot committed or the
// new one.
package bootctl

import (
	"errors"
	"fmt"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// State is what boots.
type State struct {
	Running   bootfs.Slot
	Committed bootfs.Slot // boots unless something is tried
	Trial     bool        // the running slot is not the committed one
	Armed     bootfs.Slot // what the next boot alone will try; empty: nothing, or the loader keeps it to itself (pi)
}

// Control is a station's boot control. Methods must not be called concurrently.
type Control interface {
	// Current reads the state anew.
	Current() (State, error)
	// TryOnce arranges that the next boot, and only that one, boots a slot that
	// is not the committed one. reboot is the argument for reboot(2) with
	// LINUX_REBOOT_CMD_RESTART2 that brings it about; empty: any restart does.
	TryOnce(slot bootfs.Slot) (reboot string, err error)
	// Commit makes the running slot the committed one; no other can be. It may be
	// repeated, and should be after ErrUntidy.
	Commit(slot bootfs.Slot) error
}

var (
	// ErrCommitted refuses to try the slot that boots anyway.
	ErrCommitted = errors.New("is the committed slot already, a plain restart boots it")
	// ErrNotRunning refuses to commit a slot that has not shown that it runs.
	ErrNotRunning = errors.New("is not running, only the running slot can be committed")
	// ErrUntidy says that Commit did commit, but that what it keeps besides could
	// not be brought up to date.
	ErrUntidy = errors.New("committed, but not all of it is up to date, commit again")
)

// Parts is what the loaders read, and what it must look like. A loader needs
// only its own.
type Parts struct {
	Boot      bootfs.Device // the boot file system, partition 1: pi, systemd-boot
	State     bootfs.Device // the raw state, partition 5: uboot
	Variables Variables     // systemd-boot

	Config     bootfs.Template // config.txt: pi
	Tryboot    bootfs.Template // tryboot.txt: pi
	LoaderConf bootfs.Template // loader/loader.conf: systemd-boot
}

// Open returns the control of a station that runs from slot running, as its
// kernel's command line says (truechimer.slot=). It reads nothing yet.
func Open(loader boards.Loader, running bootfs.Slot, p Parts) (Control, error) {
	if !valid(running) {
		return nil, fmt.Errorf("boot control: running from slot %q: there are only a and b", running)
	}
	var c Control
	var err error
	need := func(ok bool, what string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("%s is missing", what)
	}
	switch loader {
	case boards.LoaderPi:
		c = &pi{running, p.Boot, p.Config, p.Tryboot}
		err = errors.Join(need(p.Boot != nil, "the boot partition"), p.Config.Check(), p.Tryboot.Check())
	case boards.LoaderUEFI:
		c = &systemdBoot{running, p.Boot, p.LoaderConf, p.Variables}
		err = errors.Join(need(p.Boot != nil, "the boot partition"), need(p.Variables != nil, "access to the EFI variables"), p.LoaderConf.Check())
	case boards.LoaderUBoot:
		c, err = &uboot{running, p.State}, need(p.State != nil, "the state partition")
	default:
		err = errors.New("there is no such loader")
	}
	if err != nil {
		return nil, fmt.Errorf("boot control for %q: %w", loader, err)
	}
	return c, nil
}

func valid(s bootfs.Slot) bool { return s == bootfs.SlotA || s == bootfs.SlotB }

// mayTry says whether slot can be tried while committed is.
func mayTry(slot, committed bootfs.Slot) error {
	if !valid(slot) {
		return fmt.Errorf("trying slot %q: there are only a and b", slot)
	}
	if slot == committed {
		return fmt.Errorf("trying slot %s: it %w", slot, ErrCommitted)
	}
	return nil
}

func mayCommit(slot, running bootfs.Slot) error {
	if slot != running {
		return fmt.Errorf("committing slot %q: it %w", slot, ErrNotRunning)
	}
	return nil
}

func untidy(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUntidy, err)
}
