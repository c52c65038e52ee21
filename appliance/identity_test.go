package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/image/bootfs"
)

// someone is a station with an identity, which a board's serial number goes with, and
// with keys.
func someone(t *testing.T, id, serial string) *station {
	t.Helper()
	p := updatable(t, &platform{station: true, id: id, perm: t.TempDir(), build: oldestDate, secure: "127.0.0.1:0", name: "truechimer-" + id[28:]})
	d, err := openFile(p.state, true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := bootfs.OpenState(d).StoreIdentity(bootfs.Identity{ID: id, BoardSerial: serial}); err != nil {
		t.Fatal(err)
	}
	s := testStation(t, p, stopped{})
	s.updater = newUpdater(s, machine{open: openFile})
	s.proofs.key.private()
	synctest.Test(t, func(t *testing.T) {
		if _, err := s.server(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := s.access.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// is is who a station is, by its card.
func (s *station) is(t *testing.T) (id bootfs.Identity, certificate, key string) {
	t.Helper()
	d, err := openFile(s.platform.state, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if id, err = bootfs.OpenState(d).LoadIdentity(); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]*string{access.CertificateName: &certificate, proofKeyName: &key} {
		b, err := os.ReadFile(filepath.Join(s.platform.perm, name))
		if err != nil {
			t.Fatal(err)
		}
		*to = string(b)
	}
	return id, certificate, key
}

// TestIdentity: a card takes the place of another one, on a board of its own, with the
// next start of the machine.
func TestIdentity(t *testing.T) {
	one := someone(t, strings.Repeat("0a", 16), "board one")
	two := someone(t, strings.Repeat("0b", 16), "board two")
	backup := changed{one}.Identity()
	wantID, wantCertificate, wantKey := one.is(t)
	wantID.BoardSerial = "board two"

	before, certificate, key := two.is(t)
	var good whole
	if err := json.Unmarshal(backup, &good); err != nil {
		t.Fatal(err)
	}
	spoil := func(how func(*whole)) []byte {
		w := good
		how(&w)
		b, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, b := range map[string][]byte{
		"nothing": nil, "noise": []byte("noise"), "no id": spoil(func(w *whole) { w.ID = "" }),
		"another's key":         spoil(func(w *whole) { w.ID = strings.Repeat("0c", 16) }),
		"upper case":            spoil(func(w *whole) { w.ID, w.ProofKey = strings.Repeat("0A", 16), nil }),
		"a damaged key":         spoil(func(w *whole) { w.ProofKey = w.ProofKey[:20] }),
		"a damaged certificate": spoil(func(w *whole) { w.Certificate = w.Certificate[:200] }),
	} {
		if err := (changed{two}).SetIdentity(b); err == nil || !strings.Contains(err.Error(), "cannot be made out of this backup") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if id, c, k := two.is(t); id != before || c != certificate || k != key || two.becomes.Load() {
		t.Errorf("what is damaged left %+v", id)
	}
	if err := (changed{two}).SetIdentity(backup); err != nil {
		t.Fatal(err)
	}
	if id, c, k := two.is(t); id != wantID || c != wantCertificate || k != wantKey {
		t.Errorf("it is %+v, want %+v; certificate %t, key %t", id, wantID, c == wantCertificate, k == wantKey)
	}
	synctest.Test(t, func(t *testing.T) {
		restarts := 0
		two.updater.machine.restart = func(argument string) error { restarts++; return nil }
		if err := (changed{two}).Restart(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if restarts != 1 || len(two.anew) != 0 {
			t.Errorf("the machine was restarted %d times, the program %d", restarts, len(two.anew))
		}
	})
	// Keys that the other one never had are not kept from this one.
	if err := (changed{two}).SetIdentity(spoil(func(w *whole) { w.ProofKey = nil })); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(two.platform.perm, proofKeyName)); err == nil {
		t.Error("a key of before is left")
	}
	// A program on a computer has none.
	if c := (changed{testStation(t, &platform{settings: t.TempDir(), build: oldestDate}, stopped{})}); c.Identity() != nil || c.SetIdentity(backup) == nil {
		t.Error("a program is a station")
	}
}
