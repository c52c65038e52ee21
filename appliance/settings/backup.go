package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/config"
)

// Backup is what a station is given back from one file. In the clear it is a
// truechimer.toml without secrets. With them, and with where the antenna is, it is an
// age file (C2SP age-encryption.org/v1) sealed with a passphrase by scrypt, so that
// programs other than a station's can open it.
type Backup struct {
	Form     int       `json:"form"`
	Made     time.Time `json:"made"`     // zero: the station did not know the time
	Settings string    `json:"settings"` // a truechimer.toml
	// Password is the hash of the owner's password; empty: there was none.
	Password string `json:"password,omitempty"`
	// Antenna is the file with where it was surveyed to be; nil: it was not.
	Antenna []byte `json:"antenna,omitempty"`
	// Identity is what makes the station the one that it is, see Station; nil: it was
	// not asked for.
	Identity []byte `json:"identity,omitempty"`
}

const (
	backupForm = 1
	// backupMost bounds a file that is restored, bytes: the largest settings, escaped.
	backupMost = 512 << 10
	// sealWork is scrypt's work factor, as a power of two: with age's blocks of 8 it
	// takes 32 MiB. The usual 18 would take 256 MiB, half of a board's memory.
	sealWork = 15
	sealed   = "age-encryption.org/v1"

	passphraseMost = 256 // bytes
)

// bare is a configuration without secrets, and what had to be left out for that.
func bare(c config.Config) (out config.Config, left []string) {
	if c.Wifi != nil && c.Wifi.Password.Reveal() != "" {
		c.Wifi, left = nil, append(left, "the Wi-Fi network, which has a password")
	}
	if c.Assignments != nil && c.Assignments.Token.Reveal() != "" {
		c.Assignments, left = nil, append(left, "the list of servers, which has a token")
	}
	if c.Admin.PasswordHash.Reveal() != "" || c.Admin.ClaimCode.Reveal() != "" {
		left = append(left, "who may change the station")
	}
	c.Admin = config.Admin{}
	return c, left
}

// plain is a backup that everybody may read.
func plain(c config.Config) []byte {
	c, left := bare(c)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The settings of a station, without its secrets. It is a %s.\n", config.FileName)
	for _, what := range left {
		fmt.Fprintf(&b, "# Left out: %s.\n", what)
	}
	b.WriteByte('\n')
	b.Write(config.Render(c))
	return b.Bytes()
}

// seal encrypts a backup.
func (b Backup) seal(passphrase string) ([]byte, error) {
	if err := checkPassphrase(passphrase); err != nil {
		return nil, err
	}
	b.Form = backupForm
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(sealWork)
	defer debug.FreeOSMemory() // scrypt's, on a board that has little
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// checkPassphrase asks as much of it as of a password: whoever has the file can try
// as often as they like.
func checkPassphrase(s string) error {
	switch n := utf8.RuneCountInString(s); {
	case n < password.Least:
		return fmt.Errorf("the passphrase has %d characters: take %d at the least", n, password.Least)
	case len(s) > passphraseMost:
		return fmt.Errorf("the passphrase has %d bytes: take %d at the most", len(s), passphraseMost)
	}
	return nil
}

// openBackup reads a file that may hold anything.
func openBackup(file []byte, passphrase string) (Backup, error) {
	switch {
	case len(file) > backupMost:
		return Backup{}, fmt.Errorf("the file has more than %d KB, which no backup has", backupMost>>10)
	case !bytes.HasPrefix(file, []byte(sealed+"\n")):
		if _, err := config.Parse("this file", file); err != nil {
			return Backup{}, err
		}
		return Backup{Settings: string(file)}, nil
	case passphrase == "":
		return Backup{}, errors.New("this backup is sealed: type its passphrase")
	}
	with, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return Backup{}, err
	}
	with.SetMaxWorkFactor(sealWork + 1) // what is made to take more memory is not opened
	defer debug.FreeOSMemory()
	r, err := age.Decrypt(bytes.NewReader(file), with)
	if err != nil {
		if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
			return Backup{}, errors.New("this is not the passphrase of the backup")
		}
		return Backup{}, errors.New("the file is damaged, or no backup of a station")
	}
	body, err := io.ReadAll(r)
	var b Backup
	if err != nil || json.Unmarshal(body, &b) != nil { // the error may show a secret
		return Backup{}, errors.New("the file is damaged, or no backup of a station")
	}
	if b.Form != backupForm {
		return Backup{}, fmt.Errorf("the backup has form %d, which this release does not know: update the station first", b.Form)
	}
	if _, err := config.Parse("the backup", []byte(b.Settings)); err != nil {
		return Backup{}, err
	}
	if b.Password != "" {
		if _, err := password.Parse(b.Password); err != nil {
			return Backup{}, errors.New("the password in the backup is none that a station knows")
		}
	}
	return b, nil
}

// into makes settings of those of a backup. One in the clear says nothing of what had
// to be left out of it: that stays as it is.
func (b Backup) into(c *config.Config) error {
	before := *c
	if err := bring(c, b.Settings); err != nil {
		return err
	}
	if b.Form == 0 {
		if c.Wifi == nil {
			c.Wifi = before.Wifi
		}
		if c.Assignments == nil {
			c.Assignments = before.Assignments
		}
	}
	return nil
}

// fileName is what a backup is called, without what a name could upset there.
func fileName(station string, at time.Time, ending string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, station), "-")
	if name == "" {
		name = "station"
	}
	if !at.IsZero() {
		name += at.UTC().Format("-2006-01-02")
	}
	return name + ending
}
