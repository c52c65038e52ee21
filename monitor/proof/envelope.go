package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Key is an Ed25519 public key, in 64 lower-case hexadecimal digits.
type Key [ed25519.PublicKeySize]byte

// KeyOf is the public half.
func KeyOf(private ed25519.PrivateKey) Key { return Key(private.Public().(ed25519.PublicKey)) }

// ParseKey reads what String writes.
func ParseKey(s string) (k Key, err error) {
	err = k.UnmarshalText([]byte(s))
	return k, err
}

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(b []byte) error { return unhex(k[:], b) }

type signature [ed25519.SignatureSize]byte

func (s signature) MarshalText() ([]byte, error)  { return hex.AppendEncode(nil, s[:]), nil }
func (s *signature) UnmarshalText(b []byte) error { return unhex(s[:], b) }

// seal is the last line of a file.
type seal struct {
	Key       Key       `json:"key"`
	Signature signature `json:"signature"`
}

// sealSize is the length of that line, which is always the same.
const sealSize = len(`{"key":"","signature":""}`+"\n") + 2*ed25519.PublicKeySize + 2*ed25519.SignatureSize

// Sign writes the file. The statement must name the key's public half.
func Sign(s *Statement, private ed25519.PrivateKey) ([]byte, error) {
	if s.Station.Key != KeyOf(private) {
		return nil, errors.New("proof: the statement names another key than it is signed with")
	}
	b, err := s.encode()
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if _, err := parse(b); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	last, err := json.Marshal(seal{Key: s.Station.Key, Signature: signature(ed25519.Sign(private, b))})
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	b = append(append(b, last...), '\n')
	if len(b) > MaxSize {
		return nil, fmt.Errorf("proof: %d bytes, %d are allowed", len(b), MaxSize)
	}
	return b, nil
}

// Open reads a file that may hold anything: the statement is as it was signed by
// the key that it names. Whether to believe that key is for the reader to say.
func Open(file []byte) (*Statement, error) {
	if len(file) > MaxSize {
		return nil, fmt.Errorf("more than %d bytes", MaxSize)
	}
	if len(file) < sealSize || bytes.LastIndexByte(file[:len(file)-1], '\n') != len(file)-sealSize-1 {
		return nil, errors.New("it does not end with the line of a signature: it is no proof, or not all of one")
	}
	said, last := file[:len(file)-sealSize], file[len(file)-sealSize:]
	var e seal
	if err := json.Unmarshal(last, &e); err != nil {
		return nil, fmt.Errorf("the signature: %w", err)
	}
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(append(again, '\n'), last) {
		return nil, errors.New("the signature is not written as this version of the format is")
	}
	if !ed25519.Verify(e.Key[:], said, e.Signature[:]) {
		return nil, fmt.Errorf("the signature does not hold for key %s: the file is not what was signed", e.Key)
	}
	s, err := parse(said)
	if err != nil {
		return nil, err
	}
	if s.Station.Key != e.Key {
		return nil, fmt.Errorf("it is signed with key %s and says that it were %s", e.Key, s.Station.Key)
	}
	return s, nil
}
