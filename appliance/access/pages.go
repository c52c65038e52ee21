package access

import (
	"errors"
	"net/http"
	"unicode"
	"unicode/utf8"

	"github.com/truechimer/truechimer/appliance/access/password"
)

// The addresses of this package's pages.
const (
	pathClaim      = "/claim"
	pathLogin      = "/login"
	pathLost       = "/lost"
	pathAccount    = "/account"
	pathPassword   = "/account/password"
	pathLogout     = "/logout"
	pathEverywhere = "/logout/everywhere"

	pathSettings = "/settings" // of package settings, if that is there
)

// Path is where a visitor begins who wants to change something.
const Path = pathAccount

// claim makes its visitor the owner of a station that has none.
func (a *Access) claim(v *visit) {
	hash, damaged := a.password()
	switch {
	case damaged:
		v.redirect(pathLost)
		return
	case hash != "" && v.posted():
		v.refuse(http.StatusConflict, "This station has been claimed already. If it was not you, who can reach the station itself can set its password anew "+wayBack)
		return
	case hash != "":
		v.redirect(pathLogin)
		return
	}
	near := a.near(v.r) && a.byOwnName(v.r)
	show := func(code int, problem string) {
		v.show(code, "claim", page{Error: problem, Near: near, Code: a.options.Code != "", From: v.r.RemoteAddr, Least: password.Least})
	}
	switch {
	case !near && a.options.Code == "":
		show(http.StatusForbidden, "")
	case !v.posted():
		show(http.StatusOK, "")
	default:
		v.own("", near, "claimed", show)
	}
}

// lost sets a password anew that nobody knows.
func (a *Access) lost(v *visit) {
	hash, damaged := a.password()
	show := func(code int, problem string) {
		v.show(code, "lost", page{Error: problem, Code: a.options.Code != "", Least: password.Least, WayBack: ResetName})
	}
	switch {
	case hash == "" && !damaged:
		v.redirect(pathClaim)
	case !v.posted():
		show(http.StatusOK, "")
	case a.options.Code == "":
		show(http.StatusForbidden, "There is no claim code.")
	default:
		v.own(hash, false, "password set anew", show)
	}
}

// own makes the visitor the owner, by where he is or by the code that he sent, if
// the password is still the one that before is the hash of.
func (v *visit) own(before string, trusted bool, what string, show func(code int, problem string)) {
	s := one(v.r.PostForm, "password")
	if err := password.Check(s); err != nil {
		show(http.StatusUnprocessableEntity, sentence(err))
		return
	}
	if v.hurried(show) {
		return
	}
	if !trusted && !v.a.knowsCode(one(v.r.PostForm, "code")) {
		v.a.failed(v, "claim code")
		show(http.StatusForbidden, "This is not the claim code.")
		return
	}
	var h password.Hash
	if !v.compute(show, func() { h = password.New(s) }) {
		return
	}
	if err := v.a.replace(before, h); err != nil {
		v.replaced(err, show)
		return
	}
	v.a.tries.right(hostOf(v.r.RemoteAddr))
	v.a.options.Log.Info(what, "by", v.r.RemoteAddr)
	v.start(h.String())
	if before == "" && v.a.options.Begin != "" {
		v.redirect(v.a.options.Begin)
		return
	}
	v.redirect(pathAccount)
}

// replaced answers where a password could not be set.
func (v *visit) replaced(err error, show func(code int, problem string)) {
	if errors.Is(err, errQuicker) {
		show(http.StatusConflict, sentence(err)+" Load the page anew.")
		return
	}
	v.a.options.Log.Error("access", "error", err)
	show(http.StatusInternalServerError, sentence(err)+" Look whether the card is full or cannot be written.")
}

