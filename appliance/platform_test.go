package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/image/bootfs"
)

func TestStationFromTheEnvironment(t *testing.T) {
	for k, v := range map[string]string{
		"TRUECHIMER_ID": "abc", "TRUECHIMER_NAME": "truechimer-abc", "TRUECHIMER_BOARD": "rpi", "TRUECHIMER_SLOT": "a",
		"TRUECHIMER_BOOT_DEVICE": "/dev/p1", "TRUECHIMER_ALIVE": "/run/alive", "TRUECHIMER_PERM_VOLATILE": "1",
		"TRUECHIMER_SAFE_MODE": "1", "TRUECHIMER_STATE_DEVICE": "/dev/p5",
		"TRUECHIMER_ROOT_A_DEVICE": "/dev/p2", "TRUECHIMER_ROOT_B_DEVICE": "/dev/p3",
	} {
		t.Setenv(k, v)
	}
	p, err := detectPlatform()
	if err != nil {
		t.Fatal(err)
	}
	if !p.station || p.id != "abc" || p.name != "truechimer-abc" || p.board.Name != "rpi" || p.slot != "a" || p.bootDevice != "/dev/p1" ||
		p.alive != "/run/alive" || !p.volatile || !p.safe || p.listen != ":80" || p.perm != "/perm/truechimer" || p.smbios != "/sys/firmware/dmi/tables/DMI" || p.build.Before(oldestDate) {
		t.Errorf("%+v", p)
	}
	if p.state != "/dev/p5" || p.rootA != "/dev/p2" || p.rootB != "/dev/p3" {
		t.Errorf("devices %q, %q and %q", p.state, p.rootA, p.rootB)
	}
	t.Setenv("TRUECHIMER_PERM_VOLATILE", "")
	t.Setenv("TRUECHIMER_SAFE_MODE", "")
	if p, err := detectPlatform(); err != nil || p.volatile || p.safe {
		t.Errorf("%v, %v", p, err)
	}
	t.Setenv("TRUECHIMER_BOARD", "toaster")
	if _, err := detectPlatform(); err == nil || !strings.Contains(err.Error(), "toaster") {
		t.Errorf("an unknown board: %v", err)
	}
}

func TestAnyMachine(t *testing.T) {
	t.Setenv("TRUECHIMER_ID", "")
	a, err := detectPlatform()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := detectPlatform()
	if a.station || a.listen != "127.0.0.1:8080" || a.board.Name != "none" || len(a.id) != 32 || a.id == b.id || len(a.board.Serial) != 0 {
		t.Errorf("%+v", a)
	}
	conf, notices, err := a.loadConfig("")
	if err != nil || notices != nil || len(conf.Servers) != 0 {
		t.Errorf("without a file: %+v, %q, %v", conf, notices, err)
	}
}

// card is the boot partition with the given truechimer.toml, nil for none.
func card(t *testing.T, toml []byte) string {
	t.Helper()
	if toml == nil {
		return cardWith(t, nil)
	}
	return cardWith(t, map[string]string{"truechimer.toml": string(toml)})
}

// cardWith is the boot partition with the given files.
func cardWith(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spec := bootfs.Spec{Label: "TRUECHIMER", Time: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)}
	for name, content := range files {
		spec.Root = append(spec.Root, bootfs.File{Path: name, Size: int64(len(content)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }})
	}
	if err := bootfs.Write(f, spec); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(bootfs.Size); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	goodFile   = "name = \"attic\"\n\n[[server]]\nname = \"cellar\"\naddress = \"192.0.2.1\"\n"
	otherFile  = "name = \"roof\"\n"
	brokenFile = "name = \"attic\"\n\n[[server]]\nname = \"cellar\"\naddress = 7\n"
)

// load is a boot with the card in.
func load(t *testing.T, p *platform) (name string, servers int, notices string) {
	t.Helper()
	conf, list, err := p.loadConfig("")
	if err != nil {
		t.Fatalf("a station stopped: %v", err)
	}
	return conf.Name, len(conf.Servers), strings.Join(list, "\n")
}

func TestConfigOnTheCard(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir()}
	boot := func(toml string, wantName string, wantServers int, wantNotices ...string) {
		t.Helper()
		var content []byte
		if toml != "" {
			content = []byte(toml)
		}
		p.bootDevice = card(t, content)
		name, servers, notices := load(t, p)
		if name != wantName || servers != wantServers {
			t.Errorf("called %q with %d servers, want %q with %d", name, servers, wantName, wantServers)
		}
		if len(wantNotices) == 0 && notices != "" {
			t.Errorf("notices %q", notices)
		}
		for _, w := range wantNotices {
			if !strings.Contains(notices, w) {
				t.Errorf("%q is not among the notices %q", w, notices)
			}
		}
	}
	boot(brokenFile, "", 0, "truechimer.toml:5:11: ", "the station goes on without it")
	boot(goodFile, "attic", 1)
	boot(brokenFile, "attic", 1, "truechimer.toml:5:11: ", "the last good configuration goes on")
	boot("", "attic", 1)
	boot(otherFile, "roof", 0)
	boot(strings.Repeat("# too long\n", 10_000), "roof", 0, "cannot be read")
}

