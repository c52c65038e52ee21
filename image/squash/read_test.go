package squash_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/truechimer/truechimer/image/squash"
)

// What Read finds is what the strict reader of the tests finds.
func TestReadFindsWhatWasWritten(t *testing.T) {
	many := small()
	for i := range 2000 { // long directories, several metadata blocks
		many = append(many, squash.Entry{Path: fmt.Sprintf("many/file-with-a-long-name-%05d", i), Mode: 0o600})
	}
	for name, entries := range map[string][]squash.Entry{"small": small(), "empty": nil, "many": many} {
		image := write(t, entries)
		want, _, err := read(image)
		if err != nil {
			t.Fatal(err)
		}
		got, err := squash.Read(bytes.NewReader(image), int64(len(image)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d items, want %d", name, len(got), len(want))
		}
		for _, item := range got {
			w, ok := want[item.Path]
			data, err := io.ReadAll(item.Content(bytes.NewReader(image)))
			if !ok || err != nil || item.Mode.Type() != w.mode.Type() || item.Target != w.target || !bytes.Equal(data, w.data) ||
				item.Mode.Type() != fs.ModeSymlink && item.Mode != w.mode {
				t.Errorf("%s: %s is %v of %d bytes, want %v of %d, %v", name, item.Path, item.Mode, item.Size, w.mode, len(w.data), err)
			}
		}
	}
}

func TestReadRefusesWhatIsDamaged(t *testing.T) {
	image := write(t, small())
	const head, tail = 96, 8 << 10 // superblock; inodes and directories
	for at := range len(image) {
		if at >= head && at < len(image)-tail || at >= head && at%29 != 0 {
			continue
		}
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(image)
			bad[at] ^= flip
			items, err := squash.Read(bytes.NewReader(bad), int64(len(bad)))
			checkItems(t, items, err, len(bad))
		}
	}
	for _, n := range []int{0, 1, 95, 96, len(image) / 2} {
		if _, err := squash.Read(bytes.NewReader(image[:n]), int64(n)); err == nil {
			t.Errorf("the first %d bytes are an image", n)
		}
	}
	if _, err := squash.Read(bytes.NewReader(make([]byte, 4096)), 4096); !errors.Is(err, squash.ErrFormat) {
		t.Errorf("zeros: %v", err)
	}
}

// checkItems checks what has to hold whatever was read.
func checkItems(t *testing.T, items []squash.Item, err error, size int) {
	t.Helper()
	if err != nil && items != nil {
		t.Errorf("items and %v", err)
	}
	for _, i := range items {
		if i.Offset < 0 || i.Size < 0 || i.Offset+i.Size > int64(size) {
			t.Errorf("%q: %d bytes at %d of %d", i.Path, i.Size, i.Offset, size)
		}
	}
}

func FuzzRead(f *testing.F) {
	var m memory
	if _, err := squash.Write(&m, small(), stamp); err != nil {
		f.Fatal(err)
	}
	f.Add(m.b)
	f.Add([]byte("hsqs"))
	f.Fuzz(func(t *testing.T, image []byte) {
		items, err := squash.Read(bytes.NewReader(image), int64(len(image)))
		checkItems(t, items, err, len(image))
	})
}
