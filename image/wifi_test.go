package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
)

// TestWifi: a station without a cable joins the open network it was told of.
// The radios are the kernel's emulated ones; image/wifiguest makes one of them
// the access point, and asks for the page over the air. A network with a
// password cannot be tried so: these radios do not exchange its keys by
// themselves.
func TestWifi(t *testing.T) {
	t.Parallel()
	b := boards.VMAmd64
	needQEMU(t, b)
	dir, err := os.MkdirTemp("", "tc") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &pair{t: t, board: b, dir: dir, started: time.Now()}
	if p.image, err = build(t.Context(), buildOptions{
		Board: b.Name, Dir: dir, Log: t.Logf, Extra: []string{"./wifiguest"},
		Modules: []string{"mac80211_hwsim"}, Radio: []boards.Package{boards.RegulatoryRules},
		Config: []byte("[wifi]\nssid = \"Attic über uns\"\ncountry = \"DE\"\n"),
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(p.image, cardSize(b)); err != nil {
		t.Fatal(err)
	}
	fw, err := findFirmware(t.Context(), b, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	p.options = machineOptions{Board: b, Firmware: fw, Image: p.image, Dir: dir}
	p.start()
	t.Cleanup(func() {
		p.machine.stop()
		if t.Failed() {
			t.Logf("console:\n%s", p.consoleText())
		}
	})
	p.says(`guest: wlan1 is open as`, 1, bootLimit)
	p.says(`the page is at http://192\.0\.2\.77/`, 1, bootLimit)
	p.says(`guest: page over Wi-Fi, 1: 200 OK`, 1, bootLimit)
	p.says(`guest: \S+ is sent away`, 1, bootLimit)
	p.says(`network: wlan0 lost its carrier`, 1, bootLimit)
	p.says(`network: joined a Wi-Fi network`, 2, bootLimit)
	p.says(`guest: page over Wi-Fi, 2: 200 OK`, 1, bootLimit)
	// The kernel has found the rules, and believed their signature.
	p.says(`guest: rules of DE`, 1, bootLimit)
	for _, bad := range []string{"regulatory.db", "level=ERROR", "panic: ", "guest: failed"} {
		if strings.Contains(p.consoleText(), bad) {
			t.Errorf("the console says %q", bad)
		}
	}
}
