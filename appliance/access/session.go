package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// The bounds of sessions. They are kept in memory alone, by their hash: a restart
// ends them all.
const (
	sessionsMost = 16
	sessionIdle  = 30 * time.Minute
	sessionMost  = 12 * time.Hour
)

// The cookies. Their prefix has browsers refuse them from anybody but this very
// host, over TLS (RFC 6265bis section 4.1.3.2).
const (
	cookieSession = "__Host-truechimer"
	cookieVisitor = "__Host-truechimer-visitor"
)

// session is of somebody who knew the password. Its instants are of the monotonic
// clock, which nobody sets.
type session struct{ born, seen time.Time }

// sessions are those that there are, by the SHA-256 of their token.
type sessions map[[sha256.Size]byte]session

// begin makes a session and gives its token. The one that was not used for
// longest makes room.
func (s sessions) begin(now time.Time) (token string) {
	s.expire(now)
	if len(s) >= sessionsMost {
		var oldest [sha256.Size]byte
		first := true
		for k, x := range s {
			if first || x.seen.Before(s[oldest].seen) {
				oldest, first = k, false
			}
		}
		delete(s, oldest)
	}
	token = random()
	s[key(token)] = session{now, now}
	return token
}

// use says whether a token is that of a session, which goes on by it.
func (s sessions) use(token string, now time.Time) bool {
	s.expire(now)
	k := key(token)
	x, ok := s[k]
	if ok {
		x.seen = now
		s[k] = x
	}
	return ok
}

func key(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

func (s sessions) expire(now time.Time) {
	for k, x := range s {
		if now.Sub(x.seen) >= sessionIdle || now.Sub(x.born) >= sessionMost {
			delete(s, k)
		}
	}
}

// random is a text of 256 bits that nobody can guess.
func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

var randomLength = base64.RawURLEncoding.EncodedLen(32)

// formToken is what a form must send to be one that the station showed to the
// bearer of a cookie: nobody else can make it, nor learn it from the cookie of
// another.
func (a *Access) formToken(cookie, value string) string {
	m := hmac.New(sha256.New, a.forms)
	m.Write([]byte(cookie + "=" + value))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// cookie is the value of one of ours; empty: there is none that could be.
func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil || len(c.Value) != randomLength {
		return ""
	}
	return c.Value
}

// begin begins a session for somebody who knew the password that hash is of. It
// gives nothing if that is not the password any more.
func (a *Access) begin(hash string) (token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.owner.Password != hash {
		return ""
	}
	return a.sessions.begin(time.Now())
}

func (a *Access) use(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return token != "" && a.sessions.use(token, time.Now())
}

func (a *Access) end(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, key(token))
}
