package access

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/durable"
)

// TestWhoOwns: what was kept, the file that has it forgotten, and truechimer.toml,
// over the starts of one station.
func TestWhoOwns(t *testing.T) {
	dir, w := t.TempDir(), newWorld(t)
	one, two := cheap(t, "the first preset"), cheap(t, "the second preset")
	absent := func() ([]byte, error) { return nil, fs.ErrNotExist }
	unreadable := func() ([]byte, error) { return nil, errors.New("the card is gone") }
	file := func(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }
	set := func(s string) func(*Access) {
		return func(a *Access) {
			hash, _ := a.password()
			if err := a.replace(hash, cheap(t, s)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, c := range []struct {
		preset password.Hash
		reset  func() ([]byte, error)
		want   string // the password; empty: unclaimed
		then   func(*Access)
	}{
		{want: "", reset: absent},
		{want: "", reset: absent, then: set("by a visitor")},
		{want: "by a visitor", reset: absent},
		{want: "by a visitor", reset: unreadable},
		{want: "", reset: file("")},
		{want: "", reset: file(""), then: set("by another")},
		{want: "by another", reset: file("")}, // it was obeyed already
		{want: "by another", reset: unreadable},
		{want: "by another", reset: file("")},
		{want: "", reset: file("again"), then: set("by a third")},
		{want: "by a third", reset: absent},
		{want: "", reset: file("again"), then: set("by a fourth")}, // it was gone in between
		{want: "the first preset", preset: one, reset: absent},
		{want: "the first preset", preset: one, reset: absent, then: set("changed since")},
		{want: "changed since", preset: one, reset: absent},
		{want: "changed since", reset: absent}, // truechimer.toml does not say it any more
		{want: "changed since", preset: one, reset: absent},
		{want: "the second preset", preset: two, reset: absent, then: set("changed since")},
		{want: "the second preset", preset: two, reset: file("once more")},
		{want: "the second preset", reset: nil},
	} {
		o := w.options()
		o.Dir, o.Preset, o.Reset = dir, c.preset, c.reset
		a := open(t, o)
		hash, damaged := a.password()
		if damaged || (hash == "") != (c.want == "") || c.want != "" && !matches(hash, c.want) {
			t.Errorf("start %d: damaged %v, hash %q, want the password %q", i, damaged, hash, c.want)
		}
		if c.then != nil {
			c.then(a)
		}
	}
	info, err := os.Stat(filepath.Join(dir, OwnerName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestDamaged: nobody becomes the owner by a card that rots. There is a way back.
func TestDamaged(t *testing.T) {
	good, err := owner{Password: cheap(t, right).String()}.bytes()
	if err != nil {
		t.Fatal(err)
	}
	later := durable.Summed(ownerHead, []byte(`{"password":"","users":["a"]}`))
	for name, b := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)/2], "a bit": append([]byte{good[0] ^ 1}, good[1:]...), "zeros": make([]byte, 4096),
		"long": append(good, make([]byte, ownerMost)...), "no hash": durable.Summed(ownerHead, []byte(`{"password":"x"}`)), "of a later release": later,
	} {
		dir, w := t.TempDir(), newWorld(t)
		path := filepath.Join(dir, OwnerName)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		o := w.options()
		o.Dir, o.Code = dir, code
		a := open(t, o)
		v := visitorOf(t, a, near)
		for _, p := range []string{"/claim", "/login"} {
			if got := v.get(p); got.to != "/lost" {
				t.Errorf("%s, %s: %d to %q", name, p, got.code, got.to)
			}
		}
		if got := v.post("/lost", "/claim", "password", right); got.to != "/lost" || v.isIn() {
			t.Errorf("%s: claimed by who is near: %d", name, got.code)
		}
		if !strings.Contains(w.told["owner"], "damaged") {
			t.Errorf("%s: told %q", name, w.told)
		}
		if after, _ := os.ReadFile(path); string(after) != string(b) {
			t.Errorf("%s: the file was written", name)
		}
		if name != "cut" { // each would cost a hash
			continue
		}
		if got := v.post("/lost", "/lost", "password", right, "code", code); got.code != 303 || !v.isIn() || w.told["owner"] != "" {
			t.Errorf("%s: with the code: %d, %q", name, got.code, w.told)
		}
		// By the file, and by a hash in truechimer.toml.
		os.WriteFile(path, b, 0o600)
		o.Reset = func() ([]byte, error) { return nil, nil }
		if hash, damaged := open(t, o).password(); hash != "" || damaged {
			t.Errorf("by the file: %q, %v", hash, damaged)
		}
		os.WriteFile(path, b, 0o600)
		o.Reset, o.Preset = nil, cheap(t, right)
		if hash, damaged := open(t, o).password(); hash != o.Preset.String() || damaged {
			t.Errorf("by truechimer.toml: %q, %v", hash, damaged)
		}
	}
}

// TestCut: wherever the power fails while the password is set, the station has the
// old one or the new one, and never none.
func TestCut(t *testing.T) {
	o := newWorld(t).options()
	before, _ := owner{Password: cheap(t, "the old one").String()}.bytes()
	after, _ := owner{Password: cheap(t, "the new one").String()}.bytes()
	for _, was := range [][]byte{nil, before} {
		for n := -1; n <= len(after)+1; n++ {
			dir := t.TempDir()
			o.Dir = dir
			path := filepath.Join(dir, OwnerName)
			want := "the old one"
			if was != nil {
				os.WriteFile(path, was, 0o600)
			}
			switch {
			case n > len(after): // renamed
				os.WriteFile(path, after, 0o600)
				want = "the new one"
			case n >= 0: // written so far, beside it
				os.WriteFile(path+".new", after[:n], 0o600)
			}
			hash, damaged := open(t, o).password()
			if was == nil && want == "the old one" {
				if hash != "" || damaged {
					t.Fatalf("after %d bytes: %q, %v", n, hash, damaged)
				}
			} else if damaged || !matches(hash, want) {
				t.Fatalf("after %d bytes: %q, %v, want %s", n, hash, damaged, want)
			}
		}
	}
}

// FuzzOwner: a file that may hold anything makes nobody the owner by accident.
func FuzzOwner(f *testing.F) {
	good, _ := owner{Password: cheap(f, right).String()}.bytes()
	f.Add(good)
	f.Add(durable.Summed(ownerHead, []byte(`{}`)))
	f.Add(durable.Summed(ownerHead, []byte(`{"password":"$argon2id$v=19$m=4294967295,t=1,p=1$"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, durable.Summed(ownerHead, b)} {
			o, err := parseOwner(b)
			if err != nil && o != (owner{}) {
				t.Errorf("%+v came with %v", o, err)
			}
			if o.Password != "" {
				if _, err := password.Parse(o.Password); err != nil {
					t.Errorf("%q was taken", o.Password)
				}
			}
		}
	})
}
