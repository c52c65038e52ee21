package access

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRestore: the password of a backup takes the one in force, as often as a log-in
// may be tried, and ends all sessions.
func TestRestore(t *testing.T) {
	a := claimed(t)
	v := visitorOf(t, a, near)
	v.login(right)
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr = near
	other := cheap(t, "another few words").String()
	for hash, current := range map[string]string{other: "wrong words here", "": right, "$argon2id$v=19$m=99999999,t=9,p=1$c29tZXNhbHQ$AAAA": right} {
		if err := a.Restore(r, current, hash); err == nil || a.PasswordHash() == hash {
			t.Errorf("%q with %q: %v", hash, current, err)
		}
	}
	if !v.isIn() {
		t.Error("the session ended")
	}
	if err := a.Restore(r, right, other); err != nil || a.PasswordHash() != other || v.isIn() {
		t.Errorf("%v, in %v", err, v.isIn())
	}
	if got := v.login("another few words"); got.code != 303 {
		t.Errorf("%d", got.code)
	}
	var err error
	for range hostTries + 1 {
		err = a.Restore(r, right, other)
	}
	if err == nil || !strings.Contains(err.Error(), "too many tries") {
		t.Error(err)
	}
}
