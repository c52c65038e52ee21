package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// staging brings the objects of a release to the inactive root partition: the
// root to where it stays, the boot slot's files behind it. What is there already,
// from an attempt before or from an older release, is found by its hash.
type staging struct {
	e    *Engine
	m    *artifact.Manifest
	slot bootfs.Slot

	staged []artifact.Staged
	end    int64
	to     bootfs.Device // the inactive root partition up to end
	total  int64
	doing  string // for people

	plain  []byte // room for a chunk
	packed []byte // room for one in the pack
}

// place is where a chunk belongs.
type place struct {
	chunk int   // of the manifest
	at    int64 // in the partition
}

func newStaging(e *Engine, m *artifact.Manifest, slot bootfs.Slot) *staging {
	s := &staging{e: e, m: m, slot: slot, doing: fmt.Sprintf("Fetching version %s.", m.Version), plain: make([]byte, artifact.ChunkSize), packed: make([]byte, artifact.MaxPacked)}
	s.staged, s.end = m.Stage(slot)
	s.to = bootfs.Guard(e.o.RootInactive, []bootfs.Extent{{Offset: 0, Length: s.end}})
	for _, o := range s.staged {
		s.total += m.Objects[o.Object].Size
	}
	return s
}

// run returns nil when all of it has been read back from the medium. That is the
// same as looking what is missing, and finding nothing.
func (s *staging) run(ctx context.Context) error {
	s.tell(StateFetching, s.doing)
	for n := 0; ; n++ {
		missing, err := s.look(ctx)
		if err != nil || len(missing) == 0 {
			return err
		}
		if n == writes {
			return fmt.Errorf("%w: it does not give back what was written to it", errCard)
		}
		if err := s.fill(ctx, missing); err != nil {
			return err
		}
		s.tell(StateVerifying, fmt.Sprintf("Reading version %s back from the card.", s.m.Version))
	}
}

func (s *staging) tell(state State, summary string) {
	s.e.s.set(func(st *Status) { st.State, st.Summary, st.Done, st.Total = state, summary, 0, s.total })
}

func (s *staging) done(bytes int) { s.e.s.set(func(st *Status) { st.Done += int64(bytes) }) }

// look reads all that should be there and lists what is not.
func (s *staging) look(ctx context.Context) (missing []place, err error) {
	if err := forget(s.e.o.RootInactive); err != nil {
		return nil, err
	}
	for _, o := range s.staged {
		whole, before, at := sha256.New(), len(missing), o.Offset
		for _, i := range s.m.Objects[o.Object].Chunks {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c := s.m.Chunks[i]
			b := s.plain[:c.Size]
			// A sector that cannot be read may well be written.
			if err := readFull(s.to, b, at); err == nil && sha256.Sum256(b) == c.Sum {
				s.done(c.Size)
			} else {
				missing = append(missing, place{i, at})
			}
			whole.Write(b)
			at += int64(c.Size)
		}
		if want := s.m.Objects[o.Object].Sum; len(missing) == before && artifact.Sum(whole.Sum(nil)) != want {
			return nil, fmt.Errorf("%w: its pieces do not make the file %v", errRefused, want)
		}
	}
	return missing, nil
}

// forget writes what memory holds of a device to the medium, and then forgets it.
func forget(d Device) error {
	err := d.Sync()
	if err == nil {
		err = d.Drop()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errCard, err)
	}
	return nil
}

// fill writes what is missing: what the station has somewhere else, what a delta
// makes of that, and the rest as it is in the pack.
func (s *staging) fill(ctx context.Context, missing []place) error {
	where := make(map[int][]int64, len(missing))
	for _, p := range missing {
		where[p.chunk] = append(where[p.chunk], p.at)
	}
	if err := s.copy(ctx, where); err != nil {
		return err
	}
	if len(where) > 0 && s.e.o.Files == nil {
		return fmt.Errorf("%w: nobody may be asked for it", errFetch)
	}
	if err := s.patch(ctx, where); err != nil {
		return err
	}
	return s.fetch(ctx, where)
}

// put writes a chunk to all its places.
func (s *staging) put(b []byte, places []int64) error {
	for _, at := range places {
		if _, err := s.to.WriteAt(b, at); err != nil {
			return fmt.Errorf("%w: %w", errCard, err)
		}
		s.done(len(b))
	}
	return nil
}

// slotFiles are the boot slot's files, as they are staged.
func (s *staging) slotFiles() []bootfs.File {
	at := make(map[int]int64, len(s.staged))
	for _, o := range s.staged {
		at[o.Object] = o.Offset
	}
	var files []bootfs.File
	for _, f := range s.m.Slots[string(s.slot)] {
		size := s.m.Objects[f.Object].Size
		from := at[f.Object]
		files = append(files, bootfs.File{Path: f.Path, Size: size, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(s.to, from, size)), nil
		}})
	}
	return files
}

// readFull reads all of b.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// run8 is the most that one request asks for, bytes.
const run8 = 8 << 20

// fetch fetches chunks, neighbours with one request.
func (s *staging) fetch(ctx context.Context, where map[int][]int64) error {
	failed := 0 // requests in a row without a sound chunk
	for first := 0; first < len(s.m.Chunks); {
		if len(where[first]) == 0 {
			first++
			continue
		}
		next, length := first, int64(0)
		for next < len(s.m.Chunks) && len(where[next]) > 0 {
			c, head := s.m.Chunks[next], s.m.Chunks[first]
			if c.Offset != head.Offset+length || length+int64(c.Packed) > run8 {
				break
			}
			length += int64(c.Packed)
			next++
		}
		got, err := s.request(ctx, first, next, length, where)
		if errors.Is(err, errCard) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if got > 0 {
			failed = 0
		}
		first += got
		if err == nil {
			continue
		}
		s.e.o.Files.Next()
		failed++
		dry := failed / s.e.o.Files.Mirrors() // rounds over all mirrors
		switch {
		case failed%s.e.o.Files.Mirrors() != 0:
			continue
		case dry >= dryRounds:
			return fmt.Errorf("%w: %w", errFetch, err)
		}
		s.e.wait(ctx, s.e.spread(s.e.o.Policy.Again<<dry))
	}
	return nil
}

// dryRounds is how often all mirrors are asked in vain, with a pause between,
// until an attempt ends.
const dryRounds = 3

// request fetches the chunks from first up to next and says how many of them
// were sound and are on the card.
func (s *staging) request(ctx context.Context, first, next int, length int64, where map[int][]int64) (n int, err error) {
	r, err := s.e.o.Files.Range(ctx, s.m.Pack.Name, s.m.Chunks[first].Offset, length)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for ; first+n < next; n++ {
		c := s.m.Chunks[first+n]
		packed := s.packed[:c.Packed]
		if _, err := io.ReadFull(r, packed); err != nil {
			return n, fmt.Errorf("%s: %w", s.m.Pack.Name, err)
		}
		b, err := artifact.Unpack(s.plain, packed, c)
		if err != nil {
			return n, err
		}
		if err := s.put(b, where[first+n]); err != nil {
			return n, err
		}
		delete(where, first+n)
	}
	return n, nil
}
