package artifact

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/truechimer/truechimer/image/disk"
)

// Packer writes a pack. The same objects in the same order give the same bytes,
// on any machine.
type Packer struct {
	w       io.Writer
	encoder *zstd.Encoder
	err     error // of writing: the pack is spoiled
	sum     hash.Hash
	size    int64

	chunks  []Chunk
	objects []Object
	chunkOf map[Sum]int
	objOf   map[Sum]int
	plain   []byte
	frame   []byte
}

// NewPacker begins a pack. Its name is known when it is complete: write it under
// another one.
func NewPacker(w io.Writer) *Packer {
	p := &Packer{
		w: w, sum: sha256.New(),
		chunkOf: map[Sum]int{}, objOf: map[Sum]int{},
		plain: make([]byte, ChunkSize),
	}
	// Without a checksum: the manifest has better ones.
	p.encoder, p.err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithWindowSize(ChunkSize), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(1))
	return p
}

// Add puts an object into the pack, as far as it is not in it, and returns the
// object's number. Reading is bounded by the size of a root partition. After an
// error the object is not there, but chunks of it may be.
func (p *Packer) Add(r io.Reader) (object int, err error) {
	if p.err != nil {
		return 0, p.err
	}
	o := Object{Chunks: []int{}}
	whole := sha256.New()
	for {
		n, err := io.ReadFull(r, p.plain)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		if n > 0 {
			whole.Write(p.plain[:n])
			if o.Size += int64(n); o.Size > disk.RootASize {
				return 0, fmt.Errorf("more than the %d bytes that a root partition has", disk.RootASize)
			}
			c, err := p.add(p.plain[:n])
			if err != nil {
				return 0, err
			}
			o.Chunks = append(o.Chunks, c)
		}
		if err != nil {
			break
		}
	}
	whole.Sum(o.Sum[:0])
	i, ok := p.objOf[o.Sum]
	if !ok {
		i = len(p.objects)
		p.objOf[o.Sum] = i
		p.objects = append(p.objects, o)
	}
	return i, nil
}

// add puts a chunk into the pack and returns its number.
func (p *Packer) add(plain []byte) (int, error) {
	sum := Sum(sha256.Sum256(plain))
	if i, ok := p.chunkOf[sum]; ok {
		return i, nil
	}
	p.frame = p.encoder.EncodeAll(plain, p.frame[:0])
	c := Chunk{p.size, len(p.frame), sha256.Sum256(p.frame), len(plain), sum}
	if _, err := p.w.Write(p.frame); err != nil {
		p.err = fmt.Errorf("writing the pack: %w", err)
		return 0, p.err
	}
	p.sum.Write(p.frame)
	p.size += int64(len(p.frame))
	p.chunkOf[sum] = len(p.chunks)
	p.chunks = append(p.chunks, c)
	return len(p.chunks) - 1, nil
}

// Finish ends the pack and sets Pack, Chunks and Objects of the manifest. The
// Packer is of no use afterwards.
func (p *Packer) Finish(m *Manifest) error {
	if p.err != nil {
		return p.err
	}
	p.err = errors.New("the pack is finished")
	m.Pack = File{PackName(Sum(p.sum.Sum(nil))), p.size}
	m.Chunks, m.Objects = p.chunks, p.objects
	return nil
}

// decoder unpacks chunks, one at a time: with a decoder for each call a station
// would spend more on their memory than on the chunks.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(ChunkSize), zstd.WithDecoderMaxWindow(ChunkSize), zstd.WithDecodeAllCapLimit(true))
})

// Unpack verifies a frame of the pack, unpacks it and verifies what was in it.
// The result lies in dst if that has room for it, over what was there. Whatever
// is in the frame, less than 1 MiB of memory is taken. Calls wait for each other.
// Errors are ErrDamaged.
func Unpack(dst, packed []byte, c Chunk) ([]byte, error) {
	if c.Size < 1 || c.Size > ChunkSize || len(packed) != c.Packed || sha256.Sum256(packed) != c.PackedSum {
		return nil, fmt.Errorf("a chunk at %d of the pack: %w", c.Offset, ErrDamaged)
	}
	d, err := decoder()
	if err != nil {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(packed); err != nil || h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(c.Size) {
		return nil, fmt.Errorf("a chunk at %d of the pack: no frame of %d bytes: %w", c.Offset, c.Size, ErrDamaged)
	}
	if cap(dst) < c.Size {
		dst = make([]byte, 0, c.Size)
	}
	plain, err := d.DecodeAll(packed, dst[:0:c.Size])
	if err != nil {
		return nil, fmt.Errorf("a chunk at %d of the pack: %w: %w", c.Offset, ErrDamaged, err)
	}
	if len(plain) != c.Size || sha256.Sum256(plain) != c.Sum {
		return nil, fmt.Errorf("a chunk at %d of the pack: %w", c.Offset, ErrDamaged)
	}
	return plain, nil
}
