package settings

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/config"
)

// Owner is who may change the station: an *access.Access.
type Owner interface {
	PasswordHash() string
	// Restore sets the password of a backup for who knows the one in force.
	Restore(r *http.Request, current, hash string) error
	// Confirm says whether somebody knows the password in force.
	Confirm(r *http.Request, current string) error
}

const (
	pathBackup  = Path + "/backup"
	pathRestore = Path + "/restore"
)

// backup gives a backup away.
func (p *Pages) backup(w http.ResponseWriter, r *http.Request) {
	show := func(code int, problems []string) {
		_, left := bare(p.o.Store.Now())
		p.show(w, r, code, "backup", view{Title: "Backup and restore", Problems: problems, Data: struct {
			Restore  string
			Left     []string
			Identity bool
		}{pathRestore + "?" + access.Field + "=" + url.QueryEscape(access.Token(r)), left, p.o.Station.Identity() != nil}})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	c := p.o.Store.Now()
	at, known := p.o.Store.o.Now()
	if !known {
		at = time.Time{}
	}
	b, ending, kind := plain(c), ".toml", "application/toml"
	if r.PostForm.Get("do") == "sealed" {
		if !p.sealing.TryLock() {
			show(http.StatusServiceUnavailable, []string{"Another backup is being made: wait a moment."})
			return
		}
		defer p.sealing.Unlock()
		var err error
		all := Backup{Made: at.UTC(), Settings: string(config.Render(c)), Password: p.o.Owner.PasswordHash(), Antenna: p.o.Station.Antenna()}
		if r.PostForm.Get("identity") != "" {
			all.Identity = p.o.Station.Identity()
		}
		b, err = all.seal(r.PostForm.Get("passphrase"))
		if err != nil {
			show(http.StatusUnprocessableEntity, problems(err))
			return
		}
		ending, kind = ".age", "application/octet-stream"
	}
	p.o.Log.Info("a backup was made", "by", r.RemoteAddr, "with secrets", ending == ".age")
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(c.Name, at, ending)+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // a client that is gone needs no answer
}

// restore looks into a backup and shows what would change.
func (p *Pages) restore(w http.ResponseWriter, r *http.Request) {
	if !posted(r) {
		p.redirect(w, r, pathBackup)
		return
	}
	fail := func(err error) {
		w.Header().Set("Connection", "close") // some of the file may be on its way
		p.refuse(w, r, http.StatusUnprocessableEntity, err)
	}
	f, fields, err := file(w, r, "backup")
	if err != nil {
		fail(err)
		return
	}
	text, err := io.ReadAll(io.LimitReader(f, backupMost+1))
	if err != nil {
		fail(fmt.Errorf("the file did not arrive as a whole: %w", err))
		return
	}
	if !p.sealing.TryLock() {
		fail(errors.New("another backup is being made or opened: wait a moment"))
		return
	}
	b, err := openBackup(text, fields["passphrase"])
	p.sealing.Unlock()
	if err != nil {
		fail(err)
		return
	}
	again := func(_ int, problems []string) { fail(errors.New(problems[0])) }
	p.proposeDraft(w, r, draft{what: "a backup restored", password: b.Password, antenna: b.Antenna, identity: b.Identity}, b.into, again)
}

// restoreRest gives back what is no setting, as far as it was asked for. Only then are
// the settings changed.
func (p *Pages) restoreRest(r *http.Request, d draft) (restart bool, err error) {
	become := r.PostForm.Get("with-identity") != "" && d.identity != nil
	if become {
		if err := p.o.Owner.Confirm(r, r.PostForm.Get("current")); err != nil {
			return false, err
		}
	}
	if r.PostForm.Get("with-password") != "" && d.password != "" {
		if err := p.o.Owner.Restore(r, r.PostForm.Get("current"), d.password); err != nil {
			return false, err
		}
	}
	if r.PostForm.Get("with-antenna") != "" && d.antenna != nil {
		if err := p.o.Station.SetAntenna(d.antenna); err != nil {
			return false, err
		}
		restart = true
	}
	if become {
		if err := p.o.Station.SetIdentity(d.identity); err != nil {
			return false, err
		}
		restart = true
	}
	return restart, nil
}
