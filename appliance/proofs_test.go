package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/web"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
	"github.com/truechimer/truechimer/monitor/proof"
)

// packets makes up what was on the wire in an exchange that is there, and tells
// T2 as finely as a packet can.
func packets(x *monitor.Exchange) {
	var w monitor.Wire
	w.Request[0] = 4<<3 | 3
	rand.Read(w.Request[40:])
	w.Reply[0], w.Reply[1] = 4<<3|4, x.Stratum
	copy(w.Reply[24:], w.Request[40:])
	stamp := uint64(uint32(x.T2/1e9+2208988800))<<32 | uint64(x.T2%1e9)<<32/1e9
	binary.BigEndian.PutUint64(w.Reply[32:], stamp)
	binary.BigEndian.PutUint64(w.Reply[40:], stamp)
	if err := probe.Reread(x, w); err != nil {
		panic(err)
	}
}

// pageOf asks the station's page.
func pageOf(t *testing.T, s *station, path string) (int, []byte) {
	t.Helper()
	server, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	server.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.Bytes()
}

// TestProofs lives two hours of a station that meets a server which is off: it
// says why in a file, once an hour, with a key that the next start has, too.
func TestProofs(t *testing.T) {
	perm := t.TempDir()
	p := updatable(t, &platform{station: true, id: "7f3a9c0e5b1d48f2", perm: perm, bootDevice: card(t, []byte(dayFile))})
	var first web.ProofList
	life := func(hours int, atEnd func(*station)) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{hostless: true})
			w.wrong = func(server string) time.Duration {
				if server == "198.51.100.1" {
					return 80 * time.Millisecond
				}
				return 0
			}
			w.atEnd = atEnd
			live(t, w, p, time.Duration(hours)*time.Hour)
		})
	}
	life(2, func(s *station) {
		code, b := pageOf(t, s, "/api/v1/proofs")
		if err := json.Unmarshal(b, &first); err != nil || code != 200 {
			t.Fatalf("%d, %v: %s", code, err, b)
		}
		if len(first.Proofs) != 2 || first.Key == nil || !first.KeyKept {
			t.Fatalf("%s", b)
		}
		for i, one := range first.Proofs {
			code, file := pageOf(t, s, one.URL)
			said, err := proof.Open(file)
			if err != nil || code != 200 || len(file) != one.Size || one.Name != "198.51.100.1" {
				t.Fatalf("%+v: %d, %v", one, code, err)
			}
			f := proof.Judge(said)
			if !f.Proven || said.Station.ID != p.id || said.Station.Key.String() != *first.Key || !said.Station.KeyKept ||
				said.Server.Address != netip.MustParseAddrPort("198.51.100.1:123") || f.Reason != said.Reason {
				t.Errorf("%+v of %+v", f, said)
			}
			// The newest comes first, and there is but one an hour.
			if i > 0 && first.Proofs[i-1].Time.Sub(one.Time) < time.Hour {
				t.Errorf("%s after %s", first.Proofs[i-1].Time, one.Time)
			}
			if info, err := os.Stat(filepath.Join(perm, proofsName, one.ID+".json")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		}
		_, page := pageOf(t, s, web.DetailsPath)
		if link := `href="` + first.Proofs[0].URL + `"`; bytes.Count(page, []byte(web.ProofsPath+"/")) != 1 || !bytes.Contains(page, []byte(link)) {
			t.Errorf("the page has no link to %s, or others", first.Proofs[0].URL)
		}
		for _, path := range []string{"/api/v1/proofs/", "/api/v1/proofs/..%2f..%2fclock", "/api/v1/proofs/20260101T000000Z-0123456789abcdef"} {
			if code, b := pageOf(t, s, path); code != 404 {
				t.Errorf("%s: %d, %s", path, code, b)
			}
		}
	})
	key, err := os.ReadFile(filepath.Join(perm, proofKeyName))
	if err != nil {
		t.Fatal(err)
	}
	// It begins at the same time, so that the hour of the first proof is not over.
	life(1, func(s *station) {
		if l := s.proofs.List(); len(l.Proofs) != 2 || *l.Key != *first.Key || !l.KeyKept || l.Proofs[0].ID != first.Proofs[0].ID {
			t.Errorf("after a new start: %+v", l)
		}
	})
	if again, err := os.ReadFile(filepath.Join(perm, proofKeyName)); err != nil || !bytes.Equal(again, key) {
		t.Errorf("another key: %v", err)
	}
	if info, err := os.Stat(filepath.Join(perm, proofKeyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// convicted is what makes a proof of a server at an hour.
func convicted(name string, hour int) unsigned {
	target := monitor.Target{
		ID: name, Addr: netip.MustParseAddrPort("192.0.2.1:123"),
		Server: monitor.Server{Name: name, Host: "192.0.2.1", Limit: 0.025},
	}
	u := unsigned{target: target, reason: "80 ms ahead"}
	for i := range 3 {
		at := epoch.UnixNano() + int64(time.Duration(hour)*time.Hour+time.Duration(i)*time.Minute)
		x := monitor.Exchange{
			Outcome: monitor.OutcomeOK, Stratum: 1, Kernel: true, T1: at - 1e6, T2: at + 80e6, T4: at + 1e6, Mono: at - epoch.UnixNano() + 1e12,
		}
		x.Diff = at - x.Mono
		packets(&x)
		u.list = append(u.list, proof.Evidence{Source: "gps+pps", State: "locked", Evidence: monitor.Evidence{
			Exchange: x, First: i == 0,
			Reading: monitor.Reading{True: at, Known: true, Usable: true, Final: true, Bound: 1e-5, Uncertainty: 1e-6},
		}})
	}
	return u
}

// put hands the evidence over as the monitor does.
func (u *unsigned) put(p *proofs) {
	for i, e := range u.list {
		verdict := monitor.Doubtful
		if i == len(u.list)-1 {
			verdict = monitor.Off
		}
		p.put(e.Exchange, monitor.Result{Target: u.target, Verdict: verdict, Reason: u.reason, Evidence: &e.Evidence})
	}
}

func TestProofsAreBounded(t *testing.T) {
	for _, perm := range []string{t.TempDir(), ""} {
		p := testStation(t, &platform{id: "a", perm: perm}, stopped{}).proofs
		for n := range proofsMost + 7 {
			if err := p.make(convicted("a", n)); err != nil {
				t.Fatal(err)
			}
		}
		l := p.List()
		if len(l.Proofs) != proofsMost || l.Proofs[0].Time.Before(l.Proofs[1].Time) || l.KeyKept != (perm != "") {
			t.Errorf("%d proofs, %+v", len(l.Proofs), l.Proofs[0])
		}
		oldest := l.Proofs[proofsMost-1]
		if want := epoch.Add(7*time.Hour + 2*time.Minute); !oldest.Time.Equal(want) {
			t.Errorf("the oldest is of %s, not %s", oldest.Time, want)
		}
		if b, err := p.File(oldest.ID); err != nil || len(b) != oldest.Size {
			t.Errorf("%d bytes, %v", len(b), err)
		} else if s, err := proof.Open(b); err != nil || s.Station.KeyKept != (perm != "") {
			t.Errorf("%+v, %v", s, err)
		}
		if perm == "" {
			continue
		}
		// What else lies there: one that cannot be read, which is dropped when it is
		// the oldest, and what is none of ours.
		dir := filepath.Join(perm, proofsName)
		for _, name := range []string{"20200101T000000Z-0123456789abcdef.json", "20990101T000000Z-0123456789abcdef.json", "notes.txt", "x.json.new"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		again := testStation(t, &platform{id: "a", perm: perm}, stopped{}).proofs
		if err := again.load(); err != nil {
			t.Fatal(err)
		}
		l = again.List()
		if len(l.Proofs) != proofsMost || l.Proofs[0].ID != "20990101T000000Z-0123456789abcdef" || l.Proofs[0].Name != "" || l.Proofs[1].Name != "a" {
			t.Errorf("%d proofs, %+v", len(l.Proofs), l.Proofs[:2])
		}
		if names, err := os.ReadDir(dir); err != nil || len(names) != proofsMost+2 {
			t.Errorf("%d files, %v", len(names), err)
		}
		// By their bytes, too.
		again.list[0].Size = proofsBytes
		if err := again.makeRoom(0); err != nil || len(again.list) != proofsMost-1 {
			t.Errorf("%d proofs, %v", len(again.list), err)
		}
	}
}

// TestProofsAreSeldom: one an hour of each server, and no more in an hour than are
// kept.
func TestProofsAreSeldom(t *testing.T) {
	p := testStation(t, &platform{id: "a"}, stopped{}).proofs
	made := func() (n int) {
		for {
			select {
			case <-p.todo:
				n++
			default:
				return n
			}
		}
	}
	for _, hour := range []int{0, 0, 2, 2, 4} {
		u := convicted("a", hour)
		u.put(p)
	}
	if n := made(); n != 3 {
		t.Errorf("%d proofs in three hours of five", n)
	}
	n := 0
	for i := range 2 * proofsMost {
		u := convicted(fmt.Sprint("server ", i), 7)
		u.put(p)
		n += made()
	}
	if n != proofsMost {
		t.Errorf("%d proofs in an hour", n)
	}
	// Nobody waits for a card that is slow.
	for i := range proofsMost {
		u := convicted(fmt.Sprint("server ", i), 9)
		u.put(p)
	}
	if n := made(); n != proofsWaiting {
		t.Errorf("%d proofs wait", n)
	}
}

func TestProofKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "card", proofKeyName)
	key := func(station string) (string, bool) {
		k := &proofKey{path: path, station: station, notes: testStation(t, &platform{}, stopped{}).notes}
		private, kept := k.private()
		if again, _ := k.private(); !again.Equal(private) {
			t.Error("the key changes")
		}
		if public, _, ok := k.public(); !ok || public != proof.KeyOf(private) {
			t.Error("two halves of different keys")
		}
		return proof.KeyOf(private).String(), kept
	}
	one, kept := key("a")
	if !kept {
		t.Error("the key is not kept")
	}
	if again, kept := key("a"); again != one || !kept {
		t.Error("the key is not the same after a new start")
	}
	// The card is in another board now.
	two, kept := key("b")
	if two == one || !kept {
		t.Error("two stations have the same key")
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		if _, err := parseProofKey(good[:i], "b"); err == nil && i < len(good)-1 {
			t.Errorf("%d bytes of it are taken", i)
		}
		bad := bytes.Clone(good)
		bad[i] ^= 4
		if _, err := parseProofKey(bad, "b"); err == nil {
			t.Errorf("damaged at %d, it is taken", i)
		}
	}
	for _, damaged := range [][]byte{good[:40], bytes.Repeat(good, 3)} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if three, kept := key("b"); three == two || !kept {
			t.Error("a damaged key is used, or there is none after it")
		}
	}
	// One that cannot be read may be good: it stays.
	if err := errors.Join(os.Remove(path), os.Symlink(path, path)); err != nil {
		t.Fatal(err)
	}
	if _, kept := key("b"); kept {
		t.Error("a key is kept where there may be another one")
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%v, %v", info, err)
	}
	// Nor is there one where nothing can be written.
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, kept := key("b"); kept {
		t.Error("a key is kept where nothing can be")
	}
}

// TestProofsOnABadCard: what cannot be written is told and stops nothing.
func TestProofsOnABadCard(t *testing.T) {
	s := testStation(t, &platform{id: "a", perm: "/proc/truechimer"}, stopped{})
	if err := s.proofs.load(); err != nil {
		t.Error(err)
	}
	if err := s.proofs.make(convicted("a", 1)); err == nil || len(s.proofs.List().Proofs) != 0 {
		t.Errorf("%v, %+v", err, s.proofs.List())
	}
	if _, err := s.proofs.File("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// The reference was not what the monitor took it for.
	u := convicted("a", 1)
	u.list[1].State = "suspect"
	memory := testStation(t, &platform{id: "a"}, stopped{}).proofs
	if err := memory.make(u); err == nil || !strings.Contains(err.Error(), "suspect") || len(memory.List().Proofs) != 0 {
		t.Error(err)
	}
	// A person's hand, or a failing card: a file that is listed and gone.
	perm := t.TempDir()
	p := testStation(t, &platform{id: "a", perm: perm}, stopped{}).proofs
	if err := p.make(convicted("a", 1)); err != nil {
		t.Fatal(err)
	}
	id := p.List().Proofs[0].ID
	if err := os.Remove(p.path(id)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.File(id); err == nil || !strings.Contains(err.Error(), id) {
		t.Error(err)
	}
}
