package bootfs

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	entrySize = 32  // FAT specification: a directory entry
	longChars = 13  // UTF-16 units in one long name entry
	longLimit = 255 // UTF-16 units in a long name
)

// shortName is the 8.3 form of a name as it stands in a directory entry:
// upper case, padded with spaces, without the dot.
type shortName [11]byte

// checkName refuses what Windows, Linux or macOS could not show or delete.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("name %q: not a name", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q: not UTF-8", name)
	case len(utf16.Encode([]rune(name))) > longLimit:
		return fmt.Errorf("name %q: longer than %d characters", name, longLimit)
	case strings.Trim(name, " ") != name || strings.HasSuffix(name, "."):
		return fmt.Errorf("name %q: begins or ends with a space, or ends with a dot", name)
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`"*/:<>?\|`, r) {
			return fmt.Errorf("name %q: FAT has no %q", name, r)
		}
	}
	return nil
}

// shorten makes the 8.3 form of a name. exact says that the form says all of
// the name but its case, so that it needs no number to tell it apart.
func shorten(name string) (base, ext string, exact bool) {
	exact = true
	conv := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			switch {
			case r == ' ' || r == '.':
				exact = false
			case r >= 'a' && r <= 'z':
				b.WriteRune(r - 'a' + 'A')
			case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("!#$%&'()-@^_`{}~", r):
				b.WriteRune(r)
			default:
				b.WriteByte('_')
				exact = false
			}
		}
		return b.String()
	}
	rest := strings.TrimLeft(name, ".")
	if rest != name {
		exact = false
	}
	base, ext = rest, ""
	if i := strings.LastIndexByte(rest, '.'); i >= 0 {
		base, ext = rest[:i], rest[i+1:]
	}
	base, ext = conv(base), conv(ext)
	if base == "" {
		base, exact = "_", false
	}
	if len(base) > 8 {
		base, exact = base[:8], false
	}
	if len(ext) > 3 {
		ext, exact = ext[:3], false
	}
	return base, ext, exact
}

func pack(base, ext string) shortName {
	var s shortName
	copy(s[:], fmt.Sprintf("%-8s%-3s", base, ext))
	return s
}

// String is the form as people write it, with the dot.
func (s shortName) String() string {
	base, ext := strings.TrimRight(string(s[:8]), " "), strings.TrimRight(string(s[8:]), " ")
	if ext == "" {
		return base
	}
	return base + "." + ext
}

// checksum ties long name entries to the short entry they precede.
func (s shortName) checksum() byte {
	var sum byte
	for _, c := range s {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// alias gives each node of one directory its short name. Names that are short
// names already get theirs first, so no other file's made-up one can be it.
func alias(nodes []*node) error {
	used := make(map[shortName]bool)
	for _, n := range nodes {
		if base, ext, exact := shorten(n.name); exact {
			n.short = pack(base, ext)
			if used[n.short] {
				return fmt.Errorf("%q: there are two of that name", n.name)
			}
			used[n.short] = true
			n.long = n.short.String() != n.name
		}
	}
	names := make(map[string]bool)
	next := make(map[string]int)
	for _, n := range nodes {
		// FAT does not tell names apart by case.
		if key := strings.ToUpper(n.name); names[key] {
			return fmt.Errorf("%q: there are two of that name", n.name)
		} else {
			names[key] = true
		}
		base, ext, exact := shorten(n.name)
		if exact {
			continue
		}
		n.long = true
		for i := next[base+"."+ext] + 1; ; i++ {
			tail := fmt.Sprintf("~%d", i)
			if len(tail) > 7 {
				return fmt.Errorf("%q: too many names like it", n.name)
			}
			n.short = pack(base[:min(len(base), 8-len(tail))]+tail, ext)
			if !used[n.short] {
				used[n.short] = true
				next[base+"."+ext] = i
				break
			}
		}
	}
	return nil
}

// longEntries are the directory entries that carry a long name, in the order in
// which they stand before the short entry.
func longEntries(name string, sum byte) []byte {
	units := utf16.Encode([]rune(name))
	n := (len(units) + longChars - 1) / longChars
	if len(units)%longChars != 0 {
		units = append(units, 0)
	}
	for len(units) < n*longChars {
		units = append(units, 0xffff)
	}
	out := make([]byte, 0, n*entrySize)
	for i := n; i >= 1; i-- {
		var e [entrySize]byte
		e[0] = byte(i)
		if i == n {
			e[0] |= longLast
		}
		e[11] = attrLong
		e[13] = sum
		for j, at := range longPositions {
			u := units[(i-1)*longChars+j]
			e[at], e[at+1] = byte(u), byte(u>>8)
		}
		out = append(out, e[:]...)
	}
	return out
}

// longPositions are where the characters of a long name stand in an entry.
var longPositions = [longChars]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}
