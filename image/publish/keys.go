package publish

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// A private key is an Ed25519 key as PKCS #8 (RFC 8410) in PEM, and that in the
// age format, encrypted with a passphrase (C2SP, age-encryption.org/v1), so that
// other people's programs can read it: age -d KEY | openssl pkey. The public
// key lies beside it, as PEM.
const (
	publicSuffix = ".pub"
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
	ageHead      = armor.Header
	maxKeyFile   = 16 << 10 // bytes
)

// Passphrase asks for what opens a key file. where names the file; fresh says
// that it is about to be made, so that a person has to write it twice.
type Passphrase func(where string, fresh bool) (string, error)

// minPassphrase is how many bytes a new passphrase must have.
const minPassphrase = 12

// workFactor is scrypt's for new key files: about a second on a PC, and what
// the age program takes.
const workFactor = 18

// MakeKey makes a key pair: path, which nobody but the owner can read, and
// path.pub. Neither is ever overwritten, that is fs.ErrExist; but a public key
// that is missing is made from the private one. Where ask is nil the key is not
// encrypted: only for one that a program has to use by itself.
func MakeKey(path string, ask Passphrase) error { return makeKey(path, ask, workFactor) }

func makeKey(path string, ask Passphrase, factor int) error {
	have, havePublic := exists(path), exists(path+publicSuffix)
	switch {
	case have && !havePublic:
		private, err := LoadKey(path, ask)
		if err != nil {
			return err
		}
		return writePublic(path+publicSuffix, private.Public().(ed25519.PublicKey))
	case have:
		return fmt.Errorf("%s: %w; a key is never overwritten", path, fs.ErrExist)
	case havePublic:
		return fmt.Errorf("%s%s: %w without its private key, which somebody has moved away; take another name", path, publicSuffix, fs.ErrExist)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der})
	if ask != nil {
		if text, err = encrypt(text, path, ask, factor); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := writeFile(path, text, 0o600); err != nil {
		return err
	}
	return writePublic(path+publicSuffix, public)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func writePublic(path string, key ed25519.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), 0o644)
}

func encrypt(text []byte, path string, ask Passphrase, factor int) ([]byte, error) {
	words, err := ask(path, true)
	if err != nil {
		return nil, err
	}
	if len(words) < minPassphrase {
		return nil, fmt.Errorf("%s: the passphrase has %d characters; take at least %d, such as four words", path, len(words), minPassphrase)
	}
	to, err := age.NewScryptRecipient(words)
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(factor)
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// LoadKey reads a private key. ask is called only where it is encrypted.
func LoadKey(path string, ask Passphrase) (ed25519.PrivateKey, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(text), ageHead) {
		if text, err = decrypt(text, path, ask); err != nil {
			return nil, err
		}
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != privateBlock {
		return nil, fmt.Errorf("%s is no private key: one begins with %q, or with %q where it is encrypted", path, "-----BEGIN "+privateBlock+"-----", ageHead)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is a key of another kind: Ed25519 is expected; make one with publish key", path)
	}
	return private, nil
}

func decrypt(text []byte, path string, ask Passphrase) ([]byte, error) {
	if ask == nil {
		return nil, fmt.Errorf("%s is encrypted, and nobody can be asked for its passphrase", path)
	}
	words, err := ask(path, false)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(words)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(text)), id)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("%s: this is not its passphrase, or the file is damaged: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: take a copy of it: %w", path, err)
	}
	return out, nil
}

// LoadPublic reads a public key as TUF tells it.
func LoadPublic(path string) (*metadata.Key, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != publicBlock {
		return nil, fmt.Errorf("%s is no public key: one begins with %q and is called KEY%s", path, "-----BEGIN "+publicBlock+"-----", publicSuffix)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, ok := key.(ed25519.PublicKey); !ok {
		return nil, fmt.Errorf("%s is a key of another kind: Ed25519 is expected", path)
	}
	return metadata.KeyFromPublicKey(key)
}
