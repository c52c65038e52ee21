package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/truechimer/truechimer/image/bootfs"
)

// The loaders' ways of finding what to boot, as far as a station's card needs
// them. boot is the boot file system, state the raw state partition.

// errNothing says that a loader would not boot anything of ours.
var errNothing = errors.New("boots nothing")

// ReadPi is the Raspberry Pi's firmware: file is config.txt, or tryboot.txt where
// reboot(2) asked for it. The last os_prefix counts.
func ReadPi(boot io.ReaderAt, file string) (slot string, err error) {
	text, err := readText(boot, file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "os_prefix="); ok {
			slot = v
		}
	}
	return slotDir(slot)
}

// ReadSystemdBoot is systemd-boot: oneShot is the variable LoaderEntryOneShot,
// empty where it is not set.
func ReadSystemdBoot(boot io.ReaderAt, oneShot string) (slot string, err error) {
	entry := oneShot
	if entry == "" {
		text, err := readText(boot, "loader/loader.conf")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "default" {
				entry = f[1]
			}
		}
	}
	text, err := readText(boot, "loader/entries/"+entry)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "linux" {
			dir, _, _ := strings.Cut(strings.TrimPrefix(f[1], "/"), "/")
			return slotDir(dir + "/")
		}
	}
	return "", fmt.Errorf("%s names no kernel: %w", entry, errNothing)
}

// ReadUBoot is boot.scr. Where it tries a slot it has written, before it boots
// it, that it tries none.
func ReadUBoot(state io.ReaderAt) (slot string, tried bool, err error) {
	sector := func(at int64) (b [512]byte, err error) {
		_, err = state.ReadAt(b[:], at)
		return b, err
	}
	try, err := sector(3<<20 + 512<<10 + 64<<10)
	if err != nil {
		return "", false, err
	}
	if is(try, "TCT1", 'a') || is(try, "TCT1", 'b') {
		return string(try[4:5]), true, nil
	}
	for _, at := range []int64{3<<20 + 512<<10, 7<<20 + 512<<10} {
		b, err := sector(at)
		if err != nil {
			return "", false, err
		}
		if is(b, "TCB1", 'a') || is(b, "TCB1", 'b') {
			return string(b[4:5]), false, nil
		}
	}
	return "a", false, nil
}

// is compares four bytes and then one, as the script can.
func is(b [512]byte, magic string, letter byte) bool {
	return string(b[:4]) == magic && b[4] == letter
}

func slotDir(s string) (string, error) {
	if s != "a/" && s != "b/" {
		return "", fmt.Errorf("no slot is called %.20q: %w", s, errNothing)
	}
	return s[:1], nil
}

func readText(r io.ReaderAt, path string) (string, error) {
	f, err := bootfs.Open(r)
	if err != nil {
		return "", err
	}
	b, err := f.ReadFile(path, 64<<10)
	return string(b), err
}

// Release is what a slot holds when it is whole.
type Release struct {
	Name  string
	Files map[string][]byte // below the slot's directory
	Root  []byte            // the beginning of the root partition
}

// In says whether a slot holds the whole release: every file, and the root.
func (r Release) In(boot io.ReaderAt, slot string, root io.ReaderAt) error {
	have := make([]byte, len(r.Root))
	if _, err := root.ReadAt(have, 0); err != nil || !bytes.Equal(have, r.Root) {
		return errors.Join(fmt.Errorf("root %s is not of %s", slot, r.Name), err)
	}
	f, err := bootfs.Open(boot)
	if err != nil {
		return err
	}
	for path, want := range r.Files {
		got, err := f.ReadFile(slot+"/"+path, int64(len(want)))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s/%s is not of %s", slot, path, r.Name)
		}
	}
	return nil
}
