package update

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDrop asks the kernel, without waiting for the medium, for what was dropped.
func TestDrop(t *testing.T) {
	name := filepath.Join(t.TempDir(), "partition")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPartition(name)
	if err != nil {
		t.Fatal(err)
	}
	b := noise("partition", 1<<20)
	if _, err := p.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	const at = 300 << 10
	cached := func() bool {
		_, err := unix.Preadv2(int(p.Fd()), [][]byte{make([]byte, 4096)}, at, unix.RWF_NOWAIT)
		return !errors.Is(err, unix.EAGAIN)
	}
	if !cached() {
		t.Error("what was just written is not in memory: the test shows nothing")
	}
	// It is advice: a page that the kernel itself holds just now, as its own
	// scanning of memory does for a moment, stays; where that waits for a
	// processor, the moment is long.
	gone := false // asked once a turn: asking has the kernel read it anew
	for end := time.Now().Add(10 * time.Second); !gone && time.Now().Before(end); gone = !cached() {
		if err := p.Drop(); err != nil {
			t.Fatal(err)
		}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		t.Fatal(err)
	}
	if s.Type != unix.TMPFS_MAGIC && !gone { // that file system is memory
		t.Error("it is in memory still")
	}
	got := make([]byte, len(b))
	if err := readFull(p, got, 0); err != nil || !bytes.Equal(got, b) {
		t.Errorf("it reads differently now: %v", err)
	}
	p.Close()
	if err := p.Drop(); err == nil {
		t.Error("a closed file was dropped")
	}
	if _, err := OpenPartition(name + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such partition: %v", err)
	}
}