// login begins a session.
func (a *Access) login(v *visit) {
	hash, damaged := a.password()
	next := v.r.URL.Query().Get("next")
	if v.posted() {
		next = one(v.r.PostForm, "next")
	}
	if _, known := a.routes[next]; !known || next == pathLogin {
		next = pathAccount
	}
	show := func(code int, problem string) { v.show(code, "login", page{Error: problem, Next: next}) }
	switch {
	case damaged:
		v.redirect(pathLost)
		return
	case hash == "":
		v.redirect(pathClaim)
		return
	case !v.posted() && v.session != "":
		v.redirect(next)
		return
	case !v.posted():
		show(http.StatusOK, "")
		return
	}
	if v.hurried(show) {
		return
	}
	right := false
	if !v.compute(show, func() { right = matches(hash, one(v.r.PostForm, "password")) }) {
		return
	}
	if !right {
		a.failed(v, "password")
		show(http.StatusForbidden, "This is not the password.")
		return
	}
	a.tries.right(hostOf(v.r.RemoteAddr))
	if !v.start(hash) {
		show(http.StatusConflict, sentence(errQuicker)+" Log in with the new one.")
		return
	}
	a.options.Log.Info("logged in", "from", v.r.RemoteAddr)
	v.redirect(next)
}

// account is for who is logged in.
func (a *Access) account(v *visit) {
	if v.posted() {
		v.w.Header().Set("Allow", "GET, HEAD")
		v.refuse(http.StatusMethodNotAllowed, "Nothing can be sent to this address.")
		return
	}
	v.showAccount(http.StatusOK, "", "")
}

func (v *visit) showAccount(code int, problem, done string) {
	v.a.mu.Lock()
	n := len(v.a.sessions)
	v.a.mu.Unlock()
	to := pathSettings
	if _, there := v.a.routes[to]; !there {
		to = ""
	}
	v.show(code, "account", page{Settings: to, Error: problem, Done: done, Sessions: n, Fingerprint: v.a.Fingerprint(), Least: password.Least})
}

// changePassword takes the one in force too: a session that somebody left open
// must not be enough.
func (a *Access) changePassword(v *visit) {
	show := func(code int, problem string) { v.showAccount(code, problem, "") }
	if !v.posted() {
		v.redirect(pathAccount)
		return
	}
	s := one(v.r.PostForm, "password")
	if err := password.Check(s); err != nil {
		show(http.StatusUnprocessableEntity, sentence(err))
		return
	}
	if v.hurried(show) {
		return
	}
	hash, _ := a.password()
	right, h := false, password.Hash{}
	if !v.compute(show, func() {
		if right = matches(hash, one(v.r.PostForm, "current")); right {
			h = password.New(s)
		}
	}) {
		return
	}
	if !right {
		a.failed(v, "password")
		show(http.StatusForbidden, "This is not the password in force.")
		return
	}
	if err := a.replace(hash, h); err != nil {
		v.replaced(err, show)
		return
	}
	a.tries.right(hostOf(v.r.RemoteAddr))
	a.options.Log.Info("password changed", "by", v.r.RemoteAddr)
	v.session = "" // it has ended with all others
	v.start(h.String())
	v.showAccount(http.StatusOK, "", "The password is changed, and everybody else is logged out.")
}

func (a *Access) logout(v *visit) { v.leave(func() { delete(a.sessions, key(v.session)) }) }

func (a *Access) logoutEverywhere(v *visit) { v.leave(func() { clear(a.sessions) }) }

// leave ends sessions.
func (v *visit) leave(end func()) {
	if !v.posted() {
		v.redirect(pathAccount)
		return
	}
	v.a.mu.Lock()
	end()
	v.a.mu.Unlock()
	setCookie(v.w, cookieSession, "")
	v.redirect(pathLogin)
}

// failed tells the log of a try that was wrong. The limits bound how many there are.
func (a *Access) failed(v *visit, what string) {
	a.options.Log.Warn("a wrong "+what+" was sent", "from", v.r.RemoteAddr)
}

func matches(hash, s string) bool {
	h, err := password.Parse(hash)
	return err == nil && h.Matches(s)
}

// sentence makes one of an error.
func sentence(err error) string {
	s := err.Error()
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:] + "."
}
