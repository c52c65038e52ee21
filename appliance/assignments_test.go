package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/assign"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/monitor"
)

// listed is a station that is told of a list at an address of its own network.
func listed(t *testing.T, perm string, dial func(context.Context, string, string) (net.Conn, error)) (*station, *bytes.Buffer) {
	t.Helper()
	conf, err := config.Parse("f", []byte("[[server]]\nname = \"mine\"\naddress = \"192.168.1.1\"\n[assignments]\nurl = \"http://127.0.0.1/list.json\"\ntoken = \"hunter2\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := newStation(&platform{perm: perm, build: oldestDate, board: boards.Board{Name: "rpi"}}, conf, stopped{mono: 1e9, diff: time.Now().UnixNano()}, &world{}, nil, log)
	s.dial = dial
	return s, &out
}

func names(s *station) string {
	list, _ := s.assigned.roster.Servers()
	var n []string
	for _, s := range list {
		n = append(n, s.Name)
	}
	return strings.Join(n, " ")
}

// A list comes, is joined with the file's servers and kept; after a power cut it
// is in force at once, whether there is a network or not.
func TestAssignments(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		there := newPipes()
		token := ""
		host := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token = r.Header.Get("Authorization")
			fmt.Fprint(w, `{"version": 1, "servers": [{"name": "theirs", "address": "1.1.1.1"}, {"name": "mine too", "address": "192.168.1.1"}, {"name": "mine", "address": "1.1.1.2"}, {"address": "10.0.0.1"}]}`)
		})}
		go host.Serve(there)
		defer host.Close()
		s, log := listed(t, dir, func(ctx context.Context, _, address string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			there.conns <- theirs
			return ours, nil
		})
		if got := names(s); got != "mine" {
			t.Errorf("at the start: %s", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.assigned.poller.Run(ctx) }()
		time.Sleep(3 * time.Minute)
		const want = "mine theirs mine (1.1.1.2:123) 10.0.0.1"
		if got := names(s); got != want || token != "Bearer hunter2" {
			t.Errorf("%s, with the token %q", got, token)
		}
		st := s.Status()
		if a := st.Assignments; len(a) != 2 || a[0].Servers != 1 || a[0].Source != "file" || a[1].Servers != 4 || a[1].State != status.AssignmentsCurrent || a[1].Refused != 2 || *a[1].URL != "http://127.0.0.1/list.json" {
			t.Errorf("%+v", a)
		}
		notices := strings.Join(st.Notices, "\n")
		for _, want := range []string{"mine stands for mine too, at 192.168.1.1 port 123", "2 servers are named that no list may name"} {
			if !strings.Contains(notices, want) {
				t.Errorf("%q is not among %q", want, notices)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if all := fmt.Sprintf("%s %+v", log, st); strings.Contains(all, "hunter2") {
			t.Errorf("the token is shown: %s", all)
		}
		kept, err := os.ReadFile(filepath.Join(dir, "assignments"))
		info, err2 := os.Stat(filepath.Join(dir, "assignments"))
		if err != nil || err2 != nil || info.Mode().Perm() != 0o600 || bytes.Contains(kept, []byte("hunter2")) {
			t.Errorf("kept %q, %v, %v", kept, info, err)
		}

		s, _ = listed(t, dir, nil)
		if got := names(s); got != want || s.Status().Assignments[1].State != status.AssignmentsKept {
			t.Errorf("after a power cut: %s, %+v", got, s.Status().Assignments)
		}
		// A damaged card is as good as an empty one.
		for _, b := range [][]byte{nil, kept[:len(kept)/2], append(bytes.Clone(kept[:len(kept)-9]), "\x00\x00\x00\x00\x00\x00\x00\x00\n"...), make([]byte, assign.MaxKept+100)} {
			if err := os.WriteFile(filepath.Join(dir, "assignments"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, _ = listed(t, dir, nil); names(s) != "mine" || s.Status().Assignments[1].State != status.AssignmentsNone {
				t.Errorf("%d damaged bytes: %s", len(b), names(s))
			}
		}
	})
}

func TestListFile(t *testing.T) {
	l := listFile(filepath.Join(t.TempDir(), "new", "assignments"))
	if _, err := l.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, b := range [][]byte{{}, []byte("a\nb\n"), bytes.Repeat([]byte("x"), assign.MaxKept)} {
		if err := l.Save(b); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Load(); err != nil || !bytes.Equal(bytes.TrimSuffix(got, []byte("\n")), bytes.TrimSuffix(b, []byte("\n"))) {
			t.Errorf("%d bytes became %d: %v", len(b), len(got), err)
		}
	}
	if err := l.Save(make([]byte, assign.MaxKept+1)); err == nil {
		t.Error("a list of any length is kept")
	}
}

// Without a list there is nobody to ask, and the file's servers are all.
func TestNoList(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	if s.assigned.poller != nil {
		t.Error("a list out of nowhere")
	}
	if a := s.Status().Assignments; len(a) != 1 || a[0].Source != "file" || a[0].State != "current" || a[0].Servers != 0 {
		t.Errorf("%+v", a)
	}
	var _ monitor.Assignments = s.assigned.roster
}

// The version is found in front of any number of servers.
func TestVersionOf(t *testing.T) {
	long := `{"schema": 1, "summary": "station", "station": {"id": "x", "version": "1.2.0"}, "servers": [` + strings.Repeat("{},", maxStatus)
	if v, err := versionOf(strings.NewReader(long)); err != nil || v != "1.2.0" {
		t.Errorf("%q, %v", v, err)
	}
	for _, bad := range []string{"", "[]", "{", `{"schema": 1}`, `{"schema": `, `{"station": 17}`, `{"x": "` + strings.Repeat("x", maxStatus) + `"}`} {
		if v, err := versionOf(strings.NewReader(bad)); err == nil || v != "" {
			t.Errorf("%.30s: %q", bad, v)
		}
	}
}

// Of this machine's addresses those count that the internet could use.
func TestOwnAddresses(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	ip := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	s.interfaces = func() ([]net.Addr, error) {
		return []net.Addr{ip("127.0.0.1/8"), ip("2600::7/64"), ip("fe80::1/64"), ip("192.168.1.2/24"), ip("1.1.1.1/24"), ip("fd00::1/64"), &net.UnixAddr{Name: "x"}}, nil
	}
	if got := fmt.Sprint(s.ownAddresses()); got != "[1.1.1.1 2600::7]" {
		t.Error(got)
	}
	s.interfaces = func() ([]net.Addr, error) { return nil, errors.New("no") }
	if got := s.ownAddresses(); got != nil {
		t.Error(got)
	}
}

// The station's owner chooses who votes on the time; a list does where the owner
// has not.
func TestVoters(t *testing.T) {
	var remote []monitor.Server
	for i := range 1000 {
		remote = append(remote, monitor.Server{Name: fmt.Sprint(i), Host: fmt.Sprintf("20.0.%d.%d", i/250, i%250), Port: 123, Remote: true})
	}
	count := func(own int) (n int, who string) {
		s := testStation(t, &platform{}, stopped{})
		s.conf.Servers = nil
		for i := range own {
			s.conf.Servers = append(s.conf.Servers, monitor.Server{Name: fmt.Sprint("own ", i), Host: fmt.Sprintf("192.168.1.%d", i), Port: 123})
		}
		s.assigned = s.assign()
		s.assigned.roster.Set(fromURL, remote)
		s.assigned.choose()
		for i, r := range append(remote[:len(remote):len(remote)], s.conf.Servers...) {
			x := exchange()
			x.Target = fmt.Sprint("target ", i)
			before := s.ref.Info(0).Counters.Votes
			s.Put(x, monitor.Result{Target: monitor.Target{Server: r}, Provisional: true})
			if s.ref.Info(0).Counters.Votes > before {
				n++
				who += r.Name + " "
			}
		}
		return n, who
	}
	n, who := count(2)
	if n != 2+remoteVoters {
		t.Errorf("%d voters: %s", n, who)
	}
	slices.Reverse(remote)
	if m, again := count(2); m != n || again == who || len(again) != len(who) {
		t.Errorf("in another order %d vote: %s", m, again)
	}
	if n, who := count(3); n != 3 || who != "own 0 own 1 own 2 " {
		t.Errorf("%d voters: %s", n, who)
	}
}
