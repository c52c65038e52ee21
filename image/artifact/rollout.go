package artifact

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Buckets is how many equal parts the stations of the world fall into.
const Buckets = 10000

// Rollout hands a release out to more and more stations. It lies in the manifest,
// so it is signed like that; to change it is to sign another manifest of the same
// version.
type Rollout struct {
	// Start is when the first step begins, Unix seconds.
	Start int64 `json:"start"`
	// Paused is since when the release is held back, Unix seconds; 0: it is not.
	Paused int64 `json:"paused,omitempty"`
	// Steps have rising times and shares, and the last one is everybody.
	Steps []Step `json:"steps"`
}

// Step is from when on a share of the stations takes a release.
type Step struct {
	After int64 `json:"after"` // seconds from the start
	Share int   `json:"share"` // of Buckets, with the shares before it
}

// Bounds of a rollout.
const (
	maxSteps = 16
	maxAfter = 366 * 24 * 3600 // seconds
)

// DefaultSteps are 1, 10, 50 and 100 % of the stations after 0, 24, 48 and 96 hours.
func DefaultSteps() []Step {
	const hour = 3600
	return []Step{{0, Buckets / 100}, {24 * hour, Buckets / 10}, {48 * hour, Buckets / 2}, {96 * hour, Buckets}}
}

// check says whether a rollout ends with everybody, and in a time that people
// can wait for. A nil one is in order.
func (r *Rollout) check() error {
	switch {
	case r == nil:
		return nil
	case r.Start < 1 || r.Start >= year10000:
		return fmt.Errorf("rollout: start %d: no time in seconds since 1970", r.Start)
	case r.Paused < 0 || r.Paused >= year10000:
		return fmt.Errorf("rollout: paused %d: no time in seconds since 1970", r.Paused)
	case len(r.Steps) < 1 || len(r.Steps) > maxSteps:
		return fmt.Errorf("rollout: %d steps, 1 to %d are allowed", len(r.Steps), maxSteps)
	}
	for i, s := range r.Steps {
		switch {
		case s.After < 0 || s.After > maxAfter || s.Share < 1 || s.Share > Buckets:
			return fmt.Errorf("rollout: step %d: %d of %d after %d seconds", i, s.Share, Buckets, s.After)
		case i > 0 && (s.After <= r.Steps[i-1].After || s.Share <= r.Steps[i-1].Share):
			return fmt.Errorf("rollout: step %d: no more or no later than the one before it", i)
		}
	}
	if last := r.Steps[len(r.Steps)-1].Share; last != Buckets {
		return fmt.Errorf("rollout: it ends with %d of %d stations: some would never be served", last, Buckets)
	}
	return nil
}

// Bucket is the part of the stations that one falls into for this release, 0 to
// Buckets-1. With each version others are first; a version whose schedule is
// signed anew keeps its order.
func (m *Manifest) Bucket(station string) int {
	// A channel and a version have no line's end in them.
	sum := sha256.Sum256([]byte(m.Channel + "\n" + m.Version + "\n" + station))
	return int(binary.BigEndian.Uint64(sum[:]) % Buckets)
}

// Due is from when on the stations of a bucket take a release; ok is false while
// it is held back. Without a rollout that is always, the zero time.
func (r *Rollout) Due(bucket int) (at time.Time, ok bool) {
	if r == nil {
		return time.Time{}, true
	}
	for _, s := range r.Steps {
		if bucket < s.Share {
			return time.Unix(r.Start+s.After, 0).UTC(), r.Paused == 0
		}
	}
	return time.Time{}, false
}
