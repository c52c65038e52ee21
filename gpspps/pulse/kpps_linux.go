package pulse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's PPS devices: include/uapi/linux/pps.h, after RFC 2783. The size in
// the numbers of the calls is that of a pointer, since that is what the header
// hands to the macro that makes them.
const (
	ioctlPPSParams = 2<<30 | unsafe.Sizeof(uintptr(0))<<16 | 'p'<<8 | 0xa1 // PPS_GETPARAMS
	ioctlPPSFetch  = 3<<30 | unsafe.Sizeof(uintptr(0))<<16 | 'p'<<8 | 0xa4 // PPS_FETCH

	captureAssert = 1
	captureClear  = 2
)

type ppsTime struct {
	sec   int64
	nsec  int32
	flags uint32
}

func (t ppsTime) nano() int64 { return t.sec*1e9 + int64(t.nsec) }

type ppsParams struct {
	version, mode int32
	_             [2]ppsTime // offsets
}

// ppsData is struct pps_fdata as all machines have it but 32-bit x86, which has
// no padding in it.
type ppsData struct {
	asserts, clears uint32 // counted from 1 on
	assert, clear   ppsTime
	_               [2]uint32 // the mode, padding
	timeout         ppsTime
}

const (
	// ppsSlice bounds how long a thread is in the kernel and cannot be halted.
	ppsSlice = 250 * time.Millisecond
	// ppsStepped is by how much the difference of the clocks may change without
	// being taken for a step, ns, beside what reading them is wrong by.
	ppsStepped = 2000
)

// bothClocks are CLOCK_MONOTONIC and how far CLOCK_REALTIME is ahead of it.
type bothClocks interface {
	mono() int64
	ahead() (ahead, width int64)
}

// kpps is a PPS device. It keeps but the newest edge, stamped with
// CLOCK_REALTIME, which may be stepped: what that clock is ahead of
// CLOCK_MONOTONIC is read before an edge and after it, and an edge between two
// that differ is left out.
type kpps struct {
	path  string
	file  *os.File
	raw   syscall.RawConn
	ioctl ioctlFunc
	clock bothClocks
	fetch func(uintptr) // made once, see line

	usb bool // its stamps come from there

	wait   sync.Mutex // held by the one that waits; guards what follows
	data   ppsData
	failed error
	seen   ppsData // what is known already
	rising bool    // asserts mark the second, not clears
	sure   bool    // of rising
	phases phases
	before int64 // the clocks' difference before the next edge, ns
	width  int64 // what it may be wrong by, ns

	mu    sync.Mutex // guards what follows
	halts uint64
	err   error
}

var _ Edges = (*kpps)(nil)

func openPPS(path string) (Edges, error) {
	if runtime.GOARCH == "386" {
		return nil, fmt.Errorf("pulse: %s: PPS devices are not read by 32-bit programs on x86; run the 64-bit one", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("pulse: %s: %w; run as root, or let a udev rule give it to a group", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("pulse: %s: %w; there is one where the kernel has a driver for the pulse (dtoverlay=pps-gpio, ldattach PPS)", path, err)
	}
	k, err := newKPPS(path, f, ioctlOnce, &clock{})
	if err != nil {
		f.Close()
		return nil, err
	}
	if d, ok := ppsDevice("/sys/class/pps", filepath.Base(path)); ok {
		k.usb = onUSB(d.serial)
	}
	return k, nil
}

// ioctlOnce is the system call, which a signal ends.
func ioctlOnce(fd uintptr, request uintptr, arg unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); e != 0 {
		return e
	}
	return nil
}

func newKPPS(path string, f *os.File, ioctl ioctlFunc, clock bothClocks) (*kpps, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("pulse: %s: %w", path, err)
	}
	k := &kpps{path: path, file: f, raw: raw, ioctl: ioctl, clock: clock}
	k.fetch = func(fd uintptr) { k.failed = k.ioctl(fd, ioctlPPSFetch, unsafe.Pointer(&k.data)) }
	var params ppsParams
	var inner error
	err = raw.Control(func(fd uintptr) { inner = ioctl(fd, ioctlPPSParams, unsafe.Pointer(&params)) })
	if err = errors.Join(err, inner); err != nil {
		return nil, fmt.Errorf("pulse: %s is no PPS device: %w; they are called /dev/pps0", path, err)
	}
	switch params.mode & (captureAssert | captureClear) {
	case captureAssert:
		k.rising, k.sure = true, true
	case captureClear:
		k.sure = true
	case 0:
		return nil, fmt.Errorf("pulse: %s captures no edges; set it to with ppsctl or ppstest", path)
	}
	// What came before nobody knows when is not handed out.
	if err := k.get(0); err != nil {
		return nil, fmt.Errorf("pulse: %s: %w", path, err)
	}
	k.seen = k.data
	k.before, k.width = clock.ahead()
	return k, nil
}

