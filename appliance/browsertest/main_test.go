//go:build browser

package browsertest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// shots is where TestScreenshots puts its pictures.
var shots = flag.String("shots", "", "the directory that TestScreenshots writes its pictures to; empty: it is skipped")

// What TestMain found and made, for the tests; the environment hands it on into
// the namespace.
const (
	envStation  = "TRUECHIMER_BROWSERTEST_STATION"
	envChromium = "TRUECHIMER_BROWSERTEST_CHROMIUM"
	envAxe      = "TRUECHIMER_BROWSERTEST_AXE"
	envUPlot    = "TRUECHIMER_BROWSERTEST_UPLOT"
)

// needRoot is why CI must not leave out what is tested in namespaces.
const needRoot = "network namespaces need root, and CI is to test in them"

func TestMain(m *testing.M) {
	flag.Parse()
	if root := os.Getenv(envDevice); root != "" {
		fmt.Fprintln(os.Stderr, becomeDevice(root)) // which does not return otherwise
		os.Exit(1)
	}
	if os.Getenv(envStation) != "" {
		code, err := runInside(m)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
	if err := prepareAndRun(m); err != nil {
		var failed *exec.ExitError
		if !errors.As(err, &failed) {
			fmt.Fprintln(os.Stderr, "browser tests:", err)
		}
		os.Exit(1)
	}
}

// prepareAndRun gets what the tests need while there is a network, and runs them
// where there is none.
func prepareAndRun(m *testing.M) error {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return errors.New("there is no chromium; install it with: apt-get install chromium")
	}
	axe, err := axeCore.fetch()
	if err != nil {
		return err
	}
	plots, err := uplot.fetch()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "truechimer-browsertest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "appliance")
	build := exec.Command("go", "build", "-o", program, "github.com/truechimer/truechimer/appliance")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	for name, value := range map[string]string{envStation: program, envChromium: chromium, envAxe: axe, envUPlot: plots} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			return errors.New(needRoot)
		}
		if m.Run() != 0 {
			return &exec.ExitError{}
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	inside := exec.CommandContext(ctx, os.Args[0], os.Args[1:]...)
	inside.Stdout, inside.Stderr = os.Stdout, os.Stderr
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	return inside.Run()
}

// runInside runs the tests in the namespace, whose loopback is still down.
func runInside(m *testing.M) (code int, err error) {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return 0, fmt.Errorf("loopback: %w", err)
	}
	defer endChromium()
	return m.Run(), nil
}
