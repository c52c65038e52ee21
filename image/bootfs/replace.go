package bootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Medium is what a boot file system lies on.
type Medium interface {
	io.ReaderAt
	io.WriterAt
}

// ReplaceFile gives a file that stands in the root directory of a file system
// that Write wrote other content, in free clusters of the general area: the
// clusters that the file had are free afterwards. It is for a card that is being
// made: after an interruption the file system is to be written anew.
// The same file system and content give the same bytes. when is the file's new
// time stamp.
func ReplaceFile(d Medium, name string, content []byte, when time.Time) error {
	st, err := newStamp(when)
	if err != nil {
		return err
	}
	f, err := openFAT16(d)
	if err != nil {
		return err
	}
	if f.cluster != ClusterSize || f.data != DataOffset || len(f.fat) != endCluster {
		return errors.New("this is no station's boot file system")
	}
	e, err := f.file(name)
	if err != nil || strings.Contains(name, "/") {
		return fmt.Errorf("replacing %s: %w", name, errors.Join(err, errNotInRoot(name)))
	}
	if err := f.free(e); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	first, err := f.store(d, content)
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	var entry [entrySize]byte
	at := f.root.Offset + int64(e.at)
	if err := readAt(d, entry[:], at); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	fresh := st.entry(shortName(entry[:11]), entry[11], int(first), int64(len(content)))
	fresh[12] = entry[12] // how Windows shows the name
	if _, err := d.WriteAt(fresh, at); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	raw := make([]byte, fatSize)
	for i, next := range f.fat {
		binary.LittleEndian.PutUint16(raw[2*i:], next)
	}
	if _, err := d.WriteAt(raw, FATOffset); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	return nil
}

func errNotInRoot(name string) error {
	if strings.Contains(name, "/") {
		return errors.New("only files of the root directory can be replaced")
	}
	return nil
}

// free gives a file's clusters back, in the FAT that is in memory.
func (f *fat16) free(e Entry) error {
	list, err := f.chain(e.cluster, e.Size)
	if err != nil {
		return err
	}
	for _, x := range list {
		for off := x.Offset; off < x.Offset+x.Length; off += ClusterSize {
			c := clusterAt(off)
			if c >= clusterAt(PointerOffset) {
				return fmt.Errorf("%w: it does not lie in the general area", ErrCorrupt)
			}
			f.fat[c] = 0
		}
	}
	return nil
}

// store writes content to the first clusters of the general area that are free
// and chains them in the FAT that is in memory; first is 0 for no content.
func (f *fat16) store(w io.WriterAt, content []byte) (first uint16, err error) {
	last := 0
	for c := firstCluster; len(content) > 0; c++ {
		if c == clusterAt(PointerOffset) {
			return 0, fmt.Errorf("no room for the last %d bytes", len(content))
		}
		if f.fat[c] != 0 {
			continue
		}
		piece := make([]byte, ClusterSize)
		content = content[copy(piece, content):]
		if _, err := w.WriteAt(piece, clusterOffset(c)); err != nil {
			return 0, err
		}
		if last == 0 {
			first = uint16(c)
		} else {
			f.fat[last] = uint16(c)
		}
		f.fat[c], last = endOfChain, c
	}
	return first, nil
}
