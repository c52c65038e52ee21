package pulse

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"
)

// mostLines bounds the lines of one chip that are looked at; the largest known
// have some hundreds.
const mostLines = 4096

// chipNames finds lines by asking the GPIO chips themselves. It stands in for
// periph where one chip has two device files, as with the links that keep old
// names alive on a Raspberry Pi: periph's driver closes the second one's
// descriptor twice, by when it may be somebody else's, and standard input with
// it (host v3.8.5, GPIOChip.Close).
type chipNames struct {
	dev   string
	ioctl ioctlFunc
}

// aliased says whether two device files in dev are one chip.
func aliased(dev string) bool {
	all, once := deviceFiles(dev)
	return len(once) < len(all)
}

// deviceFiles are the GPIO chips' files in dev: all, and one of each chip.
func deviceFiles(dev string) (all, once []string) {
	all, err := filepath.Glob(filepath.Join(dev, "gpiochip*"))
	if err != nil {
		return nil, nil // only of a malformed pattern
	}
	var seen []os.FileInfo
next:
	for _, path := range all {
		info, err := os.Stat(path)
		if err != nil {
			continue // gone meanwhile, or a link to nothing
		}
		for _, s := range seen {
			if os.SameFile(s, info) {
				continue next
			}
		}
		seen = append(seen, info)
		once = append(once, path)
	}
	return all, once
}

func (c chipNames) line(name string) (chip string, offset uint32, ok bool, err error) {
	err = c.each(func(path, line string, n uint32) {
		if line == name && !ok {
			chip, offset, ok = path, n, true
		}
	})
	if ok {
		err = nil // a chip that cannot be asked did not matter
	}
	return chip, offset, ok, err
}

func (c chipNames) all() (names []string) {
	// What cannot be asked was said by line.
	_ = c.each(func(_, line string, _ uint32) {
		if line != "" {
			names = append(names, line)
		}
	})
	return names
}

// each calls f for every line. It goes on after an error and returns the first.
func (c chipNames) each(f func(path, line string, n uint32)) (first error) {
	_, once := deviceFiles(c.dev)
	for _, path := range once {
		if err := c.lines(path, f); err != nil && first == nil {
			first = fmt.Errorf("the lines of %s cannot be listed: %w", path, err)
		}
	}
	return first
}

func (c chipNames) lines(path string, f func(path, line string, n uint32)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var info chipInfo
	if err := c.ioctl(file.Fd(), ioctlChipInfo, unsafe.Pointer(&info)); err != nil {
		return err
	}
	for n := range min(info.lines, mostLines) {
		line := lineInfo{offset: n}
		if err := c.ioctl(file.Fd(), ioctlLineInfo, unsafe.Pointer(&line)); err != nil {
			return err
		}
		f(path, cString(line.name[:]), n)
	}
	return nil
}