func TestCardThatCannotBeRead(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(goodFile))}
	if name, _, notices := load(t, p); name != "attic" || notices != "" {
		t.Fatalf("%q, %q", name, notices)
	}
	torn := card(t, []byte(otherFile))
	if err := os.Truncate(torn, 100); err != nil {
		t.Fatal(err)
	}
	zeros := card(t, nil)
	if err := os.WriteFile(zeros, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	// A card that is not there is no card without a file.
	for _, device := range []string{torn, zeros, filepath.Join(t.TempDir(), "gone"), ""} {
		p.bootDevice = device
		name, servers, notices := load(t, p)
		if name != "attic" || servers != 1 || !strings.Contains(notices, "The configuration on the card cannot be read") {
			t.Errorf("%q: called %q, notices %q", device, name, notices)
		}
	}
}

func TestVolatilePerm(t *testing.T) {
	p := &platform{station: true, volatile: true, perm: t.TempDir(), bootDevice: card(t, []byte(goodFile))}
	name, servers, notices := load(t, p)
	if name != "attic" || servers != 1 || !strings.Contains(notices, "The card's storage cannot be used") {
		t.Errorf("called %q, notices %q", name, notices)
	}
	if list, err := os.ReadDir(p.perm); err != nil || len(list) != 0 {
		t.Errorf("written to a /perm that will be lost: %v, %v", list, err)
	}
	// A /perm that takes nothing is told too.
	p.volatile, p.perm = false, filepath.Join(p.bootDevice, "under a file")
	if name, _, notices := load(t, p); name != "attic" || !strings.Contains(notices, "could not be kept") {
		t.Errorf("called %q, notices %q", name, notices)
	}
}

// TestCustomisedCard: what Raspberry Pi Imager left beside truechimer.toml.
func TestCustomisedCard(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), bootDevice: cardWith(t, map[string]string{
		"truechimer.toml":  goodFile,
		"rpi-preseed.toml": "[system]\nhostname = \"shed\"\n[wlan]\nssid = \"home\"\npassword = \"hunter2hunter2\"\n[user]\nname = \"mira\"\n",
		"ssh":              "",
		"firstrun.sh":      strings.Repeat("# too long\n", 10_000),
	})}
	conf, list, err := p.loadConfig("")
	if err != nil || conf.Name != "attic" || conf.Hostname != "shed" || conf.Wifi == nil || conf.Wifi.SSID != "home" || len(conf.Servers) != 1 {
		t.Fatalf("%+v, %v", conf, err)
	}
	notices := strings.Join(list, "\n")
	for _, want := range []string{"customised with ssh,", "no accounts and no shell", "A file on the card cannot be read (reading firstrun.sh"} {
		if !strings.Contains(notices, want) {
			t.Errorf("%q is not among the notices %q", want, notices)
		}
	}
	if strings.Contains(notices, "hunter2") {
		t.Errorf("the password is shown in %q", notices)
	}
	p.bootDevice = card(t, nil)
	if conf, list, _ := p.loadConfig(""); conf.Hostname != "shed" || conf.Wifi == nil || conf.Wifi.Password.Reveal() != "hunter2hunter2" || list != nil {
		t.Errorf("without the files: %+v, %q", conf, list)
	}
}

func TestHostGivesAConfiguration(t *testing.T) {
	table := filepath.Join(t.TempDir(), "DMI")
	p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(goodFile)), smbios: table}
	if name, _, notices := load(t, p); name != "attic" || notices != "" {
		t.Errorf("without a table: %q, %q", name, notices)
	}
	given := "\x0b\x05\x00\x0e\x01io.systemd.credential:truechimer.toml=" + otherFile + "\x00\x00\x7f\x04\x00\x7f\x00\x00"
	if err := os.WriteFile(table, []byte(given), 0o400); err != nil {
		t.Fatal(err)
	}
	if name, _, notices := load(t, p); name != "roof" || notices != "" {
		t.Errorf("%q, %q", name, notices)
	}
	for _, bad := range []string{given[:30], strings.Repeat("\x00", config.MaxTable+1)} {
		p.smbios = filepath.Join(t.TempDir(), "DMI")
		if err := os.WriteFile(p.smbios, []byte(bad), 0o400); err != nil {
			t.Fatal(err)
		}
		if name, _, notices := load(t, p); name != "roof" || !strings.Contains(notices, "The host of this virtual machine may have given") {
			t.Errorf("%q, %q", name, notices)
		}
	}
}

func TestRescueSaysSo(t *testing.T) {
	p := &platform{station: true, rescue: true, perm: t.TempDir(), bootDevice: card(t, []byte(goodFile))}
	if name, _, notices := load(t, p); name != "attic" || !strings.Contains(notices, "The newest system on the card cannot be started") {
		t.Errorf("called %q, notices %q", name, notices)
	}
}

func TestBuildersImageSaysSo(t *testing.T) {
	p := &platform{station: true, debugShell: true, perm: t.TempDir(), bootDevice: card(t, []byte(goodFile))}
	if name, _, notices := load(t, p); name != "attic" || !strings.Contains(notices, "This is a builder's image with a debug shell: not for use.") {
		t.Errorf("called %q, notices %q", name, notices)
	}
}
