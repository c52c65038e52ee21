package access

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/truechimer/truechimer/appliance/access/password"
)

// PasswordHash is the hash of the password in force, for a backup; empty: there is
// none, or nobody can read it.
func (a *Access) PasswordHash() string {
	hash, _ := a.password()
	return hash
}

// Restore sets the password to that of a backup, and ends all sessions, for somebody
// who knows the one in force: a session that somebody left open must not be enough.
func (a *Access) Restore(r *http.Request, current, hash string) error {
	h, err := password.Parse(hash)
	if err != nil {
		return fmt.Errorf("the password of the backup cannot be used: %w", err)
	}
	before, err := a.confirm(r, current)
	if err != nil {
		return err
	}
	if err := a.replace(before, h); err != nil {
		return err
	}
	a.options.Log.Info("the password is that of a backup", "by", r.RemoteAddr)
	return nil
}

// Confirm says whether somebody knows the password in force, for what a session that was
// left open must not be enough for. Its error is for people.
func (a *Access) Confirm(r *http.Request, current string) error {
	_, err := a.confirm(r, current)
	return err
}

// confirm also gives the hash of that password.
func (a *Access) confirm(r *http.Request, current string) (hash string, err error) {
	host := hostOf(r.RemoteAddr)
	if wait := a.tries.try(host, a.near(r), time.Now()); wait > 0 {
		return "", fmt.Errorf("there were too many tries: wait %d seconds", int(math.Ceil(wait.Seconds())))
	}
	before, right := a.PasswordHash(), false
	if !a.gate.pass(r.Context(), func() { right = matches(before, current) }) {
		return "", errors.New("the station is busy with others who log in: try again in ten seconds")
	}
	if !right {
		a.options.Log.Warn("a wrong password was sent", "from", r.RemoteAddr)
		return "", errors.New("this is not the password in force")
	}
	a.tries.right(host)
	return before, nil
}
