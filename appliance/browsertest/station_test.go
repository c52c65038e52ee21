//go:build browser

package browsertest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// station is the program under test.
type station struct {
	t             *testing.T
	plain, secure string // where its page is, without and with TLS: https://127.0.0.1:1234

	cmd   *exec.Cmd
	ended chan struct{} // when it has said all that it says

	mu  sync.Mutex
	log bytes.Buffer
}

var (
	saysPlain       = regexp.MustCompile(`msg="serving the page" address=(\S+)`)
	saysSecure      = regexp.MustCompile(`msg="serving the page over TLS" address=(\S+)`)
	saysFingerprint = regexp.MustCompile(`SHA-256 fingerprint ([0-9A-F:]{95})`)
)

// startStation starts the program on ports that are free, with further flags, and
// ends it with the test. within are the words in front of its command line.
func startStation(t *testing.T, within []string, flags ...string) *station {
	t.Helper()
	args := append(within, os.Getenv(envStation), "-http", "127.0.0.1:0", "-https", "127.0.0.1:0")
	args = append(args, flags...)
	s := &station{t: t}
	s.start(exec.Command(args[0], args[1:]...))
	t.Cleanup(func() {
		s.stop()
		log := s.said()
		if strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") {
			t.Error("the station's log has an error in it")
		}
		if t.Failed() {
			t.Logf("the station's log:\n%s", log)
		}
	})
	return s
}

// start runs a command that is the program, and waits for its page.
func (s *station) start(cmd *exec.Cmd) {
	s.t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	out, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan struct{})
	s.cmd, s.ended = cmd, make(chan struct{})
	s.plain, s.secure = "", ""
	go func(ended chan struct{}) {
		defer close(ended)
		s.listen(bufio.NewScanner(out), ready)
	}(s.ended)
	select {
	case <-ready:
	case <-s.ended:
		s.t.Errorf("the station did not start:\n%s", s.said())
		s.t.FailNow()
	case <-time.After(30 * time.Second):
		s.t.Fatal("the station does not say where its page is")
	}
}

// stop has the program end, as whoever supervises it does.
func (s *station) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Errorf("the station had ended: %v", err)
	}
	last := time.AfterFunc(10*time.Second, func() { s.cmd.Process.Kill() })
	defer last.Stop()
	<-s.ended
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the station ended with %v", err)
	}
}

// said is the log so far.
func (s *station) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// listen takes the log in, and closes ready once it has said where the page is.
func (s *station) listen(lines *bufio.Scanner, ready chan struct{}) {
	certified := false
	for lines.Scan() {
		line := lines.Text()
		s.mu.Lock()
		s.log.WriteString(line + "\n")
		s.mu.Unlock()
		if ready == nil {
			continue
		}
		if m := saysPlain.FindStringSubmatch(line); m != nil {
			s.plain = "http://" + m[1]
		}
		if m := saysSecure.FindStringSubmatch(line); m != nil {
			s.secure = "https://" + m[1]
		}
		certified = certified || saysFingerprint.MatchString(line)
		if s.plain != "" && s.secure != "" && certified {
			close(ready)
			ready = nil
		}
	}
}
