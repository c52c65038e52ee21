package tuf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Floor is what a station has seen and never goes below, kept apart from the
// Store. Its zero value is no floor.
type Floor struct {
	Root      int64 `json:"root,omitempty"`
	Timestamp int64 `json:"timestamp,omitempty"`
	Snapshot  int64 `json:"snapshot,omitempty"`
	Targets   int64 `json:"targets,omitempty"`
	// Keys says which keys the versions belong to, in two halves: those of
	// timestamp and snapshot, and those of targets. A version whose keys the
	// root has replaced since binds no more (TUF 5.3.11, recovery from a
	// fast-forward attack). Empty: versions bind whatever the keys.
	Keys string `json:"keys,omitempty"`
	// Issued is the newest date that the offline keys have signed. The time
	// is not before it.
	Issued time.Time `json:"issued,omitzero"`
}

// binding is the floor as far as it binds under root's keys.
func (f Floor) binding(root *metadata.RootType) Floor {
	if f.Keys == "" {
		return f
	}
	online, targets, _ := strings.Cut(f.Keys, "-")
	if online != onlineKeys(root) {
		f.Timestamp, f.Snapshot = 0, 0
	}
	if targets != targetsKeys(root) {
		f.Targets = 0
	}
	return f
}

// check compares the version of a role with its floor.
func check(role string, got, floor int64) error {
	if got < floor {
		return fmt.Errorf("%s: %w: version %d, after %d", role, ErrRollback, got, floor)
	}
	return nil
}

// Keys is Floor.Keys under a root.
func Keys(root *metadata.RootType) string { return onlineKeys(root) + "-" + targetsKeys(root) }

func onlineKeys(root *metadata.RootType) string {
	return digest(root, metadata.TIMESTAMP, metadata.SNAPSHOT)
}

func targetsKeys(root *metadata.RootType) string { return digest(root, metadata.TARGETS) }

// digest says which keys roles have: 128 bits of a SHA-256, in hex.
func digest(root *metadata.RootType, roles ...string) string {
	var lines []string
	for _, role := range roles {
		for _, id := range root.Roles[role].KeyIDs {
			if k := root.Keys[id]; k != nil {
				lines = append(lines, fmt.Sprintf("%q %q %q %q\n", role, k.Type, k.Scheme, k.Value.PublicKey))
			}
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(lines), "")))
	return hex.EncodeToString(sum[:16])
}

// issued is the date that the offline keys have signed; zero: none.
func issued(fields map[string]any, expires time.Time) time.Time {
	s, _ := fields["issued"].(string)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || !at.Before(expires) {
		return time.Time{}
	}
	return at.UTC()
}

// latest is the latest of some times.
func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
