package update

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// wanted are the chunks that are missing, by their hash.
type wanted map[artifact.Sum]int

// copy takes chunks that the running system has: those of its root file system,
// and of its boot slot's files. Where they cannot be read they are fetched.
func (s *staging) copy(ctx context.Context, where map[int][]int64) error {
	want := make(wanted, len(where))
	for i := range where {
		want[s.m.Chunks[i].Sum] = i
	}
	// take writes a piece of what the station has, if it is one that is missing.
	take := func(b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		i, ok := want[sha256.Sum256(b)]
		if !ok || len(where[i]) == 0 {
			return nil
		}
		if err := s.put(b, where[i]); err != nil {
			return err
		}
		delete(where, i)
		if len(where) == 0 {
			return errDone
		}
		return nil
	}
	err := pieces(s.e.o.RootActive, 0, squashfsSize(s.e.o.RootActive), s.plain, take)
	if err == nil {
		err = s.copySlot(take)
	}
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// errDone ends a search for chunks that has found all of them.
var errDone = errors.New("nothing is missing any more")

// pieces gives the pieces of size bytes at at, as objects are cut. One that
// cannot be read is left out.
func pieces(r io.ReaderAt, at, size int64, room []byte, take func([]byte) error) error {
	for off := int64(0); off < size; off += artifact.ChunkSize {
		b := room[:min(artifact.ChunkSize, size-off)]
		if readFull(r, b, at+off) != nil {
			continue
		}
		if err := take(b); err != nil {
			return err
		}
	}
	return nil
}

// copySlot takes what the running slot's files have.
func (s *staging) copySlot(take func([]byte) error) error {
	var err error
	for x := range s.slotRuns() {
		if err = pieces(s.e.o.Boot, x.Offset, x.Length, s.plain, take); err != nil {
			break
		}
	}
	return err
}

// slotRuns are the files of the running slot. Those that lie in pieces, as no
// update or image leaves them, are left out.
func (s *staging) slotRuns() iter.Seq[bootfs.Extent] {
	return func(yield func(bootfs.Extent) bool) {
		f, err := bootfs.Open(s.e.o.Boot)
		if err != nil {
			s.e.o.Log.Warn("the running slot's files cannot be used", "error", err)
			return
		}
		for path := range slotPaths(f, s.e.o.System.Slot) {
			runs, err := f.Extents(path)
			if err == nil && len(runs) == 1 && !yield(runs[0]) {
				return
			}
		}
	}
}

// slotPaths are the paths of a slot's files, with the slot's directory, but for
// the one that only takes up room.
func slotPaths(f *bootfs.FS, slot bootfs.Slot) iter.Seq[string] {
	return func(yield func(string) bool) {
		count := 0
		var walk func(dir string, depth int) bool
		walk = func(dir string, depth int) bool {
			list, err := f.ReadDir(dir)
			if err != nil {
				return true
			}
			for _, entry := range list {
				if count++; count > 2*artifact.MaxSlotFiles {
					return false
				}
				path := dir + "/" + entry.Name
				if entry.Dir {
					if depth > 0 && !walk(path, depth-1) {
						return false
					}
					continue
				}
				if entry.Name != bootfs.RoomName && !yield(path) {
					return false
				}
			}
			return true
		}
		const deep = 8
		walk(string(slot), deep)
	}
}

// squashfsSize is the length of a squashfs (kernel documentation,
// filesystems/squashfs: bytes_used of the superblock), padded to 4 KiB as images
// are; 0 where there is none.
func squashfsSize(r io.ReaderAt) int64 {
	b := make([]byte, 48)
	if readFull(r, b, 0) != nil || string(b[:4]) != "hsqs" {
		return 0
	}
	const page = 4 << 10
	n := binary.LittleEndian.Uint64(b[40:])
	if n > 1<<40 {
		return 0
	}
	return int64(n+page-1) / page * page
}
