//go:build linux

package uboot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/disk"
)

// firmware is U-Boot for the virt machine, from Debian's package u-boot-qemu.
func firmware(t *testing.T) string {
	t.Helper()
	pin, err := debian.Pinned(debian.Want{Name: "u-boot-qemu", Arch: "all"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := debian.NewStore(nil, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := store.Unpacked(t.Context(), pin)
	if err != nil {
		needsFailed(t, "no U-Boot to test with: %v", err)
	}
	return filepath.Join(dirs[pin], "usr/lib/u-boot/qemu_arm64/u-boot.bin")
}

func needs(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		needsFailed(t, "%s is missing; install %s", program, pkg)
	}
}

func needsFailed(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// virt is the virt machine with U-Boot and one disk.
type virt struct {
	disk     string
	env      []byte // second flash; nil: U-Boot falls back to its built-in environment
	readOnly bool   // the disk refuses writes
	flood    int64  // seed of what arrives on the console from power-on; 0: nothing does
}

// console is what the machine has written.
type console struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

// run lets the machine run until it switches itself off or until its console
// shows the text until, and returns the console.
func (v virt) run(t *testing.T, until string) string {
	t.Helper()
	needs(t, "qemu-system-aarch64", "qemu-system-arm")
	bios := firmware(t)
	dir, err := os.MkdirTemp("", "uboot") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "uart")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	drive := "if=none,id=d0,format=raw,file=" + strings.ReplaceAll(v.disk, ",", ",,")
	if v.readOnly {
		drive += ",readonly=on"
	}
	args := []string{"-M", "virt", "-accel", "tcg", "-cpu", "cortex-a53", "-m", "256", "-display", "none", "-monitor", "none",
		"-nic", "none", "-bios", bios, "-drive", drive, "-device", "virtio-blk-pci,drive=d0", "-serial", "unix:" + socket}
	if v.env != nil {
		flash := filepath.Join(dir, "env")
		if err := os.WriteFile(flash, v.env, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(flash, 64<<20); err != nil { // the machine's flash has this size
			t.Fatal(err)
		}
		args = append(args, "-drive", "if=pflash,unit=1,format=raw,file="+flash)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	ended := start(ctx, exec.CommandContext(ctx, "qemu-system-aarch64", args...))
	uart, err := accept(l, ended)
	if err != nil {
		t.Fatal(err)
	}
	defer uart.Close()
	var out console
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&out, uart) // ends with the machine
	}()
	if v.flood != 0 {
		go flood(uart, v.flood)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			<-read
			if err != nil {
				t.Fatalf("QEMU: %v; the console:\n%s", err, out.String())
			}
			if until != "" {
				t.Fatalf("the machine is off and never showed %q; the console:\n%s", until, out.String())
			}
			return out.String()
		case <-tick.C:
			if until != "" && strings.Contains(out.String(), until) {
				cancel()
				<-ended
				return out.String()
			}
		}
	}
}

// start runs a command that ends with this process, however that ends.
func start(ctx context.Context, cmd *exec.Cmd) chan error {
	ended := make(chan error, 1)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		// The kernel takes the thread that started a child for its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Run()
		if err != nil {
			err = fmt.Errorf("%w, %v: %s", err, ctx.Err(), stderr.String())
		}
		ended <- err
	}()
	return ended
}

// accept is the machine's side of the console, which it opens before anything runs.
func accept(l net.Listener, ended chan error) (net.Conn, error) {
	closed := make(chan struct{})
	defer close(closed)
	go func() {
		select {
		case err := <-ended:
			ended <- err
			l.Close()
		case <-closed:
		}
	}()
	c, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("QEMU does not open its console: %w, %w", err, <-ended)
	}
	return c, nil
}

// flood sends what a receiver sends, and worse, until the line is closed.
func flood(w io.Writer, seed int64) {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	starts := []string{"\x03", "\r", "\r\n", " ", "$GPRMC,000000.00,V,,,,,,,010180,,,N*7A\r\n", "s", "\x1b[A", "\x00"}
	b := []byte(starts[int(seed)%len(starts)])
	for {
		if _, err := w.Write(b); err != nil {
			return
		}
		switch r.IntN(4) {
		case 0:
			b = []byte(fmt.Sprintf("$GPGGA,%06d.00,4717.11%03d,N,00833.91%03d,E,1,08,1.01,499.6,M,48.0,M,,*5B\r\n", r.IntN(240000), r.IntN(1000), r.IntN(1000)))
		case 1:
			b = []byte("$GPRMC,083559.00,A,4717.11437,N,00833.91522,E,0.004,77.52,091202,,,A*57\r\n")
		case 2:
			b = make([]byte, 1+r.IntN(64))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		case 3:
			b = []byte("\x03\r\n\x03reset\r")
		}
	}
}

// slot is what a test puts into a slot; nil leaves it empty.
type slot struct {
	Slot
	kernel, initrd, tree []byte
	spoil                func(files map[string][]byte) // after the sums were made
}

// write makes a disk image with the given slots and state partition.
func write(t *testing.T, a, b *slot, state []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := disk.Write(f, "vm-arm64", disk.BasicData); err != nil {
		t.Fatal(err)
	}
	spec := bootfs.Spec{Label: "TRUECHIMER", Time: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), A: a.files(t), B: b.files(t)}
	spec.Root = []bootfs.File{content(ScriptName, BootScript())}
	if err := bootfs.Write(io.NewOffsetWriter(f, disk.BootStart), spec); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(state, disk.StateStart); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(disk.DiskSize); err != nil {
		t.Fatal(err)
	}
	return name
}

func content(path string, b []byte) bootfs.File {
	return bootfs.File{Path: path, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

func (s *slot) files(t *testing.T) []bootfs.File {
	t.Helper()
	if s == nil {
		return nil
	}
	files := map[string][]byte{KernelName: s.kernel}
	s.Kernel = bytes.NewReader(s.kernel)
	if s.initrd != nil {
		files[InitrdName] = s.initrd
		s.Initrd = bytes.NewReader(s.initrd)
	}
	if s.tree != nil {
		files[TreeName] = s.tree
		s.Tree = bytes.NewReader(s.tree)
	}
	var err error
	if files[SlotFileName], err = Virt().SlotFile(s.Slot); err != nil {
		t.Fatal(err)
	}
	if s.spoil != nil {
		s.spoil(files)
	}
	var list []bootfs.File
	for path, b := range files {
		list = append(list, content(path, b))
	}
	return list
}

// loseScript removes boot.scr as a person might.
func loseScript(t *testing.T, image string) {
	t.Helper()
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := make([]byte, 512*32)
	if _, err := f.ReadAt(dir, disk.BootStart+bootfs.RootDirOffset); err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(dir, []byte("BOOT    SCR"))
	if i < 0 {
		t.Fatal("boot.scr is not in the root directory")
	}
	const deleted = 0xe5
	if _, err := f.WriteAt([]byte{deleted}, disk.BootStart+bootfs.RootDirOffset+int64(i)); err != nil {
		t.Fatal(err)
	}
}
