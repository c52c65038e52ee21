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
	fingerprint   string // of its certificate, as the log says

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
	s := &station{t: t}
	args := append(within, os.Getenv(envStation), "-http", "127.0.0.1:0", "-https", "127.0.0.1:0")
	args = append(args, flags...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.listen(bufio.NewScanner(out), ready)
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("the station had ended: %v", err)
		}
		last := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		defer last.Stop()
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("the station ended with %v", err)
		}
		log := s.log.String()
		if strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") {
			t.Error("the station's log has an error in it")
		}
		if t.Failed() {
			t.Logf("the station's log:\n%s", log)
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatal("the station did not start")
	case <-time.After(30 * time.Second):
		t.Fatal("the station does not say where its page is")
	}
	return s
}

// listen takes the log in, and closes ready once it has said where the page is.
func (s *station) listen(lines *bufio.Scanner, ready chan struct{}) {
	for lines.Scan() {
		line := lines.Text()
		s.mu.Lock()
		s.log.WriteString(line + "\n")
		s.mu.Unlock()
		if m := saysPlain.FindStringSubmatch(line); m != nil {
			s.plain = "http://" + m[1]
		}
		if m := saysSecure.FindStringSubmatch(line); m != nil {
			s.secure = "https://" + m[1]
		}
		if m := saysFingerprint.FindStringSubmatch(line); m != nil {
			s.fingerprint = m[1]
		}
		if ready != nil && s.plain != "" && s.secure != "" && s.fingerprint != "" {
			close(ready)
			ready = nil
		}
	}
}
