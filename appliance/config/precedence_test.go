package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// boots of one station, each with what its card and its host hold.
type boots struct {
	t   *testing.T
	dir string
}

// holds boots, and compares host name, name and Wi-Fi with want, and how many
// notices there are.
func (b boots) holds(what string, s Sources, want string, notices int) []string {
	b.t.Helper()
	l := Load(s, b.dir)
	wifi := "-"
	if w := l.Config.Wifi; w != nil {
		wifi = w.SSID + "/" + w.Password.Reveal()
	}
	got := strings.Join([]string{l.Config.Hostname, l.Config.Name, wifi, l.From}, " ")
	if got != want {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
	if len(l.Notices) != notices {
		b.t.Errorf("%s: notices %q, want %d", what, l.Notices, notices)
	}
	return l.Notices
}

const (
	imager  = "[system]\nhostname = \"shed\"\n[wlan]\nssid = \"home\"\npassword = \"12345678\"\n[ssh]\nenabled = true\n"
	imager2 = "[system]\nhostname = \"barn\"\n"
	script  = "imager_custom set_wlan other 87654321 DE\n"
)

func TestPreseedIsTakenOnce(t *testing.T) {
	b := boots{t, t.TempDir()}
	b.holds("at first", onCard(PreseedName, imager, FileName, string(DefaultFile())), "shed shed home/12345678 fat", 1)
	b.holds("again", onCard(PreseedName, imager, FileName, string(DefaultFile())), "shed shed home/12345678 perm", 0)
	b.holds("deleted", onCard(FileName, string(DefaultFile())), "shed shed home/12345678 perm", 0)
	b.holds("a name of its own", onCard(FileName, good), "shed good home/12345678 fat", 0)
	b.holds("with mistakes", onCard(FileName, good, PreseedName, "[system"), "shed good home/12345678 perm", 1)
	b.holds("with mistakes, again", onCard(FileName, good, PreseedName, "[system"), "shed good home/12345678 perm", 1)
	b.holds("flashed again", onCard(FileName, string(DefaultFile()), PreseedName, imager2), "barn barn - fat", 0)
	b.holds("in another form too", onCard(PreseedName, imager2, "firstrun.sh", script), "barn barn other/87654321 perm", 1)
	b.holds("which is said at every start", onCard(PreseedName, imager2, "firstrun.sh", script), "barn barn other/87654321 perm", 1)
	b.holds("the first one again", onCard(PreseedName, imager), "shed shed home/12345678 perm", 1)
	b.holds("what was deleted comes back", onCard(PreseedName, imager, "firstrun.sh", "imager_custom set_timezone UTC\n"), "shed shed home/12345678 perm", 1)
	b.holds("and is deleted", onCard(PreseedName, imager), "shed shed home/12345678 perm", 0)
	const zone = "imager_custom set_timezone UTC\n"
	b.holds("another", onCard(PreseedName, imager2), "barn barn - perm", 0)
	b.holds("with a script", onCard(PreseedName, imager2, "firstrun.sh", script), "barn barn other/87654321 perm", 1)
	b.holds("and without", onCard(PreseedName, imager), "shed shed home/12345678 perm", 1)
	b.holds("a weaker one", onCard(PreseedName, imager, "firstrun.sh", script, "user-data", "hostname: x\n"), "shed shed home/12345678 perm", 2)
	b.holds("which stays alone", onCard("firstrun.sh", script), "shed shed home/12345678 perm", 1)
	b.holds("all new", onCard(PreseedName, imager, "firstrun.sh", zone), "shed shed home/12345678 perm", 1)
	b.holds("the old script alone", onCard("firstrun.sh", script), "  other/87654321 perm", 1)
	b.holds("and back", onCard(PreseedName, imager, "firstrun.sh", zone), "shed shed home/12345678 perm", 2)
	b.holds("all hidden", onCard(FileName, "name = \"n\"\n[wifi]\nssid = \"own\"\n"), "shed n own/ fat", 0)
	b.holds("not deleted", onCard(FileName, good), "shed good home/12345678 fat", 0)

	text, err := os.ReadFile(filepath.Join(b.dir, KeptName))
	if err != nil {
		t.Fatal(err)
	}
	want := keptHead + `

# The SHA-256 of what was taken. What has another one is taken anew.
[taken]
'firstrun.sh' = '` + hash([]byte("imager_custom set_timezone UTC\n")) + `'
'rpi-preseed.toml' = '` + hash([]byte(imager)) + `'
'truechimer.toml' = '` + hash([]byte(good)) + `'

# What the card was customised with. truechimer.toml below hides what it gives itself.
[card]
hostname = 'shed'
timezone = 'UTC'
ssid = 'home'
password = '12345678'

` + keptBody + "\n" + good
	if string(text) != want {
		t.Errorf("kept as\n%s\nwant\n%s", text, want)
	}
	if info, err := os.Stat(filepath.Join(b.dir, KeptName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestPreseedWithoutAnythingElse(t *testing.T) {
	b := boots{t, t.TempDir()}
	b.holds("with mistakes below", onCard(PreseedName, imager2, FileName, bad), "barn barn - default", 2)
	b.holds("kept", Sources{}, "barn barn - default", 0)
	b.holds("never kept", onCard(PreseedName, imager2), "barn barn - default", 0)
	b.dir = ""
	b.holds("not kept", onCard(PreseedName, imager), "shed shed home/12345678 default", 1)
	b.holds("gone", Sources{}, "  - default", 0)
}

func TestHostGoesBeforeTheCard(t *testing.T) {
	b := boots{t, t.TempDir()}
	host := func(s Sources, toml string) Sources {
		s.SMBIOS = []byte(toml)
		return s
	}
	b.holds("with the file as shipped", host(onCard(FileName, string(DefaultFile())), good), " good - smbios", 0)
	b.holds("again", host(onCard(FileName, string(DefaultFile())), good), " good - perm", 0)
	b.holds("gone", onCard(FileName, string(DefaultFile())), " good - perm", 0)
	b.holds("back, and the card's changed", host(onCard(FileName, better), good), " good - perm", 1)
	b.holds("told once", host(onCard(FileName, better), good), " good - perm", 0)
	b.holds("gone, nothing new", onCard(FileName, better), " good - perm", 0)
	b.holds("a new one", host(onCard(FileName, better), "name = \"new\""), " new - smbios", 0)
	b.holds("one with mistakes", host(onCard(FileName, better), bad), " new - perm", 2)
	b.holds("one with mistakes, the card's changed", host(onCard(FileName, good), bad), " good - fat", 2)
	b.holds("the good one comes back", host(onCard(FileName, good), "name = \"new\""), " new - smbios", 0)
	b.holds("over a preseed", host(onCard(PreseedName, imager2), "name = \"new\""), "barn new - perm", 0)
	if n := Load(host(Sources{}, bad), ""); len(n.Notices) != 2 || !strings.HasPrefix(n.Notices[0], "truechimer.toml (SMBIOS):1:8: ") {
		t.Errorf("%q", n.Notices)
	}
}

// TestKeptByAnUnknownForm: a later release's file costs nothing but itself.
func TestKeptByAnUnknownForm(t *testing.T) {
	b := boots{t, t.TempDir()}
	path := filepath.Join(b.dir, KeptName)
	later := strings.Replace(keptHead, "form 1", "form 2", 1) + "\n" + keptBody + "\nname = \"later\"\n"
	if err := os.WriteFile(path, []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := b.holds("nothing on the card", Sources{}, "  - default", 1); !strings.Contains(n[0], "does not know") {
		t.Errorf("%q", n)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != later {
		t.Errorf("it was overwritten for nothing: %q, %v", text, err)
	}
	b.holds("with a card", onCard(FileName, good), " good - fat", 1)
	b.holds("again", onCard(FileName, good), " good - perm", 0)
}

// TestOwnPartIsDamaged: what the card was customised with survives.
func TestOwnPartIsDamaged(t *testing.T) {
	b := boots{t, t.TempDir()}
	b.holds("at first", onCard(PreseedName, imager2, FileName, good), "barn good - fat", 0)
	path := filepath.Join(b.dir, KeptName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "colour = 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.holds("damaged", Sources{}, "barn barn - default", 1)
	b.holds("the same file again", onCard(FileName, good), "barn good - fat", 1)
	b.holds("whole", Sources{}, "barn good - perm", 0)
}

func FuzzKept(f *testing.F) {
	f.Add([]byte(keptHead + "\n\n[taken]\n'truechimer.toml' = '" + hash(nil) + "'\n[card]\nssid_hex = 'ff'\n" + keptBody + "\n" + good))
	f.Add([]byte(keptHead + "\n" + keptBody + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseKept("f", text)
		if err != nil && k.body != nil {
			t.Errorf("%+v with %v", k, err)
		}
		if c := k.config(); c.Receiver.Device == "" || c.Receiver.Hat == "" {
			t.Errorf("%+v", c)
		}
	})
}
