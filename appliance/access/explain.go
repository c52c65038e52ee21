package access

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
)

var nameShape = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// explain is the answer to who comes without TLS: what the browser will say of the
// station's certificate, what to do about it, and the way there. It sends nobody
// on by itself.
func (a *Access) explain(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		w.Header().Set("Connection", "close")
		http.Error(w, "This can only be sent over TLS: open the address with https:// in front.", http.StatusForbidden)
		return
	}
	at := a.options.Secure()
	if at == nil {
		a.draw(w, http.StatusServiceUnavailable, "refused", page{Error: "The station does not serve its page over TLS at the moment, and is not changed otherwise. Its log says why."})
		return
	}
	host, port := a.reached(r, at)
	link := "https://" + host
	if port != "443" {
		link += ":" + port
	}
	a.draw(w, http.StatusOK, "explain", page{Link: link + r.URL.Path, Host: host})
}

// reached is under what name or address, in brackets if it has colons, and at what
// port the visitor will reach the same page over TLS.
func (a *Access) reached(r *http.Request, at net.Addr) (host, port string) {
	host, port, _ = net.SplitHostPort(at.String()) // is what a listener gave
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
		// Everywhere, so where the visitor is already.
		host = hostname(r.Host)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil && !nameShape.MatchString(host) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if local == nil {
			return "localhost", port
		}
		host = hostname(local.String())
		ip, _ = netip.ParseAddr(host)
	}
	if ip.Is6() {
		host = "[" + ip.WithZone("").String() + "]"
	}
	return host, port
}
