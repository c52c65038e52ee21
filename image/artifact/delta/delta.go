// Package delta makes and applies the difference of two files.
//
// A delta is a header and one zstd frame (RFC 8878), so that a station can apply
// it while it arrives, with the memory of one window:
//
//	 0  8 bytes  "TCDELTA1"
//	 8  8 bytes  size of the old file, little-endian
//	16  8 bytes  size of the new file
//	24           zstd frame of records, until the new file is complete
//
// A record says, in varints as encoding/binary has them:
//
//	seek     where to go on in the old file, relative to where the last record
//	         ended, at first to 0 (signed, all others are not)
//	differ   how many bytes of the new file are made from as many of the old one
//	insert   how many bytes of the new file follow them
//
// Then come as many runs as make up differ, and then the bytes to insert. A run
// is
//
//	same     how many bytes of the new file are those of the old one
//	changed  how many follow that are not
//
// and, of each changed byte, what is to be added to the old one, modulo 256.
// Every record and every run makes at least one byte. Where programs differ in
// little but addresses, nearly all runs are a few bytes: written like this they
// take a quarter less than the zeros of bsdiff.
//
// Which bytes are worth comparing is found by Colin Percival's bsdiff.
package delta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic      = "TCDELTA1"
	headerSize = len(magic) + 8 + 8
	window     = 4 << 20 // bytes: what a station keeps of the frame
)

// MaxSize is the size of the largest file that deltas are made of and for,
// bytes.
const MaxSize = 512 << 20

// ErrDamaged says that a delta makes no sense or is not for these files.
var ErrDamaged = errors.New("not a delta of these files: fetch it again")

// header is what a delta begins with.
func header(oldSize, newSize int64) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(magic), uint64(oldSize))
	return binary.LittleEndian.AppendUint64(b, uint64(newSize))
}

// maxRecords bounds how many records a delta may have: each costs a station a
// read of its own.
func maxRecords(newSize int64) int64 { return 1024 + newSize/16 }

func checkSizes(oldSize, newSize int64) error {
	if oldSize < 0 || oldSize > MaxSize || newSize < 0 || newSize > MaxSize {
		return fmt.Errorf("delta from %d to %d bytes: at most %d are allowed", oldSize, newSize, MaxSize)
	}
	return nil
}

// noEOF is err, but io.ErrUnexpectedEOF where something ends too early.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
