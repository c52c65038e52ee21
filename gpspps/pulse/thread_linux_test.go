package pulse

import (
	"runtime"
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
	var attr *unix.SchedAttr
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // it ends with the goroutine
		urgent()
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
	var after unix.CPUSet
	if err := unix.SchedGetaffinity(unix.Getpid(), &after); err != nil || after != before {
		t.Errorf("the process's first thread runs on %v, %v", after, err)
	}
}
