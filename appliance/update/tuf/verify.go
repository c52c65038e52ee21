package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// errEqual says that a timestamp is of the version that is already trusted.
var errEqual = errors.New("the version is the same")

// step runs one step of go-tuf on a file, and says in our words how it failed.
// Wrong is what it means that go-tuf does not like a version.
//
// go-tuf looks into maps without asking whether the entry is there, and the
// standard library's ed25519 panics on a key of the wrong length. What of this
// shape does not refuse ends here.
func step(role string, b []byte, wrong error, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %w: %v", role, ErrFormat, r)
		}
	}()
	if err := checkShape(b); err != nil {
		return fmt.Errorf("%s: %w: %w", role, ErrFormat, err)
	}
	if err = f(); err == nil {
		return nil
	}
	for _, known := range []struct{ theirs, ours error }{
		{&metadata.ErrEqualVersionNumber{}, errEqual},
		{&metadata.ErrBadVersionNumber{}, wrong},
		{&metadata.ErrExpiredMetadata{}, ErrExpired},
		{&metadata.ErrUnsignedMetadata{}, ErrSignature},
		{&metadata.ErrLengthOrHashMismatch{}, ErrMismatch},
		{&metadata.ErrRepository{}, wrong}, // any other: a role is missing in a snapshot
	} {
		if errors.Is(err, known.theirs) {
			return fmt.Errorf("%s: %w (%w)", role, known.ours, err)
		}
	}
	return fmt.Errorf("%s: %w: %w", role, ErrFormat, err)
}

// entries is a JSON object of objects.
type entries map[string]json.RawMessage

// shape is what go-tuf relies on.
type shape struct {
	Signatures []json.RawMessage `json:"signatures"`
	Signed     struct {
		Type        string  `json:"_type"`
		SpecVersion string  `json:"spec_version"`
		Version     int64   `json:"version"`
		Keys        entries `json:"keys"`
		Roles       entries `json:"roles"`
		Meta        entries `json:"meta"`
		Targets     entries `json:"targets"`
		Delegations struct {
			Keys entries `json:"keys"`
		} `json:"delegations"`
	} `json:"signed"`
}

// maxSignatures bounds what is compared with each other, maxValues what is
// made of a file in memory: a small value takes a hundred times its bytes.
const (
	maxSignatures = 64
	maxValues     = 8192
)

// required are the entries that a kind of metadata has to have.
var required = map[string]struct{ roles, meta []string }{
	metadata.ROOT:      {roles: []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS}},
	metadata.TIMESTAMP: {meta: []string{snapshotFile}},
	metadata.SNAPSHOT:  {meta: []string{targetsFile}},
	metadata.TARGETS:   {},
}

// checkShape refuses metadata of another version of the specification, and
// those that lack what a step looks for.
func checkShape(b []byte) error {
	if n := bytes.Count(b, []byte{','}) + bytes.Count(b, []byte{'['}) + bytes.Count(b, []byte{'{'}); n > maxValues {
		return fmt.Errorf("%d values, more than %d", n, maxValues)
	}
	var m shape
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	s := &m.Signed
	need, known := required[s.Type]
	switch {
	case !known:
		return fmt.Errorf("metadata of type %.40q", s.Type)
	case !strings.HasPrefix(s.SpecVersion, "1."): // TUF 4.3 and 2.2
		return fmt.Errorf("specification version %.20q, want 1", s.SpecVersion)
	case s.Version < 1:
		return fmt.Errorf("version %d", s.Version)
	case len(m.Signatures) > maxSignatures:
		return fmt.Errorf("%d signatures, more than %d", len(m.Signatures), maxSignatures)
	}
	for _, have := range []entries{s.Keys, s.Roles, s.Meta, s.Targets, s.Delegations.Keys} {
		for name, value := range have {
			if len(value) == 0 || value[0] != '{' {
				return fmt.Errorf("%.60q is no object", name)
			}
		}
	}
	for _, name := range need.roles {
		if s.Roles[name] == nil {
			return fmt.Errorf("no role %s", name)
		}
	}
	for _, name := range need.meta {
		if s.Meta[name] == nil {
			return fmt.Errorf("nothing about %s", name)
		}
	}
	return nil
}
