package bootctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf16"

	"github.com/truechimer/truechimer/image/bootfs"
)

// Variables are EFI variables, by name and vendor GUID as efivarfs names them;
// data is without the attributes, which are those of Attributes.
type Variables interface {
	// Read returns fs.ErrNotExist where there is no such variable.
	Read(name string) ([]byte, error)
	// Write returns when the variable is kept.
	Write(name string, data []byte) error
	// Delete of a variable that does not exist is no error.
	Delete(name string) error
}

// Attributes of the variables: kept without power, for the loader and for the
// running system (UEFI 2.10, section 8.2).
const Attributes uint32 = 7

// systemd-boot's variables (systemd, Boot Loader Interface). The loader deletes
// the first before it boots what it names. The second is written when a person
// presses d in the menu, and overrides loader.conf.
const (
	OneShot = "LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
	Default = "LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
)

// systemdBoot boots loader.conf's default; /loader/entries has a.conf and b.conf.
type systemdBoot struct {
	running bootfs.Slot
	boot    bootfs.Device
	conf    bootfs.Template
	vars    Variables
}

// SystemdBootBody is loader.conf's text: the default entry and what follows it.
func SystemdBootBody(conf string) bootfs.Body {
	return bootfs.Body{Before: "default ", After: ".conf\n" + conf}
}

func (s *systemdBoot) Current() (State, error) {
	st := State{Running: s.running}
	at, err := bootfs.FindPointer(s.boot, s.conf)
	if err != nil {
		return st, err
	}
	preferred, err := s.entry(Default)
	if err != nil {
		return st, err
	}
	if st.Committed = at.Slot; preferred != "" {
		st.Committed = preferred
	}
	st.Trial = st.Running != st.Committed
	st.Armed, err = s.entry(OneShot)
	return st, err
}

func (s *systemdBoot) TryOnce(slot bootfs.Slot) (string, error) {
	st, err := s.Current()
	if err != nil {
		return "", err
	}
	if err := mayTry(slot, st.Committed); err != nil {
		return "", err
	}
	if err := s.vars.Write(OneShot, entryName(slot)); err != nil {
		return "", fmt.Errorf("arming slot %s: %w", slot, err)
	}
	if armed, err := s.entry(OneShot); err != nil || armed != slot {
		return "", errors.Join(fmt.Errorf("arming slot %s: the firmware did not keep it", slot), err)
	}
	return "", nil
}

func (s *systemdBoot) Commit(slot bootfs.Slot) error {
	if err := mayCommit(slot, s.running); err != nil {
		return err
	}
	if err := bootfs.SetPointer(s.boot, s.conf, slot); err != nil {
		return err
	}
	// As long as it is there, the loader does not look at loader.conf's default.
	if err := s.vars.Delete(Default); err != nil {
		return fmt.Errorf("committing slot %s: the entry that somebody chose in the boot menu still overrides it: %w", slot, err)
	}
	return nil
}

// entry is the slot whose entry a variable names; empty where it names none.
func (s *systemdBoot) entry(name string) (bootfs.Slot, error) {
	b, err := s.vars.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		if string(b) == string(entryName(slot)) {
			return slot, nil
		}
	}
	return "", nil
}

// entryName is a slot's entry as the loader's variables hold it: UTF-16 with a zero.
func entryName(slot bootfs.Slot) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(string(slot) + ".conf\x00")) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
