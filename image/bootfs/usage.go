package bootfs

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Errors that say why nothing may be written to the boot file system.
var (
	// ErrGeometry says that the file system is not the one that Write made.
	ErrGeometry = errors.New("not the file system of the image, somebody formatted it: write the image anew")
	// ErrSlotMoved says that the root directory does not lead to the slot.
	ErrSlotMoved = errors.New("its directory is not where the image put it: write the image anew")
	// ErrSlotTaken says that clusters of the slot belong to other files.
	ErrSlotTaken = errors.New("other files lie in its room: move them off the card, then write the image anew")
)

// maxDirs is how many bytes of directories are read to learn who owns which
// cluster: some hundred times what a card has.
const maxDirs = 16 << 20

// ours says whether the file system lies where Write puts it.
func (f *fat16) ours() bool {
	return f.fatAt == FATOffset && f.root == Extent{RootDirOffset, rootSize} &&
		f.data == DataOffset && f.cluster == ClusterSize && len(f.fat) == endCluster
}

// openOurs opens a file system that is about to be written to.
func openOurs(r io.ReaderAt) (*fat16, error) {
	f, err := openFAT16(r)
	if err != nil {
		return nil, err
	}
	if !f.ours() {
		return nil, ErrGeometry
	}
	return f, nil
}

// usage says of each cluster whether it belongs to a file or directory, and
// whether to more than one.
type usage struct{ owned, shared []bool }

// usage follows all there is in the root directory but what skip names, deeper
// ones too. Each chain is followed until it ends, makes no sense, or meets
// another one: so a file's first cluster is never missed, and the work is bounded.
// Directories that make no sense are passed over: their owner sees them empty.
func (f *fat16) usage(skip func(Entry) bool) (usage, error) {
	u := usage{make([]bool, len(f.fat)), make([]bool, len(f.fat))}
	mark := func(c uint32) (alone bool) {
		for alone = true; c >= firstCluster && c < f.limit; c = uint32(f.fat[c]) {
			if u.owned[c] {
				u.shared[c] = true
				return false
			}
			u.owned[c] = true
		}
		return alone
	}
	list, err := f.list(Entry{}, false)
	if err != nil {
		return u, err
	}
	total := 0
	for pending := []Entry{}; ; {
		for _, e := range list {
			if skip != nil && skip(e) {
				continue
			}
			if mark(e.cluster) && e.Dir && e.cluster != 0 {
				pending = append(pending, e)
			}
		}
		if skip, list = nil, nil; len(pending) == 0 {
			return u, nil
		}
		e := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		list, err = f.list(e, true)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return u, err
		}
		if n := len(list); n > 0 {
			total += list[n-1].at
		}
		if total > maxDirs {
			return u, fmt.Errorf("%w: more than %d bytes of directories", ErrCorrupt, maxDirs)
		}
	}
}

// CheckSlot says whether a slot may be rewritten and would be found afterwards:
// the file system is the image's, the root directory leads to the slot, and no
// other file has got hold of its clusters. Errors are ErrGeometry, ErrSlotMoved,
// ErrSlotTaken, ErrCorrupt and the device's.
func CheckSlot(r io.ReaderAt, slot Slot) error {
	first, end, ok := slot.clusters()
	if !ok {
		return fmt.Errorf("slot %q: there are only a and b", slot)
	}
	f, err := openOurs(r)
	if err != nil {
		return fmt.Errorf("slot %s: %w", slot, err)
	}
	list, err := f.list(Entry{}, false)
	if err != nil {
		return fmt.Errorf("slot %s: %w", slot, err)
	}
	found := 0
	isSlot := func(e Entry) bool { return named(e, string(slot)) && e.Dir && int(e.cluster) == first }
	for _, e := range list {
		if named(e, string(slot)) && !isSlot(e) {
			return fmt.Errorf("slot %s: %w", slot, ErrSlotMoved)
		}
		if isSlot(e) {
			found++
		}
	}
	if found != 1 {
		return fmt.Errorf("slot %s: %w", slot, ErrSlotMoved)
	}
	u, err := f.usage(isSlot)
	if err != nil {
		return fmt.Errorf("slot %s: %w", slot, err)
	}
	for c := first; c < end; c++ {
		if u.owned[c] {
			return fmt.Errorf("slot %s: %w", slot, ErrSlotTaken)
		}
	}
	return nil
}

// named says whether a loader may take an entry for the file called name.
func named(e Entry, name string) bool {
	return strings.EqualFold(e.Name, name) || strings.EqualFold(e.Short, name)
}
