package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// Address is where a file of the page is served. It changes with the content, so
// a browser may keep it for good and an update shows at once.
func Address(file string, content []byte) string {
	sum := sha256.Sum256(content)
	return "/assets/" + hex.EncodeToString(sum[:6]) + "/" + file
}

// Asset serves such a file.
func Asset(content []byte, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(content)
	}
}

// StyleSheet and Icon are the addresses of the page's own, for other pages of the
// station.
func StyleSheet() string { return embedded("page.css") }
func Icon() string       { return embedded("icon.svg") }

func embedded(file string) string {
	content, _ := assets.ReadFile("assets/" + file) // newPage fails where it is not there
	return Address(file, content)
}

// policy lets a page have its own style sheet and icon and nothing else; pagePolicy,
// that of the page itself, scripts of the station's as well.
const (
	policy     = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	pagePolicy = "script-src 'self'; connect-src 'self'; " + policy
)

// Protect sets the headers of every answer of the station: no page of others may
// show it in a frame or read it, and it needs nothing of theirs. Without TLS browsers
// take no notice of Cross-Origin-Opener-Policy but to complain of it.
func Protect(h http.Header, r *http.Request) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
}

// ProtectForms is Protect for a page whose forms go to the station itself. Without
// a referrer browsers would not say either where a form comes from.
func ProtectForms(h http.Header, r *http.Request) {
	Protect(h, r)
	h.Set("Content-Security-Policy", strings.Replace(policy, "form-action 'none'", "form-action 'self'", 1))
	h.Set("Referrer-Policy", "same-origin")
}
