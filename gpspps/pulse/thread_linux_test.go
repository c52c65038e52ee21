package pulse

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUrgent: whatever is allowed here, the thread stays usable, keeps off the
// first processor where there are several, and no other thread is touched.
func TestUrgent(t *testing.T) {
	var before, during unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Skip("processors cannot be chosen here: ", err)
	}
	were := processors(t)
	var attr *unix.SchedAttr
	var its int
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // it ends with the goroutine
		urgent()
		its = unix.Gettid()
		err := unix.SchedGetaffinity(0, &during)
		if err == nil {
			attr, err = unix.SchedGetAttr(0, 0)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := before.Count(); n > 1 && during.Count() != n-1 || n == 1 && during != before {
		t.Errorf("runs on %d of %d processors", during.Count(), n)
	}
	if attr.Policy == schedFIFO && (attr.Priority != 1 || attr.Flags&schedResetOnFork == 0) {
		t.Errorf("scheduled as %+v", attr)
	}
	t.Logf("policy %d", attr.Policy)
	// It may be the process's first thread, which does not end.
	for id, now := range processors(t) {
		if was, ok := were[id]; ok && id != its && now != was {
			t.Errorf("thread %d of %d runs on %v, and did on %v", id, os.Getpid(), now, was)
		}
	}
}

// processors are those on which each thread may run.
func processors(t *testing.T) map[int]unix.CPUSet {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]unix.CPUSet{}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		var set unix.CPUSet
		switch err := unix.SchedGetaffinity(id, &set); err {
		case nil:
			all[id] = set
		case unix.ESRCH: // it has ended meanwhile
		default:
			t.Fatal(err)
		}
	}
	return all
}
