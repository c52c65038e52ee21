package bootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// Geometry of the raw state partition, in bytes from its beginning. Copies and
// kinds lie so far apart that no erase block of a card holds two copies of one
// record.
const (
	StateSize    = 8 << 20
	StateRecord  = 4 << 10 // one record: header, payload, zeros, checksum
	StatePayload = 2 << 10 // the longest payload

	copyDistance = 4 << 20
	kindDistance = 512 << 10
)

// Kind is what a record of the state partition is about.
type Kind uint16

// The kinds of records; seven fit. The place of an eighth belongs to U-Boot's
// sectors: see CommittedSector1.
const (
	KindIdentity Kind = 1
	KindBoot     Kind = 2
	KindUpdate   Kind = 3
)

func (k Kind) String() string {
	switch k {
	case KindIdentity:
		return "identity"
	case KindBoot:
		return "boot"
	case KindUpdate:
		return "update"
	}
	return fmt.Sprintf("kind %d", uint16(k))
}

func (k Kind) offset(copy int) int64 {
	return int64(copy)*copyDistance + int64(k-1)*kindDistance
}

// Errors of the state partition.
var (
	// ErrNeverWritten says that a record has never been stored: the card is
	// fresh, or the power was cut during the very first Store.
	ErrNeverWritten = errors.New("never written")
	// ErrStateDamaged says that a record has been stored but neither copy can
	// be read any more. Storing it again makes it whole.
	ErrStateDamaged = errors.New("both copies are damaged")
	// ErrOneCopy says that Store has stored the new value, but in one copy
	// only: the card fails.
	ErrOneCopy = errors.New("stored, but one of two copies failed")
)

// Device is a partition. Sync returns when what was written is on the medium.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// State is the raw state partition. Each kind of record is kept in two copies,
// each one block of StateRecord bytes, all integers little-endian:
//
//	   0  8 bytes  "TCSTATE1"
//	   8  2 bytes  kind
//	  10  2 bytes  length of the payload, at most StatePayload
//	  12  4 bytes  zero
//	  16  8 bytes  sequence number, from 1
//	  24           payload, then zeros
//	4092  4 bytes  CRC-32C of all bytes before it
//
// A record is stored in the older copy first; only when that has been synced and
// read back is the other one written. So there is a whole copy at every moment, a
// power cut leaves the old value or the new one, and when Store has returned
// either copy may rot. The partition of a fresh card holds zeros.
//
// Methods may be called concurrently; two processes must not store at a time.
type State struct {
	mu sync.Mutex
	d  Device
}

// OpenState reads nothing yet.
func OpenState(d Device) *State { return &State{d: d} }

const (
	stateMagic  = "TCSTATE1"
	stateHeader = 24
	stateSum    = StateRecord - 4
	maxSequence = 1 << 62 // never reached by counting
)

// castagnoli is CRC-32C (RFC 3720, section 12.1).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is one valid copy.
type record struct {
	sequence uint64
	payload  []byte
}

func encodeRecord(kind Kind, r record) []byte {
	b := make([]byte, StateRecord)
	copy(b, stateMagic)
	le := binary.LittleEndian
	le.PutUint16(b[8:], uint16(kind))
	le.PutUint16(b[10:], uint16(len(r.payload)))
	le.PutUint64(b[16:], r.sequence)
	copy(b[stateHeader:], r.payload)
	le.PutUint32(b[stateSum:], crc32.Checksum(b[:stateSum], castagnoli))
	return b
}

