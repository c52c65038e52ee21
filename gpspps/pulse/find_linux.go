package pulse

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// listed bounds how many names an error shows.
const listed = 16

// longestName bounds what is looked up; the kernel's own names are shorter.
const longestName = 64

// names finds lines by name.
type names interface {
	// line finds the chip's device and the line's number on it.
	line(name string) (chip string, offset uint32, ok bool, err error)
	// all lists the names there are, after line was called.
	all() []string
}

// find turns what a person wrote into a device and a line number.
func (s system) find(name string) (path string, offset uint32, err error) {
	if name == "" || len(name) > longestName {
		return "", 0, fmt.Errorf("pulse: a line's name has 1 to %d characters; write one such as GPIO18 or gpiochip0:18", longestName)
	}
	if chip, n, ok := strings.Cut(name, ":"); ok {
		index, isChip := strings.CutPrefix(chip, "gpiochip")
		offset, errLine := strconv.ParseUint(n, 10, 16)
		_, errChip := strconv.ParseUint(index, 10, 16)
		if !isChip || errChip != nil || errLine != nil {
			return "", 0, fmt.Errorf("pulse: %q is no chip and line; write gpiochip, its number, a colon and the line's number, such as gpiochip0:18", name)
		}
		return filepath.Join(s.dev, chip), uint32(offset), nil
	}
	path, offset, ok, err := s.names.line(name)
	if err != nil {
		return "", 0, fmt.Errorf("pulse: %q: %w; write chip and line instead, such as gpiochip0:18", name, err)
	}
	if ok {
		return path, offset, nil
	}
	all := s.names.all()
	if len(all) == 0 {
		return "", 0, fmt.Errorf("pulse: no GPIO line is called %q, none has a name here; write chip and line, such as gpiochip0:18: %s", name, s.chips())
	}
	return "", 0, fmt.Errorf("pulse: no GPIO line is called %q; there are %s; write one of these, or chip and line, such as gpiochip0:18", name, list(all))
}

// list joins names, the first few of them.
func list(s []string) string {
	more := ""
	if len(s) > listed {
		more = fmt.Sprintf(" and %d more", len(s)-listed)
		s = s[:listed]
	}
	shown := make([]string, len(s))
	for i := range s {
		shown[i] = printable(s[i])
	}
	return strings.Join(shown, ", ") + more
}
