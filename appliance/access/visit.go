package access

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/truechimer/truechimer/appliance/web"
)

// visit is one request to a page of this package, or to one that Require guards.
type visit struct {
	a       *Access
	w       http.ResponseWriter
	r       *http.Request
	session string // its token; empty: not logged in
	visitor string // what the forms of somebody who is not logged in belong to
}

// page is what the templates set.
type page struct {
	Style, Own, Icon string
	Name             string
	Token            string
	Error            string // what is wrong with what was sent
	Done             string // what was done

	Next        string // where to go after logging in
	Code        bool   // there is a claim code
	Least       int    // characters of a password
	Near        bool
	From        string // the visitor's address
	Fingerprint string
	Sessions    int
	Settings    string // where all else is changed; empty: nowhere
	Link        string // to the same page over TLS
	Host        string // what the browser will say that it does not know
	WayBack     string
}

// enter looks at a request before anything of it counts. It answers itself, and
// gives nil, where the request must not go on.
func (a *Access) enter(w http.ResponseWriter, r *http.Request) *visit {
	web.ProtectForms(w.Header(), r)
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method) {
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "This address takes GET, HEAD and POST.", http.StatusMethodNotAllowed)
		return nil
	}
	if r.TLS == nil && !fromHost(r) {
		a.explain(w, r)
		return nil
	}
	v := &visit{a: a, w: w, r: r, visitor: cookie(r, cookieVisitor)}
	if err := a.foreign.Check(r); err != nil {
		v.refuse(http.StatusForbidden, "Another site sent this: the station takes only what its own pages send.")
		return nil
	}
	if token := cookie(r, cookieSession); a.use(token) {
		v.session = token
	}
	if r.Method == http.MethodPost {
		if code, err := readForm(w, r); err != nil {
			w.Header().Set("Connection", "close") // whatever else is on its way
			v.refuse(code, sentence(err))
			return nil
		}
		if want := v.token(); want == "" || subtle.ConstantTimeCompare([]byte(sentToken(r)), []byte(want)) != 1 {
			w.Header().Set("Connection", "close") // a file may be on its way
			v.refuse(http.StatusForbidden, "This form is too old, or the station did not show it. Go back, load the page anew and send it once more.")
			return nil
		}
	}
	v.r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	return v
}

// required lets only those who are logged in come to h.
func (a *Access) required(h func(*visit)) func(*visit) {
	return func(v *visit) {
		switch {
		case v.session != "":
			h(v)
		case v.posted():
			v.refuse(http.StatusForbidden, "You are not logged in any more. Log in and send it once more.")
		default:
			to := pathLogin
			if _, known := a.routes[v.r.URL.Path]; known {
				to += "?next=" + v.r.URL.Path
			}
			v.redirect(to)
		}
	}
}

func (v *visit) posted() bool { return v.r.Method == http.MethodPost }

// token is what this visitor's forms must send; empty where he has no cookie.
func (v *visit) token() string {
	switch {
	case v.session != "":
		return v.a.formToken(cookieSession, v.session)
	case v.visitor != "":
		return v.a.formToken(cookieVisitor, v.visitor)
	}
	return ""
}

// start begins a session for who knew the password. Whatever cookie came is none
// of it: a token that somebody else knows must not become one.
func (v *visit) start(hash string) bool {
	token := v.a.begin(hash)
	if token == "" {
		return false
	}
	if v.session != "" {
		v.a.end(v.session)
	}
	v.session = token
	setCookie(v.w, cookieSession, token)
	setCookie(v.w, cookieVisitor, "")
	return true
}

// hurried counts a try, and answers where there were too many.
func (v *visit) hurried(show func(code int, problem string)) bool {
	wait := v.a.tries.try(hostOf(v.r.RemoteAddr), v.a.near(v.r), time.Now())
	if wait <= 0 {
		return false
	}
	seconds := int(math.Ceil(wait.Seconds()))
	v.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	show(http.StatusTooManyRequests, fmt.Sprintf("There were too many tries. Wait %d seconds.", seconds))
	return true
}

// answerTime is what the answer to a visitor may take once hashes were made.
const answerTime = 20 * time.Second

// compute runs f, which makes hashes, in its turn, and answers where that does not
// come. The time to answer begins anew after it: on a processor that is busy, who
// has set a password must still hear of it.
func (v *visit) compute(show func(code int, problem string), f func()) bool {
	passed := v.a.gate.pass(v.r.Context(), f)
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(answerTime)) // which only a real connection has
	if passed {
		return true
	}
	v.w.Header().Set("Retry-After", "10")
	show(http.StatusServiceUnavailable, "The station is busy with others who log in. Try again in ten seconds.")
	return false
}

func (v *visit) redirect(path string) { http.Redirect(v.w, v.r, path, http.StatusSeeOther) }

func (v *visit) refuse(code int, text string) { v.show(code, "refused", page{Error: text}) }

// show answers with a page.
func (v *visit) show(code int, name string, p page) {
	p.Token = v.token()
	if p.Token == "" && name != "refused" { // which has no form
		v.visitor = random()
		setCookie(v.w, cookieVisitor, v.visitor)
		p.Token = v.token()
	}
	v.a.draw(v.w, code, name, p)
}

func (a *Access) draw(w http.ResponseWriter, code int, name string, p page) {
	p.Style, p.Own, p.Icon, p.Name = web.StyleSheet(), a.style, web.Icon(), a.options.Name
	var b bytes.Buffer
	if err := a.template.ExecuteTemplate(&b, name, p); err != nil {
		a.options.Log.Error("cannot draw a page", "page", name, "error", err)
		http.Error(w, "The page could not be drawn; the station's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}
