package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestManage: the page says where its owner begins, if anywhere.
func TestManage(t *testing.T) {
	for manage, want := range map[string]int{"": 0, "/account": 1} {
		page := body(t, fetch(handler(t, Options{Source: fixed{status: wellStation()}, Manage: manage}), "GET", "/"))
		if n := strings.Count(page, `<a href="/account">Manage this station</a>`); n != want {
			t.Errorf("%q: %d links", manage, n)
		}
	}
}

// TestSharedAssets: what other pages of the station use is served.
func TestSharedAssets(t *testing.T) {
	h := handler(t, Options{Source: fixed{status: wellStation()}})
	for _, address := range []string{StyleSheet(), Icon()} {
		if r := fetch(h, "GET", address); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", address, r.StatusCode)
		}
	}
}

// TestProtect: a page without forms sends none.
func TestProtect(t *testing.T) {
	plain, forms := http.Header{}, http.Header{}
	r := httptest.NewRequest("GET", "https://station/", nil) // which has TLS
	Protect(plain, r)
	ProtectForms(forms, r)
	for name := range plain {
		switch same := plain.Get(name) == forms.Get(name); name {
		case "Content-Security-Policy":
			if !strings.Contains(plain.Get(name), "form-action 'none'") || strings.Replace(plain.Get(name), "form-action 'none'", "form-action 'self'", 1) != forms.Get(name) {
				t.Errorf("%s, with forms %s", plain.Get(name), forms.Get(name))
			}
		case "Referrer-Policy":
			if plain.Get(name) != "no-referrer" || forms.Get(name) != "same-origin" {
				t.Errorf("%s, with forms %s", plain.Get(name), forms.Get(name))
			}
		default:
			if !same {
				t.Errorf("%s: %q, with forms %q", name, plain.Get(name), forms.Get(name))
			}
		}
	}
}
