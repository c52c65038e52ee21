// Package flash writes images to cards, and refuses whatever might be anything
// but a card.
package flash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// System is where a Linux system says what its disks are. Fields are
// directories; tests point them elsewhere.
type System struct {
	Sys, Proc string
	// Device says whether name is a block device, and its number as "8:0".
	Device func(name string) (number string, block bool, err error)
}

// Target is a disk that may be written.
type Target struct {
	Name  string // device node
	Size  int64  // bytes
	Model string // for people; may be empty

	sys string // its directory in sysfs
}

// Refusal is why a disk is not written.
type Refusal struct{ Device, Why string }

func (r *Refusal) Error() string { return r.Device + ": " + r.Why }

// Find finds out whether a device may be written: it is a whole disk, can be
// taken out, is in use by nobody, and has at least size bytes. A *Refusal says
// why not.
func (s System) Find(name string, size int64) (Target, error) {
	refuse := func(format string, args ...any) (Target, error) {
		return Target{}, &Refusal{name, fmt.Sprintf(format, args...)}
	}
	number, block, err := s.Device(name)
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("is not there; lsblk lists the disks")
	}
	if err != nil {
		return Target{}, err
	}
	if !block {
		return refuse("is no disk; lsblk lists them")
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(s.Sys, "dev/block", number))
	if err != nil {
		return Target{}, fmt.Errorf("%s: %w", name, err)
	}
	if s.text(dir, "partition") != "" {
		return refuse("is a partition; name the whole disk, %s", filepath.Join(filepath.Dir(name), filepath.Base(filepath.Dir(dir))))
	}
	t := Target{Name: name, sys: dir, Model: strings.TrimSpace(s.text(dir, "device/vendor") + " " + s.text(dir, "device/model"))}
	if t.Model == "" {
		t.Model = s.text(dir, "device/name") // of an SD card
	}
	if why := s.fixed(dir); why != "" {
		return refuse("%s", why)
	}
	if s.text(dir, "ro") == "1" {
		return refuse("is read-only; an SD card or its adapter has a lock on its side")
	}
	if use, err := s.use(dir, number); err != nil {
		return Target{}, err
	} else if use != "" {
		return refuse("%s", use)
	}
	const unit = 512 // of sysfs, whatever the disk's own sectors are
	sectors, err := strconv.ParseInt(s.text(dir, "size"), 10, 64)
	if err != nil || sectors < 0 || sectors > 1<<50 {
		return refuse("its size cannot be read")
	}
	if t.Size = sectors * unit; t.Size == 0 {
		return refuse("there is no card in it")
	}
	if t.Size < size {
		return refuse("has %d MiB; a station's card needs %d, so 4 GB or more", t.Size>>20, size>>20)
	}
	return t, nil
}

// Medium tells one medium in a disk from the next: by a count of changes
// (Linux 5.15 and newer), and an SD card's serial number. It is empty where the
// system knows neither.
func (s System) Medium(t Target) string {
	return s.text(t.sys, "diskseq") + s.text(t.sys, "device/cid")
}

func (s System) text(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// fixed says why a disk is not one that people take out. Readers on USB say
// that their medium is removable, and so do sticks; built-in readers say that
// they themselves are not, but that what is in them is an SD card (an eMMC, of
// type MMC, is soldered). A disk on USB may be anybody's backup: it does not
// say removable, and is refused.
func (s System) fixed(dir string) string {
	if s.text(dir, "removable") == "1" {
		return ""
	}
	if strings.HasPrefix(filepath.Base(dir), "mmcblk") {
		switch kind := s.text(dir, "device/type"); kind {
		case "SD":
			return ""
		default:
			return fmt.Sprintf("is built in (%s), no SD card", kind)
		}
	}
	return "is no removable disk; cards and sticks are written, nothing else"
}

// use says who uses a disk or a part of it: nobody may.
func (s System) use(dir, number string) (string, error) {
	numbers := map[string]string{number: filepath.Base(dir)}
	parts, err := filepath.Glob(filepath.Join(dir, "*/partition"))
	if err != nil {
		return "", err
	}
	dirs := []string{dir}
	for _, p := range parts {
		d := filepath.Dir(p)
		dirs = append(dirs, d)
		numbers[s.text(d, "dev")] = filepath.Base(d)
	}
	for _, d := range dirs {
		if held, _ := os.ReadDir(filepath.Join(d, "holders")); len(held) > 0 {
			return fmt.Sprintf("is in use by %s (encryption, RAID or LVM)", held[0].Name()), nil
		}
	}
	mounts, err := os.ReadFile(filepath.Join(s.Proc, "self/mountinfo"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line) // proc(5): id, parent, device, root, mount point, ...
		if len(f) < 5 {
			continue
		}
		source := ""
		for i, w := range f[:len(f)-1] {
			if w == "-" && i+2 < len(f) {
				source = f[i+2] // btrfs has a device number of its own
			}
		}
		part := numbers[f[2]]
		for _, p := range numbers {
			if source == "/dev/"+p {
				part = p
			}
		}
		switch {
		case part != "" && (f[4] == "/" || f[4] == "/boot" || f[4] == "/boot/firmware" || f[4] == "/usr"):
			return "is the disk that this system runs on", nil
		case part != "":
			return fmt.Sprintf("%s is mounted at %s; unmount it: umount /dev/%s", part, unescape(f[4]), part), nil
		}
	}
	swaps, err := os.ReadFile(filepath.Join(s.Proc, "swaps"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(swaps)) {
		name, _, _ := strings.Cut(line, " ")
		for _, p := range numbers {
			if name == "/dev/"+p {
				return fmt.Sprintf("%s is swap space of this system", p), nil
			}
		}
	}
	return "", nil
}

// unescape is a path of mountinfo as people know it.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
