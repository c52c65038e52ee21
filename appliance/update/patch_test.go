package update

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// makeDelta makes a delta of two files of the same length, of one record; see
// the package delta.
func makeDelta(t testing.TB, old, new []byte) []byte {
	t.Helper()
	head := binary.LittleEndian.AppendUint64([]byte("TCDELTA1"), uint64(len(old)))
	head = binary.LittleEndian.AppendUint64(head, uint64(len(new)))
	b := binary.AppendVarint(nil, 0)
	b = binary.AppendUvarint(b, uint64(len(new)))
	b = binary.AppendUvarint(b, 0)
	for i := 0; i < len(new); {
		same := 0
		for i+same < len(new) && old[i+same] == new[i+same] {
			same++
		}
		i += same
		changed := 0
		for i+changed < len(new) && old[i+changed] != new[i+changed] {
			changed++
		}
		b = binary.AppendUvarint(b, uint64(same))
		b = binary.AppendUvarint(b, uint64(changed))
		for range changed {
			b = append(b, new[i]-old[i])
			i++
		}
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(b, head)
}

// withDeltas publishes r anew with deltas of its root and its kernel.
func withDeltas(t testing.TB, r, from *release, make func(old, new []byte) []byte) {
	t.Helper()
	r.deltas = map[string][]byte{}
	r.publish(t, func(m *artifact.Manifest) {
		add := func(old, new []byte) {
			d := make(old, new)
			sum := artifact.Sum(sha256.Sum256(d))
			for i, o := range m.Objects {
				if o.Sum == sha256.Sum256(new) {
					m.Deltas = append(m.Deltas, artifact.Delta{
						From: sha256.Sum256(old), FromSize: int64(len(old)), To: i, Sum: sum,
						File: artifact.File{Name: artifact.DeltaName(sum), Size: int64(len(d))},
					})
				}
			}
			r.deltas[artifact.DeltaName(sum)] = d
		}
		add(from.root, r.root)
		add(from.files[bootfs.SlotA]["vmlinuz"], r.files[bootfs.SlotA]["vmlinuz"])
	})
}

// TestDeltas installs a release with the help of deltas, or in spite of them.
func TestDeltas(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 3)
	plain := newRelease(t, "1.1.0", good, 3)
	flip := func(name string, b []byte) ([]byte, error) { b[len(b)-9] ^= 1; return b, nil }
	fine := func(name string, b []byte) ([]byte, error) { return b, nil }
	noDelta := func(name string, b []byte) ([]byte, error) {
		if bytes.HasSuffix([]byte(name), []byte(".delta")) {
			return nil, errOffline
		}
		return b, nil
	}
	other := newRelease(t, "1.0.1", good, 3)
	right := func(old, new []byte) []byte { return makeDelta(t, old, new) }
	for name, c := range map[string]struct {
		from    *release
		make    func(old, new []byte) []byte
		mirrors []func(string, []byte) ([]byte, error)
		helps   bool
	}{
		"good":               {from: first, make: right, helps: true},
		"of another release": {from: other, make: right},
		"flipped, then good": {from: first, make: right, mirrors: []func(string, []byte) ([]byte, error){flip, fine}, helps: true},
		"out of reach":       {from: first, make: right, mirrors: []func(string, []byte) ([]byte, error){noDelta}},
		"for files of other sizes": {from: first, make: func(old, new []byte) []byte {
			return makeDelta(t, old[1:], new[1:])
		}},
		"makes something else": {from: first, make: func(old, new []byte) []byte {
			wrong := bytes.Clone(new)
			wrong[70]++
			return makeDelta(t, old, wrong)
		}},
		"no delta": {from: first, make: func(old, new []byte) []byte { return noise(string(new[:99]), 99) }},
		"ends early": {from: first, make: func(old, new []byte) []byte {
			d := makeDelta(t, old, new)
			return d[:len(d)/2]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRelease(t, "1.1.0", good, 3)
				withDeltas(t, r, c.from, c.make)
				w := newWorld(t, loaders[0], first)
				w.publish(r)
				w.publisher.mirrors = c.mirrors
				if how := w.live(time.Hour); how != restarted {
					t.Fatalf("%s: %+v", how, w.engine.Status())
				}
				if w.live(time.Hour); w.committed() != r {
					t.Fatalf("%+v", w.engine.Status())
				}
				if got := w.publisher.bytes; (got < int64(len(plain.pack))/4) != c.helps {
					t.Errorf("%d bytes were fetched, the pack has %d", got, len(plain.pack))
				}
			})
		})
	}
}
