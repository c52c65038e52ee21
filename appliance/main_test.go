package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/web"
)

// asMain makes the test program the appliance itself.
const asMain = "TRUECHIMER_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// appliance runs the program until it ends by itself.
func appliance(t *testing.T, args ...string) (exit int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asMain+"=1", "TRUECHIMER_ID=")
	out, err := cmd.CombinedOutput()
	if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestBadConfigurationIsToldAndEndsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.toml")
	if err := os.WriteFile(path, []byte("[[server]]\naddress = 7\ncolour = \"red\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, said := appliance(t, "-config", path, "-http", "127.0.0.1:0")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if exit != 1 || len(lines) != 2 || !strings.HasPrefix(lines[0], "appliance: "+path+":2:11: ") || !strings.HasPrefix(lines[1], path+":3:1: ") {
		t.Errorf("exit %d, said %q", exit, said)
	}
	for name, args := range map[string][]string{
		"no such file":             {"-config", filepath.Join(t.TempDir(), "none.toml")},
		"more than":                {"-config", "/dev/zero"},
		"means nothing here":       {"-http", "127.0.0.1:0", "start"},
		"leave out -sim or":        {"-sim", "-config", path},
		"flag provided but not de": {"-nonsense"},
	} {
		if exit, said := appliance(t, args...); exit != 1 || !strings.Contains(said, name) {
			t.Errorf("%v: exit %d, said %q", args, exit, said)
		}
	}
	if exit, said := appliance(t, "-help"); exit != 0 || !strings.Contains(said, "-config") || strings.Contains(said, "appliance: flag") {
		t.Errorf("-help: exit %d, said %q", exit, said)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("TRUECHIMER_ID", "")
	err = logic(t.Context(), []string{"-http", l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "-http") {
		t.Errorf("ended with %v, which does not say the way out", err)
	}
	if err := logic(t.Context(), []string{"-help"}); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

// TestConfigSaysWhereToListen: unless the command line says something else.
func TestConfigSaysWhereToListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := filepath.Join(t.TempDir(), "my.toml")
	if err := os.WriteFile(path, []byte("[web]\nlisten = \""+l.Addr().String()+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRUECHIMER_ID", "")
	err = logic(t.Context(), []string{"-config", path})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("ended with %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := logic(ended, []string{"-config", path, "-http", "127.0.0.1:0"}); err != nil {
		t.Error(err)
	}
}

// TestStationWhosePortIsTaken goes on with all else, and serves its page when
// it can.
func TestStationWhosePortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := testStation(t, &platform{station: true, listen: l.Addr().String()}, stopped{})
	if err := s.servePage(nil, nil); err == nil || s.page.Load() != nil {
		t.Errorf("served on a port that was taken: %v, %v", err, s.page.Load())
	}
	l.Close()
	server := web.Server(http.NotFoundHandler(), s.log)
	all := &parts{notes: s.notes}
	all.keep(t.Context(), "page", func(context.Context) error { return s.servePage(server, nil) })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if s.page.Load() != nil {
			break
		}
		<-tick.C
	}
	if r, err := http.Get("http://" + l.Addr().String()); err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("the page is not served: %v, %v", r, err)
	}
	server.Close()
	all.running.Wait()
}
