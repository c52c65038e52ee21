package settings

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/config"
)

const secretive = "name = 'attic'\n[wifi]\nssid='home'\npassword='wifi-s3cret'\n[assignments]\nurl='https://lists.example.net/a'\ntoken='t0ken-s3cret'\n" +
	"[[server]]\naddress='ntp.example.net'\n[admin]\nclaim_code='code-s3cret-1'\n"

const phrase = "some words of mine"

// otherPassword is a hash that a backup may have.
var otherPassword = password.New("the password of that time").String()

// TestBackup: sealed with all secrets, or in the clear with none, and what is
// downloaded can be restored.
func TestBackup(t *testing.T) {
	w := newWorld(t, t.TempDir(), parse(t, secretive)).login()
	w.station.antenna = []byte("48.1234 11.5678")
	for what, c := range map[string][]string{"short": {"do", "sealed", "passphrase", "short"}, "none": {"do", "sealed"}, "long": {"do", "sealed", "passphrase", strings.Repeat("x", 300)}} {
		if got := w.post(pathBackup, pathBackup, c...); got.code != 422 || strings.Contains(got.body, "s3cret") {
			t.Errorf("%s: %d", what, got.code)
		}
	}
	plain := w.post(pathBackup, pathBackup, "do", "plain")
	if plain.code != 200 || strings.Contains(plain.body, "s3cret") || strings.Contains(plain.body, "48.1234") || !strings.Contains(plain.body, "ntp.example.net") ||
		!strings.HasPrefix(plain.Get("Content-Disposition"), `attachment; filename="attic-`) {
		t.Errorf("%d %v %s", plain.code, plain.Header, plain.body)
	}
	if _, err := config.Parse("f", []byte(plain.body)); err != nil {
		t.Errorf("it is no truechimer.toml: %v", err)
	}
	sealed := w.post(pathBackup, pathBackup, "do", "sealed", "passphrase", phrase)
	for _, leak := range []string{"s3cret", "48.1234", "attic", "ntp.example.net", "argon2"} {
		if sealed.code != 200 || strings.Contains(sealed.body, leak) {
			t.Errorf("%d, it shows %s", sealed.code, leak)
		}
	}
	// Any program for age files opens it.
	with, err := age.NewScryptIdentity(phrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(strings.NewReader(sealed.body), with); err != nil {
		t.Error(err)
	}

	// Another station, which its owner has just claimed.
	other := newWorld(t, t.TempDir(), config.Default()).login()
	if got := other.upload(pathBackup, pathRestore, "backup", sealed.body, "passphrase", "some other words"); got.code != 422 || !strings.Contains(text(got.body), "not the passphrase") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	id, page := other.draft(other.upload(pathBackup, pathRestore, "backup", sealed.body, "passphrase", phrase))
	if strings.Contains(page, "s3cret") || strings.Contains(page, "48.1234") || !strings.Contains(text(page), "Server ntp.example.net") {
		t.Errorf("%s", text(page))
	}
	if len(other.store.Now().Servers) != 0 {
		t.Error("restored before it was looked at")
	}
	if got := other.post(pathChange+"?draft="+id, pathChange, "draft", id, "with-antenna", "yes"); got.code != 200 || other.station.restarts != 1 || string(other.station.antenna) != "48.1234 11.5678" {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	want := parse(t, secretive)
	want.Admin = config.Admin{} // who may change the other station is its owner's choice
	if got := other.store.Now(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := text(other.get(pathPast).body); !strings.Contains(got, "a backup restored") {
		t.Errorf("it cannot be taken back: %s", got)
	}

	// The clear one leaves alone what it cannot say.
	if err := other.store.Put("x", func(c *config.Config) error { c.Name, c.Servers = "cellar", nil; return nil }); err != nil {
		t.Fatal(err)
	}
	id, _ = other.draft(other.upload(pathBackup, pathRestore, "backup", plain.body))
	other.post(pathChange+"?draft="+id, pathChange, "draft", id)
	if got := other.store.Now(); !reflect.DeepEqual(got, want) {
		t.Errorf("of the clear one: %+v, want %+v", got, want)
	}
}

// TestBackupOfIdentity: it is in a backup where that was asked for, and taken from it
// where that is.
func TestBackupOfIdentity(t *testing.T) {
	w := newWorld(t, t.TempDir(), parse(t, "name = 'attic'\n")).login()
	if got := w.get(pathBackup).body; strings.Contains(got, `name="identity"`) {
		t.Error("it is offered where there is none")
	}
	w.station.identity = []byte("who it is")
	if got := w.get(pathBackup).body; !strings.Contains(got, `name="identity"`) {
		t.Errorf("it is not offered: %s", text(got))
	}
	without := w.post(pathBackup, pathBackup, "do", "sealed", "passphrase", phrase).body
	with := w.post(pathBackup, pathBackup, "do", "sealed", "passphrase", phrase, "identity", "yes").body
	if got := w.post(pathBackup, pathBackup, "do", "plain", "identity", "yes").body; strings.Contains(got, "who it is") {
		t.Error("it is in the clear")
	}
	for _, c := range []struct {
		file     string
		own      string // of the other station; empty: it keeps none
		asked    bool
		offered  bool
		identity string
		restarts int
	}{
		{with, "another", true, true, "who it is", 1}, {with, "another", false, true, "another", 0},
		{without, "another", true, false, "another", 0}, {with, "", false, false, "", 0},
	} {
		other := newWorld(t, t.TempDir(), config.Default()).login()
		if c.own != "" {
			other.station.identity = []byte(c.own)
		}
		id, page := other.draft(other.upload(pathBackup, pathRestore, "backup", c.file, "passphrase", phrase))
		if strings.Contains(page, `name="with-identity"`) != c.offered || strings.Contains(page, "who it is") {
			t.Errorf("%+v: %s", c, text(page))
		}
		fields := []string{"draft", id}
		if c.asked {
			fields = append(fields, "with-identity", "yes")
			// A session that somebody left open is not enough.
			if got := other.post(pathChange+"?draft="+id, pathChange, append(fields, "current", "guessed it is")...); c.offered && (got.code != 422 || string(other.station.identity) != c.own) {
				t.Errorf("%+v without the password: %d %s", c, got.code, text(got.body))
			}
			fields = append(fields, "current", word)
		}
		other.post(pathChange+"?draft="+id, pathChange, fields...)
		if got := string(other.station.identity); got != c.identity || other.station.restarts != c.restarts || other.store.Now().Name != "attic" {
			t.Errorf("it is %q, was restarted %d times, want %q, %d", got, other.station.restarts, c.identity, c.restarts)
		}
	}
}

// TestRestorePassword takes the password in force.
func TestRestorePassword(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	b, err := Backup{Settings: "name = 'attic'\n", Password: otherPassword}.seal(phrase)
	if err != nil {
		t.Fatal(err)
	}
	before := w.access.PasswordHash()
	id, page := w.draft(w.upload(pathBackup, pathRestore, "backup", string(b), "passphrase", phrase))
	if !strings.Contains(page, `name="current"`) || strings.Contains(page, "argon2") {
		t.Errorf("%s", text(page))
	}
	if got := w.post(pathChange+"?draft="+id, pathChange, "draft", id, "with-password", "yes", "current", "guessed it is"); got.code != 422 || w.access.PasswordHash() != before || w.store.Now().Name != "" {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if got := w.post(pathChange+"?draft="+id, pathChange, "draft", id, "with-password", "yes", "current", word); got.code != 303 || w.access.PasswordHash() != otherPassword || w.store.Now().Name != "attic" {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if got := w.get(Path); got.code != 303 {
		t.Errorf("the session goes on: %d", got.code)
	}
}

// TestHostileBackups: nothing of them counts, and none takes much memory.
func TestHostileBackups(t *testing.T) {
	seal := func(text string, work int) string {
		to, err := age.NewScryptRecipient(phrase)
		if err != nil {
			t.Fatal(err)
		}
		to.SetWorkFactor(work)
		var b bytes.Buffer
		w, err := age.Encrypt(&b, to)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
		return b.String()
	}
	good := seal(`{"form":1,"settings":"name = 'x'"}`, 1)
	greedy := strings.Replace(good, " 1\n", " 22\n", 1)
	if greedy == good {
		t.Fatal("the work factor is elsewhere")
	}
	w := newWorld(t, t.TempDir(), config.Default()).login()
	for what, c := range map[string]struct{ file, want string }{
		"noise":            {"\x00\xff\x00", "not UTF-8"},
		"no settings":      {"reset = 1\n", "Reset is a number"},
		"too large":        {strings.Repeat("#", backupMost+1), "more than 512 KB"},
		"greedy":           {greedy, "damaged"},
		"cut off":          {good[:len(good)-5], "damaged"},
		"changed":          {good[:len(good)-1] + "x", "damaged"},
		"no JSON":          {seal("s3cret", 1), "damaged"},
		"another form":     {seal(`{"form":2,"settings":""}`, 1), "form 2"},
		"mistakes":         {seal(`{"form":1,"settings":"nmae = 's3cret'"}`, 1), "is not known"},
		"a greedy hash":    {seal(`{"form":1,"settings":"","password":"$argon2id$v=19$m=99999999,t=9,p=1$c29tZXNhbHQ$AAAA"}`, 1), "none that a station knows"},
		"a hash of no use": {seal(`{"form":1,"settings":"","password":"x"}`, 1), "none that a station knows"},
	} {
		if got := w.upload(pathBackup, pathRestore, "backup", c.file, "passphrase", phrase); got.code != 422 || !strings.Contains(text(got.body), c.want) || strings.Contains(got.body, "s3cret") {
			t.Errorf("%s: %d %s", what, got.code, text(got.body))
		}
	}
	if got := w.upload(pathBackup, pathRestore, "backup", good); got.code != 422 || !strings.Contains(text(got.body), "type its passphrase") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if !reflect.DeepEqual(w.store.Now(), config.Default()) {
		t.Errorf("%+v", w.store.Now())
	}
	// A reset that a file asks for is none that a backup does.
	id, _ := w.draft(w.upload(pathBackup, pathRestore, "backup", "reset = true\nname = 'x'\n"))
	w.post(pathChange+"?draft="+id, pathChange, "draft", id)
	if got := w.store.Now(); got.Reset || got.Name != "x" {
		t.Errorf("%+v", got)
	}
}

func TestFileName(t *testing.T) {
	at := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{"attic": "attic-2026-11-27.age", "": "station-2026-11-27.age", "\"../x\r\n\"": "x-2026-11-27.age", "Küche 2": "K-che-2-2026-11-27.age"} {
		if got := fileName(name, at, ".age"); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
	if got := fileName("a", time.Time{}, ".toml"); got != "a.toml" {
		t.Error(got)
	}
}

func FuzzOpenBackup(f *testing.F) {
	b, err := Backup{Settings: "name = 'x'"}.seal(phrase)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(secretive))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := openBackup(b, phrase)
		if err == nil {
			c := config.Default()
			_ = got.into(&c)
		}
	})
}
