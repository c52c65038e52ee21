package bootfs

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf16"
)

// Entry is a file or directory as its directory describes it. Nothing in it is
// to be trusted but that Name and Short hold no slash and no control character.
type Entry struct {
	Name    string // long name, or the short one where there is none
	Short   string // 8.3 name
	Dir     bool
	Size    int64 // bytes; 0 for a directory
	ModTime time.Time

	cluster  uint32
	from, at int // bytes into the directory: where its long name begins, and the entry itself
}

// list reads the directory that e is, or the root directory.
func (f *FS) list(e Entry, sub bool) ([]Entry, error) {
	pieces, err := f.pieces(e, sub)
	if err != nil {
		return nil, err
	}
	b, err := f.readAll(pieces)
	if err != nil {
		return nil, err
	}
	return parseDir(b, f.rootCluster != 0), nil
}

// pieces says where the directory that e is lies, or the root directory.
func (f *FS) pieces(e Entry, sub bool) ([]Extent, error) {
	switch {
	case sub:
		return f.chain(e.cluster, -1)
	case f.rootCluster != 0:
		return f.chain(f.rootCluster, -1)
	}
	return []Extent{f.root}, nil
}

// parseDir reads directory entries up to the first that was never used. Long
// names that do not belong to the entry after them are ignored, as other
// systems do: it keeps its short name. Only FAT32 has cluster numbers of more
// than 16 bits.
func parseDir(b []byte, fat32 bool) []Entry {
	var list []Entry
	var long longName
	from := 0
	for at := 0; at+entrySize <= len(b); at += entrySize {
		e := b[at:][:entrySize]
		switch {
		case e[0] == 0:
			return list
		case e[0] == entryDeleted:
			long = longName{}
			continue
		case e[11]&attrMask == attrLong:
			if e[0]&longLast != 0 {
				from = at
			}
			long.add(e)
			continue
		}
		name, ok := long.name(shortName(e[:11]))
		long = longName{}
		if e[11]&attrLabel != 0 || e[0] == '.' {
			continue
		}
		x := Entry{
			Short:   readShort(e, false),
			Dir:     e[11]&attrDir != 0,
			Size:    int64(binary.LittleEndian.Uint32(e[28:])),
			ModTime: readStamp(binary.LittleEndian.Uint16(e[24:]), binary.LittleEndian.Uint16(e[22:])),
			cluster: uint32(binary.LittleEndian.Uint16(e[26:])),
			from:    from,
			at:      at,
		}
		if x.Name = name; !ok {
			x.Name, x.from = readShort(e, true), at
		}
		if fat32 {
			x.cluster |= uint32(binary.LittleEndian.Uint16(e[20:])) << 16
		}
		if x.Dir {
			x.Size = 0
		}
		list = append(list, x)
	}
	return list
}

// longName collects the pieces of a long name, which stand last piece first.
type longName struct {
	units []uint16
	next  int // number of the piece that is still to come before the next; 0: complete
	begun bool
	sum   byte
}

func (l *longName) add(e []byte) {
	n := int(e[0] &^ longLast)
	switch {
	case n < 1 || n > (longLimit+longChars-1)/longChars:
		*l = longName{}
		return
	case e[0]&longLast != 0:
		*l = longName{units: make([]uint16, n*longChars), next: n, begun: true, sum: e[13]}
	case !l.begun || n != l.next || e[13] != l.sum:
		*l = longName{}
		return
	}
	for i, at := range longPositions {
		l.units[(n-1)*longChars+i] = binary.LittleEndian.Uint16(e[at:])
	}
	l.next = n - 1
}

// name is the long name if it is whole, belongs to short, and is one.
func (l *longName) name(short shortName) (string, bool) {
	if !l.begun || l.next != 0 || l.sum != short.checksum() {
		return "", false
	}
	units := l.units
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	s := string(utf16.Decode(units))
	return s, checkName(s) == nil
}

// readShort is an entry's 8.3 name; display applies the bits by which Windows
// remembers that a short name was typed in lower case.
func readShort(e []byte, display bool) string {
	const lowerBase, lowerExt = 0x08, 0x10
	part := func(b []byte, lower bool) string {
		var s strings.Builder
		for _, c := range b {
			if c < ' ' || c >= 0x7f || c == '/' || c == '\\' {
				c = '_' // another code page's letter, or no name at all
			}
			s.WriteByte(c)
		}
		t := strings.TrimRight(s.String(), " ")
		if lower {
			t = strings.ToLower(t)
		}
		return t
	}
	base := part(e[:8], display && e[12]&lowerBase != 0)
	ext := part(e[8:11], display && e[12]&lowerExt != 0)
	if ext == "" {
		return base
	}
	return base + "." + ext
}

func readStamp(date, clock uint16) time.Time {
	return time.Date(1980+int(date>>9), time.Month(date>>5&0x0f), int(date&0x1f),
		int(clock>>11), int(clock>>5&0x3f), 2*int(clock&0x1f), 0, time.UTC)
}
