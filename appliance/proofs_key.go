package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/monitor/proof"
)

const (
	proofKeyName = "proof-key"
	proofKeyHead = "truechimer proof key 1"
	proofKeyMost = 512  // bytes
	proofKeyRead = 4096 // bytes; what is longer than proofKeyMost is damaged
)

// proofKey is what the station signs its proofs with. It is made when it is first
// needed and says nothing else but who signed: nothing depends on its being
// secret but that. It belongs to one identity; a card in another board makes
// another one.
type proofKey struct {
	path    string // empty: it is for this run alone
	station string
	notes   *notes

	mu   sync.Mutex
	key  ed25519.PrivateKey // nil until it was needed or read
	kept bool
}

// proofSeed is the file's content.
type proofSeed struct {
	Station string `json:"station"`
	Seed    string `json:"seed"` // RFC 8032's private key, hexadecimal
}

// public is the public half; ok is false while there is none.
func (k *proofKey) public() (key proof.Key, kept, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		return key, false, false
	}
	return proof.KeyOf(k.key), k.kept, true
}

// private is the key, made if need be, and whether the next run has the same.
func (k *proofKey) private() (ed25519.PrivateKey, bool) {
	err := k.load()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, k.kept
	}
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails: it ends the process instead
	k.key = ed25519.NewKeyFromSeed(seed)
	// A file that could not be read may hold a good key.
	if err == nil && k.path != "" {
		err = k.write(seed)
		k.kept = err == nil
	}
	text := ""
	if err != nil {
		text = fmt.Sprintf("it cannot be kept, so there is one for this run alone: %v", err)
	}
	k.notes.say(slog.LevelWarn, "the key that proofs are signed with", text)
	return k.key, k.kept
}

// load reads the key, if there is one for this identity. The error says that the
// card could not be read.
func (k *proofKey) load() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil || k.path == "" {
		return nil
	}
	b, err := readAtMost(k.path, proofKeyRead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	seed, err := parseProofKey(b, k.station)
	if err != nil {
		k.notes.say(slog.LevelWarn, "the key that proofs were signed with", fmt.Sprintf("cannot be used any more: %v", err))
		return nil
	}
	k.key, k.kept = ed25519.NewKeyFromSeed(seed), true
	return nil
}

func (k *proofKey) write(seed []byte) error {
	body, err := json.Marshal(proofSeed{k.station, hex.EncodeToString(seed)})
	if err == nil {
		err = os.MkdirAll(filepath.Dir(k.path), 0o700)
	}
	if err == nil {
		err = durable.WriteFile(k.path, durable.Summed(proofKeyHead, body))
	}
	return err
}

// parseProofKey reads a file that may hold anything. Its errors tell nothing of
// the key.
func parseProofKey(b []byte, station string) (seed []byte, err error) {
	body, err := durable.Unsummed(proofKeyHead, b, proofKeyMost)
	if err != nil {
		return nil, err
	}
	var s proofSeed
	if json.Unmarshal(body, &s) != nil {
		return nil, errors.New("it is damaged")
	}
	if s.Station != station {
		return nil, fmt.Errorf("it is station %.64q's", s.Station)
	}
	if seed, err = hex.DecodeString(s.Seed); err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("it is damaged")
	}
	return seed, nil
}
