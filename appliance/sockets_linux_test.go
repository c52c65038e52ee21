package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOwnSockets(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	client, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, err := openSockets("/proc")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(list, "tcp "+tcp.Addr().String()) {
		t.Errorf("%s is not among %q", tcp.Addr(), list)
	}
	if slices.Contains(list, "udp "+udp.LocalAddr().String()) {
		t.Errorf("a UDP socket that only this machine reaches is among %q", list)
	}
	if slices.Contains(list, "tcp "+client.LocalAddr().String()) {
		t.Errorf("a connection is among %q", list)
	}
}

// TestSocketsOfAStation reads what a kernel of a station might show: a page,
// the same port twice, a connection, a DHCP client, one connected to its server.
func TestSocketsOfAStation(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(local, remote, st string) string {
		return "   0: " + local + " " + remote + " " + st + " 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0\n"
	}
	udpLine := func(local, remote string) string {
		return "   0: " + local + " " + remote + " 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 0\n"
	}
	proc := t.TempDir()
	files := map[string]string{
		"tcp":  head + line("0100007F:1F90", "00000000:0000", "0A") + line("0F02000A:9C40", "0202000A:0050", "01"),
		"tcp6": head + strings.Repeat(line("00000000000000000000000000000000:0050", "00000000000000000000000000000000:0000", "0A"), 2),
		"udp":  head + udpLine("00000000:0044", "00000000:0000") + udpLine("0F02000A:D431", "0302000A:007B") + udpLine("0100007F:0035", "00000000:0000"),
		"udp6": head,
	}
	if err := os.Mkdir(filepath.Join(proc, "net"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(proc, "net", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := openSockets(proc)
	if want := []string{"tcp 127.0.0.1:8080", "tcp [::]:80", "udp 0.0.0.0:68"}; err != nil || !slices.Equal(list, want) {
		t.Errorf("%q, %v; want %q", list, err, want)
	}
	if err := os.Remove(filepath.Join(proc, "net", "udp")); err != nil {
		t.Fatal(err)
	}
	if _, err := openSockets(proc); err == nil {
		t.Error("a list that is not whole is given as whole")
	}
	if _, err := openSockets(filepath.Join(proc, "none")); err == nil {
		t.Error("no /proc, and no error")
	}
}
