//go:build bench && linux

package bench

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor/ntptest"
)

// The addresses are for benchmarks, RFC 2544. All of many are the server's.
var (
	server = netip.MustParseAddr("198.18.0.1")
	client = netip.MustParseAddr("198.18.0.2")
	many   = netip.MustParsePrefix("198.19.0.0/16")
)

// world is two namespaces and the chronyd that serves in one of them.
type world struct {
	t       *testing.T
	chronyd string
	near    string // the clients' namespace
	far     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	chronyd, err := ntptest.FetchChronyd(t.Context(), filepath.Join(dir, "truechimer"))
	if err != nil {
		t.Fatal(err)
	}
	forget()
	id := strconv.Itoa(os.Getpid())
	w := &world{t: t, chronyd: chronyd, near: "tcnear" + id, far: "tcfar" + id}
	for _, ns := range []string{w.near, w.far} {
		w.ip("netns", "add", ns)
		t.Cleanup(func() { w.ip("netns", "del", ns) }) // its half of the pair goes with it
		w.ip("-n", ns, "link", "set", "lo", "up")
	}
	w.ip("-n", w.near, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", w.far)
	for ns, a := range map[string]netip.Addr{w.near: client, w.far: server} {
		w.ip("-n", ns, "addr", "add", a.String()+"/30", "dev", "v0")
		w.ip("-n", ns, "link", "set", "v0", "up")
	}
	w.ip("-n", w.near, "route", "add", many.String(), "via", server.String())
	w.ip("-n", w.far, "route", "add", "local", many.String(), "dev", "lo")

	w.reflect()
	w.start(w.far, "port 123", "allow all", "local stratum 1", "clientloglimit 8388608")
	var got accuracy
	for range 50 {
		w.child(w.near, role{Do: "accuracy", Method: "plain", N: 1}, &got)
		if len(got.Offsets) == 1 {
			return w
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("chronyd does not answer")
	return nil
}

// forget removes the namespaces of runs that were killed; what ran in them dies
// with the run.
func forget() {
	list, _ := filepath.Glob("/run/netns/tc[nf]*")
	for _, file := range list {
		name := filepath.Base(file)
		pid := strings.TrimPrefix(strings.TrimPrefix(name, "tcnear"), "tcfar")
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

// bound ends cmd with this process.
func bound(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (w *world) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// start runs a chronyd in a namespace until stop or the test's end, with a
// directory of its own.
func (w *world) start(ns string, lines ...string) (dir string, stop func()) {
	w.t.Helper()
	dir = w.t.TempDir()
	conf := filepath.Join(dir, "chronyd.conf")
	lines = append(lines, "cmdport 0", "bindcmdaddress /", "pidfile "+dir+"/pid", "logdir "+dir)
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	// A copy: distributions confine theirs to directories of its own.
	program := filepath.Join(dir, "chronyd")
	b, err := os.ReadFile(w.chronyd)
	if err == nil {
		err = os.WriteFile(program, b, 0o700)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	// -x: the clock is left alone.
	cmd := bound(exec.Command("ip", "netns", "exec", ns, program, "-d", "-x", "-u", "root", "-f", conf))
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		}
	}
	w.t.Cleanup(stop)
	return dir, stop
}

// child runs this program in a namespace in a role and decodes what it says.
func (w *world) child(ns string, r role, out any) {
	w.t.Helper()
	cmd := bound(exec.Command("ip", "netns", "exec", ns, os.Args[0]))
	cmd.Env = append(os.Environ(), roleVar+"="+r.String())
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		w.t.Fatalf("%s: %v: %s", r, err, b)
	}
}

// burn keeps n processes busy until stop.
func (w *world) burn(n int) (stop func()) {
	var list []*exec.Cmd
	for range n {
		cmd := bound(exec.Command(os.Args[0]))
		cmd.Env = append(os.Environ(), roleVar+"="+role{Do: "burn"}.String())
		if err := cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
		list = append(list, cmd)
	}
	return func() {
		for _, cmd := range list {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
}

// chronyClient has a chronyd measure the server at 16 Hz for d.
func (w *world) chronyClient(interleaved bool, d time.Duration) (out accuracy) {
	w.t.Helper()
	line, mode := fmt.Sprintf("server %s minpoll -4 maxpoll -4 noselect", server), "B"
	if interleaved {
		line, mode = line+" xleave", "I"
	}
	dir, stop := w.start(w.near, line, "log rawmeasurements", "port 0")
	time.Sleep(d)
	stop()
	b, err := os.ReadFile(filepath.Join(dir, "measurements.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		f := strings.Fields(l)
		if len(f) < 18 || !strings.HasSuffix(f[17], mode) {
			continue
		}
		offset, err1 := strconv.ParseFloat(f[11], 64)
		delay, err2 := strconv.ParseFloat(f[12], 64)
		if err1 == nil && err2 == nil {
			out.Offsets, out.Delays = append(out.Offsets, offset), append(out.Delays, delay)
		}
	}
	if len(out.Offsets) == 0 {
		w.t.Fatalf("chronyd measured nothing: %s", b)
	}
	return out
}
