package publish

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const words = "correct horse battery staple"

func saying(s string) Passphrase { return func(string, bool) (string, error) { return s, nil } }

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "keys")
	path := filepath.Join(dir, "root-1.key")
	if err := makeKey(path, saying(words), 10); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, path: 0o600, path + ".pub": 0o644} {
		if st, err := os.Stat(name); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	key, err := LoadKey(path, saying(words))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text, key.Seed()) || !strings.HasPrefix(string(text), "-----BEGIN AGE ENCRYPTED FILE-----\n") {
		t.Errorf("the file is not encrypted: %v", err)
	}
	public, err := LoadPublic(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := public.ToPublicKey(); err != nil || !key.Public().(ed25519.PublicKey).Equal(got) {
		t.Errorf("the public key is another one, %v", err)
	}

	if _, err := LoadKey(path, saying("something else entirely")); err == nil || !strings.Contains(err.Error(), "not its passphrase") {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := LoadKey(path, nil); err == nil || !strings.Contains(err.Error(), "nobody can be asked") {
		t.Errorf("no passphrase: %v", err)
	}
	if err := makeKey(path, saying(words), 10); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	// A call that was interrupted can be repeated.
	before, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".pub"); err != nil {
		t.Fatal(err)
	}
	if err := makeKey(path, saying(words), 10); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(path + ".pub"); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the public key is made anew as another one, %v", err)
	}
	// The private key of one that is known lies in a safe.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := makeKey(path, saying(words), 10); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a public key: %v", err)
	}
	if err := makeKey(filepath.Join(dir, "x"), saying("short"), 10); err == nil || exists(filepath.Join(dir, "x")) {
		t.Errorf("a short passphrase: %v", err)
	}
	refuse := errors.New("no")
	if err := makeKey(filepath.Join(dir, "x"), func(string, bool) (string, error) { return "", refuse }, 10); !errors.Is(err, refuse) || exists(filepath.Join(dir, "x")) {
		t.Errorf("no passphrase: %v", err)
	}
}

func TestPlainKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "online.key")
	if err := MakeKey(path, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path, nil); err != nil {
		t.Fatal(err)
	}
	// Whatever other files people name.
	for name, text := range map[string]string{
		"empty": "", "public": "-----BEGIN PUBLIC KEY-----\n", "garbage": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"long": strings.Repeat("x", maxKeyFile+1), "age": ageHead + "\nAAAA\n",
		// openssl genpkey -algorithm x25519
		"x25519": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHBs8yPp3wdHeIJOOXqXc/dC8pwd6ULr1jVQhZ3pY3Zr\n-----END PRIVATE KEY-----\n",
	} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(file, saying(words)); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s as a private key: %v", name, err)
		}
		if _, err := LoadPublic(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s as a public key: %v", name, err)
		}
	}
	if _, err := LoadPublic(path); err == nil || !strings.Contains(err.Error(), "KEY.pub") {
		t.Errorf("a private key as a public one: %v", err)
	}
}

// One person begins with all keys.
func TestBegin(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	r := &Repository{Dir: filepath.Join(t.TempDir(), "repository"), Now: day, Log: t.Logf}
	cutAfter(r, 3)
	if err := r.begin(t.Context(), keys, saying(words), true, 10); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	r.wrote = nil
	if err := r.begin(t.Context(), keys, saying(words), true, 10); err != nil {
		t.Fatal(err)
	}
	client(t, r.Dir, day)
	if files, err := os.ReadDir(keys); err != nil || len(files) != 14 {
		t.Errorf("%d files with keys, %v", len(files), err)
	}
	online, err := LoadKey(filepath.Join(keys, "online.key"), nil)
	if err != nil {
		t.Fatalf("the online key: %v", err)
	}
	if err := r.Timestamp(online); err != nil {
		t.Error(err)
	}
	if err := r.begin(t.Context(), keys, saying(words), true, 10); !errors.Is(err, ErrPublished) {
		t.Errorf("again: %v", err)
	}
}
