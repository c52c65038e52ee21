package probe

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// left is what lies in a warmer's queues.
func left(t *testing.T, w *warmer) (n int) {
	t.Helper()
	for _, queue := range []int{0, unix.MSG_ERRQUEUE} {
		for {
			_, _, err := unix.Recvfrom(w.fd, make([]byte, 100), queue)
			if err == unix.EAGAIN {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	return n
}

// TestWarmer: what a warmer sends to itself it takes, with its stamps; it costs no memory,
// and it hears nobody else.
func TestWarmer(t *testing.T) {
	w := newWarmer()
	if w == nil {
		t.Fatal("no loopback")
	}
	defer w.close()
	for range 100 {
		w.round()
	}
	if n := left(t, w); n > 0 {
		t.Errorf("%d packets and stamps are left", n)
	}
	if n := testing.AllocsPerRun(100, w.round); n > 0 {
		t.Errorf("%g allocations a round", n)
	}

	here, err := unix.Getsockname(w.fd)
	if err != nil {
		t.Fatal(err)
	}
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: here.(*unix.SockaddrInet4).Port}
	stranger, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.Write([]byte("x"))
	if n := left(t, w); n > 0 {
		t.Errorf("%d packets of a stranger are heard", n)
	}

	var none *warmer
	none.warm()
	none.close()
}

// TestWarmerWithoutLoopback: a machine may have none that is up.
func TestWarmerWithoutLoopback(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		if w := newWarmer(); w != nil {
			w.close()
			t.Error("it warms where loopback is down")
		}
		if err := exec.Command("ip", "link", "set", "lo", "up").Run(); err != nil {
			t.Fatal(err)
		}
		w := newWarmer()
		if w == nil {
			t.Fatal("it does not warm where loopback is up")
		}
		defer w.close()
		// A send right after another is warm.
		w.warm()
		first := loopbackPackets(t)
		w.last = time.Now().Add(time.Minute)
		w.warm()
		if n := loopbackPackets(t); first != warmRounds || n != first {
			t.Errorf("%d packets before a cold send, %d more before a warm one, want %d and 0", first, n-first, warmRounds)
		}
	})
}

// loopbackPackets is how many were sent there.
func loopbackPackets(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "lo:")
	fields := strings.Fields(line)
	if len(fields) < 10 {
		t.Fatalf("%s", b)
	}
	n, err := strconv.Atoi(fields[9])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
