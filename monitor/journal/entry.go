package journal

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"net/netip"
	"strings"
)

const (
	slotSize   = 64
	maxSlots   = 16   // of one entry
	blockSize  = 4096 // what a file system writes at least
	blockSlots = blockSize / slotSize
)

// The kinds of entries.
const (
	kindSession       = 1 + iota // a run of the station begins
	kindTarget                   // what an index stands for from here on
	kindExchange                 // a Record
	kindGap                      // exchanges that could not be kept
	kindRollup                   // a Rollup
	kindHourEnd                  // all roll-ups of an hour are there
	kindMinute                   // a Minute
	kindReferenceHour            // a ReferenceHour
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of an entry at a slot. What is not told apart by its bytes is
// told apart by where it lies and who wrote it: a valid entry of an earlier use of
// the file, or of a run whose power was cut, is none here.
func checksum(salt uint64, slot int, entry []byte) uint32 {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	binary.LittleEndian.PutUint32(b[8:], uint32(slot))
	return crc32.Update(crc32.Update(0, castagnoli, b[:]), castagnoli, entry[4:])
}

// seal completes an entry: its length and checksum.
func seal(salt uint64, slot int, entry []byte) {
	entry[5] = byte(len(entry) / slotSize)
	binary.LittleEndian.PutUint32(entry, checksum(salt, slot, entry))
}

// sealed is the entry that b begins with; nil: none does.
func sealed(salt uint64, slot int, b []byte) []byte {
	n := int(b[5])
	if n == 0 || n > maxSlots || n*slotSize > len(b) {
		return nil
	}
	b = b[:n*slotSize]
	if binary.LittleEndian.Uint32(b) != checksum(salt, slot, b) {
		return nil
	}
	return b
}

// maxText bounds each text of a target, bytes.
const maxText = 255

// targetHead is where the texts of a target's entry begin.
const targetHead = 20

// definition is a target's entry without its checksum.
func definition(t Target, index uint16) []byte {
	addr := ""
	if t.Addr.IsValid() {
		addr = t.Addr.String()
	}
	texts := [...]string{bounded(t.ID), bounded(t.Name), bounded(addr)}
	n := targetHead + len(texts[0]) + len(texts[1]) + len(texts[2])
	b := make([]byte, (n+slotSize-1)/slotSize*slotSize)
	b[4] = kindTarget
	binary.LittleEndian.PutUint16(b[6:], index)
	binary.LittleEndian.PutUint64(b[8:], math.Float64bits(t.Limit))
	at := targetHead
	for i, s := range texts {
		b[16+i] = byte(len(s))
		at += copy(b[at:], s)
	}
	return b
}

// bounded is what is kept of a text.
func bounded(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}

// defined reads a target's entry, whatever it holds.
func defined(b []byte) (t Target, index uint16, ok bool) {
	var texts [3]string
	at := targetHead
	for i := range texts {
		end := at + int(b[16+i])
		if end > len(b) {
			return t, 0, false
		}
		texts[i] = strings.ToValidUTF8(string(b[at:end]), "")
		at = end
	}
	t.ID, t.Name = texts[0], texts[1]
	t.Addr, _ = netip.ParseAddrPort(texts[2]) // not valid: the name had no address
	if l := math.Float64frombits(binary.LittleEndian.Uint64(b[8:])); !math.IsNaN(l) && !math.IsInf(l, 0) {
		t.Limit = l
	}
	return t, binary.LittleEndian.Uint16(b[6:]), true
}
