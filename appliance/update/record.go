package update

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// Phase is how far an update has come, as far as a restart must know.
type Phase string

// The phases.
const (
	PhaseIdle    Phase = "idle"    // nothing is under way
	PhaseStaging Phase = "staging" // the inactive slot is being written: nothing there can be relied on
	PhaseArmed   Phase = "armed"   // the slot is whole, and its try number Tries has begun
	PhaseTrial   Phase = "trial"   // the new system has begun to show that it is well
	PhaseFailed  Phase = "failed"  // try number Tries has failed, there will be another one
)

// Record is what an engine remembers from one boot to the next, as JSON of at
// most bootfs.StatePayload bytes in the state partition.
//
// Releases of different age read and write it: a trial of a later release may
// end with this one reading that one's record. A release on trial must not write
// a form that the one before it does not know. Where it happens nevertheless, or
// the record is damaged, what can be read of it is kept (see parseRecord).
type Record struct {
	Format  int      `json:"format"` // 1
	Phase   Phase    `json:"phase"`
	Floors  Floors   `json:"floors"`
	Release *Release `json:"release,omitempty"` // there unless idle
	// Baseline is how the station was before a try: armed and trial.
	Baseline *Baseline `json:"baseline,omitempty"`
	// Blocked is the version that failed too often: it and older ones are not tried.
	Blocked string `json:"blocked,omitempty"`
	// Reason is why the last try failed, for people; empty: it is not known.
	Reason string `json:"reason,omitempty"`
	// Anchor says which root metadata the station began with: "" none yet, "image"
	// the image's, or the SHA-256 of the operator's.
	Anchor string `json:"anchor,omitempty"`
}

// Floors are what a station never goes below.
type Floors struct {
	Version  string    `json:"version,omitempty"` // committed last; empty: none yet
	Epoch    int       `json:"epoch,omitempty"`   // committed last
	Metadata tuf.Floor `json:"metadata,omitzero"`
}

// Release is the release that an update is about.
type Release struct {
	Manifest artifact.Sum `json:"manifest"` // of its manifest
	Version  string       `json:"version"`
	Epoch    int          `json:"epoch"`
	Slot     bootfs.Slot  `json:"slot"`
	Tries    int          `json:"tries"` // that have begun, whatever became of them
}

// Baseline is what worked before a try, and therefore has to work after it.
type Baseline struct {
	Network  bool `json:"network,omitempty"`
	Locked   bool `json:"locked,omitempty"`
	Asked    bool `json:"asked,omitempty"`
	Fix      bool `json:"fix,omitempty"`
	Metadata bool `json:"metadata,omitempty"` // it could be fetched and verified
}

const (
	recordFormat = 1
	anchorImage  = "image"

	maxVersion = 64  // bytes, as in manifests
	maxReason  = 300 // bytes
	maxTries   = 99
	maxEpoch   = 1 << 20 // as in manifests
	maxCount   = 1 << 53 // of a metadata version: what JSON numbers hold exactly
	maxKeys    = 128     // bytes
)

// encode checks a record and writes it.
func (r Record) encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("update record: %w", err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // so that a character takes two bytes at most
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("update record: %w", err)
	}
	b := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(b) > bootfs.StatePayload {
		return nil, fmt.Errorf("update record: %d bytes do not fit into %d", len(b), bootfs.StatePayload)
	}
	return b, nil
}

// parseRecord reads a record. With an error it returns the idle record, with
// what could be kept of the damaged one: floors, what is blocked, and a release
// that was to be tried, as one whose try failed, so that nothing can make a
// station try it for ever.
func parseRecord(b []byte) (Record, error) {
	idle := Record{Format: recordFormat, Phase: PhaseIdle}
	if len(b) > bootfs.StatePayload {
		return idle, fmt.Errorf("update record: %d bytes, at most %d are written", len(b), bootfs.StatePayload)
	}
	var r Record
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("there is more behind it")
		}
	}
	if err == nil {
		err = r.check()
	}
	if err == nil {
		return r, nil
	}
	return salvage(b), fmt.Errorf("update record: %w", err)
}

