package access

import (
	"errors"
	"net"
	"testing"

	"github.com/truechimer/truechimer/appliance/access/password"
)

// TestClaimed: a station has an owner once there is a password, and also where nobody
// can read whose.
func TestClaimed(t *testing.T) {
	o := Options{Interfaces: func() ([]net.Addr, error) { return nil, errors.New("none") }, Secure: func() net.Addr { return nil }}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if a.Claimed() {
		t.Error("nobody has claimed it")
	}
	a.damaged = true
	if !a.Claimed() {
		t.Error("who owns it cannot be read")
	}
	o.Preset = password.New("correct horse battery")
	if a, err = New(o); err != nil || !a.Claimed() {
		t.Errorf("its password is in truechimer.toml: %v", err)
	}
}