// decodeRecord accepts exactly what encodeRecord makes.
func decodeRecord(kind Kind, b []byte) (record, error) {
	if len(b) != StateRecord {
		return record{}, fmt.Errorf("record of %d bytes", len(b))
	}
	le := binary.LittleEndian
	if string(b[:8]) != stateMagic {
		return record{}, errors.New("not a record")
	}
	if sum := crc32.Checksum(b[:stateSum], castagnoli); sum != le.Uint32(b[stateSum:]) {
		return record{}, errors.New("checksum differs")
	}
	r := record{sequence: le.Uint64(b[16:])}
	n := int(le.Uint16(b[10:]))
	switch {
	case Kind(le.Uint16(b[8:])) != kind:
		return record{}, fmt.Errorf("record of kind %d", le.Uint16(b[8:]))
	case n > StatePayload:
		return record{}, fmt.Errorf("payload of %d bytes", n)
	case r.sequence == 0 || r.sequence > maxSequence:
		return record{}, fmt.Errorf("sequence number %d", r.sequence)
	case !allZero(b[12:16]) || !allZero(b[stateHeader+n:stateSum]):
		return record{}, errors.New("bytes outside the payload")
	}
	r.payload = bytes.Clone(b[stateHeader : stateHeader+n])
	return r, nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// found is what one copy's block holds.
type found struct {
	record
	err   error // nil: record is valid
	blank bool  // nothing but zeros
}

func (s *State) readCopy(kind Kind, copy int) found {
	b := make([]byte, StateRecord)
	if err := readAt(s.d, b, kind.offset(copy)); err != nil {
		return found{err: fmt.Errorf("copy %d: %w", copy+1, err)}
	}
	if allZero(b) {
		return found{err: fmt.Errorf("copy %d: blank", copy+1), blank: true}
	}
	r, err := decodeRecord(kind, b)
	if err != nil {
		err = fmt.Errorf("copy %d: %w", copy+1, err)
	}
	return found{record: r, err: err}
}

func (s *State) readCopies(kind Kind) (c [2]found) {
	return [2]found{s.readCopy(kind, 0), s.readCopy(kind, 1)}
}

func checkKind(kind Kind) error {
	if kind < 1 || kind.offset(0) >= CommittedSector1 {
		return fmt.Errorf("state record: there is no %v", kind)
	}
	return nil
}

// Load returns the payload that was stored last. It is ErrNeverWritten where
// there is none yet and ErrStateDamaged where it is lost.
func (s *State) Load(kind Kind) ([]byte, error) {
	if err := checkKind(kind); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.readCopies(kind)
	switch {
	case c[0].err == nil && (c[1].err != nil || c[0].sequence >= c[1].sequence):
		return c[0].payload, nil
	case c[1].err == nil:
		return c[1].payload, nil
	case c[1].blank:
		// The first Store of all begins with copy 1 and goes on to copy 2:
		// whatever copy 1 is, nothing has been stored.
		return nil, fmt.Errorf("state record %v: %w", kind, ErrNeverWritten)
	}
	return nil, fmt.Errorf("state record %v: %w: %w; %w", kind, ErrStateDamaged, c[0].err, c[1].err)
}

// Store keeps a payload of at most StatePayload bytes. When it returns nil both
// copies have been read back. ErrOneCopy means that the value is stored; after
// any other error Load gives the old value, or the new one if the device
// failed to say that it was written.
func (s *State) Store(kind Kind, payload []byte) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	if len(payload) > StatePayload {
		return fmt.Errorf("state record %v: %d bytes do not fit into %d", kind, len(payload), StatePayload)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.readCopies(kind)
	older := 0
	if c[0].err == nil && (c[1].err != nil || c[0].sequence > c[1].sequence) {
		older = 1
	}
	b := encodeRecord(kind, record{max(c[0].sequence, c[1].sequence) + 1, payload})
	if err := s.writeCopy(kind, older, b); err != nil {
		return fmt.Errorf("state record %v: %w", kind, err)
	}
	if err := s.writeCopy(kind, 1-older, b); err != nil {
		return fmt.Errorf("state record %v: %w: %w", kind, ErrOneCopy, err)
	}
	return nil
}

func (s *State) writeCopy(kind Kind, copy int, b []byte) error {
	if _, err := s.d.WriteAt(b, kind.offset(copy)); err != nil {
		return fmt.Errorf("writing copy %d: %w", copy+1, err)
	}
	if err := s.d.Sync(); err != nil {
		return fmt.Errorf("writing copy %d: %w", copy+1, err)
	}
	back := make([]byte, len(b))
	if err := readAt(s.d, back, kind.offset(copy)); err != nil {
		return fmt.Errorf("reading copy %d back: %w", copy+1, err)
	}
	if !bytes.Equal(b, back) {
		return fmt.Errorf("reading copy %d back: it is not what was written", copy+1)
	}
	return nil
}