// salvage reads each part for itself.
func salvage(b []byte) Record {
	idle := Record{Format: recordFormat, Phase: PhaseIdle}
	var parts struct{ Floors, Release, Blocked, Anchor json.RawMessage }
	if json.Unmarshal(b, &parts) != nil {
		return idle
	}
	// keep takes a change if the record is still a sound one with it.
	keep := func(part json.RawMessage, into any, change func(*Record)) {
		next := idle
		if part == nil || json.Unmarshal(part, into) != nil {
			return
		}
		if change(&next); next.check() == nil {
			idle = next
		}
	}
	var f Floors
	keep(parts.Floors, &f, func(r *Record) { r.Floors = f })
	var text, anchor string
	keep(parts.Blocked, &text, func(r *Record) { r.Blocked = text })
	keep(parts.Anchor, &anchor, func(r *Record) { r.Anchor = anchor })
	var release *Release
	keep(parts.Release, &release, func(r *Record) {
		if release != nil {
			r.Phase, r.Release = PhaseFailed, release
		}
	})
	return idle
}

func (r Record) check() error {
	if r.Format != recordFormat {
		return fmt.Errorf("format %d, not %d", r.Format, recordFormat)
	}
	switch r.Phase {
	case PhaseIdle, PhaseStaging, PhaseArmed, PhaseTrial, PhaseFailed:
	default:
		return fmt.Errorf("there is no phase %.40q", r.Phase)
	}
	if (r.Release == nil) != (r.Phase == PhaseIdle) {
		return fmt.Errorf("phase %s: a release is there if and only if something is under way", r.Phase)
	}
	if during := r.Phase == PhaseArmed || r.Phase == PhaseTrial; (r.Baseline != nil) != during {
		return fmt.Errorf("phase %s: a baseline is there during a try and only then", r.Phase)
	}
	if r.Blocked != "" && !isVersion(r.Blocked) {
		return fmt.Errorf("blocked: %.80q is no version", r.Blocked)
	}
	if len(r.Reason) > maxReason || !isPlain(r.Reason) {
		return errors.New("reason: not a line of text")
	}
	if r.Anchor != "" && r.Anchor != anchorImage && new(artifact.Sum).UnmarshalText([]byte(r.Anchor)) != nil {
		return fmt.Errorf("anchor: %.80q is none", r.Anchor)
	}
	return errors.Join(r.Floors.check(), r.Release.check())
}

func (f Floors) check() error {
	if f.Version != "" && !isVersion(f.Version) {
		return fmt.Errorf("floors: %.80q is no version", f.Version)
	}
	if f.Epoch < 0 || f.Epoch > maxEpoch {
		return fmt.Errorf("floors: epoch %d", f.Epoch)
	}
	for _, n := range []int64{f.Metadata.Root, f.Metadata.Timestamp, f.Metadata.Snapshot, f.Metadata.Targets} {
		if n < 0 || n > maxCount {
			return fmt.Errorf("floors: version %d of metadata", n)
		}
	}
	if k := f.Metadata.Keys; len(k) > maxKeys || !isPlain(k) {
		return errors.New("floors: the digest of keys is none")
	}
	if y := f.Metadata.Issued.Year(); y > 9999 || y < 1 {
		return fmt.Errorf("floors: issued in the year %d", y)
	}
	return nil
}

func (r *Release) check() error {
	switch {
	case r == nil:
		return nil
	case !isVersion(r.Version):
		return fmt.Errorf("release: %.80q is no version", r.Version)
	case r.Epoch < 0 || r.Epoch > maxEpoch:
		return fmt.Errorf("release: epoch %d", r.Epoch)
	case r.Slot != bootfs.SlotA && r.Slot != bootfs.SlotB:
		return fmt.Errorf("release: there is no slot %.10q", r.Slot)
	case r.Tries < 0 || r.Tries > maxTries:
		return fmt.Errorf("release: %d tries", r.Tries)
	}
	return nil
}

// isVersion says whether s is a version as manifests have them.
func isVersion(s string) bool {
	return len(s) <= maxVersion && semver.Canonical("v"+s) == "v"+s
}

// newer says whether version a is newer than b; any is newer than none.
func newer(a, b string) bool { return b == "" || semver.Compare("v"+a, "v"+b) > 0 }

func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// reason makes a line of text of an error that fits into a record.
func reason(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	for len(s) > maxReason {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
