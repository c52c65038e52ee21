package journal

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestHostileDirectory meets what is no plain file, or leads elsewhere.
func TestHostileDirectory(t *testing.T) {
	path, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(elsewhere, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(path, name) }
	for _, err := range []error{
		os.Symlink(elsewhere, in("x-000")), syscall.Mkfifo(in("x-001"), 0o600), os.Mkdir(in("x-002"), 0o700),
		os.MkdirAll(in("x-003/full"), 0o700), os.Symlink(elsewhere, in("anchors")), os.Symlink("h-001", in("h-000")),
		os.WriteFile(in("x-200"), []byte("left"), 0o600), os.WriteFile(in("x-004"), bytes.Repeat([]byte("x"), 100), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	s, problems, err := openStore(dir, leastBytes, 1, numbered(1))
	if err != nil || len(problems) < 5 {
		t.Fatalf("%v, %v", problems, err)
	}
	const many = 1500
	for i := range many {
		rec := sample(i)
		if err := s.add(&rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(elsewhere); err != nil || string(b) != "precious" {
		t.Errorf("what lay elsewhere: %q, %v", b, err)
	}
	if _, err := os.Stat(in("x-200")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file too many: %v", err)
	}
	if dir, err = OpenDir(path); err != nil {
		t.Fatal(err)
	}
	s, _, err = openStore(dir, leastBytes, 2, numbered(2))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if got := numbers(t, s, "then"); len(got) != many || !unbroken(got) {
		t.Errorf("%d records", len(got))
	}
}

// TestRoom is half of a file system at the most.
func TestRoom(t *testing.T) {
	room, err := Room(t.TempDir())
	if err != nil || room <= 0 || room > MostBytes {
		t.Errorf("%d, %v", room, err)
	}
	if _, err := Room("/there/is/none"); err == nil {
		t.Error("room in a directory that is not there")
	}
}

// TestReadWhileWritten reads while files are used anew under the reader's hands:
// what it gets is right.
func TestReadWhileWritten(t *testing.T) {
	dir, err := OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := testStore(t, dir, 1)
	defer s.close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			last := int64(-1)
			s.each(ctx, Query{}, func(rec *Record) error {
				if n++; !same(rec) || rec.Offset <= last {
					t.Errorf("after %d: %+v", last, *rec)
				}
				last = rec.Offset
				return nil
			})
		}
		done <- n
	}()
	for i := range len(samples) {
		rec := sample(i)
		if err := s.add(&rec); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if err := s.flush(true); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	t.Logf("%d records were read", <-done)
}
