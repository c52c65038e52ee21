package bootctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/truechimer/truechimer/image/bootfs"
)

// uboot keeps its records in sectors that boot.scr reads: see bootfs.CommittedSector1.
type uboot struct {
	running bootfs.Slot
	state   bootfs.Device
}

func (u *uboot) Current() (State, error) {
	st := State{Running: u.running}
	committed, err := u.committed()
	if err != nil {
		return st, err
	}
	try, err := u.read(bootfs.TrySector)
	if err != nil {
		return st, err
	}
	st.Committed = committed
	st.Trial = st.Running != st.Committed
	st.Armed = letter(try, bootfs.TryMagic)
	return st, nil
}

func (u *uboot) TryOnce(slot bootfs.Slot) (string, error) {
	committed, err := u.committed()
	if err != nil {
		return "", err
	}
	if err := mayTry(slot, committed); err != nil {
		return "", err
	}
	if err := u.write(bootfs.TrySector, bootfs.TryMagic, slot); err != nil {
		return "", fmt.Errorf("arming slot %s: %w", slot, err)
	}
	return "", nil
}

func (u *uboot) Commit(slot bootfs.Slot) error {
	if err := mayCommit(slot, u.running); err != nil {
		return err
	}
	if err := u.write(bootfs.CommittedSector1, bootfs.CommittedMagic, slot); err != nil {
		return fmt.Errorf("committing slot %s: %w", slot, err)
	}
	return untidy(u.write(bootfs.CommittedSector2, bootfs.CommittedMagic, slot))
}

// committed is the slot that U-Boot boots. A copy that cannot be read is like
// one that is not valid: U-Boot too goes on to the next.
func (u *uboot) committed() (bootfs.Slot, error) {
	first, err1 := u.read(bootfs.CommittedSector1)
	second, err2 := u.read(bootfs.CommittedSector2)
	if err1 != nil && err2 != nil {
		return "", errors.Join(err1, err2)
	}
	for _, b := range [][]byte{first, second} {
		if s := letter(b, bootfs.CommittedMagic); s != "" {
			return s, nil
		}
	}
	return bootfs.SlotA, nil
}

// letter is a sector's slot; empty where it is not valid or has none.
func letter(b []byte, magic string) bootfs.Slot {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return ""
	}
	if s := bootfs.Slot(b[bootfs.LetterAt : bootfs.LetterAt+1]); valid(s) {
		return s
	}
	return ""
}

func (u *uboot) read(at int64) ([]byte, error) {
	b := make([]byte, bootfs.SectorSize)
	if n, err := u.state.ReadAt(b, at); n < len(b) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("state partition: %w", err)
	}
	return b, nil
}

// write writes one sector, unless it says so already, and reads it back.
func (u *uboot) write(at int64, magic string, slot bootfs.Slot) error {
	b := make([]byte, bootfs.SectorSize)
	copy(b, magic)
	b[bootfs.LetterAt] = slot[0]
	// A sector that cannot be read may well be written.
	if have, err := u.read(at); err == nil && bytes.Equal(have, b) {
		return nil
	}
	if _, err := u.state.WriteAt(b, at); err != nil {
		return fmt.Errorf("state partition: %w", err)
	}
	if err := u.state.Sync(); err != nil {
		return fmt.Errorf("state partition: %w", err)
	}
	back, err := u.read(at)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, back) {
		return errors.New("state partition: reading back: it is not what was written, the card fails")
	}
	return nil
}
