package access

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/durable"
)

// ResetName is the file in the root of the card's FAT volume that has the password
// forgotten, once for each content: what is in it does not matter.
const ResetName = "reset-password.txt"

// MaxReset bounds that file, bytes.
const MaxReset = 64 << 10

const (
	OwnerName = "owner"
	ownerHead = "truechimer owner 1"
	ownerMost = 1 << 10 // bytes
)

// owner is who may change the station, as it is kept.
type owner struct {
	Password string `json:"password"` // its hash; empty: nobody has claimed the station
	// The SHA-256 of the hash in truechimer.toml that was last taken and of the
	// file that last had the password forgotten: each is obeyed once, so that a
	// password that was changed since stays.
	Preset string `json:"preset"`
	Reset  string `json:"reset"`
}

// parseOwner reads a file that may hold anything.
func parseOwner(b []byte) (owner, error) {
	body, err := durable.Unsummed(ownerHead, b, ownerMost)
	if err != nil {
		return owner{}, err
	}
	var o owner
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields() // of a later release, whose meaning nobody here knows
	if err := d.Decode(&o); err != nil {
		return owner{}, errors.New("it is of another release or damaged") // the error may show a hash
	}
	if o.Password != "" {
		if _, err := password.Parse(o.Password); err != nil {
			return owner{}, err
		}
	}
	return o, nil
}

func (o owner) bytes() ([]byte, error) {
	body, err := json.Marshal(o)
	return durable.Summed(ownerHead, body), err
}

// load finds out who owns the station: what was kept, the file that has it
// forgotten, and truechimer.toml, from the weakest to the strongest.
func (a *Access) load() {
	a.mu.Lock()
	defer a.mu.Unlock()
	o, err := a.read()
	if err != nil {
		a.damaged = true
		a.options.Log.Error("who owns this station cannot be read", "error", err)
	}
	before := o
	if a.options.Reset != nil {
		switch b, err := a.options.Reset(); {
		case errors.Is(err, fs.ErrNotExist):
			o.Reset = ""
		case err != nil:
			a.options.Log.Warn("the card cannot be asked whether the password is to be forgotten", "error", err)
		case o.Reset != digest(b):
			o, a.damaged = owner{Reset: digest(b)}, false
			a.options.Log.Warn("the password was forgotten, as " + ResetName + " on the card asks: delete that file")
		}
	}
	if p := a.options.Preset; !p.None() && o.Preset != digest([]byte(p.String())) {
		o.Password, o.Preset, a.damaged = p.String(), digest([]byte(p.String())), false
		a.options.Log.Info("the password is the one that truechimer.toml sets")
	}
	a.owner = o
	if o != before && !a.damaged {
		if err := a.write(o); err != nil {
			a.options.Log.Warn("who owns this station cannot be kept, and is found out anew at the next start", "error", err)
		}
	}
	a.tell()
	if o.Password == "" && !a.damaged {
		a.options.Log.Info("nobody has claimed this station yet: who opens its page first from inside of this network can")
	}
}

// tell says whose the station is, and what is wrong. a.mu is held.
func (a *Access) tell() {
	a.unclaimed.Store(a.owner.Password == "" && !a.damaged)
	text := ""
	if a.damaged {
		text = "The file with the owner's password is damaged, so nobody can log in. Set the password anew: " + wayBack
	}
	a.options.Tell("owner", text)
}

// wayBack is how a password that nobody knows is set anew.
const wayBack = "with the claim code, if truechimer.toml has one, or put a file " + ResetName + " on the card and start the station again."

// read is what was kept; nothing where nothing was.
func (a *Access) read() (owner, error) {
	if a.options.Dir == "" {
		return owner{}, nil
	}
	b, err := durable.ReadBounded(filepath.Join(a.options.Dir, OwnerName), ownerMost)
	if errors.Is(err, fs.ErrNotExist) {
		return owner{}, nil
	}
	if err != nil {
		return owner{}, err
	}
	return parseOwner(b)
}

func (a *Access) write(o owner) error {
	b, err := o.bytes()
	if err != nil || a.options.Dir == "" {
		return err
	}
	return keep(a.options.Dir, OwnerName, b)
}

var errQuicker = errors.New("the password was set by somebody else meanwhile")

// replace sets the password if it is still the one that before says, and ends all
// sessions. What cannot be kept is not set: a password that the next start
// forgets would leave the station to whoever comes first.
func (a *Access) replace(before string, h password.Hash) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.owner.Password != before {
		return errQuicker
	}
	o := a.owner
	o.Password = h.String()
	if err := a.write(o); err != nil {
		return fmt.Errorf("the password could not be kept: %w", err)
	}
	a.owner, a.damaged = o, false
	clear(a.sessions)
	a.tell()
	return nil
}

// password is the hash in force; empty: nobody has claimed the station. damaged:
// nobody knows.
func (a *Access) password() (hash string, damaged bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner.Password, a.damaged
}

// Claimable says whether nobody owns the station, so that the next who comes can.
// It never waits for the card.
func (a *Access) Claimable() bool { return a.unclaimed.Load() }

// knowsCode says whether s is the claim code, in a time that tells nothing of it.
func (a *Access) knowsCode(s string) bool {
	got, want := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(a.options.Code))
	return a.options.Code != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// keep writes a file that nobody else may read.
func keep(dir, name string, b []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, name), b)
}
