package bootfs

import (
	"encoding/json"
	"fmt"
)

// Identity is who a station is. It is made at first boot and outlives the loss
// of /perm and every update.
type Identity struct {
	ID          string `json:"id"`           // 128 random bits, 32 lower case hex digits
	BoardSerial string `json:"board_serial"` // of the board it was made on; empty where the board has none
}

// Boot is what init has to remember from one boot to the next.
//
// Both slots' releases read and write it: a field that this release does not
// know is lost when it stores the record.
type Boot struct {
	PermMade   bool `json:"perm_made"`   // the file system of /perm is complete
	HungResets int  `json:"hung_resets"` // resets by the watchdog without a healthy hour between them, 0 to a million
}

const (
	maxSerial     = 128
	maxHungResets = 1_000_000
)

func (i Identity) check() error {
	ok := len(i.ID) == 32
	for _, c := range i.ID {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !ok {
		return fmt.Errorf("identity %q: not 32 lower case hex digits", i.ID)
	}
	if len(i.BoardSerial) > maxSerial {
		return fmt.Errorf("board serial of %d bytes, at most %d are expected", len(i.BoardSerial), maxSerial)
	}
	for _, c := range i.BoardSerial {
		if c < ' ' || c > '~' {
			return fmt.Errorf("board serial %q: not printable ASCII", i.BoardSerial)
		}
	}
	return nil
}

func (b Boot) check() error {
	if b.HungResets < 0 || b.HungResets > maxHungResets {
		return fmt.Errorf("%d hung resets", b.HungResets)
	}
	return nil
}

type checked interface{ check() error }

func load[T checked](s *State, kind Kind) (T, error) {
	var v, zero T
	b, err := s.Load(kind)
	if err != nil {
		return zero, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return zero, fmt.Errorf("state record %v: %w", kind, err)
	}
	if err := v.check(); err != nil {
		return zero, fmt.Errorf("state record %v: %w", kind, err)
	}
	return v, nil
}

func store[T checked](s *State, kind Kind, v T) error {
	if err := v.check(); err != nil {
		return fmt.Errorf("state record %v: %w", kind, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("state record %v: %w", kind, err)
	}
	return s.Store(kind, b)
}

// LoadIdentity returns the stored identity; errors are those of Load, or that
// the record makes no sense.
func (s *State) LoadIdentity() (Identity, error) { return load[Identity](s, KindIdentity) }

// StoreIdentity keeps an identity; errors are those of Store.
func (s *State) StoreIdentity(i Identity) error { return store(s, KindIdentity, i) }

// LoadBoot returns the stored boot record; errors are those of Load, or that
// the record makes no sense.
func (s *State) LoadBoot() (Boot, error) { return load[Boot](s, KindBoot) }

// StoreBoot keeps a boot record; errors are those of Store.
func (s *State) StoreBoot(b Boot) error { return store(s, KindBoot, b) }