// get fetches the newest edges, or waits for the next one.
func (k *kpps) get(wait time.Duration) error {
	k.data.timeout = ppsTime{sec: int64(wait / time.Second), nsec: int32(wait % time.Second)}
	if err := k.raw.Control(k.fetch); err != nil {
		return err
	}
	return k.failed
}

// WaitForEdgeAt implements Edges. It allocates nothing.
func (k *kpps) WaitForEdgeAt(timeout time.Duration) (Event, bool) {
	halts, ok := k.state(0, false)
	if !ok {
		return Event{}, false
	}
	k.wait.Lock()
	defer k.wait.Unlock()
	until := k.clock.mono() + int64(timeout)
	for {
		err := k.get(0)
		if e, ok := k.news(); err == nil && ok {
			return e, true
		}
		left := ppsSlice
		if timeout >= 0 {
			left = min(left, time.Duration(until-k.clock.mono()))
		}
		if err == nil && left > 0 {
			if _, ok := k.state(halts, true); !ok {
				return Event{}, false
			}
			// An edge that comes before the kernel waits is found a slice later.
			err = k.get(max(left, time.Millisecond*10))
		}
		switch {
		case err == nil, errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case errors.Is(err, os.ErrClosed):
			k.end(errClosed)
		default:
			k.end(err)
		}
		if _, ok := k.state(halts, true); !ok || timeout >= 0 && left <= 0 {
			return Event{}, false
		}
	}
}

// state is how often the wait was halted; ok: not since it was halts times, and
// nothing is wrong.
func (k *kpps) state(halts uint64, compare bool) (now uint64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.halts, k.err == nil && (!compare || k.halts == halts)
}

// news looks for an edge that marks a second in what was fetched.
func (k *kpps) news() (Event, bool) {
	asserted, cleared := k.data.asserts != k.seen.asserts, k.data.clears != k.seen.clears
	after, width := k.clock.ahead()
	stepped := after - k.before
	same := max(stepped, -stepped) <= ppsStepped+width+k.width
	ahead := k.before
	if !same || width < k.width {
		ahead, k.width = after, width
	}
	k.before = ahead
	if !asserted && !cleared {
		return Event{}, false
	}
	k.seen = k.data
	if !same {
		k.phases = phases{}
		return Event{}, false
	}
	if !k.sure {
		k.classify(asserted, cleared)
	}
	switch {
	case !k.sure:
	case k.rising && asserted:
		return Event{Mono: k.seen.assert.nano() - ahead, Seq: k.seen.asserts}, true
	case !k.rising && cleared:
		return Event{Mono: k.seen.clear.nano() - ahead, Seq: k.seen.clears}, true
	}
	return Event{}, false
}

// classify finds which of both edges marks the second.
func (k *kpps) classify(asserted, cleared bool) {
	a, c := k.seen.assert.nano(), k.seen.clear.nano()
	if cleared && (!asserted || c < a) {
		k.phases.add(c, false)
	}
	if asserted {
		k.phases.add(a, true)
	}
	if cleared && asserted && c >= a {
		k.phases.add(c, false)
	}
	k.rising, k.sure = k.phases.known()
}

func (k *kpps) end(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = err
	}
}

// Err implements Edges.
func (k *kpps) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Halt implements Edges: a wait ends within a quarter of a second.
func (k *kpps) Halt() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.halts++
	return nil
}

// Close implements Edges; it waits for a wait to end.
func (k *kpps) Close() error {
	k.end(errClosed)
	return k.file.Close()
}

// Name implements Edges.
func (k *kpps) Name() string { return k.path }

// Late implements late.
func (k *kpps) Late() float64 {
	if k.usb {
		return usbLate
	}
	return interruptLate
}
