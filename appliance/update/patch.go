package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/artifact/delta"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// patch makes chunks that are missing out of files of the running system, where
// there is a delta that is shorter than they are. What does not work out is
// fetched instead, so the only errors are the card's and ctx's.
func (s *staging) patch(ctx context.Context, where map[int][]int64) error {
	for _, d := range s.m.Deltas {
		if s.cost(d.To, where) <= d.File.Size {
			continue
		}
		old, err := s.find(ctx, d.From, d.FromSize)
		if err == nil && old != nil {
			err = s.apply(ctx, d, old, where)
		}
		if errors.Is(err, errCard) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if err != nil {
			s.e.o.Log.Warn("a delta is of no use, all is fetched instead", "delta", d.File.Name, "error", err)
		}
	}
	return nil
}

// cost is what fetching the chunks of an object would take, bytes.
func (s *staging) cost(object int, where map[int][]int64) (n int64) {
	counted := make(map[int]bool)
	for _, i := range s.m.Objects[object].Chunks {
		if len(where[i]) > 0 && !counted[i] {
			counted[i] = true
			n += int64(s.m.Chunks[i].Packed)
		}
	}
	return n
}

// find looks for a file of the running system, the root file system included, by
// its hash; nil: there is none.
func (s *staging) find(ctx context.Context, want artifact.Sum, size int64) (io.ReaderAt, error) {
	is := func(r io.ReaderAt, at int64) (bool, error) {
		h := sha256.New()
		err := pieces(r, at, size, s.plain, func(b []byte) error {
			h.Write(b)
			return ctx.Err()
		})
		return artifact.Sum(h.Sum(nil)) == want, err
	}
	if squashfsSize(s.e.o.RootActive) == size {
		if ok, err := is(s.e.o.RootActive, 0); ok || err != nil {
			return s.e.o.RootActive, err
		}
	}
	for x := range s.slotRuns() {
		if x.Length != size {
			continue
		}
		if ok, err := is(s.e.o.Boot, x.Offset); ok || err != nil {
			return io.NewSectionReader(s.e.o.Boot, x.Offset, x.Length), err
		}
	}
	return nil, nil
}

// apply fetches a delta and applies it: it is kept behind all that is staged, so
// that it is verified before it is read.
func (s *staging) apply(ctx context.Context, d artifact.Delta, old io.ReaderAt, where map[int][]int64) error {
	room := bootfs.Extent{Offset: (s.end + disk.Alignment - 1) / disk.Alignment * disk.Alignment, Length: d.File.Size}
	if room.Offset+room.Length > disk.RootASize {
		return fmt.Errorf("there is no room for its %d bytes", d.File.Size)
	}
	to := bootfs.Guard(s.e.o.RootInactive, []bootfs.Extent{room})
	for left := s.e.o.Files.Mirrors(); ; {
		err := s.keepDelta(ctx, d, io.NewOffsetWriter(to, room.Offset))
		if err == nil {
			break
		}
		if errors.Is(err, errCard) || ctx.Err() != nil {
			return err
		}
		s.e.o.Files.Next()
		if left--; left == 0 {
			return err
		}
	}
	w := &chunkWriter{s: s, chunks: s.m.Objects[d.To].Chunks, where: where}
	return delta.Patch(w, old, d.FromSize, io.NewSectionReader(to, room.Offset, room.Length), s.m.Objects[d.To].Size)
}

// keepDelta writes a delta to the card.
func (s *staging) keepDelta(ctx context.Context, d artifact.Delta, to io.Writer) error {
	r, err := s.e.o.Files.Range(ctx, d.File.Name, 0, d.File.Size)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	for left := d.File.Size; left > 0; {
		b := s.plain[:min(left, int64(len(s.plain)))]
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("%s: %w", d.File.Name, err)
		}
		h.Write(b)
		if _, err := to.Write(b); err != nil {
			return fmt.Errorf("%w: %w", errCard, err)
		}
		left -= int64(len(b))
	}
	if artifact.Sum(h.Sum(nil)) != d.Sum {
		return fmt.Errorf("%s: %w", d.File.Name, artifact.ErrDamaged)
	}
	return nil
}

// chunkWriter takes an object from its beginning and writes the chunks of it that
// are missing, once each has been verified.
type chunkWriter struct {
	s      *staging
	chunks []int // that are to come
	where  map[int][]int64
	n      int // bytes of the first of them that are in s.plain
}

func (w *chunkWriter) Write(b []byte) (int, error) {
	for written := 0; written < len(b); {
		if len(w.chunks) == 0 {
			return written, errors.New("more than the object has")
		}
		i := w.chunks[0]
		c := w.s.m.Chunks[i]
		k := copy(w.s.plain[w.n:c.Size], b[written:])
		w.n, written = w.n+k, written+k
		if w.n < c.Size {
			continue
		}
		if plain := w.s.plain[:c.Size]; len(w.where[i]) > 0 {
			if sha256.Sum256(plain) != c.Sum {
				return written, errors.New("it makes something else than the manifest names")
			}
			if err := w.s.put(plain, w.where[i]); err != nil {
				return written, err
			}
			delete(w.where, i)
		}
		w.chunks, w.n = w.chunks[1:], 0
	}
	return len(b), nil
}
